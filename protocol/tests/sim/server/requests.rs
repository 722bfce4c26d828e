//! What a client asks for, one frame at a time: the application's hook runs, then the broker is asked, then the answer goes out.

use std::rc::Rc;

use tidewire_protocol::{
    Millis, code::ErrorCode, delivery::Delivery, session::Owner, topic::Start,
};

use super::{Server, connection::Subscription, cursor::Cursor, topic::Subscriber};
use crate::{
    frames::{At, Down, Event, Record, Reply, Up, size},
    world::Env,
};

/// What runs, until when.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) until: Millis,
    job: Job,
}

/// What a client asks for; the id is 0 where the application does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    id: u32,
    topic: usize,
    since: Option<At>,
    snapshot: bool,
}

/// A topic's state and the position that it is of.
type State = (At, Rc<[Record]>);

/// How often a state is read whose position history no longer reaches.
const TRIES: u32 = 3;

/// From this size on, what follows a snapshot waits until the socket has taken it.
const LARGE_BYTES: usize = 500;

#[derive(Debug)]
pub(crate) enum Job {
    /// The application judges.
    Subscribe(Asked),
    /// The socket takes what waits before the topic's state is asked for.
    Drain(Asked),
    /// The topic's state was read.
    Taken {
        asked: Asked,
        state: State,
        tries: u32,
    },
    /// The same beside a subscription, whose position was `least`.
    ReadState {
        id: u32,
        topic: usize,
        least: Option<At>,
    },
    /// The broker has said where it begins.
    Begin {
        owner: Owner,
        asked: Asked,
        start: Start,
        state: Option<State>,
    },
    /// The application subscribes the session of itself.
    Adopt {
        topic: usize,
    },
    Unsubscribe {
        id: u32,
        topic: usize,
    },
    /// The application judges; `epoch` where the publish is sent again.
    Publish {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        epoch: Option<u64>,
    },
    /// It is appended; the broker's answer is on its way.
    Acknowledge {
        id: u32,
        topic: usize,
        at: At,
        event: Rc<Event>,
    },
}

impl Server {
    /// Ends the hooks whose time has come and gives the next frame its turn.
    pub(super) fn poll_hooks(&mut self, socket: usize, env: &mut Env) -> bool {
        let now = env.schedule.now;
        let mut moved = false;
        loop {
            let Some(connection) = self.connection(socket) else { return moved };
            if let Some(at) = connection.hooks.iter().position(|hook| hook.until <= now) {
                let job = connection.hooks.remove(at).job;
                match self.advance(socket, job, env) {
                    Some((wait, job)) => self.run(socket, now + wait, job),
                    None => {
                        let Some(connection) = self.connection(socket) else { return moved };
                        connection.core.handle_hook_ended();
                    }
                }
                moved = true;
                continue;
            }
            if !connection.hooks.is_empty() {
                return moved;
            }
            if connection.greeting.is_none()
                && let Some(job) = connection.jobs.pop_front()
            {
                self.start_hook(socket, now, 0, job);
                moved = true;
                continue;
            }
            if !connection.core.poll_backlog() {
                return moved;
            }
            let Some(frame) = connection.waiting.pop_front() else { return moved };
            connection.core.handle_taken(frame.bytes(), now);
            self.take(socket, frame, env);
            moved = true;
        }
    }

    /// A frame's turn has come.
    pub(super) fn take(&mut self, socket: usize, frame: Up, env: &Env) {
        let job = match frame {
            Up::Subscribe { id, topic, since, snapshot } => {
                Job::Subscribe(Asked { id, topic, since, snapshot })
            }
            Up::ReadState { id, topic } if self.place(socket, topic).is_some() => {
                Job::ReadState { id, topic, least: None }
            }
            Up::ReadState { id, topic } => {
                Job::Subscribe(Asked { id, topic, since: None, snapshot: true })
            }
            Up::Unsubscribe { id, topic } => Job::Unsubscribe { id, topic },
            Up::Publish { id, topic, event, epoch } => Job::Publish { id, topic, event, epoch },
            Up::Hello { .. } | Up::Pong | Up::Closed { .. } => return,
        };
        let Some(connection) = self.connection(socket) else { return };
        let wait = connection.hook_ms();
        self.start_hook(socket, env.schedule.now, wait, job);
    }

    fn start_hook(&mut self, socket: usize, now: Millis, wait: Millis, job: Job) {
        let Some(connection) = self.connection(socket) else { return };
        connection.core.handle_hook_started(now);
        self.run(socket, now + wait, job);
    }

    fn run(&mut self, socket: usize, until: Millis, job: Job) {
        if let Some(connection) = self.connection(socket) {
            connection.hooks.push(Hook { until, job });
        }
    }

