//! How subscriptions begin, with or without the topic's state, and end.

use tidewire_protocol::{
    Millis,
    code::ErrorCode,
    delivery::{Delivery, Included, Overflow},
    session::{Owner, SubscribeError},
    topic::{Reading, Start},
};

use super::{
    Server, connection::Subscription, cursor::Cursor, local::Subscriber, requests::Job, store::Run,
};
use crate::{
    frames::{At, Down, Reply, Shown, Snapshot},
    setup::Content,
    world::Env,
};

/// What a client asks for; the id is 0 where the application does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) id: u32,
    pub(super) topic: usize,
    pub(super) since: Option<At>,
    /// Of the snapshot that the client has.
    pub(super) version: Option<u64>,
    pub(super) snapshot: bool,
    pub(super) presence: Option<Shown>,
}

impl Asked {
    pub(super) fn at_head(topic: usize) -> Self {
        Self { id: 0, topic, since: None, version: None, snapshot: false, presence: None }
    }
}

/// A topic's state that is being read.
#[derive(Debug)]
pub(crate) enum Taking {
    /// Of what the broker has.
    Broker(At, Snapshot),
    /// Of what the application stores.
    Store(Run),
}

/// A topic's state, the position that it is of, and its version.
#[derive(Debug)]
pub(crate) struct State {
    at: At,
    snapshot: Snapshot,
    version: Option<u64>,
}

/// How often a state is read whose position history no longer reaches.
pub(super) const TRIES: u32 = 3;

/// From this size on, what follows a snapshot waits until the socket has taken it.
const LARGE_BYTES: usize = 500;

impl Server {
    /// A client asks for a subscription.
    pub(super) fn ask(&mut self, socket: usize, topic: usize) {
        let Some(name) = self.local(socket, topic).map(|local| local.name.clone()) else { return };
        if let Some(connection) = self.connection(socket) {
            // A table that is closed says so again when it begins.
            let _ = connection.table.ask(&name);
        }
    }

    /// What a client may not begin it may not keep.
    pub(super) fn refuse_subscribe(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        code: ErrorCode,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        self.unsubscribe(socket, topic, Owner::Client, env);
        let name = self.local(socket, topic)?.name.clone();
        self.connection(socket)?.table.settle(&name);
        self.refuse(socket, id, code)
    }

    /// Begins after `since` if nothing is missing, else with the topic's state.
    pub(super) fn begin_with_state(
        &mut self,
        socket: usize,
        asked: Asked,
        tries: u32,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        let now = env.schedule.now;
        let topic = &mut self.broker.topics[asked.topic];
        let recovers = tries == TRIES && topic.start(asked.since, now) != Start::Lost;
        if recovers && asked.since.is_some() {
            return self.begin(socket, Owner::Client, asked, None, env);
        }
        if tries == 0 {
            env.oracle.saw("no state");
            let Asked { id, topic, .. } = asked;
            return self.refuse_subscribe(socket, id, topic, ErrorCode::UNAVAILABLE, env);
        }
        let Some((wait, taking)) = self.take_state(socket, asked.topic, now) else {
            return self.begin(socket, Owner::Client, asked, None, env);
        };
        Some((wait, Job::Taken { asked, taking, tries: tries - 1 }))
    }

    /// Begins to read a topic's state; how long that takes. `None` if it has none.
    fn take_state(&mut self, socket: usize, topic: usize, now: Millis) -> Option<(Millis, Taking)> {
        let connection = self.connections.get_mut(socket)?.as_mut()?;
        let of_broker = &mut self.broker.topics[topic];
        if !matches!(of_broker.rule.content, Content::Store { .. }) {
            let snapshot = of_broker.state(now)?;
            return Some((connection.broker_ms(), Taking::Broker(of_broker.head(), snapshot)));
        }
        let runs = &mut self.nodes[connection.node].runs;
        let (until, then) = (connection.hook_ms() * 10, connection.hook_ms());
        let run = runs.get(&topic).copied().filter(|run| run.done_at > now);
        let run = run.unwrap_or_else(|| Run::new(of_broker.head(), now, until, then));
        runs.insert(topic, run);
        Some((run.done_at - now, Taking::Store(run)))
    }

    fn taken(&self, topic: usize, taking: Taking) -> State {
        match taking {
            Taking::Broker(at, snapshot) => State { at, snapshot, version: None },
            Taking::Store(run) => {
                let (snapshot, version) = self.store.read(run);
                let content = self.broker.topics[topic].rule.content;
                let has_versions = content == Content::Store { versions: true };
                State { at: run.place, snapshot, version: has_versions.then_some(version) }
            }
        }
    }

