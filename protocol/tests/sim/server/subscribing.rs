//! How subscriptions begin, with or without the topic's state, and end.

use std::rc::Rc;

use tidewire_protocol::{
    Millis, code::ErrorCode, delivery::Delivery, session::Owner, topic::Start,
};

use super::{Server, connection::Subscription, cursor::Cursor, requests::Job, topic::Subscriber};
use crate::{
    frames::{At, Down, Record, Reply, size},
    world::Env,
};

/// What a client asks for; the id is 0 where the application does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) id: u32,
    pub(super) topic: usize,
    pub(super) since: Option<At>,
    pub(super) snapshot: bool,
}

/// A topic's state and the position that it is of.
pub(super) type State = (At, Rc<[Record]>);

/// How often a state is read whose position history no longer reaches.
pub(super) const TRIES: u32 = 3;

/// From this size on, what follows a snapshot waits until the socket has taken it.
const LARGE_BYTES: usize = 500;

impl Server {
    /// Begins after `since` if nothing is missing, else with the topic's state.
    pub(super) fn begin_with_state(
        &mut self,
        socket: usize,
        asked: Asked,
        tries: u32,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        let now = env.schedule.now;
        let topic = &mut self.topics[asked.topic];
        let recovers = tries == TRIES && topic.start(asked.since, now) != Start::Lost;
        if recovers && asked.since.is_some() {
            return self.begin(socket, Owner::Client, asked, None, env);
        }
        if tries == 0 {
            env.oracle.saw("no state");
            self.unsubscribe(socket, asked.topic, Owner::Client);
            self.answer(socket, Down::Error { re: asked.id, code: ErrorCode::UNAVAILABLE.0 });
            return None;
        }
        let Some(state) = topic.state(now) else {
            return self.begin(socket, Owner::Client, asked, None, env);
        };
        let wait = self.connection(socket)?.broker_ms();
        Some((wait, Job::Taken { asked, state, tries: tries - 1 }))
    }

    /// A state was read: events follow it, if history has them still.
    pub(super) fn begin_after_state(
        &mut self,
        socket: usize,
        asked: Asked,
        state: State,
        tries: u32,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        match self.topics[asked.topic].start(Some(state.0), env.schedule.now) {
            Start::Lost => self.begin_with_state(socket, asked, tries, env),
            _ => self.begin(socket, Owner::Client, asked, Some(state), env),
        }
    }

    /// How far a session's subscription has come.
    pub(super) fn place(&mut self, socket: usize, topic: usize) -> Option<At> {
        let name = self.topics[topic].name.clone();
        let key = self.connection(socket)?.table.handle(&name)?.key;
        let epoch = self.topics[topic].epoch;
        let offset = self.topics[topic].find(key, socket)?.delivery.position();
        Some(At { epoch, offset })
    }

    /// Answers with the state of a topic that the session follows, once the socket has taken what waits.
    pub(super) fn read_state(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        least: Option<At>,
        now: Millis,
    ) -> Option<(Millis, Job)> {
        if !self.connection(socket)?.outbox.is_empty() {
            return Some((1, Job::ReadState { id, topic, least }));
        }
        let Some(place) = self.place(socket, topic) else {
            self.answer(socket, Down::Error { re: id, code: ErrorCode::FORBIDDEN.0 });
            return None;
        };
        let Some(least) = least else {
            let wait = self.connection(socket)?.broker_ms();
            return Some((wait, Job::ReadState { id, topic, least: Some(place) }));
        };
        let (at, snapshot) = match self.topics[topic].state(now) {
            Some((at, records)) => (at, Some(records)),
            None => (place, None),
        };
        if at.epoch != least.epoch || at.offset < least.offset {
            return Some((1, Job::ReadState { id, topic, least: Some(least) }));
        }
        let reply = Reply { at, head: place.offset.max(at.offset), recovered: None, snapshot };
        let frame = Down::Reply { re: id, reply: Some(reply) };
        self.connection(socket)?.outbox.send_uncounted(vec![frame]);
        None
    }

