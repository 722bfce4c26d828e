//! A driver without a socket: all of the client that is the same in a browser and elsewhere.
//!
//! It gives names numbers, writes and reads frames, keeps what waits to be read, and carries out what the core decides; what
//! is left to the driver are [`Command`]s and the deadline. Wakers are gathered and called by [`Shared`](crate::shared::Shared)
//! when its lock is free again.

mod held;
mod inbox;
mod names;
mod outputs;
mod requests;
mod streams;
mod subscribers;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    task::{Context, Poll, Waker},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use tidewire_protocol::{
    Millis,
    client::{self, Client, Config, Kind, State, Verdict},
    code::{CloseCode, ErrorCode},
    frame::{
        client::{Hashes, Hello, write_token},
        server::Welcome,
        tuple::Tuple,
    },
};

use crate::{Connection, Refusal};
pub(crate) use inbox::Inbox;
use names::Names;
use requests::Requests;
pub(crate) use requests::{Answer, Ask, Outcome};
use streams::Streams;
use subscribers::Subscribers;
pub(crate) use subscribers::{Raw, Want};

/// How long a reader that does not keep up may hold up what comes; what it has not read by then it may lose. Servers and their
/// heartbeats wait for longer.
const PATIENCE_MS: Millis = 3_000;

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Open the socket of a link; nothing more of an earlier one is reported.
    Open(u8),
    /// Close the socket of a link with this code; nothing more of it is reported.
    Shut(u8, u16),
    /// Send a text message on a link.
    Send(u8, String),
    /// Fetch a token for [`Engine::renew`] on a link.
    Token(u8, u32),
}

pub(crate) struct Engine {
    core: Client,
    hello: Hello,
    topics: Names,
    epochs: Names,
    /// The versions of the snapshots that came with the topics' events.
    versions: HashMap<u32, String>,
    subscribers: Subscribers,
    messages: HashMap<u64, (String, Inbox<Box<RawValue>>)>,
    requests: Requests,
    streams: Streams,
    connection: Connection,
    /// Why nothing will come any more, once that is so.
    over: Option<Refusal>,
    /// How often `connection` has changed.
    changes: u64,
    watchers: Vec<Waker>,
    next_reader: u64,
    commands: VecDeque<Command>,
    /// The link that outputs are for.
    link: u8,
    driver: Option<Waker>,
    /// The deadline that the driver knows of.
    armed: Option<Millis>,
    /// Until when the driver is held up by readers.
    held_up: Option<Millis>,
    /// The words of the error frame that is being handled.
    words: Option<String>,
    /// The data of the reply that is being handled.
    reply: Option<Box<RawValue>>,
    wakers: Vec<Waker>,
}

