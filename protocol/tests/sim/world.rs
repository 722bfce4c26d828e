//! A seed's world: the server, its clients, what lies between them, and all that is done to them; on virtual time.

use std::rc::Rc;

use tidewire_protocol::Millis;

use crate::{
    actions::{Action, Step},
    client::{Client, Wanted},
    frames::{Event, Range, Shown, User},
    network::Network,
    oracle::Oracle,
    random::Random,
    run,
    schedule::{Schedule, Wake},
    server::Server,
    setup::{Content, MEMBERS, STORE, Setup},
};

/// How long all may take to be well again once the network is: twice the longest delay of a reconnect, and what a dead peer takes
/// to be noticed.
const MEND_MS: Millis = 120_000;

/// What everybody acts upon.
pub(crate) struct Env {
    pub(crate) schedule: Schedule,
    pub(crate) network: Network,
    pub(crate) oracle: Oracle,
    traces: bool,
}

impl Env {
    /// Shows what happens, with `SIM_TRACE`.
    pub(crate) fn trace(&self, what: impl FnOnce() -> String) {
        if self.traces {
            run::report(&format!("{:>8} {}", self.schedule.now, what()));
        }
    }

    /// One turn more; whether there are so many at one moment that somebody goes round in circles.
    pub(crate) fn spins(&mut self) -> bool {
        let spins = self.schedule.spins();
        if spins {
            self.oracle.fail(format!("somebody goes round in circles at {} ms", self.schedule.now));
        }
        spins
    }
}

pub(crate) struct World {
    setup: Setup,
    server: Server,
    clients: Vec<Client>,
    env: Env,
    random: Random,
    published: u64,
    floods: Vec<Flood>,
    /// What the application has stored and not published yet.
    stored: Vec<Option<Event>>,
}

