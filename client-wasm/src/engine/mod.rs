//! A driver without a socket: all of the client that is the same in a browser and elsewhere.
//!
//! It gives names numbers, writes and reads frames, keeps what waits to be read, and carries out what the core decides; what
//! is left to the driver are [`Command`]s and the deadline. Wakers are gathered and called by [`Shared`](crate::shared::Shared)
//! when its lock is free again.

mod inbox;
mod names;
mod publishes;
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
    client::{self, Client, Config, Kind, Output, State, Verdict},
    code::{CloseCode, ErrorCode},
    frame::{
        Position,
        client::{Hello, Subscribe, write_hello, write_pong, write_subscribe, write_unsubscribe},
        server::Welcome,
        tuple::Tuple,
    },
};

use crate::{Connection, Gap, Refusal};
pub(crate) use inbox::Inbox;
use names::Names;
use publishes::Publishes;
pub(crate) use subscribers::Raw;
use subscribers::Subscribers;

/// What the driver does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Open a socket; nothing more of an earlier one is reported.
    Open,
    /// Close the socket with this code; nothing more of it is reported.
    Shut(u16),
    /// Send a text message.
    Send(String),
}

pub(crate) struct Engine {
    core: Client,
    hello: Hello,
    topics: Names,
    epochs: Names,
    subscribers: Subscribers,
    messages: HashMap<u64, (String, Inbox<Box<RawValue>>)>,
    publishes: Publishes,
    connection: Connection,
    /// How often `connection` has changed.
    changes: u64,
    watchers: Vec<Waker>,
    next_reader: u64,
    commands: VecDeque<Command>,
    driver: Option<Waker>,
    /// The deadline that the driver knows of.
    armed: Option<Millis>,
    /// The words of the error frame that is being handled.
    words: Option<String>,
    wakers: Vec<Waker>,
}

