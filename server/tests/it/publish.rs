//! Publishes that may come twice, from clients under a `mid`; and those of the application.

mod application;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{Context, Live, LiveBuilder, Refusal, Request, Session};
use tokio::sync::Semaphore;
use ts_rs::TS;

use crate::support::{Client, Server, eventually};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Said {
    text: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Talk {
        topic Room { room: String } = "room:{room}" { event: Said, publish: Said }
    }
}

const ANN: u8 = 1;
const BOB: u8 = 2;

/// What the hook has seen, and what it waits for.
struct Desk {
    /// Each run's text and `mid`.
    runs: Mutex<Vec<(String, Option<String>)>>,
    gate: Semaphore,
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Self { runs: Mutex::default(), gate: Semaphore::new(0) })
    }

    fn runs_of(&self, text: &str) -> usize {
        self.runs.lock().unwrap().iter().filter(|(ran, _)| ran == text).count()
    }
}

/// `wait…` waits at the gate; the first run of `…refuse` is refused, that of `…panic` panics.
async fn post(
    cx: Context<Arc<Desk>>,
    _session: Session<String>,
    _room: Room,
    said: Said,
) -> Result<Said, Refusal> {
    let run = (said.text.clone(), cx.mid().map(str::to_owned));
    cx.state.runs.lock().unwrap().push(run);
    if said.text.starts_with("wait") {
        cx.state.gate.acquire().await?.forget();
    }
    let is_first = cx.state.runs_of(&said.text) == 1;
    match said.text.rsplit(' ').next() {
        Some("refuse") if is_first => Err(Refusal::forbidden()),
        Some("panic") if is_first => panic!("a hook panics"),
        _ => Ok(said),
    }
}

/// A server that takes the user's name from the query, `?user=`.
fn talk(desk: &Arc<Desk>) -> LiveBuilder<String, Arc<Desk>> {
    Live::<String>::builder()
        .state(Arc::clone(desk))
        .message_rate(0, 0)
        .on_auth(async |_cx, request: Request| {
            Ok::<_, Refusal>(request.query("user").unwrap_or_default())
        })
        .topic::<Room>(|topic| {
            topic.public().history(2_000, Duration::from_secs(600)).on_publish(post)
        })
}

fn with_users(desk: &Arc<Desk>) -> Live<String> {
    talk(desk).user_key(|user: &String| user.clone()).build()
}

/// A publisher in full mode, of a user and a client instance.
async fn publisher(server: &Server, user: &str, instance: u8) -> Client {
    let mut client =
        Client::connect(server.address, &format!("/ws?user={user}"), &[]).await.unwrap();
    let hello = json!({ "version": 1, "client": format!("{instance:032x}") });
    assert_eq!(client.request("$hello", hello).await["topic"], "$hello");
    client
}

/// Somebody who hears all of `room:a`.
async fn listener(server: &Server) -> Client {
    let mut client = publisher(server, "listener", 99).await;
    client.subscribe("room:a").await;
    client
}

async fn send(client: &mut Client, id: u64, text: &str, mid: &str, epoch: Option<&str>) {
    let frame = json!({
        "topic": "room:a", "id": id, "data": { "text": text }, "mid": mid, "epoch": epoch,
    });
    client.send(frame).await;
}

/// The answer to what was sent last: the offset, or the error's name.
async fn answer(client: &mut Client, id: u64) -> Result<u64, String> {
    let frame = client.frame().await;
    assert_eq!(frame["re"], id, "{frame}");
    match frame["data"]["offset"].as_u64() {
        Some(offset) => Ok(offset),
        None => Err(frame["data"]["name"].as_str().unwrap().into()),
    }
}

async fn publish(client: &mut Client, text: &str, mid: &str) -> Result<u64, String> {
    send(client, 7, text, mid, None).await;
    answer(client, 7).await
}

fn event(text: &str, mid: &str, offset: u64) -> Value {
    json!({
        "topic": "room:a", "data": { "text": text }, "offset": offset, "prev": offset - 1,
        "mid": mid,
    })
}

