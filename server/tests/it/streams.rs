//! Calls that stream: in order, at the pace of their reader, and ended with it.

mod application;
mod limits;
mod pace;
mod panics;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{CloseCode, Live, LiveBuilder, Refusal, Session};
use tidewire_protocol::schema::StreamingCall;
use tokio::sync::Semaphore;
use ts_rs::TS;

use crate::support::{Client, Received, Server, eventually};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Lines {
    bytes: usize,
    count: usize,
}

tidewire_protocol::schema! {
    pub(crate) schema Logs {
        topic News = "news" { event: usize }
        topic Past = "past" { event: usize }
        stream Count = "count" (usize) -> usize;
        stream Gated = "gated" () -> usize;
        stream Tail = "tail" (Lines) -> String;
        stream Fails = "fails" (usize) -> usize;
        call Ping = "ping" () -> ();
    }
}

/// What the streams of a test wait for, and what they have done.
pub(crate) struct Gate {
    /// Each lets one item of a gated stream through.
    items: Semaphore,
    /// Streams that are there.
    running: AtomicUsize,
    /// Items that were asked for.
    taken: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self { items: Semaphore::new(0), running: 0.into(), taken: 0.into() }
    }
}

impl Gate {
    fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Counts its stream as running while it lives.
struct Runs(Arc<Gate>);

impl Runs {
    fn new(gate: &Arc<Gate>) -> Self {
        gate.running.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(gate))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// 1, 2, 3 and so on, each as its turn comes and the gate lets it through.
fn gated(gate: &Arc<Gate>) -> impl Stream<Item = usize> + Send + use<> {
    let runs = Runs::new(gate);
    stream::unfold((0, runs), async |(n, runs)| {
        runs.0.items.acquire().await.unwrap().forget();
        Some((n + 1, (n + 1, runs)))
    })
}

fn lines(
    gate: &Arc<Gate>,
    Lines { bytes, count }: Lines,
) -> impl Stream<Item = String> + Send + use<> {
    let runs = Runs::new(gate);
    stream::iter(0..count).map(move |_| {
        runs.0.taken.fetch_add(1, Ordering::SeqCst);
        "x".repeat(bytes)
    })
}

fn builder(gate: &Arc<Gate>) -> LiveBuilder<(), Arc<Gate>> {
    Live::<()>::builder()
        .state(Arc::clone(gate))
        .topic::<News>(|topic| topic.public())
        .stream(Count, async |_cx, _session, to| Ok(stream::iter(1..=to)))
        .stream(Gated, async |cx, _session, ()| Ok(gated(&cx.state)))
        .stream(Tail, async |cx, _session, wanted| Ok(lines(&cx.state, wanted)))
        .stream(Fails, async |_cx, _session, at| {
            if at == 0 {
                return Err(Refusal::forbidden().message("not at all"));
            }
            let items = stream::iter(1..).map(move |n| {
                if n < at { Ok(n) } else { Err(Refusal::invalid_data().message("no further")) }
            });
            Ok(items)
        })
        .call(Ping, async |_cx, _session, ()| Ok(()))
}

async fn serve(gate: &Arc<Gate>) -> (Server, Live<()>) {
    let live = builder(gate).build();
    (Server::start(&live).await, live)
}

async fn send_call(client: &mut Client, id: u64, data: Value) {
    client.send(json!({ "topic": "$call", "id": id, "data": data })).await;
}

fn item(re: u64, data: impl Into<Value>) -> Value {
    json!({ "topic": "$item", "re": re, "data": data.into() })
}

fn end(re: u64) -> Value {
    json!({ "topic": "$reply", "re": re, "data": null })
}

#[tokio::test]
async fn items_come_in_order_and_then_the_end() {
    let (server, _) = serve(&Arc::default()).await;
    let mut client = server.full().await;
    for (id, to) in [(100, 3), (101, 0), (102, 500)] {
        send_call(&mut client, id, json!({ "call": "count", "args": to })).await;
        for n in 1..=to {
            client.expect(item(id, n)).await;
        }
        client.expect(end(id)).await;
    }
    // Each of two has its turn.
    for id in [103, 104] {
        send_call(&mut client, id, json!({ "call": "count", "args": 200 })).await;
    }
    let mut at = [0, 0];
    while at != [201, 201] {
        let frame = client.frame().await;
        let id = frame["re"].as_u64().unwrap();
        let at = &mut at[usize::from(id == 104)];
        *at += 1;
        assert_eq!(frame, if *at == 201 { end(id) } else { item(id, *at) });
    }
}

#[tokio::test]
async fn a_refusal_comes_first_or_in_the_middle() {
    let (server, _) = serve(&Arc::default()).await;
    let mut client = server.client().await;
    let schema = json!({ "count": "0", "fails": Fails::hash().to_string() });
    let welcome = client.hello(schema).await;
    assert_eq!(welcome["data"]["schema"], json!({ "count": "incompatible", "fails": "same" }));
    for (args, items, name, message) in [
        (json!(0), 0, "forbidden", "not at all"),
        (json!(1), 0, "invalid_data", "no further"),
        (json!(4), 3, "invalid_data", "no further"),
    ] {
        send_call(&mut client, 100, json!({ "call": "fails", "args": args })).await;
        for n in 1..=items {
            client.expect(item(100, n)).await;
        }
        let frame = client.frame().await;
        let error = &frame["data"];
        assert_eq!((&frame["topic"], &frame["re"]), (&json!("$error"), &json!(100)));
        assert_eq!((&error["name"], &error["message"]), (&json!(name), &json!(message)));
    }
    let answer = client.request("$call", json!({ "call": "fails", "args": "x" })).await;
    assert_eq!(answer["data"]["name"], "invalid_data");
    let answer = client.request("$call", json!({ "call": "count", "args": 1 })).await;
    assert_eq!(answer["data"]["name"], "incompatible");
    // Nobody could tell the items.
    client.send(json!({ "topic": "$call", "data": { "call": "fails", "args": 4 } })).await;
    let error = client.frame().await;
    assert_eq!((&error["re"], &error["data"]["topic"]), (&Value::Null, &json!("$call")));
    assert_eq!(error["data"]["name"], "invalid_data");
}

#[tokio::test]
async fn a_stream_holds_up_nothing_and_is_cancelled() {
    let gate = Arc::<Gate>::default();
    let (server, live) = serve(&gate).await;
    let mut client = server.full().await;
    client.subscribe("news").await;
    for id in [100, 101] {
        send_call(&mut client, id, json!({ "call": "gated" })).await;
    }
    eventually("both run", || gate.running() == 2).await;
    live.topic(News).publish(&7).await.unwrap();
    assert_eq!(client.frame().await["data"], 7);
    let answer = client.request("$call", json!({ "call": "ping" })).await;
    assert_eq!(answer["topic"], "$reply");
    gate.items.add_permits(1);
    client.expect(item(100, 1)).await;
    client.send(json!({ "topic": "$cancel", "data": { "id": 100 } })).await;
    let answer = client.frame().await;
    assert_eq!((&answer["re"], &answer["data"]["name"]), (&json!(100), &json!("cancelled")));
    assert_eq!(gate.running(), 1, "it is dropped at once");
    client.send(json!({ "topic": "$cancel", "data": { "id": 100 } })).await;
    gate.items.add_permits(1);
    client.expect(item(101, 1)).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let gate = Arc::<Gate>::default();
    let live = builder(&gate)
        .on_message(async |_cx, session: Session<()>, _message| session.close(CloseCode(4500), ""))
        .build();
    let server = Server::start(&live).await;
    for what in ["lost", "closed"] {
        let mut client = server.full().await;
        send_call(&mut client, 100, json!({ "call": "gated" })).await;
        eventually("it runs", || gate.running() == 1).await;
        if what == "closed" {
            client.send(json!({ "topic": "bye" })).await;
            assert_eq!(client.closed().await, Some(4500));
        }
        drop(client);
        eventually(what, || gate.running() == 0).await;
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_its_session_with_1011() {
    let live = Live::<()>::builder()
        .stream(Count, async |_cx, _session, to| {
            Ok(stream::iter(0..).map(move |n| {
                assert!(n < to, "a test's own panic");
                n
            }))
        })
        .build();
    let server = Server::start(&live).await;
    let mut other = server.full().await;
    let mut client = server.full().await;
    send_call(&mut client, 9, json!({ "call": "count", "args": 1 })).await;
    assert_eq!(client.closed().await, Some(1011));
    other.ping().await;
}

#[tokio::test]
async fn plain_mode_has_no_streams() {
    let (server, _) = serve(&Arc::default()).await;
    let mut client = server.client().await;
    for topic in ["$call", "$more"] {
        client
            .send(json!({ "topic": topic, "id": 1, "data": { "call": "count", "args": 1 } }))
            .await;
        let Received::Frame(error) = client.receive().await else { panic!("no answer") };
        assert_eq!(
            (&error["topic"], &error["data"]["name"]),
            (&json!("error"), &json!("reserved_topic"))
        );
    }
}
