//! A client's driver, a network that delays, stalls and cuts, and a user who does as he likes; all on virtual time.
//!
//! After every step it checks what the core promises.

mod network;
mod outputs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidewire_protocol::{
    Millis,
    client::{Cause, Client, Config, Continuity, Frame, Kind, Output, Position, State, Verdict},
    code::{CloseCode, ErrorCode},
};

use super::model::{Down, Name, Server, Up};
use crate::{numbers::Numbers, random::Random};

const PING_MS: Millis = 2_000;
const PONG_MS: Millis = 1_000;
const TOPICS: u64 = 4;

/// What the user's handlers have been told of a topic.
#[derive(Debug)]
struct Seen {
    epoch: Name,
    last: u64,
    /// Reported holes since the last event.
    holes: Vec<(u64, u64)>,
    /// Where the position may have moved without an event.
    included: u64,
    /// The link whose `$subscribe` was answered last, and that whose server subscribed last.
    links: [usize; 2],
}

#[derive(Debug)]
struct Socket {
    open: bool,
    /// Nothing passes any more, and nobody is told.
    stalled: bool,
    up: VecDeque<(Millis, Up)>,
    down: VecDeque<(Millis, Down)>,
    heard_at: Millis,
    pinged: bool,
    /// When the server, which is going, closes it.
    drained_at: Option<Millis>,
    /// The client has been greeted on it.
    greeted: bool,
    /// What the user asked on it and has no outcome yet.
    owed: BTreeSet<u32>,
}

