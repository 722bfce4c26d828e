//! A server that says whatever comes to its mind, on both links, and then comes to its senses. Whatever it said, the client neither panics nor
//! hangs: each thing that was asked has an outcome, and every subscription is live again.
//!
//! Tasks are polled only when they were woken, and time passes only by the client's own deadlines, so that a wake or a deadline that is missing
//! shows as a hang.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    pin::Pin,
    rc::Rc,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{Items, Range, Subscription};

mod acts;
#[path = "../../../tests/shared/mutated.rs"]
mod mutated;

use acts::{Act, Answer, Page, act};
use mutated::{cases, changed};

thread_local! {
    static NOW: Cell<Millis> = const { Cell::new(0) };
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// What the page's own subscriptions have heard since the server is sane.
type Heard = Rc<RefCell<HashMap<&'static str, u32>>>;

/// The client between a page and a mad server.
struct World {
    shared: Arc<Shared>,
    live: Live,
    woken: Arc<Woken>,
    open: [bool; 2],
    /// What was asked on a link that is open, answered or not.
    asked: Vec<(u8, Value)>,
    /// Each ends with an outcome.
    requests: FuturesUnordered<Task>,
    /// They subscribe again where their subscription ends.
    watchers: FuturesUnordered<Task>,
    heard: Heard,
    unread: Vec<Subscription<Said>>,
    unread_items: Vec<Items<u32>>,
}

impl World {
    fn new() -> Self {
        NOW.set(now());
        let schema =
            Chat::ENTRIES.iter().map(|e| (e.key().to_owned(), e.hash().to_string().into()));
        let engine = Engine::new(7, "0".repeat(32), schema.collect());
        let shared = Arc::new(Shared::new(engine, || NOW.get()));
        shared.turn(Engine::connect);
        let mut world = Self {
            live: Live::new(shared.clone()),
            shared,
            woken: Arc::default(),
            open: [false; 2],
            asked: Vec::new(),
            requests: FuturesUnordered::new(),
            watchers: FuturesUnordered::new(),
            heard: Heard::default(),
            unread: Vec::new(),
            unread_items: Vec::new(),
        };
        world.watch();
        world.run();
        world
    }

    /// Subscribes as a page does, in every way.
    fn watch(&self) {
        let (live, heard) = (self.live.clone(), self.heard.clone());
        self.watchers.push(Box::pin(async move {
            loop {
                let mut room = live.subscribe(&general());
                while let Some(event) = room.next().await {
                    if matches!(event, Event::Message { data, .. } if data.text == "sane") {
                        hear(&heard, "events");
                    }
                }
            }
        }));
        let (live, heard) = (self.live.clone(), self.heard.clone());
        self.watchers.push(Box::pin(async move {
            loop {
                let mut room = live.follow(&general());
                room.present(&"here").expect("a string is JSON");
                while let Some(event) = room.next().await {
                    if matches!(event, Event::Message { data, .. } if data.text == "sane") {
                        hear(&heard, "events with state");
                    }
                }
            }
        }));
        let (live, heard) = (self.live.clone(), self.heard.clone());
        self.watchers.push(Box::pin(async move {
            loop {
                let mut prices = live.keyed(&Prices);
                while prices.next().await.is_some() {
                    if prices.entries().contains_key("sane") {
                        hear(&heard, "keys");
                    }
                }
            }
        }));
        let (live, heard) = (self.live.clone(), self.heard.clone());
        self.watchers.push(Box::pin(async move {
            loop {
                let mut people = live.presence(&general());
                while people.next().await.is_some() {
                    if people.entries().contains_key("sane") {
                        hear(&heard, "members");
                    }
                }
            }
        }));
    }

    fn ask<F: Future + 'static>(&self, request: F) {
        self.requests.push(Box::pin(async move { drop(request.await) }));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Say { link, text } => self.say(link, &text),
            Act::Event { topic, offset, times, changes } => {
                for offset in offset..offset + times {
                    let event = json!({"topic": topic, "data": {"text": "mad"}, "offset": offset, "prev": offset - 1});
                    self.say(0, &changed(&event.to_string(), &changes));
                }
            }
            Act::Answer { which, how, changes } => {
                if let Some((link, frame)) = self.pick(which) {
                    for answer in answers(&frame, how) {
                        self.say(link, &changed(&answer.to_string(), &changes));
                    }
                }
            }
            Act::Items { which, times, changes } => {
                let streams: Vec<_> =
                    self.asked.iter().filter(|(_, frame)| is_stream(frame)).cloned().collect();
                if !streams.is_empty() {
                    let (link, frame) = which.get(&streams);
                    for item in 0..times {
                        let item = json!({"topic": "$item", "re": frame["id"], "data": item});
                        self.say(*link, &changed(&item.to_string(), &changes));
                    }
                }
            }
            Act::End { link, code } => self.end(link, code),
            Act::Pass(ms) => self.pass(ms),
            Act::Page(page) => self.page(page),
        }
        self.run();
    }

    fn page(&mut self, page: Page) {
        let live = self.live.clone();
        let said = Said { text: "x".into() };
        match page {
            Page::Publish => self.ask(live.publish(&general(), &said)),
            Page::Send => self.ask(live.send("wave", &1)),
            Page::History => self.ask(live.history(&general(), Range::default())),
            Page::Call => self.ask(live.call(Shout, &said)),
            Page::CallAndLeave => drop(live.call(Shout, &said)),
            Page::CallWithin(ms) => {
                self.ask(live.call_within(Shout, &said, std::time::Duration::from_millis(ms)));
            }
            Page::Stream(most) => self.ask(async move {
                let mut items = live.stream(Count, &9);
                for _ in 0..most {
                    if items.next().await.is_none() {
                        break;
                    }
                }
            }),
            Page::StreamUnread => self.unread_items.push(live.stream(Count, &9)),
            Page::Subscribe => self.ask(async move {
                let mut room = live.subscribe(&Room { room: "passing".into() });
                room.next().await;
            }),
            Page::SubscribeUnread => {
                self.unread.push(live.subscribe(&Room { room: "unread".into() }));
                self.unread.push(live.subscribe(&general()));
            }
            Page::Leave => {
                self.unread.clear();
                self.unread_items.clear();
            }
            Page::Present => {
                if let Some(unread) = self.unread.last() {
                    unread.present(&"there").expect("a string is JSON");
                }
            }
            Page::Reconnect => live.reconnect(),
        }
    }

    fn pick(&self, which: Index) -> Option<(u8, Value)> {
        (!self.asked.is_empty()).then(|| which.get(&self.asked).clone())
    }

    /// The server says something on a link, when the client takes it.
    fn say(&mut self, link: u8, text: &str) {
        let mut waits = 0;
        while !self.shared.turn(|engine, now| engine.takes_more(now)) {
            waits += 1;
            assert!(waits < 10, "it takes more in the end");
            self.pass(1_000);
        }
        if self.open[usize::from(link)] {
            self.shared.turn(|engine, now| engine.text(link, text, now));
            self.run();
        }
    }

    fn end(&mut self, link: u8, code: u16) {
        if std::mem::take(&mut self.open[usize::from(link)]) {
            self.asked.retain(|(on, _)| *on != link);
            self.shared.turn(|engine, now| engine.closed(link, CloseCode(code), "mad".into(), now));
            self.run();
        }
    }

    /// Time passes, with all deadlines that come in it.
    fn pass(&mut self, ms: Millis) {
        let end = NOW.get() + ms;
        let mut deadlines = 0;
        while let Some(at) = self.shared.turn(|engine, _| engine.deadline()).filter(|at| *at <= end)
        {
            deadlines += 1;
            assert!(deadlines < 1_000, "time does not pass: {at} and again {at}");
            NOW.set(at.max(NOW.get()));
            self.shared.turn(Engine::elapsed);
            self.run();
        }
        NOW.set(end);
    }

    /// Polls who was woken and does what the engine says, until there is nothing left to do.
    fn run(&mut self) {
        let waker = Waker::from(self.woken.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..10_000 {
            let woken = self.woken.count();
            for tasks in [&mut self.requests, &mut self.watchers] {
                while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut cx) {}
            }
            let command = self.shared.turn(|engine, _| engine.poll_command(&mut cx));
            if let Poll::Ready(command) = command {
                self.obey(command);
                continue;
            }
            // As the driver does when it has nothing else to do.
            self.shared.turn(|engine, now| (engine.takes_more(now), engine.deadline()));
            if self.woken.count() == woken {
                return;
            }
        }
        panic!("the client never rests");
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open(link) => {
                self.asked.retain(|(on, _)| *on != link);
                self.open[usize::from(link)] = true;
                self.shared.turn(|engine, now| engine.opened(link, None, now));
            }
            Command::Shut(link, _) => {
                self.asked.retain(|(on, _)| *on != link);
                self.open[usize::from(link)] = false;
            }
            Command::Send(link, text) => {
                let frame: Value = serde_json::from_str(&text).expect("a client sends JSON");
                if self.open[usize::from(link)] && !frame["id"].is_null() {
                    self.asked.push((link, frame));
                }
            }
            Command::Token(link, id) => {
                self.shared.turn(|engine, _| engine.renew(link, id, "fresh"))
            }
        }
    }

    /// From now on every answer is sound, on connections that are new.
    fn heal(&mut self) {
        self.end(0, 1006);
        self.end(1, 1006);
        for _ in 0..200 {
            let is_connected = self.live.connection().state == State::Connected;
            if is_connected && self.asked.is_empty() && self.requests.is_empty() {
                return;
            }
            self.live.reconnect();
            self.run();
            self.answer_all();
            // Refusals that may pass are asked again later.
            self.pass(1_000);
        }
        panic!(
            "{:?} with {} requests and {:?}",
            self.live.connection(),
            self.requests.len(),
            self.asked
        );
    }

    fn answer_all(&mut self) {
        while !self.asked.is_empty() {
            for (link, frame) in std::mem::take(&mut self.asked) {
                for answer in answers(&frame, Answer::Sound("sane")) {
                    self.say(link, &answer.to_string());
                }
            }
        }
        for link in 0..2 {
            self.say(link, r#"{"topic":"$ping"}"#);
        }
    }

    /// An event of each topic reaches everybody who watches it.
    fn assert_live(&mut self) {
        assert_eq!(self.open.iter().filter(|open| **open).count(), 1, "nothing is left open");
        let link = u8::from(self.open[1]);
        let event = |topic: &str, data: Value| json!({"topic": topic, "data": data, "offset": 1, "prev": 0, "key": "sane"});
        for event in [
            event("chat:general", json!({"text": "sane"})),
            event("prices", json!({"text": "sane"})),
            event("$presence:chat:general", json!({"joined": {"sane": {"text": "here"}}})),
        ] {
            self.say(link, &event.to_string());
        }
        let mut heard: Vec<_> =
            self.heard.borrow().iter().map(|(what, times)| (*what, *times)).collect();
        heard.sort_unstable();
        assert_eq!(heard, [("events", 1), ("events with state", 1), ("keys", 1), ("members", 1)]);
    }

    /// Who leaves, leaves nothing behind.
    fn leave_nothing(mut self) {
        self.watchers.clear();
        self.unread.clear();
        self.unread_items.clear();
        // What a server subscribed of itself is known over one connection more.
        self.heal();
        let left = self.shared.turn(|engine, _| {
            (
                engine.topics.in_use(),
                engine.epochs.in_use(),
                engine.requests.is_empty(),
                engine.streams.is_empty(),
            )
        });
        assert_eq!(left, (0, 0, true, true));
    }
}

