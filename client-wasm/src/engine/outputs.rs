//! Carrying out what the core decides: frames, outcomes, and what readers are told.

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use tidewire_protocol::{
    Millis,
    client::{self, Continuity, Output, State},
    code::ErrorCode,
    frame::{
        Position,
        client::{
            Subscribe, write_cancel, write_hello, write_ping, write_pong, write_subscribe,
            write_unsubscribe,
        },
    },
};

use super::{Answer, Ask, Command, Engine, Outcome};
use crate::{Gap, Refusal};

impl Engine {
    /// Asks for the state of a topic whose events flow; they go on as they do.
    pub(super) fn ask_state(&mut self, topic: u32, now: Millis) -> u32 {
        let subscribe = Subscribe { beside: true, ..self.subscription(topic, None, true) };
        let data = to_raw_value(&subscribe);
        let data = data.expect("strings, numbers and JSON are JSON");
        let id = self.core.read(0, now);
        self.requests.begin(id, Ask { topic: "$subscribe".into(), data, mid: None });
        id
    }

    fn subscription(&self, topic: u32, since: Option<Position>, snapshot: bool) -> Subscribe {
        let presence = self.subscribers.wish(topic).map(RawValue::to_owned);
        Subscribe { since, snapshot, presence, ..Subscribe::to(self.topics.name(topic)) }
    }

    pub(super) fn carry_out(&mut self, now: Millis) {
        loop {
            while let Some(output) = self.core.poll_output() {
                self.output(output, now);
            }
            if let Some(topic) = self.subscribers.next_left() {
                self.core.unsubscribe(topic, now);
            } else if let Some((reader, topic)) = self.subscribers.next_needy() {
                let id = self.ask_state(topic, now);
                self.requests.abandon(id);
                self.subscribers.ask(id, reader);
            } else {
                return;
            }
        }
    }

    fn output(&mut self, output: Output, now: Millis) {
        match output {
            Output::State(state) => self.enter(state),
            Output::Link { link } => self.link = link,
            Output::Open => self.commands.push_back(Command::Open(self.link)),
            Output::Shut { code } => self.commands.push_back(Command::Shut(self.link, code.0)),
            Output::Hello { id } => self.send(write_hello(id.into(), &self.hello)),
            Output::Subscribe { id, topic, since } => {
                let since = since.map(|at| self.position(at));
                let snapshot = self.subscribers.wants_state(topic);
                let version = self.versions.get(&topic).filter(|_| since.is_some()).cloned();
                let subscribe = Subscribe { version, ..self.subscription(topic, since, snapshot) };
                self.send(write_subscribe(id.into(), &subscribe));
            }
            Output::Unsubscribe { id, topic } => {
                self.send(write_unsubscribe(id.into(), self.topics.name(topic)));
            }
            Output::Publish { id, again } => {
                let again = again.map(|at| self.position(at));
                if let Some(text) = self.requests.frame(id, again.as_ref()) {
                    self.send(text);
                }
            }
            Output::Request { id } => {
                if let Some(text) = self.requests.frame(id, None) {
                    self.send(text);
                }
            }
            Output::Cancel { id } => self.send(write_cancel(id.into())),
            Output::Token { id } => self.commands.push_back(Command::Token(self.link, id)),
            Output::Ping { id } => self.send(write_ping(id.into())),
            Output::Pong => self.send(write_pong()),
            Output::Acked { id, at } => {
                let at = self.position(at);
                self.settle(id, Ok(Answer::Appended(at)));
            }
            Output::Replied { id } => {
                let data = self.reply.clone().unwrap_or_else(|| RawValue::NULL.to_owned());
                self.subscribers.answered(id, Ok(&data), now);
                self.wakers.extend(self.streams.end(id, None));
                self.settle(id, Ok(Answer::Data(data)));
            }
            Output::Rejected { id, code } => {
                let refusal = self.refusal(code);
                self.subscribers.answered(id, Err(&refusal), now);
                self.wakers.extend(self.streams.end(id, Some(refusal.clone())));
                self.settle(id, Err(refusal));
            }
            Output::Subscribed { topic, how, at } => {
                let at = self.position(at);
                let reply = self.reply.as_deref();
                let state =
                    reply.and_then(|data| serde_json::from_str::<Answered>(data.get()).ok());
                let Answered { snapshot, version } = state.unwrap_or_default();
                self.subscribers.flows(topic, how, &at, snapshot.as_deref(), reply.is_some());
                if reply.is_some() && how != Continuity::Recovered {
                    self.versions.remove(&topic);
                    self.versions.extend(version.map(|version| (topic, version)));
                }
            }
            Output::Refused { topic, code, retry_at } => {
                let refusal = self.refusal(code);
                self.subscribers.refused(topic, &refusal, retry_at);
            }
            Output::Gap { topic, after, to, cause } => {
                let continues = self.reply.is_none();
                self.subscribers.gap(topic, Gap { after, to, cause }, continues);
            }
            Output::ReleaseTopic { topic } => {
                self.versions.remove(&topic);
                self.topics.release(topic);
            }
            Output::ReleaseEpoch { epoch } => self.epochs.release(epoch),
            // Malformed frames are counted by the core; nobody here could do anything about them.
            _ => {}
        }
    }

    fn settle(&mut self, id: u32, outcome: Outcome) {
        self.wakers.extend(self.requests.settle(id, outcome));
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

    pub(super) fn changed(&mut self) {
        self.changes += 1;
        self.wakers.append(&mut self.watchers);
    }

    fn send(&mut self, text: String) {
        self.commands.push_back(Command::Send(self.link, text));
    }

    fn position(&self, at: client::Position) -> Position {
        Position { epoch: self.epochs.name(at.epoch).into(), offset: at.offset }
    }

    /// In the server's words; of what could not be sent, in those of why there is no connection.
    pub(super) fn refusal(&self, code: ErrorCode) -> Refusal {
        let reason = Some(&self.connection.reason);
        let reason = reason.filter(|reason| code == ErrorCode::NOT_SENT && !reason.is_empty());
        Refusal { code, message: self.words.as_ref().or(reason).cloned() }
    }
}

/// What of the reply to a `$subscribe` the core does not know.
#[derive(Default, Deserialize)]
struct Answered {
    #[serde(default)]
    snapshot: Option<Box<RawValue>>,
    #[serde(default)]
    version: Option<String>,
}