#[tokio::test]
async fn a_publish_sent_again_is_appended_once_whichever_connection_it_comes_by() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut heard = listener(&server).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    assert_eq!(publish(&mut ann, "hi", "m-1").await, Ok(1));
    assert_eq!(publish(&mut ann, "hi", "m-1").await, Ok(1));
    drop(ann);
    let mut again = publisher(&server, "ann", BOB).await;
    assert_eq!(publish(&mut again, "hi", "m-1").await, Ok(1), "the user counts, not the client");
    let mut bob = publisher(&server, "bob", BOB).await;
    assert_eq!(publish(&mut bob, "hi too", "m-1").await, Ok(2), "another user's name");
    assert_eq!(publish(&mut again, "more", "m-2").await, Ok(3));
    heard.expect(event("hi", "m-1", 1)).await;
    heard.expect(event("hi too", "m-1", 2)).await;
    heard.expect(event("more", "m-2", 3)).await;
    heard.ping().await;
    let mids: Vec<_> = desk.runs.lock().unwrap().iter().map(|(_, mid)| mid.clone()).collect();
    assert!(mids.iter().all(Option::is_some), "{mids:?}");
}

#[tokio::test]
async fn without_users_it_is_the_client_instance_that_names_its_publishes() {
    let desk = Desk::new();
    let server = Server::start(&talk(&desk).build()).await;
    let mut first = publisher(&server, "", ANN).await;
    assert_eq!(publish(&mut first, "a", "1").await, Ok(1));
    drop(first);
    let (mut same, mut other) =
        (publisher(&server, "", ANN).await, publisher(&server, "", BOB).await);
    assert_eq!(publish(&mut same, "a", "1").await, Ok(1));
    assert_eq!(publish(&mut other, "b", "1").await, Ok(2));
}

#[tokio::test]
async fn in_plain_mode_a_mid_counts_where_the_user_is_known() {
    for (with_user, offset, mid) in [(true, 1, Some("1")), (false, 2, None)] {
        let desk = Desk::new();
        let live = if with_user { with_users(&desk) } else { talk(&desk).build() };
        let server = Server::start(&live).await;
        let mut plain = Client::connect(server.address, "/ws?user=ann", &[]).await.unwrap();
        for _ in 0..2 {
            plain.send(json!({ "topic": "room:a", "data": { "text": "x" }, "mid": "1" })).await;
        }
        eventually("both have come", || desk.runs_of("x") == 2).await;
        plain.ping().await;
        let last = live.topic(Room { room: "a".into() }).publish(&Said { text: "end".into() });
        assert_eq!(last.await.unwrap().offset, offset + 1);
        assert_eq!(desk.runs.lock().unwrap()[0].1.as_deref(), mid, "a user is known: {with_user}");
    }
}

#[tokio::test]
async fn the_last_thousand_of_a_user_are_remembered() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut bob = publisher(&server, "bob", BOB).await;
    assert_eq!(publish(&mut bob, "b", "first").await, Ok(1));
    let mut ann = publisher(&server, "ann", ANN).await;
    for n in 1..=1_001 {
        send(&mut ann, n, "x", &format!("m{n}"), None).await;
    }
    for n in 1..=1_001 {
        assert_eq!(answer(&mut ann, n).await, Ok(n + 1));
    }
    assert_eq!(publish(&mut ann, "x", "m2").await, Ok(3));
    assert_eq!(publish(&mut ann, "x", "m1").await, Ok(1_003), "forgotten, and appended anew");
    assert_eq!(publish(&mut bob, "b", "first").await, Ok(1), "ann took none of bob's room");
}

#[tokio::test]
async fn a_repeat_waits_for_the_first_and_shares_its_place() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let (mut first, mut again, mut third) = (
        publisher(&server, "ann", ANN).await,
        publisher(&server, "ann", ANN).await,
        publisher(&server, "ann", ANN).await,
    );
    send(&mut first, 1, "wait", "m", None).await;
    eventually("the first runs", || desk.runs_of("wait") == 1).await;
    // Whoever sent it first is cut off; that goes on all the same.
    drop(first);
    send(&mut again, 2, "wait", "m", None).await;
    send(&mut third, 3, "wait", "m", None).await;
    again.ping().await;
    third.ping().await;
    assert_eq!(publish(&mut publisher(&server, "bob", BOB).await, "free", "m").await, Ok(1));
    desk.gate.add_permits(1);
    assert_eq!((answer(&mut again, 2).await, answer(&mut third, 3).await), (Ok(2), Ok(2)));
    assert_eq!(desk.runs_of("wait"), 1, "a repeat under way runs no hook");
}

