//! The server: the cores as it composes them, without its locks and tasks. It decides nothing that they decide.

mod connection;
mod cursor;
mod outbox;
mod requests;
mod subscribing;
mod topic;

use std::{collections::BTreeSet, rc::Rc};

use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
    session::Mode,
};

use crate::{
    frames::{At, Down, EpochName, Event},
    random::Random,
    schedule::Wake,
    setup::Setup,
    world::Env,
};
use connection::Connection;
use cursor::Cursor;
use requests::Job;
use topic::{Published, Subscriber, Topic};

pub(crate) struct Server {
    setup: Setup,
    topics: Vec<Topic>,
    /// By the number of the socket.
    connections: Vec<Option<Connection>>,
    /// Publishes of clients that are being made.
    under_way: BTreeSet<(usize, u64)>,
    /// The broker cannot be reached until then.
    trouble_until: Millis,
    random: Random,
}

impl Server {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut server = Self {
            setup: setup.clone(),
            topics: Vec::new(),
            connections: Vec::new(),
            under_way: BTreeSet::new(),
            trouble_until: 0,
            random: Random::new(setup.seed, 3),
        };
        server.forget_topics();
        server
    }

    fn forget_topics(&mut self) {
        let random = &mut self.random;
        let rules = self.setup.topics.iter().enumerate();
        self.topics =
            rules.map(|(number, &rule)| Topic::new(number, rule, new_epoch(random))).collect();
    }

    fn connection(&mut self, socket: usize) -> Option<&mut Connection> {
        self.connections.get_mut(socket)?.as_mut()
    }

    /// Looks after a socket, a new one too.
    pub(crate) fn wake(&mut self, socket: usize, env: &mut Env) {
        while self.connections.len() <= socket {
            let number = self.connections.len();
            let client = env.network.sockets[number].client;
            let connection = Connection::new(number, client, &self.setup, env.schedule.now);
            self.connections.push(Some(connection));
        }
        self.turn(socket, env);
    }

    /// Publishes and has the subscribers told; `None` if it was for another epoch. `client` names the publisher, if it is one.
    pub(crate) fn publish(
        &mut self,
        number: usize,
        event: Rc<Event>,
        client: Option<usize>,
        epoch: Option<EpochName>,
        env: &mut Env,
    ) -> Option<At> {
        let now = env.schedule.now;
        let topic = &mut self.topics[number];
        let loses = topic.loses > 0;
        let record = match topic.publish(event, client, epoch, now) {
            Published::Now(record) => record,
            Published::Before(at) => {
                env.oracle.saw("repeated");
                return Some(at);
            }
            Published::OtherEpoch => {
                env.oracle.saw("sent in another epoch");
                return None;
            }
        };
        env.oracle.appended(number, topic.epoch, &record, now);
        if loses {
            env.oracle.lost_on_the_way(number, topic.epoch, record.offset);
        }
        if topic.uses > 0 && !std::mem::replace(&mut topic.is_delivering, true) {
            let delay = self.random.pick(&[0, 0, 0, 1, 6]);
            env.schedule.at(now + delay, Wake::Pass(number));
        }
        Some(At { epoch: topic.epoch, offset: record.offset })
    }

    /// One slice of a pass.
    pub(crate) fn pass(&mut self, number: usize, env: &mut Env) {
        let Self { setup, topics, connections, .. } = self;
        let topic = &mut topics[number];
        if topic.pass.is_none() && !topic.begin_pass(setup.batch) {
            return;
        }
        let Some((records, from)) = topic.pass.take() else { return };
        let to = from.saturating_add(setup.slice).min(topic.subscribers.len());
        let mut lagging = Vec::new();
        for key in from.min(to)..to {
            let Some(Subscriber { socket, delivery }) = &mut topic.subscribers[key] else {
                continue;
            };
            let connection = connections.get_mut(*socket).and_then(Option::as_mut);
            if connection.is_some_and(|c| c.outbox.deliver(delivery, number, &records)) {
                lagging.push((*socket, Cursor { topic: number, key }));
            }
            env.schedule.soon(Wake::Connection(*socket));
        }
        if to < topic.subscribers.len() {
            topic.pass = Some((records, to));
        }
        for (socket, cursor) in lagging {
            env.oracle.saw("lags");
            self.fall_behind(socket, cursor);
        }
        env.schedule.at(env.schedule.now + u64::from(to % 2 == 1), Wake::Pass(number));
    }

    /// The broker loses the next events of a topic on their way to this node.
    pub(crate) fn lose(&mut self, topic: usize, events: u64) {
        self.topics[topic].loses = events;
    }

    pub(crate) fn head(&self, topic: usize) -> At {
        self.topics[topic].head()
    }

    /// Whether every subscription is live: no cursor has anything to read.
    pub(crate) fn is_live(&self) -> bool {
        self.connections.iter().flatten().all(Connection::is_live)
    }

    /// The process ends and another begins: sockets are cut, memory is gone.
    pub(crate) fn restart(&mut self, env: &mut Env) {
        for socket in 0..self.connections.len() {
            if self.connections[socket].take().is_some_and(|connection| !connection.is_gone) {
                env.network.cut(socket, false, &mut env.schedule);
                env.network.end(socket);
            }
        }
        self.under_way.clear();
        self.trouble_until = 0;
        self.forget_topics();
    }

    /// The broker forgets topics that nobody needs.
    pub(crate) fn sweep(&mut self, now: Millis) {
        for (number, topic) in self.topics.iter_mut().enumerate() {
            if topic.is_idle(now) && !topic.is_delivering {
                *topic = Topic::new(number, topic.rule, new_epoch(&mut self.random));
            }
        }
    }

    pub(crate) fn trouble(&mut self, until: Millis) {
        self.trouble_until = until;
    }

    /// The client's present session, if it has said hello.
    fn session_of(&mut self, client: usize) -> Option<&mut Connection> {
        self.connections.iter_mut().flatten().rfind(|connection| {
            connection.client == client
                && connection.outbox.closed.is_none()
                && connection.core.mode() == Mode::Full
        })
    }

    /// The application subscribes a client.
    pub(crate) fn adopt(&mut self, client: usize, topic: usize, env: &mut Env) {
        if let Some(session) = self.session_of(client) {
            session.jobs.push_back(Job::Adopt { topic });
            env.schedule.soon(Wake::Connection(session.socket));
        }
    }

    /// The application ends a subscription.
    pub(crate) fn expel(&mut self, client: usize, topic: usize, code: ErrorCode, env: &mut Env) {
        if let Some(session) = self.session_of(client) {
            let socket = session.socket;
            self.revoke(socket, topic, code);
            env.schedule.soon(Wake::Connection(socket));
        }
    }

    /// The server asks a client to move.
    pub(crate) fn drain(&mut self, client: usize, deadline_ms: Millis, env: &mut Env) {
        if let Some(session) = self.session_of(client) {
            session.drain(env.schedule.now + deadline_ms);
            session.outbox.answer(Down::Drain { deadline_ms });
            env.oracle.saw("drained");
            env.schedule.soon(Wake::Connection(session.socket));
        }
    }

    /// The application ends a session.
    pub(crate) fn kick_client(&mut self, client: usize, code: CloseCode, env: &mut Env) {
        if let Some(session) = self.session_of(client) {
            session.outbox.close(code);
            env.schedule.soon(Wake::Connection(session.socket));
        }
    }
}

fn new_epoch(random: &mut Random) -> EpochName {
    random.next() | 1
}