    /// Takes a job one step on; what is left of it and how long that takes, if anything.
    fn advance(&mut self, socket: usize, job: Job, env: &mut Env) -> Option<(Millis, Job)> {
        let fails = self.trouble_until > env.schedule.now;
        let refusal = |re| Down::Error { re, code: ErrorCode::UNAVAILABLE.0 };
        match job {
            Job::Subscribe(Asked { id, topic, .. }) | Job::Drain(Asked { id, topic, .. })
                if fails =>
            {
                self.unsubscribe(socket, topic, Owner::Client);
                self.answer(socket, refusal(id));
                None
            }
            Job::Subscribe(asked) if asked.snapshot => Some((0, Job::Drain(asked))),
            Job::Subscribe(asked) => self.begin(socket, Owner::Client, asked, None, env),
            Job::Drain(asked) if !self.connection(socket)?.outbox.is_empty() => {
                Some((1, Job::Drain(asked)))
            }
            Job::Drain(asked) => self.begin_with_state(socket, asked, TRIES, env),
            Job::Taken { asked, state, tries } => {
                let at = state.0;
                match self.topics[asked.topic].start(Some(at), env.schedule.now) {
                    Start::Lost => self.begin_with_state(socket, asked, tries, env),
                    _ => self.begin(socket, Owner::Client, asked, Some(state), env),
                }
            }
            Job::ReadState { id, topic, least } => {
                self.read_state(socket, id, topic, least, env.schedule.now)
            }
            Job::Adopt { topic } => {
                let asked = Asked { id: 0, topic, since: None, snapshot: false };
                self.begin(socket, Owner::Server, asked, None, env)
            }
            Job::Begin { owner, asked, start, state } => {
                self.insert(socket, owner, asked, start, state);
                None
            }
            Job::Unsubscribe { id, topic } => {
                let frame = if self.unsubscribe(socket, topic, Owner::Client) {
                    Down::Reply { re: id, reply: None }
                } else {
                    Down::Error { re: id, code: ErrorCode::FORBIDDEN.0 }
                };
                self.answer(socket, frame);
                None
            }
            Job::Publish { id, event, .. } if fails => {
                env.oracle.turned_away(event.payload);
                self.answer(socket, refusal(id));
                None
            }
            Job::Publish { id, topic, event, epoch } => {
                self.publish_for(socket, id, topic, event, epoch, env)
            }
            Job::Acknowledge { id, topic, at, event } => {
                self.under_way.remove(&(topic, event.payload));
                let reply = Reply { at, head: at.offset, recovered: None, snapshot: None };
                self.answer(socket, Down::Reply { re: id, reply: Some(reply) });
                None
            }
        }
    }

    fn publish_for(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        event: Rc<Event>,
        epoch: Option<u64>,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        if !self.under_way.insert((topic, event.payload)) {
            // A repeat waits for the first.
            return Some((1, Job::Publish { id, topic, event, epoch }));
        }
        let client = self.connection(socket).map(|connection| connection.client);
        let Some(at) = self.publish(topic, Rc::clone(&event), client, epoch, env) else {
            self.under_way.remove(&(topic, event.payload));
            self.answer(socket, Down::Error { re: id, code: ErrorCode::UNKNOWN.0 });
            return None;
        };
        let wait = self.connection(socket)?.broker_ms();
        Some((wait, Job::Acknowledge { id, topic, at, event }))
    }

    /// Begins after `since` if nothing is missing, else with the topic's state.
    fn begin_with_state(
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

    /// How far a session's subscription has come.
    fn place(&mut self, socket: usize, topic: usize) -> Option<At> {
        let name = self.topics[topic].name.clone();
        let key = self.connection(socket)?.table.handle(&name)?.key;
        let epoch = self.topics[topic].epoch;
        let offset = self.topics[topic].find(key, socket)?.delivery.position();
        Some(At { epoch, offset })
    }

    /// Answers with the state of a topic that the session follows, once the socket has taken what waits.
    fn read_state(
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
    fn begin(
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

    fn insert(
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

    /// Hooks that run for nobody are dropped, and with them what they hold.
    pub(super) fn drop_hooks(&mut self, socket: usize) {
        let Some(connection) = self.connection(socket) else { return };
        for hook in std::mem::take(&mut connection.hooks) {
            match hook.job {
                Job::Begin { asked, .. } => self.topics[asked.topic].detach(),
                Job::Acknowledge { topic, event, .. } => {
                    self.under_way.remove(&(topic, event.payload));
                }
                _ => {}
            }
        }
        if let Some(connection) = self.connection(socket) {
            connection.core.handle_hook_ended();
        }
    }

    fn drop_subscription(&mut self, subscription: Option<Subscription>) {
        if let Some(Subscription { topic, key }) = subscription {
            self.topics[topic].subscribers[key] = None;
            self.topics[topic].detach();
        }
    }

    fn answer(&mut self, socket: usize, frame: Down) {
        if let Some(connection) = self.connection(socket) {
            connection.outbox.answer(frame);
        }
    }
}