    /// A state was read: events follow it, if history has them still, or the topic's policy lets some be missing.
    pub(super) fn begin_after_state(
        &mut self,
        socket: usize,
        asked: Asked,
        taking: Taking,
        tries: u32,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        let state = self.taken(asked.topic, taking);
        let topic = &mut self.broker.topics[asked.topic];
        let can_begin = topic.start(Some(state.at), env.schedule.now) != Start::Lost
            || may_lag(topic.rule.overflow, state.at, topic.epoch);
        if !can_begin {
            return self.begin_with_state(socket, asked, tries, env);
        }
        self.begin(socket, Owner::Client, asked, Some(state), env)
    }

    /// How far a session's subscription has come.
    pub(super) fn place(&mut self, socket: usize, topic: usize) -> Option<At> {
        let epoch = self.broker.topics[topic].epoch;
        let name = self.local(socket, topic)?.name.clone();
        let key = self.connection(socket)?.table.handle(&name)?.key;
        let offset = self.local(socket, topic)?.find(key, socket)?.delivery.position();
        Some(At { epoch, offset })
    }

    /// Reads the state of a topic that the session follows, once the socket has taken what waits.
    pub(super) fn read_state(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        tries: u32,
        now: Millis,
    ) -> Option<(Millis, Job)> {
        if !self.connection(socket)?.outbox.is_empty() {
            return Some((1, Job::ReadState { id, topic, tries }));
        }
        let Some(least) = self.place(socket, topic) else {
            return self.refuse(socket, id, ErrorCode::UNAVAILABLE);
        };
        let Some((wait, taking)) = self.take_state(socket, topic, now) else {
            let reply = Reply {
                at: least,
                head: least.offset,
                recovered: None,
                snapshot: None,
                version: None,
            };
            self.answer(socket, Down::Reply { re: id, reply: Some(reply) });
            return None;
        };
        Some((wait, Job::StateTaken { id, topic, least, taking, tries }))
    }

    /// Answers with it, unless it is older than what the session has had.
    pub(super) fn answer_state(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        (least, taking): (At, Taking),
        tries: u32,
        env: &Env,
    ) -> Option<(Millis, Job)> {
        let Some(place) = self.place(socket, topic) else {
            return self.refuse(socket, id, ErrorCode::UNAVAILABLE);
        };
        let State { at, snapshot, .. } = self.taken(topic, taking);
        if at.epoch != least.epoch || at.offset < least.offset {
            if tries == 0 {
                return self.refuse(socket, id, ErrorCode::UNAVAILABLE);
            }
            let (wait, taking) = self.take_state(socket, topic, env.schedule.now)?;
            return Some((wait, Job::StateTaken { id, topic, least, taking, tries: tries - 1 }));
        }
        let head = place.offset.max(at.offset);
        let reply = Reply { at, head, recovered: None, snapshot: Some(snapshot), version: None };
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
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        let topic = asked.topic;
        let name = self.local(socket, topic)?.name.clone();
        let connection = self.connection(socket)?;
        if owner == Owner::Server && connection.table.handle(&name).is_some() {
            return None;
        }
        let subscription = match connection.table.begin(&name, owner) {
            Ok(subscription) => subscription,
            Err(SubscribeError::Ended) => {
                env.oracle.saw("ended before it began");
                return self.refuse_subscribe(socket, asked.id, topic, ErrorCode::FORBIDDEN, env);
            }
            Err(_) => return None,
        };
        let leaves_out = connection.table.owner(&name) == Some(Owner::Client);
        let wait = connection.broker_ms();
        let head = self.broker.topics[topic].head().offset;
        self.local(socket, topic)?.attach(head);
        self.drop_subscription(socket, subscription);
        let since = state.as_ref().map_or(asked.since, |state| Some(state.at));
        let start = self.broker.topics[topic].start(since, env.schedule.now);
        Some((wait, Job::Begin { asked, start, state, leaves_out }))
    }