pub(super) struct World {
    pub(super) client: Client,
    pub(super) server: Server,
    random: Random,
    now: Millis,
    /// By their link.
    sockets: [Option<Socket>; 2],
    /// When the sockets open.
    opens_at: [Option<Millis>; 2],
    /// The link for which outputs are, and that of the frame at hand.
    link: usize,
    heard: usize,
    /// When the network is there again.
    down_until: Millis,
    topics: Numbers<Name>,
    epochs: Numbers<Name>,
    counts: BTreeMap<Name, u32>,
    seen: BTreeMap<Name, Seen>,
    publishes: BTreeMap<u32, (Name, u64)>,
    calls: BTreeMap<u32, u64>,
    reads: BTreeSet<u32>,
    next_payload: u64,
    /// The outcomes of publishes and calls, by their payload.
    unknown: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    state: State,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let server = Server::new(random.next());
        let client = Client::new(Config::default(), random.next());
        Self {
            client,
            server,
            random,
            now: 1_000,
            sockets: [None, None],
            opens_at: [None; 2],
            link: 0,
            heard: 0,
            down_until: 0,
            topics: Numbers::default(),
            epochs: Numbers::default(),
            counts: BTreeMap::new(),
            seen: BTreeMap::new(),
            publishes: BTreeMap::new(),
            calls: BTreeMap::new(),
            reads: BTreeSet::new(),
            next_payload: 0,
            unknown: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            acked: BTreeSet::new(),
            rejected: BTreeSet::new(),
            state: State::Idle,
        }
    }

    /// Lets the user and the faults act for a while.
    pub(super) fn disturb(&mut self, actions: usize) {
        self.client.connect(self.now);
        self.carry_out();
        for _ in 0..actions {
            let pause = match self.random.below(20) {
                0 => self.random.below(20_000),
                1..=5 => self.random.below(500),
                _ => self.random.below(10),
            };
            self.run(self.now + pause);
            self.act();
            self.send();
        }
    }

    /// Ends the faults, publishes once more in every topic, and checks that all is as it should be.
    pub(super) fn settle(&mut self) {
        self.server.faulty = false;
        self.down_until = 0;
        for socket in self.sockets.iter_mut().flatten().filter(|socket| socket.stalled) {
            socket.up.clear();
        }
        self.client.connect(self.now);
        self.carry_out();
        self.run(self.now + 120_000);
        assert_eq!(self.state, State::Connected);
        for topic in 0..TOPICS as Name {
            self.server.append(topic);
        }
        self.send();
        self.run(self.now + 60_000);
        let open = (&self.publishes, &self.calls, &self.reads);
        assert!(
            open.0.is_empty() && open.1.is_empty() && open.2.is_empty(),
            "each has an outcome: {open:?}"
        );
        for topic in self.counts.keys().copied().collect::<Vec<_>>() {
            let (epoch, head) = self.server.head(topic);
            let seen = &self.seen[&topic];
            assert_eq!((seen.epoch, seen.last), (epoch, head), "topic {topic} is up to date");
        }
        self.check_publishes();
        self.leave();
    }

    /// Ends all subscriptions and checks that no number is left in use.
    fn leave(&mut self) {
        for topic in 0..TOPICS as Name {
            while self.counts.contains_key(&topic) {
                self.unsubscribe(topic);
            }
        }
        self.run(self.now + 1_000);
        for topic in self.server.subscribed() {
            self.server.end(topic, 201);
        }
        self.send();
        self.run(self.now + 1_000);
        // What the server once subscribed is kept over one connection.
        self.cut(0);
        self.cut(1);
        assert_eq!((self.topics.in_use(), self.epochs.in_use()), (0, 0), "numbers in use");
    }

    fn check_publishes(&self) {
        let Server { published, called, refused, .. } = &self.server;
        let in_order = published.iter().filter(|payload| !refused.contains(payload));
        assert!(in_order.is_sorted(), "publishes arrive in order: {published:?}");
        assert!(called.is_sorted(), "calls arrive in order");
        let arrived: BTreeSet<_> = published.iter().chain(called).copied().collect();
        assert_eq!(arrived.len(), published.len() + called.len(), "none arrives twice");
        assert!(self.acked.is_subset(&arrived), "what was acknowledged has arrived");
        assert!(self.rejected.is_disjoint(&arrived), "what was not sent has not");
        let outcomes = [&self.acked, &self.rejected, &self.unknown, &self.cancelled];
        let told: usize = outcomes.iter().map(|outcome| outcome.len()).sum();
        assert_eq!(told as u64, self.next_payload, "one outcome each");
    }

    fn act(&mut self) {
        let topic = self.random.below(TOPICS) as Name;
        let link = self.random.index(2);
        match self.random.below(42) {
            0..=5 => self.subscribe(topic),
            6..=8 => self.unsubscribe(topic),
            9..=13 => self.publish(topic),
            14..=28 => {
                self.server.append(topic);
            }
            29 => self.server.adopt(link, topic),
            30 => {
                let code = if self.random.percent(50) { 201 } else { 304 };
                self.server.end(topic, code);
            }
            31 => self.cut(link),
            32 if self.random.percent(30) => {
                self.server.restart();
                self.cut(0);
                self.cut(1);
            }
            33 if self.random.percent(30) => {
                if let Some(socket) = &mut self.sockets[link] {
                    socket.stalled = true;
                }
            }
            34 if self.random.percent(50) => {
                self.down_until = self.now + self.random.below(60_000);
                self.cut(0);
                self.cut(1);
            }
            35 => self.client.handle_wake(self.now),
            36 if self.random.percent(10) => self.client.close(self.now),
            37 => self.client.connect(self.now),
            38 => self.request(),
            39 if self.random.percent(30) => self.cancel(),
            40 => self.drain(link),
            _ => {}
        }
        self.carry_out();
    }

    fn subscribe(&mut self, topic: Name) {
        let number = self.topics.give(topic);
        *self.counts.entry(topic).or_default() += 1;
        self.client.subscribe(number, self.now);
        self.carry_out();
    }

    fn unsubscribe(&mut self, topic: Name) {
        let Some(count) = self.counts.get_mut(&topic) else { return };
        *count -= 1;
        if *count == 0 {
            self.forget(topic);
        }
        self.client.unsubscribe(self.topics.find(topic), self.now);
        self.carry_out();
    }

    /// The topic's handlers are gone.
    fn forget(&mut self, topic: Name) {
        self.counts.remove(&topic);
    }

    /// A call or a read, at times with little time.
    fn request(&mut self) {
        let timeout_ms = if self.random.percent(50) { 0 } else { 1 + self.random.below(5_000) };
        if self.random.percent(30) {
            self.reads.insert(self.client.read(timeout_ms, self.now));
        } else {
            self.calls.insert(self.client.call(timeout_ms, self.now), self.next_payload);
            self.next_payload += 1;
        }
        self.carry_out();
    }

    /// Whatever was begun last is no longer wanted.
    fn cancel(&mut self) {
        let last = self.publishes.keys().chain(self.calls.keys()).chain(&self.reads).max();
        if let Some(&id) = last {
            self.client.cancel(id, self.now);
        }
        self.carry_out();
    }

    fn publish(&mut self, topic: Name) {
        let id = self.client.publish(self.topics.find(topic), self.now);
        self.publishes.insert(id, (topic, self.next_payload));
        self.next_payload += 1;
        self.carry_out();
    }

    /// The server of a link goes, soon or later.
    fn drain(&mut self, link: usize) {
        let most = if self.random.percent(50) { 400 } else { 10_000 };
        let ms = self.random.below(most);
        if let Some(socket) = &mut self.sockets[link]
            && self.server.drain(link, ms)
        {
            socket.drained_at.get_or_insert(self.now + ms);
        }
    }

    fn cut(&mut self, link: usize) {
        const CODES: [u16; 7] = [1006, 1001, 1012, 4000, 4001, 4100, 4200];
        let code = self.random.pick(&CODES);
        self.close(link, CloseCode(code));
    }

    fn close(&mut self, link: usize, code: CloseCode) {
        if self.sockets[link].take_if(|socket| !socket.stalled).is_some() {
            self.client.handle_closed(link as u8, code, self.now);
            self.carry_out();
        }
    }
}