impl Engine {
    /// `client` is the instance's name on the wire, 32 hex digits; `schema` the hashes of its entries.
    pub(crate) fn new(seed: u64, client: String, schema: BTreeMap<String, String>) -> Self {
        Self {
            core: Client::new(Config::default(), seed),
            hello: Hello { version: 1, client, token: None, schema },
            topics: Names::default(),
            epochs: Names::default(),
            subscribers: Subscribers::default(),
            messages: HashMap::new(),
            publishes: Publishes::default(),
            connection: Connection::default(),
            changes: 0,
            watchers: Vec::new(),
            next_reader: 0,
            commands: VecDeque::new(),
            driver: None,
            armed: None,
            words: None,
            wakers: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, now: Millis) {
        self.core.connect(now);
        self.carry_out(now);
    }

    /// Tries again after the server said to stop.
    pub(crate) fn reconnect(&mut self, now: Millis) {
        if !self.is_closed() {
            self.connect(now);
        }
    }

    /// Ends everything for good: subscriptions end, and what waits for an answer is rejected.
    pub(crate) fn close(&mut self, now: Millis) {
        self.core.close(now);
        self.carry_out(now);
        self.subscribers.end_all(&closed());
        for (_, inbox) in self.messages.values_mut() {
            self.wakers.extend(inbox.end(None));
        }
    }

    fn is_closed(&self) -> bool {
        self.connection.state == State::Closed
    }

    pub(crate) fn subscribe(&mut self, topic: &str, room: usize, now: Millis) -> u64 {
        if self.is_closed() {
            return self.refuse(closed());
        }
        let reader = self.reader();
        let number = self.topics.intern(topic);
        self.subscribers.begin(reader, number, room);
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

    pub(crate) fn poll_event(&mut self, reader: u64, cx: &mut Context<'_>) -> Poll<Option<Raw>> {
        self.subscribers.poll(reader, cx)
    }

    pub(crate) fn listen(&mut self, name: &str, room: usize) -> u64 {
        let reader = self.reader();
        let mut inbox = Inbox::new(room);
        if self.is_closed() {
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
        let id = self.core.publish(0, now);
        self.publishes.begin(id, topic.into(), data);
        self.carry_out(now);
        id
    }

    pub(crate) fn poll_publish(
        &mut self,
        id: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Position, Refusal>> {
        self.publishes.poll(id, cx)
    }

    /// Nobody waits for the publish's outcome any more.
    pub(crate) fn abandon(&mut self, id: u32) {
        self.publishes.abandon(id);
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

    /// The socket is open, and the token of this connection is known.
    pub(crate) fn opened(&mut self, token: Option<String>, now: Millis) {
        self.hello.token = token;
        self.core.handle_opened(0, now);
        self.carry_out(now);
    }

    /// A text message; of a binary one comes an empty text, which is as little a frame.
    pub(crate) fn text(&mut self, text: &str, now: Millis) {
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
            _ => {}
        }
        let verdict = self.core.handle_frame(0, frame, now);
        self.carry_out(now);
        if verdict == Verdict::Deliver {
            self.deliver(&frame, &tuple, now);
        }
        self.words = None;
    }

    pub(crate) fn closed(&mut self, code: u16, reason: String, now: Millis) {
        self.connection.reason = reason;
        self.core.handle_closed(0, CloseCode(code), now);
        self.carry_out(now);
    }

    pub(crate) fn elapsed(&mut self, now: Millis) {
        self.core.handle_timeout(now);
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
        self.armed = self.core.poll_timeout();
        self.armed
    }

    /// The driver, to be told that nobody holds the client any more.
    pub(crate) fn driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let nearer = match (self.core.poll_timeout(), self.armed) {
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
                self.subscribers.event(frame.topic, frame.offset, tuple.data);
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

    fn carry_out(&mut self, now: Millis) {
        loop {
            while let Some(output) = self.core.poll_output() {
                self.output(output);
            }
            let Some(topic) = self.subscribers.next_left() else { return };
            self.core.unsubscribe(topic, now);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::State(state) => self.enter(state),
            Output::Open => self.commands.push_back(Command::Open),
            Output::Shut { code } => self.commands.push_back(Command::Shut(code.0)),
            Output::Hello { id } => self.send(write_hello(id.into(), &self.hello)),
            Output::Subscribe { id, topic, since } => {
                let since = since.map(|at| self.position(at));
                let subscribe = Subscribe { since, ..Subscribe::to(self.topics.name(topic)) };
                self.send(write_subscribe(id.into(), &subscribe));
            }
            Output::Unsubscribe { id, topic } => {
                self.send(write_unsubscribe(id.into(), self.topics.name(topic)));
            }
            Output::Publish { id, .. } => {
                if let Some(text) = self.publishes.frame(id) {
                    self.send(text);
                }
            }
            Output::Pong => self.send(write_pong()),
            Output::Acked { id, at } => {
                let at = self.position(at);
                self.wakers.extend(self.publishes.settle(id, Ok(at)));
            }
            Output::Rejected { id, code } => {
                let refusal = Err(self.refusal(code));
                self.wakers.extend(self.publishes.settle(id, refusal));
            }
            Output::Subscribed { topic, how, at } => {
                let at = self.position(at);
                self.subscribers.flows(topic, how, &at);
            }
            Output::Refused { topic, code, retry_at } => {
                let refusal = self.refusal(code);
                self.subscribers.refused(topic, &refusal, retry_at);
            }
            Output::Gap { topic, after, to, cause } => {
                self.subscribers.gap(topic, Gap { after, to, cause });
            }
            Output::ReleaseTopic { topic } => self.topics.release(topic),
            Output::ReleaseEpoch { epoch } => self.epochs.release(epoch),
            // Malformed frames are counted by the core; nobody here could do anything about them.
            _ => {}
        }
    }

    fn enter(&mut self, state: State) {
        self.connection.state = state;
        if state == State::Connected {
            self.connection.reason.clear();
        } else {
            self.connection.session = None;
        }
        self.changed();
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.wakers.append(&mut self.watchers);
    }

    fn send(&mut self, text: String) {
        self.commands.push_back(Command::Send(text));
    }

    fn position(&self, at: client::Position) -> Position {
        Position { epoch: self.epochs.name(at.epoch).into(), offset: at.offset }
    }

    fn refusal(&self, code: ErrorCode) -> Refusal {
        Refusal { code, message: self.words.clone() }
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

fn closed() -> Refusal {
    Refusal { code: ErrorCode::CLOSED, message: None }
}
