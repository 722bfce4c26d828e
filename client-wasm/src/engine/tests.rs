//! The handles over the engine, with a server made of text.

mod drain;
mod lag;
#[cfg(not(target_arch = "wasm32"))]
mod mad;
mod requests;
mod state;
mod streams;

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_core::Stream;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tidewire_protocol::{
    Millis,
    client::State,
    code::{CloseCode, ErrorCode},
    schema::Schema,
};
use ts_rs::TS;

use super::{Command, Engine};
use crate::{Connection, Event, Live, PublishError, Refusal, shared::Shared};

#[derive(Debug, PartialEq, Serialize, Deserialize, TS)]
struct Said {
    text: String,
}

tidewire_protocol::schema! {
    schema Chat {
        topic Room { room: String } = "chat:{room}" { event: Said, publish: Said, presence: Said }
        topic Prices = "prices" { event: Said, key: text }
        call Shout = "shout" (Said) -> Said;
        stream Count = "count" (u32) -> u32;
    }
}

/// A driver without a network.
struct Fixture {
    shared: Arc<Shared>,
    live: Live,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn now() -> Millis {
    1_000_000
}

impl Fixture {
    fn new() -> Self {
        let schema =
            Chat::ENTRIES.iter().map(|e| (e.key().to_owned(), e.hash().to_string().into()));
        let engine = Engine::new(7, "0".repeat(32), schema.collect());
        let shared = Arc::new(Shared::new(engine, now));
        Self { live: Live::new(shared.clone()), shared, woken: Arc::default() }
    }

    fn connected() -> Self {
        let f = Self::new();
        f.shared.turn(Engine::connect);
        f.open();
        f.sent();
        f
    }

    fn open(&self) {
        self.commands();
        self.shared.turn(|engine, now| engine.opened(0, Some("secret".into()), now));
        let Some(Command::Send(0, hello)) = self.commands().pop() else { panic!("no hello") };
        let hello: Value = serde_json::from_str(&hello).unwrap();
        assert_eq!(
            (&hello["topic"], &hello["data"]["token"]),
            (&json!("$hello"), &json!("secret"))
        );
        assert_eq!(hello["data"]["schema"]["chat:{room}"], Room::hash_text());
        self.receive(&json!({"topic": "$hello", "re": hello["id"], "data": {
            "version": 1, "session": "s1", "ping_ms": 25000, "pong_ms": 10000,
            "limits": {"message_bytes": 1000, "subscriptions": 10},
            "schema": {"chat:{room}": "same", "old": "incompatible", "gone": "unknown"}}}));
    }

    fn receive(&self, frame: &Value) {
        self.text(&frame.to_string());
    }

    fn receive_on(&self, link: u8, frame: &Value) {
        self.shared.turn(|engine, now| engine.text(link, &frame.to_string(), now));
    }

    fn text(&self, text: &str) {
        self.shared.turn(|engine, now| engine.text(0, text, now));
    }

    fn lose(&self) {
        self.shared.turn(|engine, now| engine.closed(0, CloseCode::ABNORMAL, "gone".into(), now));
    }

    /// To the next deadline, and through a reconnect.
    fn come_back(&self) {
        let at = self.shared.turn(|engine, _| engine.deadline()).expect("a retry");
        self.shared.turn(|engine, _| engine.elapsed(at));
        self.open();
    }

    fn commands(&self) -> Vec<Command> {
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        std::iter::from_fn(|| match self.shared.turn(|engine, _| engine.poll_command(&mut cx)) {
            Poll::Ready(command) => Some(command),
            Poll::Pending => None,
        })
        .collect()
    }