/// Publishes of the application that go on for a while.
#[derive(Clone, Copy)]
struct Flood {
    topic: usize,
    times: u64,
    every_ms: Millis,
    count: u64,
    keys: u8,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            server: Server::new(setup),
            clients: (0..setup.clients).map(|number| Client::new(number, setup)).collect(),
            env: Env {
                schedule: Schedule::starting_at(1_000),
                network: Network::new(setup.seed),
                oracle: Oracle::new(setup),
                traces: std::env::var_os("SIM_TRACE").is_some(),
            },
            random: Random::new(setup.seed, 4),
            published: 0,
            floods: Vec::new(),
            stored: Vec::new(),
        }
    }

    /// Runs the steps, mends everything, and looks whether all is as it should be. Gives the oracle, which knows.
    pub(crate) fn run(mut self, steps: &[Step]) -> Oracle {
        for client in &mut self.clients {
            client.connect(&mut self.env);
        }
        for step in steps {
            self.pass_time(step.pause_ms);
            if self.env.oracle.fault().is_some() {
                return self.env.oracle;
            }
            self.env.trace(|| format!("{:?}", step.action));
            self.act(&step.action);
        }
        self.settle();
        self.env.oracle
    }

    fn pass_time(&mut self, ms: Millis) {
        let end = self.env.schedule.now + ms;
        while self.env.oracle.fault().is_none()
            && let Some(wake) = self.env.schedule.next_until(end)
        {
            if self.env.spins() {
                return;
            }
            match wake {
                Wake::Client(client) => self.clients[client].turn(&mut self.env),
                Wake::Connection(socket) => self.server.wake(socket, &mut self.env),
                Wake::Flood(number) => self.flood(number),
                Wake::Stored(number) => self.publish_stored(number),
                Wake::Pass(node, topic) => self.server.pass(node, topic, &mut self.env),
                Wake::Members(node) => self.server.tell_members(node, &mut self.env),
                Wake::Drain(node) => self.server.end_drain(node, &mut self.env),
                Wake::Lease(node) => self.server.end_lease(node, &mut self.env),
            }
        }
    }

    fn event(&mut self, topic: usize, keys: u8, bytes: usize) -> Event {
        self.published += 1;
        let keyed = self.setup.topics[topic].is_keyed();
        let key = keyed.then(|| self.random.below(keys.into()) as u8);
        let removed = keyed && self.random.percent(20);
        let payload = self.published;
        Event { payload, key, removed, bytes, version: None, members: Rc::new([]) }
    }

    fn act(&mut self, action: &Action) {
        let Self { server, clients, env, .. } = self;
        let now = env.schedule.now;
        match *action {
            Action::Subscribe { client, topic } => clients[client].subscribe(topic, env),
            Action::Unsubscribe { client, topic } => clients[client].unsubscribe(topic, env),
            Action::ReadState { client, topic } => clients[client].read_state(topic, env),
            Action::Join { client } => {
                self.published += 1;
                clients[client].join(self.published, env);
            }
            Action::History { client, topic, after, before, limit } => {
                let head = server.head(topic).offset;
                let bound = |back: Option<u64>| back.map(|back| head.saturating_sub(back));
                let range = Range { after: bound(after), before: bound(before), limit };
                clients[client].history(topic, range, env);
            }
            Action::Call { client, timeout_ms, takes_ms } => {
                self.published += 1;
                clients[client].call(self.published, timeout_ms, takes_ms, env);
            }
            Action::Stream { client, timeout_ms, supply, room, pace_ms } => {
                self.published += 1;
                let wanted = Wanted { payload: self.published, timeout_ms, supply, room };
                clients[client].stream(wanted, pace_ms, env);
            }
            Action::Cancel { client, which } => clients[client].cancel(which, env),
            Action::Publish { client, topic, count, keys, bytes } => {
                for _ in 0..count {
                    let event = self.event(topic, keys, bytes);
                    self.clients[client].publish(topic, event, &mut self.env);
                }
            }
            Action::ServerPublish { topic, count, keys, bytes } => {
                self.publish(topic, count, keys, bytes);
            }
            Action::Flood { topic, times, every_ms, count, keys } => {
                env.schedule.soon(Wake::Flood(self.floods.len()));
                self.floods.push(Flood { topic, times, every_ms, count, keys });
            }
            Action::Lose { topic, events } => server.lose(topic, events),
            Action::Adopt { client, topic } => server.adopt(client, topic, env),
            Action::Expel { client, topic, code } => server.expel(client, topic, code, env),
            Action::Cut { client, up_arrives } => {
                if let Some(socket) = clients[client].a_socket(now) {
                    env.network.cut(socket, up_arrives, &mut env.schedule);
                }
            }
            Action::Swallow { client, up, down } => {
                if let Some(socket) = clients[client].a_socket(now) {
                    env.network.swallow(socket, up, down);
                }
            }
            Action::Stall { client, ms } => {
                if let Some(socket) = clients[client].a_socket(now) {
                    env.network.stall(socket, ms, &mut env.schedule);
                }
            }
            Action::Offline { client, ms } => {
                clients[client].offline_until = env.schedule.now + ms;
                if let Some(socket) = clients[client].a_socket(now) {
                    env.network.swallow(socket, true, true);
                }
            }
            Action::Read { client, pace_ms } => clients[client].pace_ms = pace_ms,
            Action::Trouble { ms } => {
                env.oracle.trouble(now + ms);
                server.trouble(now + ms);
            }
            Action::Restart { node, down_ms } => server.restart(node, down_ms, env),
            Action::Deploy { node, deadline_ms } => server.deploy(node, deadline_ms, env),
            Action::Sweep => server.sweep(env.schedule.now),
            Action::Wake { client } => clients[client].wake_up(env),
            Action::Close { client } => clients[client].close(env),
            Action::Connect { client } => clients[client].connect(env),
            Action::Drain { client, deadline_ms } => server.drain(client, deadline_ms, env),
            Action::Kick { client, code } => server.kick_client(client, code, env),
        }
    }

    fn publish(&mut self, topic: usize, count: u64, keys: u8, bytes: usize) {
        for _ in 0..count {
            let event = self.event(topic, keys, bytes);
            let Content::Store { versions } = self.setup.topics[topic].content else {
                self.server.publish_own(topic, event, &mut self.env);
                continue;
            };
            // It publishes what it has committed, sooner or later.
            let now = self.env.schedule.now;
            let version = self.server.commit(event.payload, now);
            self.env.oracle.stored(event.payload);
            let wait = self.random.pick(&[0, 0, 1, 30, 200]);
            self.env.schedule.at(now + wait, Wake::Stored(self.stored.len()));
            self.stored.push(Some(Event { version: versions.then_some(version), ..event }));
        }
    }

    fn publish_stored(&mut self, number: usize) {
        if let Some(event) = self.stored[number].take() {
            self.server.publish_own(STORE, event, &mut self.env);
        }
    }

    fn flood(&mut self, number: usize) {
        let Flood { topic, times, every_ms, count, keys } = self.floods[number];
        if times > 0 {
            self.floods[number].times -= 1;
            let at = self.env.schedule.now + every_ms;
            self.env.schedule.at(at, Wake::Flood(number));
            self.publish(topic, count, keys, 90);
        }
    }

    /// A last event of each topic, which shows whatever was missed before it.
    fn publish_last(&mut self) {
        self.server.lose_none();
        for topic in 0..MEMBERS {
            self.publish(topic, 1, 1, 40);
        }
        (0..self.stored.len()).for_each(|number| self.publish_stored(number));
    }

    /// Ends all that is done to it, and waits until it is well: then each topic gets one more event, which has to come to all.
    fn settle(&mut self) {
        let now = self.env.schedule.now;
        self.server.trouble(now);
        self.server.end_supplies(&mut self.env);
        for client in &mut self.clients {
            client.read_at_once();
            client.offline_until = now;
        }
        self.publish_last();
        self.wait_until(Self::is_mended, "not all is well again");
        self.publish_last();
        self.wait_until(Self::is_current, "not all have come to the head");
        if self.env.oracle.fault().is_none() {
            let wanted = self.wanted();
            self.env.oracle.finish(&wanted);
            if self.clients.iter().any(Client::leaks) {
                self.env.oracle.fail("a client holds the number of an epoch that no topic is in");
            }
        }
    }

    fn wait_until(&mut self, done: fn(&Self) -> Option<String>, fault: &str) {
        let end = self.env.schedule.now + MEND_MS;
        let mut left = done(self);
        while left.is_some() && self.env.schedule.now < end {
            // Whoever was sent away by what was still under way, or has left, comes back.
            for client in &mut self.clients {
                client.connect(&mut self.env);
            }
            self.pass_time(1_000);
            if self.env.oracle.fault().is_some() {
                return;
            }
            left = done(self);
        }
        if let Some(left) = left {
            self.env.oracle.fail(format!("{fault}: {left}"));
        }
    }

    fn is_mended(&self) -> Option<String> {
        let lame = self.clients.iter().position(|c| !c.is_connected() || !c.owes_nothing());
        let lame =
            lame.map(|client| format!("client {client} is not connected, or owes an outcome"));
        let streams =
            || (!self.server.streams_nothing()).then(|| "a stream goes on for nobody".to_owned());
        lame.or_else(streams).or_else(|| self.is_current())
    }

    fn is_current(&self) -> Option<String> {
        let behind = self.wanted().into_iter().find(|&(client, topic)| {
            !self.env.oracle.is_current(client, topic, self.server.head(topic))
        });
        let behind =
            behind.map(|(client, topic)| format!("client {client} is behind in topic {topic}"));
        let lags = || (!self.server.is_live()).then(|| "a subscription is not live".to_owned());
        let epoch = self.server.head(MEMBERS).epoch;
        let members = || self.env.oracle.members_left(epoch, &self.wishes());
        let stored = || self.stored.iter().any(Option::is_some);
        let unpublished = || stored().then(|| "not all that is stored is published".to_owned());
        behind.or_else(lags).or_else(members).or_else(unpublished)
    }

    /// What clients' users want to be shown as.
    fn wishes(&self) -> Vec<(User, Shown)> {
        let clients = self.clients.iter().enumerate();
        let wish =
            |(number, client): (usize, &Client)| Some((number % self.setup.users, client.wish?));
        clients.filter_map(wish).collect()
    }

    /// What clients' users follow.
    fn wanted(&self) -> Vec<(usize, usize)> {
        let topics = 0..self.setup.topics.len();
        let follows = |&(client, topic): &(usize, usize)| self.clients[client].counts[topic] > 0;
        let all = (0..self.clients.len()).flat_map(|c| topics.clone().map(move |t| (c, t)));
        all.filter(follows).collect()
    }
}
