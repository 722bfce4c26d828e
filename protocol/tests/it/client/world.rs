//! A client's driver, a network that delays, stalls and cuts, and a user who does as he likes; all on virtual time.
//!
//! After every step it checks what the core promises.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tidewire_protocol::{
    Millis,
    client::{Cause, Client, Config, Continuity, Frame, Kind, Output, Position, State, Verdict},
    code::{CloseCode, ErrorCode},
};

use super::{
    model::{Down, Name, Random, Server, Up},
    numbers::Numbers,
};

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
    topics: Numbers,
    epochs: Numbers,
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
        let mut random = Random(seed);
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
        let link = self.random.below(2) as usize;
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
        let code = CODES[self.random.below(7) as usize];
        self.close(link, CloseCode(code));
    }

    fn close(&mut self, link: usize, code: CloseCode) {
        if self.sockets[link].take_if(|socket| !socket.stalled).is_some() {
            self.client.handle_closed(link as u8, code, self.now);
            self.carry_out();
        }
    }

    /// Runs all that happens until then.
    fn run(&mut self, until: Millis) {
        for _ in 0..1_000_000 {
            let Some(at) = self.next_moment().filter(|&at| at <= until) else {
                self.now = until;
                return;
            };
            self.now = at.max(self.now);
            self.happen();
        }
        panic!("it never comes to rest");
    }

    fn next_moment(&self) -> Option<Millis> {
        let of_sockets = self.sockets.iter().flatten().filter(|socket| !socket.stalled);
        of_sockets
            .flat_map(|s| {
                [
                    s.up.front().map(|frame| frame.0),
                    s.down.front().map(|frame| frame.0),
                    (!s.pinged).then_some(s.heard_at + PING_MS),
                    s.drained_at,
                ]
            })
            .chain(self.opens_at)
            .chain([self.client.poll_timeout()])
            .flatten()
            .min()
    }

    fn happen(&mut self) {
        let now = self.now;
        if self.client.poll_timeout().is_some_and(|at| at <= now) {
            self.client.handle_timeout(now);
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|at| at > now), "time-outs make progress: {next:?} at {now}");
            return self.carry_out();
        }
        for link in [0, 1] {
            if self.opens_at[link].take_if(|at| *at <= now).is_some() {
                return self.opened(link);
            }
            if self.pass(link) {
                return;
            }
        }
    }

    /// One thing that happens on a link, if there is one.
    fn pass(&mut self, link: usize) -> bool {
        let now = self.now;
        let Some(socket) = self.sockets[link].as_mut().filter(|socket| !socket.stalled) else {
            return false;
        };
        if socket.up.front().is_some_and(|frame| frame.0 <= now) {
            let (_, frame) = socket.up.pop_front().expect("a frame");
            (socket.heard_at, socket.pinged) = (now, false);
            self.server.handle(link, frame);
            self.send();
        } else if socket.down.front().is_some_and(|frame| frame.0 <= now) {
            let (_, frame) = socket.down.pop_front().expect("a frame");
            self.receive(link, frame);
        } else if socket.drained_at.is_some_and(|at| at <= now) {
            self.close(link, CloseCode::DRAIN);
        } else if !socket.pinged && socket.heard_at + PING_MS <= now {
            socket.pinged = true;
            self.server.ping(link);
            self.send();
        } else {
            return false;
        }
        true
    }

    fn opened(&mut self, link: usize) {
        if self.now < self.down_until {
            self.client.handle_closed(link as u8, CloseCode::ABNORMAL, self.now);
        } else {
            self.server.accept(link);
            self.sockets[link] = Some(Socket {
                open: true,
                stalled: false,
                up: VecDeque::new(),
                down: VecDeque::new(),
                heard_at: self.now,
                pinged: false,
                drained_at: None,
                greeted: false,
                owed: BTreeSet::new(),
            });
            self.client.handle_opened(link as u8, self.now);
        }
        self.carry_out();
    }

    /// Hands what the server has said to the network.
    fn send(&mut self) {
        for link in [0, 1] {
            let sent = self.server.take_sent(link);
            let Some(socket) = &mut self.sockets[link] else { continue };
            for frame in sent {
                let last = socket.down.back().map_or(0, |frame| frame.0);
                socket.down.push_back(((self.now + self.random.below(80)).max(last), frame));
            }
        }
    }

    fn upload(&mut self, frame: Up) {
        let socket = self.sockets[self.link].as_mut().expect("frames are sent on a socket");
        assert!(socket.open);
        let at = (self.now + self.random.below(80)).max(socket.up.back().map_or(0, |f| f.0));
        socket.up.push_back((at, frame));
    }

    fn receive(&mut self, link: usize, frame: Down) {
        self.heard = link;
        if let (Down::Hello { .. }, Some(socket)) = (&frame, &mut self.sockets[link]) {
            socket.greeted = true;
        }
        let topic = match &frame {
            Down::Event { topic, .. } => Some(*topic),
            &Down::Gap { topic, after, to, cause: 4 } => {
                // Moves the position, if it counts at all.
                if let Some(seen) = self.seen.get_mut(&topic) {
                    seen.holes.push((after, to));
                    seen.included = to;
                }
                None
            }
            &Down::Subscribed { topic, .. } => {
                if let Some(seen) = self.seen.get_mut(&topic) {
                    seen.links[1] = link;
                }
                None
            }
            _ => None,
        };
        let frame = self.tuple(frame);
        let verdict = self.client.handle_frame(link as u8, frame, self.now);
        self.carry_out();
        match (verdict, topic) {
            (Verdict::Deliver, Some(topic)) => self.delivered(topic, frame.offset),
            (Verdict::Deliver, None) => panic!("nothing to deliver: {frame:?}"),
            (Verdict::Ignore, _) => {}
        }
    }

    fn tuple(&mut self, frame: Down) -> Frame {
        let mut out = Frame::default();
        let mut set = |kind, re: u32| (out.kind, out.re) = (kind, re.into());
        match frame {
            Down::Hello { re } => {
                set(Kind::Hello, re);
                (out.ms, out.to) = (PING_MS, PONG_MS);
            }
            Down::Reply { re, at, flags } => {
                set(Kind::Reply, re);
                out.flags = flags;
                if let Some((epoch, offset)) = at {
                    (out.epoch, out.offset) = (self.epochs.give(epoch), offset);
                }
            }
            Down::Error { re, code } => {
                set(Kind::Error, re);
                out.code = code;
            }
            Down::Gap { topic, after, to, cause } => {
                set(Kind::Gap, 0);
                (out.topic, out.offset) = (self.topics.find(topic), after);
                (out.to, out.code) = (to, cause);
            }
            Down::Drain { ms } => {
                set(Kind::Drain, 0);
                out.ms = ms;
            }
            Down::Ping => set(Kind::Ping, 0),
            Down::Subscribed { topic, at } => {
                set(Kind::Subscribed, 0);
                out.topic = self.topics.give(topic);
                (out.epoch, out.offset) = (self.epochs.give(at.0), at.1);
            }
            Down::Unsubscribed { topic, code } => {
                set(Kind::Unsubscribed, 0);
                (out.topic, out.code) = (self.topics.find(topic), code);
            }
            Down::Event { topic, offset, prev } => {
                set(Kind::Event, 0);
                (out.topic, out.offset, out.prev) = (self.topics.find(topic), offset, prev);
            }
        }
        out
    }

    /// Order, and no silent loss: whatever lies between two events was reported.
    fn delivered(&mut self, topic: Name, offset: u64) {
        let seen = self.seen.get_mut(&topic).expect("a subscription that was reported");
        assert!(offset > seen.last, "topic {topic}: {offset} after {}", seen.last);
        assert!(seen.links.contains(&self.heard), "topic {topic}: another link has it");
        let known = |&o: &u64| seen.holes.iter().any(|&(after, to)| after < o && o <= to);
        let truth = &self.server.truth[&(topic, seen.epoch)];
        assert!(truth.contains(&offset), "an event of this epoch");
        let between = truth.iter().filter(|&&o| seen.last < o && o < offset);
        let silent: Vec<_> = between.filter(|o| !known(o)).collect();
        assert!(
            silent.is_empty(),
            "topic {topic}: {silent:?} are missing before {offset}: {seen:?}"
        );
        seen.last = offset;
        seen.holes.clear();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.client.poll_output() {
            self.output(output);
        }
        assert!(!self.client.has_output());
    }

    /// The user's request is sent: on a link beside which there is no other that could take it.
    fn owe(&mut self, id: u32) {
        let other = self.sockets[self.link ^ 1].as_ref();
        assert!(other.is_none_or(|socket| !socket.greeted), "{id} does not wait");
        if let Some(socket) = &mut self.sockets[self.link] {
            socket.owed.insert(id);
        }
    }

    fn output(&mut self, output: Output) {
        if let Output::Acked { id, .. } | Output::Replied { id } | Output::Rejected { id, .. } =
            output
        {
            for socket in self.sockets.iter_mut().flatten() {
                socket.owed.remove(&id);
            }
        }
        match output {
            Output::State(state) => self.state = state,
            Output::Link { link } => {
                assert_ne!(usize::from(link), self.link, "said when it changes");
                self.link = link.into();
            }
            Output::Open => {
                let is_free = self.sockets[self.link].is_none();
                assert!(is_free && self.opens_at[self.link].is_none(), "one socket on a link");
                self.opens_at[self.link] = Some(self.now + self.random.below(200));
            }
            Output::Shut { .. } => {
                let socket = self.sockets[self.link].take();
                let other = self.sockets[self.link ^ 1].as_ref();
                if let (Some(old), Some(new)) = (&socket, other)
                    && new.greeted
                    && !old.stalled
                    && old.drained_at.is_some_and(|at| at > self.now)
                    && self.state == State::Connected
                {
                    assert!(old.owed.is_empty(), "{:?} are owed", old.owed);
                }
                assert!(socket.is_some() || self.opens_at[self.link].is_some());
                self.opens_at[self.link] = None;
            }
            Output::Hello { id } => self.upload(Up::Hello { id }),
            Output::Subscribe { id, topic, since } => {
                let topic = self.topics.name(topic);
                let since = since.map(|at| (self.epochs.name(at.epoch), at.offset));
                self.upload(Up::Subscribe { id, topic, since });
            }
            Output::Unsubscribe { id, topic } => {
                let topic = self.topics.name(topic);
                self.upload(Up::Unsubscribe { id, topic });
            }
            Output::Publish { id, epoch } => {
                let (topic, payload) = self.publishes[&id];
                let epoch = epoch.map(|epoch| self.epochs.name(epoch));
                self.owe(id);
                self.upload(Up::Publish { id, topic, payload, epoch });
            }
            Output::Request { id } => {
                self.owe(id);
                match self.calls.get(&id) {
                    Some(&payload) => self.upload(Up::Call { id, payload }),
                    None => {
                        assert!(self.reads.contains(&id));
                        self.upload(Up::Read { id });
                    }
                }
            }
            Output::Cancel { id } => self.upload(Up::Cancel { id }),
            Output::Replied { id } => match self.calls.remove(&id) {
                Some(payload) => {
                    self.acked.insert(payload);
                }
                None => assert!(self.reads.remove(&id)),
            },
            Output::Pong => self.upload(Up::Pong),
            Output::Acked { id, at } => {
                let (topic, payload) = self.publishes.remove(&id).expect("a publish");
                let epoch = self.epochs.name(at.epoch);
                assert!(self.server.truth[&(topic, epoch)].contains(&at.offset));
                self.acked.insert(payload);
            }
            Output::Rejected { id, code } => {
                let publish = self.publishes.remove(&id).map(|publish| publish.1);
                let Some(payload) = publish.or_else(|| self.calls.remove(&id)) else {
                    assert!(self.reads.remove(&id));
                    return;
                };
                let set = match code {
                    ErrorCode::UNKNOWN | ErrorCode::TIMEOUT => &mut self.unknown,
                    ErrorCode::CANCELLED => &mut self.cancelled,
                    _ => &mut self.rejected,
                };
                set.insert(payload);
            }
            Output::Subscribed { topic, how, at } => self.subscribed(topic, how, at),
            Output::Refused { topic, retry_at, .. } => {
                let topic = self.topics.name(topic);
                assert!(retry_at.is_none_or(|at| at >= self.now));
                if retry_at.is_none() {
                    self.forget(topic);
                }
            }
            Output::Gap { topic, after, to, cause } => {
                let topic = self.topics.name(topic);
                let seen = self.seen.get_mut(&topic).expect("a gap of a subscription");
                if cause != Cause::NewEpoch {
                    seen.holes.push((after, to));
                }
            }
            Output::ReleaseTopic { topic } => {
                let name = self.topics.name(topic);
                self.topics.release(topic);
                assert!(!self.counts.contains_key(&name), "a topic in use is not released");
                self.seen.remove(&name);
            }
            Output::ReleaseEpoch { epoch } => self.epochs.release(epoch),
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn subscribed(&mut self, topic: u32, how: Continuity, at: Position) {
        let topic = self.topics.name(topic);
        let epoch = self.epochs.name(at.epoch);
        let link = self.heard;
        let begin =
            Seen { epoch, last: at.offset, holes: Vec::new(), included: 0, links: [link; 2] };
        if let Some(seen) = self.seen.get_mut(&topic)
            && seen.epoch == epoch
            && seen.included == at.offset
        {
            seen.last = at.offset.max(seen.last);
        }
        match (how, self.seen.get_mut(&topic)) {
            (Continuity::Fresh, None) => {
                self.seen.insert(topic, begin);
            }
            // The topic's events flow already, for an earlier subscription.
            (Continuity::Fresh, Some(seen)) => {
                assert_eq!((seen.epoch, seen.last), (epoch, at.offset));
            }
            (Continuity::Recovered, Some(seen)) => {
                assert_eq!((seen.epoch, seen.last), (epoch, at.offset));
                seen.links = [link; 2];
            }
            (Continuity::Lost, Some(seen)) => {
                let reported = seen.holes.iter().any(|&(after, to)| {
                    to == at.offset && (after == seen.last || after == seen.included)
                });
                assert!(reported || seen.epoch != epoch, "{seen:?}, now {at:?}");
                self.seen.insert(topic, begin);
            }
            other => panic!("{other:?}"),
        }
    }
}