impl Engine {
    /// `client` is the instance's name on the wire, 32 hex digits; `schema` the versions of its entries.
    pub(crate) fn new(seed: u64, client: String, schema: BTreeMap<String, Hashes>) -> Self {
        Self {
            core: Client::new(Config::default(), seed),
            hello: Hello { version: 1, client, token: None, schema },
            topics: Names::default(),
            epochs: Names::default(),
            versions: HashMap::new(),
            subscribers: Subscribers::default(),
            messages: HashMap::new(),
            requests: Requests::default(),
            streams: Streams::default(),
            connection: Connection::default(),
            over: None,
            changes: 0,
            watchers: Vec::new(),
            next_reader: 0,
            commands: VecDeque::new(),
            link: 0,
            driver: None,
            armed: None,
            held_up: None,
            words: None,
            reply: None,
            wakers: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, now: Millis) {
        self.core.connect(now);
        self.carry_out(now);
    }

    /// Tries again after the server said to stop.
    pub(crate) fn reconnect(&mut self, now: Millis) {
        if self.over.is_none() {
            self.connect(now);
        }
    }

    /// Ends everything for good: subscriptions end, and what waits for an answer is rejected.
    pub(crate) fn close(&mut self, now: Millis) {
        self.core.close(now);
        self.carry_out(now);
        self.end(Refusal { code: ErrorCode::CLOSED, message: None });
    }

    /// Nothing will come any more, to those who read and those who will.
    fn end(&mut self, why: Refusal) {
        self.subscribers.end_all(&why);
        for (_, inbox) in self.messages.values_mut() {
            self.wakers.extend(inbox.end(None));
        }
        self.over = Some(why);
    }

    /// Subscribes to a topic.
    pub(crate) fn subscribe(&mut self, topic: &str, room: usize, want: Want, now: Millis) -> u64 {
        if let Some(why) = &self.over {
            return self.refuse(why.clone());
        }
        let reader = self.reader();
        let number = self.topics.intern(topic);
        self.subscribers.begin(reader, number, room, want);
        self.core.subscribe(number, now);
        self.carry_out(now);
        reader
    }

    /// A subscription that is over before it began.
    pub(crate) fn refuse(&mut self, refusal: Refusal) -> u64 {
        let reader = self.reader();
        self.subscribers.refuse(reader, refusal);
        reader
    }

    /// The reader of a topic is gone.
    pub(crate) fn unsubscribe(&mut self, reader: u64, now: Millis) {
        if let Some(number) = self.subscribers.remove(reader) {
            self.core.unsubscribe(number, now);
            self.carry_out(now);
        }
    }

    /// Makes the user a member of a reader's topic.
    pub(crate) fn present(&mut self, reader: u64, wish: Box<RawValue>, now: Millis) {
        let Some(topic) = self.subscribers.make_wish(reader, wish) else { return };
        if self.connection.state == State::Connected {
            let id = self.ask_state(topic, now);
            self.requests.abandon(id);
            self.carry_out(now);
        }
    }

    pub(crate) fn poll_event(&mut self, reader: u64, cx: &mut Context<'_>) -> Poll<Option<Raw>> {
        let polled = self.subscribers.poll(reader, cx);
        if self.held_up.is_some() && !self.subscribers.are_crowded() {
            self.held_up = None;
            self.wakers.extend(self.driver.take());
        }
        polled
    }

    /// Whether the driver takes more from its sockets now. Else it is woken when that changes, or its deadline is then: what a
    /// reconnect brings comes faster than a task that reads it gets its turn.
    pub(crate) fn takes_more(&mut self, now: Millis) -> bool {
        if !self.subscribers.are_crowded() {
            self.held_up = None;
            return true;
        }
        if now < *self.held_up.get_or_insert(now + PATIENCE_MS) {
            return false;
        }
        self.held_up = None;
        self.subscribers.give_up_on_crowded();
        true
    }

    pub(crate) fn listen(&mut self, name: &str, room: usize) -> u64 {
        let reader = self.reader();
        let mut inbox = Inbox::new(room);
        if self.over.is_some() {
            inbox.end(None);
        }
        self.messages.insert(reader, (name.into(), inbox));
        reader
    }

    pub(crate) fn unlisten(&mut self, reader: u64) {
        self.messages.remove(&reader);
    }

    pub(crate) fn poll_message(
        &mut self,
        reader: u64,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Box<RawValue>>> {
        self.messages.get_mut(&reader).map_or(Poll::Ready(None), |(_, inbox)| inbox.poll(cx))
    }

    pub(crate) fn publish(&mut self, topic: &str, data: Box<RawValue>, now: Millis) -> u32 {
        let id = self.core.publish(self.topics.find(topic), now);
        let mid = Some(format!("{}-{id}", self.hello.client));
        self.requests.begin(id, Ask { topic: topic.into(), data, mid });
        self.carry_out(now);
        id
    }

    /// Asks what is done at most once; 0 for no time-out.
    pub(crate) fn call(&mut self, ask: Ask, timeout_ms: Millis, now: Millis) -> u32 {
        let id = self.core.call(timeout_ms, now);
        self.requests.begin(id, ask);
        self.carry_out(now);
        id
    }

    /// Asks what changes nothing.
    pub(crate) fn read(&mut self, ask: Ask, timeout_ms: Millis, now: Millis) -> u32 {
        let id = self.core.read(timeout_ms, now);
        self.requests.begin(id, ask);
        self.carry_out(now);
        id
    }

    pub(crate) fn poll_request(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.requests.poll(id, cx)
    }

    /// Nobody waits for the outcome any more; what was asked goes on.
    pub(crate) fn abandon(&mut self, id: u32) {
        self.requests.abandon(id);
    }

    /// Nobody wants the outcome any more.
    pub(crate) fn cancel(&mut self, id: u32, now: Millis) {
        self.requests.abandon(id);
        self.core.cancel(id, now);
        self.carry_out(now);
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The connection's state, if it has changed since the caller saw it.
    pub(crate) fn poll_connection(
        &mut self,
        seen: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Connection> {
        if seen.replace(self.changes) == Some(self.changes) {
            if !self.watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
                self.watchers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(self.connection.clone())
    }

    /// The socket of a link is open, and the token of this connection is known.
    pub(crate) fn opened(&mut self, link: u8, token: Option<String>, now: Millis) {
        self.hello.token = token;
        self.core.handle_opened(link, now);
        self.carry_out(now);
    }

    /// A fresh token for what [`Command::Token`] asked.
    pub(crate) fn renew(&mut self, link: u8, id: u32, token: &str) {
        self.commands.push_back(Command::Send(link, write_token(id.into(), token)));
    }

    /// A text message on a link; of a binary one comes an empty text, which is as little a frame.
    pub(crate) fn text(&mut self, link: u8, text: &str, now: Millis) {
        let tuple = Tuple::parse(text);
        let mut frame = tuple.frame;
        frame.epoch = tuple.epoch.as_deref().map_or(0, |epoch| self.epochs.intern(epoch));
        frame.topic = match frame.kind {
            Kind::Subscribed => self.topics.intern(&tuple.topic),
            _ => self.topics.find(&tuple.topic),
        };
        match frame.kind {
            Kind::Hello => self.welcome(tuple.data),
            Kind::Error => self.words = words(tuple.data),
            Kind::Reply => self.reply = Some(tuple.data.to_owned()),
            _ => {}
        }
        let verdict = self.core.handle_frame(link, frame, now);
        self.carry_out(now);
        if frame.kind == Kind::Item {
            self.item(frame.re, link, tuple.data, now);
        }
        if verdict == Verdict::Deliver {
            self.deliver(&frame, &tuple, now);
        }
        self.words = None;
        self.reply = None;
    }

    pub(crate) fn closed(&mut self, link: u8, code: CloseCode, reason: String, now: Millis) {
        self.connection.reason = reason;
        self.core.handle_closed(link, code, now);
        self.carry_out(now);
    }

    /// A link has no server to open a socket to, and never will: the client stops for good, and all that waits is told why.
    pub(crate) fn leads_nowhere(&mut self, link: u8, reason: String, now: Millis) {
        self.closed(link, CloseCode::NORMAL, reason, now);
        if matches!(self.connection.state, State::Stopped { .. }) {
            self.end(self.refusal(ErrorCode::NOT_SENT));
        }
    }

    pub(crate) fn elapsed(&mut self, now: Millis) {
        self.core.handle_timeout(now);
        self.subscribers.elapsed(now);
        self.carry_out(now);
    }

    pub(crate) fn wake(&mut self, now: Millis) {
        self.core.handle_wake(now);
        self.carry_out(now);
    }

    /// What the driver does next; it is woken when there is something, or when its deadline has moved nearer.
    pub(crate) fn poll_command(&mut self, cx: &mut Context<'_>) -> Poll<Command> {
        if let Some(command) = self.commands.pop_front() {
            return Poll::Ready(command);
        }
        self.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// When the driver calls [`elapsed`](Self::elapsed).
    pub(crate) fn deadline(&mut self) -> Option<Millis> {
        self.armed = self.next_deadline();
        self.armed
    }

    /// The driver, to be told that nobody holds the client any more.
    pub(crate) fn driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let nearer = match (self.next_deadline(), self.armed) {
            (Some(at), Some(armed)) => at < armed,
            (at, None) => at.is_some(),
            (None, Some(_)) => false,
        };
        if nearer || !self.commands.is_empty() {
            self.wakers.extend(self.driver.take());
        }
        self.wakers.extend(self.subscribers.take_wakers());
        std::mem::take(&mut self.wakers)
    }

    fn next_deadline(&self) -> Option<Millis> {
        let states = self.subscribers.next_ask();
        self.core.poll_timeout().into_iter().chain(self.held_up).chain(states).min()
    }

    fn reader(&mut self) -> u64 {
        self.next_reader += 1;
        self.next_reader
    }

    fn welcome(&mut self, data: &RawValue) {
        let Ok(welcome) = serde_json::from_str::<Welcome>(data.get()) else { return };
        let refused = welcome.schema.into_iter().filter(|(_, verdict)| !verdict.is_accepted());
        self.connection.incompatible = refused.map(|(entry, _)| entry).collect();
        self.connection.session = Some(welcome.session);
    }

    fn deliver(&mut self, frame: &client::Frame, tuple: &Tuple<'_>, now: Millis) {
        match frame.kind {
            Kind::Event => {
                let removed = tuple.removed.as_deref();
                self.subscribers.event(frame.topic, frame.offset, tuple.data, removed);
                self.carry_out(now);
            }
            Kind::Message => {
                for (name, inbox) in self.messages.values_mut() {
                    if *name == tuple.topic {
                        self.wakers.extend(inbox.replace_oldest(tuple.data.to_owned()));
                    }
                }
            }
            Kind::Error => {
                let refusal = self.refusal(ErrorCode(frame.code));
                self.connection.error = Some(refusal);
                self.changed();
            }
            _ => {}
        }
    }
}

/// The words of an error's data, where it has some.
fn words(data: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Words {
        message: String,
    }
    serde_json::from_str::<Words>(data.get()).ok().map(|words| words.message)
}