    pub(super) fn insert(
        &mut self,
        socket: usize,
        asked: Asked,
        start: Start,
        (state, leaves_out): (Option<State>, bool),
        env: &mut Env,
    ) {
        let Asked { id, topic: number, since, version, presence, .. } = asked;
        let (epoch, overflow) =
            (self.broker.topics[number].epoch, self.broker.topics[number].rule.overflow);
        let Some(local) = self.local(socket, number) else { return };
        let delivery = match (start, &state) {
            (start, Some(state))
                if start == Start::Lost || state.snapshot.bytes() >= LARGE_BYTES =>
            {
                Delivery::lagging(state.at.offset, overflow)
            }
            (Start::Recovered(offset), _) if offset < local.position => {
                Delivery::catching_up(offset, overflow)
            }
            (Start::Recovered(offset), _) => Delivery::live(offset, overflow),
            (Start::Fresh | Start::Lost, _) => Delivery::live(local.position, overflow),
        };
        let at = At { epoch, offset: delivery.position() };
        let head = local.position.max(delivery.position());
        let is_behind = delivery.is_catching_up();
        let recovered = match (&state, start) {
            (Some(_), _) => since.map(|_| false),
            (None, Start::Fresh) => None,
            (None, Start::Recovered(_)) => Some(true),
            (None, Start::Lost) => Some(false),
        };
        // What the client has still of an earlier snapshot counts where it goes on.
        let of_state = state.as_ref().and_then(|state| state.version).filter(|_| leaves_out);
        let has = match &state {
            Some(_) => of_state,
            None => version.filter(|_| leaves_out && recovered == Some(true)),
        };
        let included = Included::up_to(has);
        let key = local.insert(Subscriber { socket, delivery, included });
        let name = local.name.clone();
        let snapshot = state.map(|state| state.snapshot);
        let reply = Reply { at, head, recovered, snapshot, version: of_state };
        let Some(connection) = self.connection(socket) else { return };
        match (id, &reply.snapshot) {
            (0, _) => connection.outbox.answer(Down::Subscribed { topic: number, at }),
            (re, None) => connection.outbox.answer(Down::Reply { re, reply: Some(reply) }),
            (re, Some(_)) => {
                connection.outbox.send_uncounted(vec![Down::Reply { re, reply: Some(reply) }]);
            }
        }
        let subscription = Subscription { topic: number, key };
        match connection.table.insert(&name, subscription) {
            Ok(()) => {
                if is_behind {
                    self.fall_behind(socket, Cursor { topic: number, key });
                }
                if id != 0 {
                    self.settle_member(socket, number, presence, env);
                }
            }
            Err(error) => {
                if error == SubscribeError::Ended {
                    env.oracle.saw("ended while it began");
                    let code = ErrorCode::FORBIDDEN.0;
                    connection.outbox.answer(Down::Unsubscribed { topic: number, code });
                }
                self.drop_subscription(socket, Some(subscription));
            }
        }
        if id != 0
            && let Some(connection) = self.connection(socket)
        {
            connection.table.settle(&name);
        }
    }

    /// Ends a subscription for its owner; `false` if it is another's.
    pub(super) fn unsubscribe(
        &mut self,
        socket: usize,
        topic: usize,
        by: Owner,
        env: &mut Env,
    ) -> bool {
        let Some(name) = self.local(socket, topic).map(|local| local.name.clone()) else {
            return true;
        };
        let Some(connection) = self.connection(socket) else { return true };
        if connection.table.owner(&name).is_some_and(|owner| owner != by) {
            return false;
        }
        let subscription = connection.table.remove(&name).flatten();
        self.drop_subscription(socket, subscription);
        self.leave(socket, topic, env);
        true
    }

    /// The server ends a subscription, whoever owns it.
    pub(super) fn revoke(&mut self, socket: usize, topic: usize, code: ErrorCode, env: &mut Env) {
        let Some(name) = self.local(socket, topic).map(|local| local.name.clone()) else { return };
        self.leave(socket, topic, env);
        let Some(connection) = self.connection(socket) else { return };
        let Some(subscription) = connection.table.remove(&name).flatten() else { return };
        connection.outbox.answer(Down::Unsubscribed { topic, code: code.0 });
        self.drop_subscription(socket, Some(subscription));
    }

    pub(super) fn end_subscriptions(&mut self, socket: usize) {
        let Some(connection) = self.connection(socket) else { return };
        for (_, subscription) in connection.table.close() {
            self.drop_subscription(socket, Some(subscription));
        }
    }

    fn drop_subscription(&mut self, socket: usize, subscription: Option<Subscription>) {
        if let Some(Subscription { topic, key }) = subscription
            && let Some(local) = self.local(socket, topic)
        {
            local.subscribers[key] = None;
            local.detach();
        }
    }

    pub(super) fn detach(&mut self, socket: usize, topic: usize) {
        if let Some(local) = self.local(socket, topic) {
            local.detach();
        }
    }
}

/// Whether a subscription can begin after a state that history no longer reaches: whoever lags may miss something there, and is told.
fn may_lag(overflow: Overflow, at: At, epoch: u64) -> bool {
    let leaves_out = !matches!(overflow.reading(), None | Some(Reading::All));
    leaves_out && at.epoch == epoch
}