    /// The frames that were sent since the last look.
    fn sent(&self) -> Vec<Value> {
        let frames = self.commands().into_iter().map(|command| match command {
            Command::Send(_, text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        });
        frames.collect()
    }

    /// Subscribed to a room, at an offset.
    fn subscribed(&self, offset: u64) -> crate::Subscription<Said> {
        let mut room = self.live.subscribe(&general());
        let sent = self.sent();
        assert_eq!(sent[0]["data"], json!({"topic": "chat:general"}));
        self.receive(&json!({"topic": "$reply", "re": sent[0]["id"],
            "data": {"epoch": "e", "offset": offset, "head": offset}}));
        assert_eq!(shown(&mut room), [format!("live Fresh e {offset}")]);
        room
    }

    fn event(&self, offset: u64, text: &str) {
        self.receive(&json!({"topic": "chat:general", "data": {"text": text},
            "offset": offset, "prev": offset - 1}));
    }

    fn in_use(&self) -> (usize, usize, bool) {
        self.shared.turn(|engine, _| {
            (engine.topics.in_use(), engine.epochs.in_use(), engine.requests.is_empty())
        })
    }
}

impl Room {
    fn hash_text() -> String {
        Chat::ENTRIES[0].hash().to_string()
    }
}

fn general() -> Room {
    Room { room: "general".into() }
}

fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    std::pin::Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

fn settle(publish: &mut crate::Publish) -> Poll<Result<u64, String>> {
    let polled = std::pin::Pin::new(publish).poll(&mut Context::from_waker(Waker::noop()));
    polled.map(|result| result.map(|at| at.offset).map_err(|error| error.to_string()))
}

/// All that waits in a stream, in short.
fn shown<S: DeserializeOwned + Debug>(stream: &mut crate::Subscription<Said, S>) -> Vec<String> {
    let mut shown = Vec::new();
    loop {
        shown.push(match poll(stream) {
            Poll::Pending => return shown,
            Poll::Ready(None) => "end".into(),
            Poll::Ready(Some(event)) => match event {
                Event::Live { continuity, at } => {
                    format!("live {continuity:?} {} {}", at.epoch, at.offset)
                }
                Event::Message { data, offset } => format!("{offset} {}", data.text),
                Event::Snapshot { state, at } => format!("state {state:?} {}", at.offset),
                Event::Removed { key, offset } => format!("{offset} without {key}"),
                Event::Gap(gap) => format!("gap {} {} {:?}", gap.after, gap.to, gap.cause),
                Event::Invalid { offset, .. } => format!("invalid {offset}"),
                Event::Refused { refusal, retry_at } => {
                    format!("refused {refusal} {}", retry_at > now())
                }
                Event::Ended(refusal) => format!("ended {refusal}"),
            },
        });
        if shown.last().is_some_and(|last| last == "end") {
            return shown;
        }
    }
}

#[test]
fn a_connection_is_told_as_it_changes() {
    let f = Fixture::new();
    let mut states = f.live.connections();
    assert_eq!(poll(&mut states), Poll::Ready(Some(Connection::default())));
    assert_eq!(poll(&mut states), Poll::Pending);
    f.shared.turn(Engine::connect);
    assert_eq!(f.commands(), [Command::Open(0)]);
    f.open();
    let connected = Connection {
        state: State::Connected,
        session: Some("s1".into()),
        incompatible: vec!["gone".into(), "old".into()],
        ..Connection::default()
    };
    assert_eq!(
        poll(&mut states),
        Poll::Ready(Some(connected.clone())),
        "what was between is skipped"
    );
    f.receive(&json!({"topic": "$error", "data": {"code": 301, "message": "slow down"}}));
    let error = Refusal { code: ErrorCode::RATE_LIMITED, message: Some("slow down".into()) };
    assert_eq!(f.live.connection(), Connection { error: Some(error), ..connected });
    f.lose();
    let lost = f.live.connection();
    assert!(matches!(lost.state, State::Waiting { .. }), "{lost:?}");
    assert_eq!((lost.session, lost.reason), (None, "gone".into()));
    f.live.close();
    assert!(matches!(
        poll(&mut states),
        Poll::Ready(Some(Connection { state: State::Closed, .. }))
    ));
    assert_eq!(poll(&mut states), Poll::Ready(None));
}

#[test]
fn a_subscription_is_a_stream_of_what_its_topic_tells() {
    let f = Fixture::connected();
    let mut room = f.subscribed(41);
    f.event(42, "hi");
    f.event(42, "hi");
    f.receive(&json!({"topic": "chat:general", "data": {"text": 5}, "offset": 43, "prev": 42}));
    f.receive(&json!({"topic": "chat:other", "data": {"text": "no"}, "offset": 44, "prev": 43}));
    f.receive(&json!({"topic": "$gap", "data":
        {"topic": "chat:general", "after": 43, "to": 50, "cause": "dropped"}}));
    f.event(51, "on");
    assert_eq!(shown(&mut room), ["42 hi", "invalid 43", "gap 43 50 Dropped", "51 on"]);
    drop(room);
    let sent = f.sent();
    assert_eq!((&sent[0]["topic"], sent.len()), (&json!("$unsubscribe"), 1));
    assert_eq!(f.in_use(), (0, 0, true));
}

#[test]
fn a_subscription_goes_on_after_a_lost_connection() {
    let f = Fixture::connected();
    let mut room = f.subscribed(41);
    f.event(42, "before");
    f.lose();
    f.come_back();
    let sent = f.sent();
    let since = json!({"topic": "chat:general", "since": {"epoch": "e", "offset": 42}});
    assert_eq!((&sent[0]["data"], sent.len()), (&since, 1));
    let late = f.live.subscribe(&general());
    f.receive(&json!({"topic": "$reply", "re": sent[0]["id"],
        "data": {"epoch": "e", "offset": 42, "head": 43, "recovered": true}}));
    f.event(43, "missed");
    assert_eq!(shown(&mut room), ["42 before", "live Recovered e 42", "43 missed"]);
    let mut late = late;
    assert_eq!(shown(&mut late), ["live Fresh e 42", "43 missed"]);
    let mut later = f.live.subscribe(&general());
    assert_eq!((shown(&mut later), shown(&mut late)), (vec!["live Fresh e 43".into()], vec![]));
    drop((late, later));
    assert_eq!(f.sent(), Vec::<Value>::new(), "they shared one");

    f.lose();
    f.come_back();
    let sent = f.sent();
    f.receive(&json!({"topic": "$reply", "re": sent[0]["id"],
        "data": {"epoch": "f", "offset": 9, "head": 9, "recovered": false}}));
    assert_eq!(shown(&mut room), ["gap 43 9 NewEpoch", "live Lost f 9"]);
    assert_eq!(f.in_use(), (1, 1, true));
}

#[test]
fn refusals_come_with_their_words() {
    let f = Fixture::connected();
    let mut room = f.live.subscribe(&general());
    let sent = f.sent();
    f.receive(
        &json!({"topic": "$error", "re": sent[0]["id"], "data": {"code": 303, "message": "soon"}}),
    );
    assert_eq!(shown(&mut room), ["refused unavailable (303): soon true"]);
    let at = f.shared.turn(|engine, _| engine.deadline()).unwrap();
    f.shared.turn(|engine, _| engine.elapsed(at));
    let sent = f.sent();
    f.receive(
        &json!({"topic": "$error", "re": sent[0]["id"], "data": {"code": 201, "message": "no"}}),
    );
    assert_eq!(shown(&mut room), ["ended forbidden (201): no", "end"]);
    drop(room);
    assert_eq!((f.sent(), f.in_use()), (vec![], (0, 0, true)));
    let mut nowhere = f.live.subscribe(&Room { room: String::new() });
    let [ended, end] = &shown(&mut nowhere)[..] else { panic!("two events") };
    assert!(ended.starts_with("ended invalid_topic (101): ") && end == "end", "{ended}");
}

#[test]
fn publishes_have_an_outcome_each() {
    let f = Fixture::connected();
    let said = |text: &str| Said { text: text.into() };
    let mut first = f.live.publish(&general(), &said("a"));
    let mut second = f.live.publish(&general(), &said("b"));
    let forgotten = f.live.publish(&general(), &said("c"));
    let sent = f.sent();
    assert_eq!(
        (&sent[0]["topic"], &sent[0]["data"]),
        (&json!("chat:general"), &json!({"text": "a"}))
    );
    drop(forgotten);
    assert_eq!(settle(&mut first), Poll::Pending);
    f.receive(
        &json!({"topic": "$reply", "re": sent[0]["id"], "data": {"epoch": "e", "offset": 7}}),
    );
    f.receive(
        &json!({"topic": "$error", "re": sent[1]["id"], "data": {"code": 201, "message": "no"}}),
    );
    f.receive(
        &json!({"topic": "$reply", "re": sent[2]["id"], "data": {"epoch": "e", "offset": 8}}),
    );
    assert_eq!(settle(&mut first), Poll::Ready(Ok(7)));
    assert_eq!(settle(&mut second), Poll::Ready(Err("forbidden (201): no".into())));
    assert_eq!(f.in_use(), (0, 0, true));

    let mut unknown = f.live.send("wave", &5);
    assert_eq!(f.sent()[0]["topic"], "wave");
    f.lose();
    assert_eq!(settle(&mut unknown), Poll::Ready(Err("unknown (401)".into())));
    let mut waits = f.live.publish(&general(), &said("d"));
    f.come_back();
    assert_eq!(f.sent()[0]["data"], json!({"text": "d"}));
    f.live.close();
    assert_eq!(settle(&mut waits), Poll::Ready(Err("unknown (401)".into())));
    let mut late = f.live.publish(&general(), &said("e"));
    assert_eq!(settle(&mut late), Poll::Ready(Err("closed (402)".into())));
    let mut nowhere = f.live.publish(&Room { room: String::new() }, &said("f"));
    assert!(matches!(settle(&mut nowhere), Poll::Ready(Err(_))));
    assert!(matches!(f.live.send("$x", &1).now(), PublishError::Name(_)));
}

impl crate::Publish {
    fn now(mut self) -> PublishError {
        let mut cx = Context::from_waker(Waker::noop());
        match std::pin::Pin::new(&mut self).poll(&mut cx) {
            Poll::Ready(Err(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_go_to_those_who_listen() {
    let f = Fixture::connected();
    let mut greetings = f.live.messages("greeting");
    f.text(r#"{"topic":"greeting","data":{"a": 1.0}}"#);
    f.text(r#"{"topic":"other","data":2}"#);
    assert!(
        matches!(poll(&mut greetings), Poll::Ready(Some(data)) if data.get() == r#"{"a": 1.0}"#)
    );
    assert!(poll(&mut greetings).is_pending());
    for n in 0..300 {
        f.receive(&json!({"topic": "greeting", "data": n}));
    }
    assert!(matches!(poll(&mut greetings), Poll::Ready(Some(data)) if data.get() == "44"));
    f.live.close();
    let left = std::iter::from_fn(|| match poll(&mut greetings) {
        Poll::Ready(data) => data,
        Poll::Pending => panic!("it ends"),
    });
    assert_eq!(left.count(), 255);
    assert!(matches!(poll(&mut f.live.messages("greeting")), Poll::Ready(None)));
}

#[test]
fn closing_ends_everything() {
    let f = Fixture::connected();
    let mut room = f.subscribed(41);
    f.live.close();
    assert_eq!(f.commands(), [Command::Shut(0, 1000)]);
    assert_eq!(shown(&mut room), ["ended closed (402)", "end"]);
    assert_eq!(shown(&mut f.live.subscribe(&general())), ["ended closed (402)", "end"]);
    f.live.reconnect();
    f.live.close();
    assert_eq!(f.commands(), []);
}

#[test]
fn a_server_that_said_stop_may_be_asked_again() {
    let f = Fixture::connected();
    f.live.reconnect();
    assert_eq!(f.commands(), []);
    f.shared
        .turn(|engine, now| engine.closed(0, CloseCode::UNAUTHORIZED, "who are you?".into(), now));
    assert_eq!(f.live.connection().reason, "who are you?");
    f.live.reconnect();
    assert_eq!(f.commands(), [Command::Open(0)]);
}

#[test]
fn the_driver_is_woken_when_there_is_something_to_do() {
    let f = Fixture::new();
    let count = || f.woken.count();
    assert_eq!((f.commands(), count()), (vec![], 0));
    f.shared.turn(Engine::connect);
    assert_eq!(count(), 1);
    f.open();
    f.shared.turn(|engine, _| engine.deadline());
    f.commands();
    let before = count();
    f.text(r#"{"topic":"$ping"}"#);
    assert_eq!((f.sent().len(), count()), (1, before + 1));
    f.text(r#"{"topic":"chat","data":1}"#);
    assert_eq!(count(), before + 1, "nothing to do");
    // A nearer deadline.
    f.lose();
    assert_eq!(count(), before + 2);
    f.shared.turn(|engine, _| engine.deadline());
    f.commands();
    // A page that is shown again.
    f.shared.turn(|engine, now| engine.wake(now + 5_000));
    assert_eq!((count(), f.commands()), (before + 3, vec![Command::Open(0)]));
}

#[test]
fn the_driver_is_woken_when_nobody_holds_the_client_any_more() {
    let Fixture { shared, live, woken } = Fixture::new();
    let waker = Waker::from(woken.clone());
    let polled = shared.turn(|engine, _| engine.poll_command(&mut Context::from_waker(&waker)));
    assert!(polled.is_pending());
    let subscription = live.subscribe(&general());
    drop((shared, live));
    assert_eq!(woken.count(), 0);
    drop(subscription);
    assert_eq!(woken.count(), 1);
}
