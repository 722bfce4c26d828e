//! Calls: typed, beside everything else, cancelled and timed.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{
    Live, Refusal,
    ws::{Opcode, encode},
};
use tidewire_protocol::schema::Call;
use tokio::sync::{Notify, Semaphore};
use ts_rs::TS;

use crate::support::{Client, Server, eventually};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Numbers {
    a: i32,
    b: i32,
}

tidewire_protocol::schema! {
    pub(crate) schema Arithmetic {
        call Divide = "divide" (Numbers) -> i32;
        call Wait = "wait" () -> ();
    }
}

/// What the calls of a test wait for, and how many run.
#[derive(Default)]
struct Gate {
    open: Notify,
    running: std::sync::atomic::AtomicUsize,
}

impl Gate {
    fn running(&self) -> usize {
        self.running.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Counts itself as running while it lives.
struct Runs(Arc<Gate>);

impl Runs {
    fn new(gate: &Arc<Gate>) -> Self {
        gate.running.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(Arc::clone(gate))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn live(gate: &Arc<Gate>) -> Live<()> {
    Live::<()>::builder()
        .state(Arc::clone(gate))
        .hook_timeout(Duration::from_secs(5))
        .call(Divide, async |_cx, _session, Numbers { a, b }| {
            a.checked_div(b).ok_or(Refusal::invalid_data().message("by zero"))
        })
        .call(Wait, async |cx, _session, ()| {
            let _runs = Runs::new(&cx.state);
            cx.state.open.notified().await;
            Ok(())
        })
        .on_message(async |_cx, session, message| session.send("echo", &message.data).unwrap())
        .build()
}

async fn send_call(client: &mut Client, id: u64, data: Value) {
    client.send(json!({ "topic": "$call", "id": id, "data": data })).await;
}

#[tokio::test]
async fn a_call_is_answered_or_refused() {
    let server = Server::start(&live(&Arc::default())).await;
    let mut client = server.full().await;
    for (call, args, topic, data) in [
        ("divide", json!({ "a": 7, "b": 2 }), "$reply", json!(3)),
        ("divide", json!({ "a": 7, "b": 0 }), "$error", json!("invalid_data")),
        ("divide", json!({ "a": "7" }), "$error", json!("invalid_data")),
        ("multiply", json!(1), "$error", json!("unknown_call")),
    ] {
        let answer = client.request("$call", json!({ "call": call, "args": args })).await;
        let got = if topic == "$reply" { &answer["data"] } else { &answer["data"]["name"] };
        assert_eq!((&answer["topic"], got), (&json!(topic), &data), "{call} {args}");
    }
    let answer = client.request("$call", json!({ "args": 1 })).await;
    assert_eq!(answer["data"]["name"], "invalid_data");
}

#[tokio::test]
async fn a_call_with_another_schema_is_refused_and_others_go_on() {
    let server = Server::start(&live(&Arc::default())).await;
    let mut client = server.client().await;
    let welcome = client.hello(json!({ "divide": "0", "wait": Wait::hash().to_string() })).await;
    assert_eq!(welcome["data"]["schema"], json!({ "divide": "incompatible", "wait": "same" }));
    let args = json!({ "a": 1, "b": 1 });
    let answer = client.request("$call", json!({ "call": "divide", "args": args })).await;
    assert_eq!(answer["data"]["name"], "incompatible");
}

#[tokio::test]
async fn calls_hold_up_nothing_and_at_most_eight_run() {
    let gate = Arc::<Gate>::default();
    let server = Server::start(&live(&gate)).await;
    let mut client = server.full().await;
    for id in 100..112 {
        send_call(&mut client, id, json!({ "call": "wait" })).await;
    }
    client.send(json!({ "topic": "x", "data": 1 })).await;
    client.expect(json!({ "topic": "echo", "data": 1 })).await;
    client.ping().await;
    assert_eq!(gate.running(), 8);
    let mut answered = Vec::new();
    for _ in 100..112 {
        gate.open.notify_one();
        answered.push(client.frame().await["re"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, (100..112).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_call_is_cancelled_where_it_runs_or_waits() {
    let gate = Arc::<Gate>::default();
    let server = Server::start(&live(&gate)).await;
    let mut client = server.full().await;
    for id in 100..109 {
        send_call(&mut client, id, json!({ "call": "wait" })).await;
    }
    for id in [108, 100] {
        client.send(json!({ "topic": "$cancel", "data": { "id": id } })).await;
        let answer = client.frame().await;
        assert_eq!((&answer["re"], &answer["data"]["name"]), (&json!(id), &json!("cancelled")));
    }
    eventually("seven run", || gate.running() == 7).await;
    client.send(json!({ "topic": "$cancel", "data": { "id": 100 } })).await;
    client.ping().await;
    // Whatever is asked about one call at once, it has one answer.
    let cancel = json!({ "topic": "$cancel", "data": { "id": 101 } }).to_string();
    let cancel = encode::masked(Opcode::Text, cancel.as_bytes(), [1, 2, 3, 4]);
    client.send_raw(&[&cancel[..], &cancel, &cancel].concat()).await;
    assert_eq!(client.frame().await["re"], 101);
    client.ping().await;
}

#[tokio::test]
async fn a_call_ends_at_its_clients_time() {
    let server = Server::start(&live(&Arc::default())).await;
    let mut client = server.full().await;
    let answer = client.request("$call", json!({ "call": "wait", "timeout_ms": 20 })).await;
    assert_eq!(answer["data"]["name"], "timeout");
}

#[tokio::test]
async fn calls_end_with_their_session() {
    let gate = Arc::<Gate>::default();
    let server = Server::start(&live(&gate)).await;
    let mut client = server.full().await;
    for id in 100..103 {
        send_call(&mut client, id, json!({ "call": "wait" })).await;
    }
    client.ping().await;
    eventually("three run", || gate.running() == 3).await;
    drop(client);
    eventually("none runs", || gate.running() == 0).await;
}

#[tokio::test]
async fn a_panic_in_a_call_ends_its_session_with_1011() {
    let permits = Arc::new(Semaphore::new(0));
    permits.close();
    let live = Live::<()>::builder()
        .state(permits)
        .call(Wait, async |cx, _session, ()| {
            let _permit = cx.state.acquire().await.expect("a test's own panic");
            Ok(())
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    send_call(&mut client, 9, json!({ "call": "wait" })).await;
    assert_eq!(client.closed().await, Some(1011));
}