    /// Asks the broker where a subscription begins.
    pub(super) fn begin(
        &mut self,
        socket: usize,
        owner: Owner,
        asked: Asked,
        state: Option<State>,
        env: &Env,
    ) -> Option<(Millis, Job)> {
        let topic = asked.topic;
        let name = self.topics[topic].name.clone();
        let connection = self.connection(socket)?;
        let earlier = connection.table.owner(&name);
        if connection.table.check(&name).is_err() || (earlier.is_some() && owner == Owner::Server) {
            return None;
        }
        let subscription = connection.table.remove(&name);
        let wait = connection.broker_ms();
        self.topics[topic].attach();
        self.drop_subscription(subscription);
        let since = state.as_ref().map_or(asked.since, |(at, _)| Some(*at));
        let start = self.topics[topic].start(since, env.schedule.now);
        Some((wait, Job::Begin { owner: earlier.unwrap_or(owner), asked, start, state }))
    }

    pub(super) fn insert(
        &mut self,
        socket: usize,
        owner: Owner,
        asked: Asked,
        start: Start,
        state: Option<State>,
    ) {
        let Asked { id, topic: number, since, .. } = asked;
        let topic = &mut self.topics[number];
        let overflow = topic.rule.overflow;
        let is_large = state.as_ref().is_some_and(|(_, records)| size(records) >= LARGE_BYTES);
        let delivery = match start {
            Start::Recovered(offset) if offset < topic.position || is_large => {
                Delivery::catching_up(offset, overflow)
            }
            Start::Recovered(offset) => Delivery::live(offset, overflow),
            Start::Fresh | Start::Lost => Delivery::live(topic.position, overflow),
        };
        let at = At { epoch: topic.epoch, offset: delivery.position() };
        let head = topic.position.max(delivery.position());
        let is_behind = delivery.is_catching_up();
        let key = topic.insert(Subscriber { socket, delivery });
        let name = topic.name.clone();
        let recovered = match (&state, start) {
            (Some(_), _) => since.map(|_| false),
            (None, Start::Fresh) => None,
            (None, Start::Recovered(_)) => Some(true),
            (None, Start::Lost) => Some(false),
        };
        let snapshot = state.map(|(_, records)| records);
        let reply = Reply { at, head, recovered, snapshot };
        let Some(connection) = self.connection(socket) else { return };
        match (id, &reply.snapshot) {
            (0, _) => connection.outbox.answer(Down::Subscribed { topic: number, at }),
            (re, None) => connection.outbox.answer(Down::Reply { re, reply: Some(reply) }),
            (re, Some(_)) => {
                connection.outbox.send_uncounted(vec![Down::Reply { re, reply: Some(reply) }]);
            }
        }
        let subscription = Subscription { topic: number, key };
        let Some(connection) = self.connection(socket) else { return };
        match connection.table.insert(name, owner, subscription) {
            Ok(earlier) => {
                self.drop_subscription(earlier);
                if is_behind {
                    self.fall_behind(socket, Cursor { topic: number, key });
                }
            }
            // The session ended meanwhile.
            Err(_) => self.drop_subscription(Some(subscription)),
        }
    }

    /// Ends a subscription for its owner; `false` if it is another's.
    pub(super) fn unsubscribe(&mut self, socket: usize, topic: usize, by: Owner) -> bool {
        let name = self.topics[topic].name.clone();
        let Some(connection) = self.connection(socket) else { return true };
        if connection.table.owner(&name).is_some_and(|owner| owner != by) {
            return false;
        }
        let subscription = connection.table.remove(&name);
        self.drop_subscription(subscription);
        true
    }

    /// The server ends a subscription, whoever owns it.
    pub(crate) fn revoke(&mut self, socket: usize, topic: usize, code: ErrorCode) {
        let name = self.topics[topic].name.clone();
        let Some(connection) = self.connection(socket) else { return };
        let Some(subscription) = connection.table.remove(&name) else { return };
        connection.outbox.answer(Down::Unsubscribed { topic, code: code.0 });
        self.drop_subscription(Some(subscription));
    }

    pub(super) fn end_subscriptions(&mut self, socket: usize) {
        let Some(connection) = self.connection(socket) else { return };
        for (_, subscription) in connection.table.close() {
            self.drop_subscription(Some(subscription));
        }
    }

    pub(super) fn drop_subscription(&mut self, subscription: Option<Subscription>) {
        if let Some(Subscription { topic, key }) = subscription {
            self.topics[topic].subscribers[key] = None;
            self.topics[topic].detach();
        }
    }
}
