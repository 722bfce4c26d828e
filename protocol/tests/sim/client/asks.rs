//! What a client's user asks, and what its handlers are told.

use std::rc::Rc;

use tidewire_protocol::{
    Millis,
    client::{Continuity, Output},
    code::ErrorCode,
};

use super::{Client, Wanted};
use crate::{
    frames::{At, Down, Event, Range, Shown, Up},
    setup::HALL,
    world::Env,
};

/// Something that has no outcome yet.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Publish {
        topic: usize,
        event: Rc<Event>,
    },
    /// The state of a topic beside its stream, and how far the user had come then; with a wish.
    State {
        topic: usize,
        from: At,
        wish: Option<Shown>,
    },
    /// A member's.
    Wish(Shown),
    History {
        topic: usize,
        range: Range,
        asked_at: Millis,
    },
    Call {
        payload: u64,
        timeout_ms: Millis,
        takes_ms: Millis,
    },
    Stream(Wanted),
}

impl Client {
    pub(crate) fn subscribe(&mut self, topic: usize, env: &mut Env) {
        self.counts[topic] += 1;
        env.oracle.wanted(self.number, topic);
        self.core.subscribe(self.topics.give(topic), env.schedule.now);
        self.carry_out(None, env);
    }

    pub(crate) fn unsubscribe(&mut self, topic: usize, env: &mut Env) {
        if self.counts[topic] > 0 && !(topic == HALL && self.tells_wish()) {
            self.counts[topic] -= 1;
            if topic == HALL && self.counts[topic] == 0 {
                self.wish = None;
            }
            self.core.unsubscribe(self.topics.find(topic), env.schedule.now);
            self.carry_out(None, env);
        }
    }

    /// The user becomes a member of the hall, or wants to be shown otherwise.
    pub(crate) fn join(&mut self, shown: Shown, env: &mut Env) {
        let before = self.wish.replace(shown);
        if self.counts[HALL] == 0 {
            return self.subscribe(HALL, env);
        }
        if before.is_none() {
            return self.tell_wish(env);
        }
        let id = self.core.read(0, env.schedule.now);
        self.asks.insert(id, Ask::Wish(shown));
        self.carry_out(None, env);
    }

    /// Where the hall is followed and its `$subscribe` came before the wish, this tells of it.
    fn tell_wish(&mut self, env: &mut Env) {
        if let Some(shown) = self.wish
            && self.told.is_none()
            && let Some(from) = env.oracle.position(self.number, HALL)
        {
            self.told = Some(shown);
            let id = self.core.read(0, env.schedule.now);
            self.asks.insert(id, Ask::State { topic: HALL, from, wish: Some(shown) });
            self.carry_out(None, env);
        }
    }

    /// What tells a wish may cross the end of the subscription, and then begins another, of which the core does not know: who left
    /// meanwhile would stay a member, so nobody does.
    fn tells_wish(&self) -> bool {
        self.asks.values().any(|ask| matches!(ask, Ask::State { wish: Some(_), .. }))
    }

    pub(crate) fn publish(&mut self, topic: usize, event: Event, env: &mut Env) {
        env.oracle.publishes(self.number, topic, event.payload);
        let id = self.core.publish(self.topics.find(topic), env.schedule.now);
        self.asks.insert(id, Ask::Publish { topic, event: Rc::new(event) });
        self.carry_out(None, env);
    }

    /// Asks for the state of a topic that the user follows.
    pub(crate) fn read_state(&mut self, topic: usize, env: &mut Env) {
        if let Some(from) = env.oracle.position(self.number, topic) {
            let id = self.core.read(0, env.schedule.now);
            self.asks.insert(id, Ask::State { topic, from, wish: None });
            self.carry_out(None, env);
        }
    }

    pub(crate) fn history(&mut self, topic: usize, range: Range, env: &mut Env) {
        let now = env.schedule.now;
        let id = self.core.read(0, now);
        self.asks.insert(id, Ask::History { topic, range, asked_at: now });
        self.carry_out(None, env);
    }

    pub(crate) fn call(
        &mut self,
        payload: u64,
        timeout_ms: Millis,
        takes_ms: Millis,
        env: &mut Env,
    ) {
        let now = env.schedule.now;
        env.oracle.calls(self.number, payload, (timeout_ms > 0).then_some(now + timeout_ms));
        let id = self.core.call(timeout_ms, now);
        self.asks.insert(id, Ask::Call { payload, timeout_ms, takes_ms });
        self.carry_out(None, env);
    }

    /// Wants one of the outcomes no longer.
    pub(crate) fn cancel(&mut self, which: usize, env: &mut Env) {
        let id = self.asks.keys().copied().cycle().nth(which);
        if let Some(id) = id {
            env.oracle.saw("cancelled");
            self.leave_stream(id, env);
            self.core.cancel(id, env.schedule.now);
            self.carry_out(None, env);
            if self.asks.contains_key(&id) {
                env.oracle.fail(format!("request {id} was cancelled and has no outcome"));
            }
        }
    }

