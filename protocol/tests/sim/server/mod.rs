//! The servers: the cores as they compose them, without their locks and tasks. They decide nothing that the cores decide.

mod broker;
mod calls;
mod connection;
mod cursor;
mod draining;
mod local;
mod node;
mod outbox;
mod presence;
mod requests;
mod store;
mod streams;
mod subscribing;

use std::rc::Rc;

use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
    session::Mode,
};

use crate::{
    frames::{At, Down, Event, Record},
    random::Random,
    schedule::Wake,
    setup::Setup,
    world::Env,
};
pub(crate) use broker::HISTORY_BYTES;
use broker::{Broker, Once, Published};
use connection::Connection;
use cursor::Cursor;
use local::Local;
use node::Node;
use requests::Job;
use store::Store;

pub(crate) struct Server {
    setup: Setup,
    broker: Broker,
    nodes: Vec<Node>,
    store: Store,
    /// By the number of the socket.
    connections: Vec<Option<Connection>>,
    /// Processes that have begun, and members' parts.
    begun: u64,
    parts: u64,
    /// The application waits for no more of what its streams have to give.
    supplies_end: bool,
    random: Random,
}

impl Server {
    pub(crate) fn new(setup: &Setup) -> Self {
        let begun = setup.nodes as u64;
        Self {
            broker: Broker::new(setup),
            nodes: (0..begun).map(|number| Node::new(number, setup)).collect(),
            store: Store::default(),
            connections: Vec::new(),
            begun,
            parts: 0,
            supplies_end: false,
            random: Random::new(setup.seed, 5),
            setup: setup.clone(),
        }
    }

    fn connection(&mut self, socket: usize) -> Option<&mut Connection> {
        self.connections.get_mut(socket)?.as_mut()
    }

    /// A topic at the node of a socket.
    fn local(&mut self, socket: usize, topic: usize) -> Option<&mut Local> {
        let node = self.connection(socket)?.node;
        Some(&mut self.nodes[node].locals[topic])
    }

    /// Looks after a socket, a new one too.
    pub(crate) fn wake(&mut self, socket: usize, env: &mut Env) {
        while self.connections.len() <= socket {
            let number = self.connections.len();
            let connection = self.accept(number, env);
            self.connections.push(connection);
        }
        self.turn(socket, env);
    }

    /// Publishes and has the subscribers told. `client` names the publisher, if it is one.
    fn publish(
        &mut self,
        number: usize,
        event: Rc<Event>,
        once: Option<&Once>,
        env: &mut Env,
    ) -> Option<At> {
        let topic = &mut self.broker.topics[number];
        let record = match topic.publish(event, once, env.schedule.now) {
            Published::Now(record) => record,
            Published::Before(at) => {
                env.oracle.saw("repeated");
                return Some(at);
            }
            Published::OtherEpoch => {
                env.oracle.saw("sent in another epoch");
                return None;
            }
            Published::Forgotten => {
                env.oracle.saw("sent after it was forgotten");
                return None;
            }
        };
        self.hand_over(number, &record, env);
        Some(At { epoch: self.broker.topics[number].epoch, offset: record.offset })
    }

    /// The application publishes.
    pub(crate) fn publish_own(&mut self, topic: usize, event: Event, env: &mut Env) {
        self.publish(topic, event.into(), None, env);
    }

    /// The application stores a payload, which it is to publish; gives its version.
    pub(crate) fn commit(&mut self, payload: u64, now: Millis) -> u64 {
        self.store.commit(payload, now)
    }

    /// An event was appended: every node is told.
    fn hand_over(&mut self, number: usize, record: &Record, env: &mut Env) {
        let now = env.schedule.now;
        let epoch = self.broker.topics[number].epoch;
        env.oracle.appended(number, epoch, record, now);
        for (at, node) in self.nodes.iter_mut().enumerate() {
            let local = &mut node.locals[number];
            if local.take(record) {
                env.oracle.lost_on_the_way(number, epoch, record.offset);
            }
            if local.uses > 0 && !std::mem::replace(&mut local.is_delivering, true) {
                let delay = self.random.pick(&[0, 0, 0, 1, 6]);
                env.schedule.at(now + delay, Wake::Pass(at, number));
            }
        }
    }

    /// One slice of a pass.
    pub(crate) fn pass(&mut self, node: usize, number: usize, env: &mut Env) {
        let Self { setup, nodes, connections, .. } = self;
        let local = &mut nodes[node].locals[number];
        if local.pass.is_none() && !local.begin_pass(setup.batch) {
            return;
        }
        let Some((records, from)) = local.pass.take() else { return };
        let to = from.saturating_add(setup.slice).min(local.subscribers.len());
        let mut lagging = Vec::new();
        for key in from.min(to)..to {
            let Some(subscriber) = &mut local.subscribers[key] else { continue };
            let socket = subscriber.socket;
            let connection = connections.get_mut(socket).and_then(Option::as_mut);
            if connection.is_some_and(|c| c.outbox.deliver(subscriber, number, &records)) {
                lagging.push((socket, Cursor { topic: number, key }));
            }
            env.schedule.soon(Wake::Connection(socket));
        }
        if to < local.subscribers.len() {
            local.pass = Some((records, to));
        }
        for (socket, cursor) in lagging {
            env.oracle.saw("lags");
            self.fall_behind(socket, cursor);
        }
        env.schedule.at(env.schedule.now + u64::from(to % 2 == 1), Wake::Pass(node, number));
    }

    /// The broker loses the next events of a topic on their way to a node.
    pub(crate) fn lose(&mut self, topic: usize, events: u64) {
        let node = self.random.index(self.nodes.len());
        self.nodes[node].locals[topic].loses = events;
    }

    /// It loses none.
    pub(crate) fn lose_none(&mut self) {
        let locals = self.nodes.iter_mut().flat_map(|node| &mut node.locals);
        locals.for_each(|local| local.loses = 0);
    }

    pub(crate) fn head(&self, topic: usize) -> At {
        self.broker.topics[topic].head()
    }

    /// Whether every subscription is live: no cursor has anything to read.
    pub(crate) fn is_live(&self) -> bool {
        self.connections.iter().flatten().all(Connection::is_live)
    }

    /// The broker forgets topics that nobody needs.
    pub(crate) fn sweep(&mut self, now: Millis) {
        for topic in 0..self.setup.topics.len() {
            let mut locals = self.nodes.iter().map(|node| &node.locals[topic]);
            let is_used = locals.any(|local| local.uses > 0 || local.is_delivering);
            self.broker.sweep(topic, is_used, now);
        }
    }

    pub(crate) fn trouble(&mut self, until: Millis) {
        self.broker.trouble_until = until;
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
            self.revoke(socket, topic, code, env);
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