#[tokio::test]
async fn a_repeat_is_tried_by_itself_where_the_first_fails() {
    for (text, first_answer) in [("wait refuse", Some("forbidden")), ("wait panic", None)] {
        let desk = Desk::new();
        let server = Server::start(&with_users(&desk)).await;
        let (mut first, mut again) =
            (publisher(&server, "ann", ANN).await, publisher(&server, "ann", ANN).await);
        send(&mut first, 1, text, "m", None).await;
        eventually("the first runs", || desk.runs_of(text) == 1).await;
        send(&mut again, 2, text, "m", None).await;
        again.ping().await;
        desk.gate.add_permits(2);
        assert_eq!(answer(&mut again, 2).await, Ok(1), "{text}");
        match first_answer {
            Some(name) => assert_eq!(answer(&mut first, 1).await, Err(name.into())),
            None => assert_eq!(first.closed().await, Some(1011)),
        }
        assert_eq!(desk.runs_of(text), 2);
    }
}

#[tokio::test]
async fn what_was_refused_is_tried_again() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    assert_eq!(publish(&mut ann, "refuse", "m").await, Err("forbidden".into()));
    assert_eq!(publish(&mut ann, "refuse", "m").await, Ok(1));
    assert_eq!(publish(&mut ann, "refuse", "m").await, Ok(1));
}

#[tokio::test]
async fn a_publish_of_an_earlier_epoch_ends_as_unknown() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    let mut heard = listener(&server).await;
    let epoch = heard.subscribe("room:a").await["epoch"].as_str().unwrap().to_owned();
    for (epoch, expected) in [
        ("gone", Err("unknown".into())),
        (&epoch, Ok(1)),
        (&epoch, Ok(1)),
        ("gone", Err("unknown".into())),
    ] {
        send(&mut ann, 1, "hi", "m", Some(epoch)).await;
        assert_eq!(answer(&mut ann, 1).await, expected, "{epoch}");
    }
    // What a hook has stored is to be published: it does not run for what never will be.
    assert_eq!(desk.runs_of("hi"), 2);
    heard.expect(event("hi", "m", 1)).await;
    heard.ping().await;
}

#[tokio::test]
async fn pipelined_publishes_that_are_sent_again_stay_whole_and_in_order() {
    const MANY: u64 = 300;
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut heard = listener(&server).await;
    let mut first = publisher(&server, "ann", ANN).await;
    for n in 1..=MANY {
        send(&mut first, n, &n.to_string(), &format!("m{n}"), None).await;
    }
    // Cut while they are under way.
    eventually("some have run", || desk.runs.lock().unwrap().len() > 20).await;
    drop(first);
    let mut again = publisher(&server, "ann", ANN).await;
    for n in 1..=MANY {
        send(&mut again, n, &n.to_string(), &format!("m{n}"), None).await;
    }
    for n in 1..=MANY {
        assert_eq!(answer(&mut again, n).await, Ok(n));
        heard.expect(event(&n.to_string(), &format!("m{n}"), n)).await;
    }
    heard.ping().await;
}

#[tokio::test]
async fn a_mid_has_1_to_64_bytes() {
    let desk = Desk::new();
    let server = Server::start(&with_users(&desk)).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    for (mid, expected) in [
        ("", Err("invalid_data")),
        (&"x".repeat(64), Ok(1)),
        (&"x".repeat(65), Err("invalid_data")),
        (&"é".repeat(32), Ok(2)),
        (&"é".repeat(33), Err("invalid_data")),
        (&"x".repeat(100_000), Err("invalid_data")),
    ] {
        let got = publish(&mut ann, "x", mid).await;
        assert_eq!(got, expected.map_err(str::to_owned), "{} bytes", mid.len());
    }
    assert_eq!(desk.runs_of("x"), 2, "no hook sees what is not valid");
    ann.send(json!({ "topic": "room:a", "data": { "text": "x" }, "mid": 5 })).await;
    assert_eq!(ann.frame().await["data"]["name"], "malformed");
}