    pub(super) fn request(&self, id: u32, env: &mut Env) {
        let frame = match self.asks[&id] {
            Ask::State { topic, wish, .. } => {
                let presence = wish.and(self.wish);
                Up::ReadState { id, topic, presence }
            }
            Ask::Wish(wish) => Up::Wish { id, wish },
            Ask::History { topic, range, .. } => Up::History { id, topic, range },
            Ask::Call { payload, timeout_ms, takes_ms } => {
                env.oracle.call_sent(payload);
                Up::Call { id, payload, timeout_ms, takes_ms }
            }
            Ask::Stream(Wanted { payload, timeout_ms, supply, room: items }) => {
                let socket = self.sockets[usize::from(self.link)];
                env.oracle.stream_sent(payload, socket.unwrap_or_default());
                Up::Stream { id, payload, timeout_ms, supply, items }
            }
            Ask::Publish { .. } => return env.oracle.fail("a publish is sent as a request"),
        };
        self.send(frame, env);
    }

    pub(super) fn send_publish(&self, id: u32, again: Option<At>, env: &mut Env) {
        match &self.asks[&id] {
            Ask::Publish { topic, event } => {
                let (topic, event) = (*topic, Rc::clone(event));
                env.oracle.publish_sent(event.payload, again);
                self.send(Up::Publish { id, topic, event, again }, env);
            }
            other => env.oracle.fail(format!("{other:?} is sent as a publish")),
        }
    }

    /// What the user's handlers are told.
    pub(super) fn tell(&mut self, output: Output, frame: Option<&Down>, env: &mut Env) {
        env.trace(|| format!("client {} is told {output:?}", self.number));
        let (me, oracle) = (self.number, &mut env.oracle);
        match output {
            Output::Acked { id, at } => match self.asks.remove(&id) {
                Some(Ask::Publish { topic, event }) => {
                    oracle.acknowledged(topic, event.payload, self.at(at));
                }
                other => oracle.fail(format!("{other:?} is acknowledged")),
            },
            Output::Replied { id } => self.replied(id, frame, env),
            Output::Rejected { id, code } => self.rejected(id, code, env),
            Output::Subscribed { topic, how, at } => {
                let (topic, now) = (self.topics.name(topic), env.schedule.now);
                oracle.subscribed(me, topic, how, self.at(at), now);
                // What goes on has come as far, or further.
                if how != Continuity::Recovered
                    && let Some(Down::Reply { reply: Some(reply), .. }) = frame
                    && let Some(snapshot) = &reply.snapshot
                {
                    self.versions[topic] = reply.version;
                    oracle.snapshot(me, topic, (reply.at, snapshot, reply.version), now);
                }
                if topic == HALL {
                    self.tell_wish(env);
                }
            }
            Output::Gap { topic, after, to, cause } => {
                oracle.gap(me, self.topics.name(topic), after, to, cause);
            }
            Output::Refused { topic, retry_at, .. } => {
                let topic = self.topics.name(topic);
                if retry_at.is_none() {
                    self.counts[topic] = 0;
                    if topic == HALL {
                        self.wish = None;
                    }
                }
                oracle.refused(me, topic, retry_at.is_some());
            }
            Output::ReleaseTopic { topic } => {
                let name = self.topics.release(topic);
                oracle.released(me, name, self.counts[name] > 0);
            }
            Output::ReleaseEpoch { epoch } => drop(self.epochs.release(epoch)),
            Output::Malformed { .. } => oracle.fail("the client takes a frame for malformed"),
            _ => {}
        }
    }

    fn replied(&mut self, id: u32, frame: Option<&Down>, env: &mut Env) {
        let (me, now, oracle) = (self.number, env.schedule.now, &mut env.oracle);
        match (self.asks.remove(&id), frame) {
            (
                Some(Ask::State { topic, from, .. }),
                Some(Down::Reply { reply: Some(reply), .. }),
            ) => {
                oracle.state_read(me, topic, from, reply, now);
            }
            (Some(Ask::Wish(_)), Some(Down::Reply { reply: None, .. })) => {}
            (
                Some(Ask::History { topic, range, asked_at }),
                Some(Down::Events { head, records, .. }),
            ) => oracle.history_read(topic, range, (*head, records), asked_at, now),
            (Some(Ask::Call { payload, .. }), Some(&Down::Answer { payload: answer, .. })) => {
                oracle.call_answered(payload, answer);
            }
            (Some(Ask::Stream(Wanted { payload, .. })), Some(Down::Reply { reply: None, .. })) => {
                self.end_stream(id, payload, Ok(()), env)
            }
            (ask, frame) => oracle.fail(format!("{ask:?} is answered by {frame:?}")),
        }
    }

    fn rejected(&mut self, id: u32, code: ErrorCode, env: &mut Env) {
        match self.asks.remove(&id) {
            Some(Ask::Publish { event, .. }) => env.oracle.rejected(event.payload, code),
            Some(Ask::Call { payload, .. }) => {
                env.oracle.call_rejected(payload, code, env.schedule.now);
            }
            Some(Ask::Stream(Wanted { payload, .. })) => {
                self.end_stream(id, payload, Err(code), env);
            }
            // The user gives it up, and may want it again.
            Some(Ask::State { wish: Some(shown), .. } | Ask::Wish(shown))
                if self.wish == Some(shown) =>
            {
                self.unsubscribe_all(HALL, env);
            }
            Some(_) => {}
            None => env.oracle.fail(format!("request {id} has two outcomes")),
        }
    }

    fn unsubscribe_all(&mut self, topic: usize, env: &mut Env) {
        while self.counts[topic] > 0 && !self.tells_wish() {
            self.unsubscribe(topic, env);
        }
    }
}