fn hear(heard: &Heard, what: &'static str) {
    *heard.borrow_mut().entry(what).or_default() += 1;
}

fn is_stream(frame: &Value) -> bool {
    frame["data"]["call"] == "count"
}

/// How a frame is answered.
fn answers(frame: &Value, how: Answer) -> Vec<Value> {
    let (topic, data) = (frame["topic"].as_str().unwrap_or_default(), &frame["data"]);
    let reply = |data: Value| vec![json!({"topic": "$reply", "re": frame["id"], "data": data})];
    match how {
        Answer::Error(code) => {
            vec![
                json!({"topic": "$error", "re": frame["id"], "data": {"code": code, "message": "mad"}}),
            ]
        }
        Answer::Position { epoch, offset, recovered, state } if topic == "$subscribe" => {
            let state = [json!([]), json!({}), json!(5), json!("text"), Value::Null]
                [usize::from(state)]
            .clone();
            reply(
                json!({"epoch": format!("e{epoch}"), "offset": offset, "head": 60, "recovered": recovered, "snapshot": state}),
            )
        }
        Answer::Position { epoch, offset, .. } if !topic.starts_with('$') => {
            reply(json!({"epoch": format!("e{epoch}"), "offset": offset}))
        }
        Answer::Position { .. } => answers(frame, Answer::Sound("e0")),
        Answer::Sound(epoch) => match topic {
            "$hello" => vec![json!({"topic": "$hello", "re": frame["id"], "data": {
                "version": 1, "session": "s", "ping_ms": 25_000, "pong_ms": 10_000,
                "limits": {"message_bytes": 1_000, "subscriptions": 10}}})],
            "$subscribe" => reply(sound_subscribe(data, epoch)),
            "$history" => reply(json!({"epoch": epoch, "head": 0, "events": []})),
            "$call" if is_stream(frame) => {
                let item = json!({"topic": "$item", "re": frame["id"], "data": 1});
                [vec![item], reply(Value::Null)].concat()
            }
            "$call" => reply(json!({"text": "X"})),
            _ if topic.starts_with('$') => reply(Value::Null),
            _ => reply(json!({"epoch": epoch, "offset": 0})),
        },
    }
}

fn sound_subscribe(data: &Value, epoch: &str) -> Value {
    let mut answer = json!({"epoch": epoch, "offset": 0, "head": 0});
    let recovers = data["since"]["epoch"] == epoch;
    if !data["since"].is_null() {
        answer["recovered"] = recovers.into();
    }
    if data["snapshot"] == true && !recovers {
        let is_list = data["topic"].as_str().is_some_and(|topic| topic.starts_with("chat:"));
        answer["snapshot"] = if is_list { json!([]) } else { json!({}) };
    }
    answer
}

proptest! {
    #![proptest_config(cases(64, 4_000))]

    #[test]
    fn whatever_a_server_sends_the_client_recovers(acts in vec(act(), 1..300)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        world.heal();
        world.assert_live();
        world.leave_nothing();
    }
}
