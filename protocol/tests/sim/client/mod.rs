//! A client: the client core, its driver, and a user who reads as fast as he does.

mod asks;
mod streams;

use std::collections::BTreeMap;

use tidewire_protocol::{
    Millis,
    client::{self, Config, Frame, Kind, Output, State, Verdict},
    code::CloseCode,
};

use crate::{
    frames::{At, Down, EpochName, Reply, Shown, Up},
    numbers::Numbers,
    random::Random,
    schedule::Wake,
    setup::{HALL, Setup},
    world::Env,
};
use asks::Ask;
use streams::Stream;
pub(crate) use streams::Wanted;

pub(crate) struct Client {
    number: usize,
    core: client::Client,
    topics: Numbers<usize>,
    epochs: Numbers<EpochName>,
    /// How often the user has subscribed each topic.
    pub(crate) counts: Vec<u32>,
    /// Which topics are asked for with their state.
    snapshots: Vec<bool>,
    /// The versions of the application's state that the snapshots had, by topic.
    versions: Vec<Option<u64>>,
    /// What the user wants to be shown as, in the hall.
    pub(crate) wish: Option<Shown>,
    /// What the server was last told of that.
    told: Option<Shown>,
    /// What was asked and has no outcome, by its number.
    asks: BTreeMap<u32, Ask>,
    /// What streams, until its user has read the end.
    streams: BTreeMap<u32, Stream>,
    /// The socket of each link.
    sockets: [Option<usize>; 2],
    /// The link that the core speaks of.
    link: u8,
    /// When each link's socket opens, or fails to.
    opens_at: [Option<Millis>; 2],
    /// Its user ends it.
    is_closing: bool,
    /// The network is away until then.
    pub(crate) offline_until: Millis,
    /// How long the user takes over a frame.
    pub(crate) pace_ms: Millis,
    reads_from: Millis,
    /// When it is woken next.
    timer: Millis,
    random: Random,
}

impl Client {
    pub(crate) fn new(number: usize, setup: &Setup) -> Self {
        let mut random = Random::new(setup.seed, 100 + number as u64);
        let config = Config { waiting_requests: 30, ..Config::default() };
        Self {
            number,
            core: client::Client::new(config, random.next()),
            topics: Numbers::default(),
            epochs: Numbers::default(),
            counts: vec![0; setup.topics.len()],
            snapshots: setup.topics.iter().map(|_| random.percent(50)).collect(),
            versions: vec![None; setup.topics.len()],
            wish: None,
            told: None,
            asks: BTreeMap::new(),
            streams: BTreeMap::new(),
            sockets: [None; 2],
            link: 0,
            opens_at: [None; 2],
            is_closing: false,
            offline_until: 0,
            pace_ms: 0,
            reads_from: 0,
            timer: Millis::MAX,
            random,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.core.state() == State::Connected
    }

    /// Whether nothing that was asked is without an outcome.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.asks.is_empty() && self.streams.is_empty()
    }

    /// Its user takes no time over what comes, from now on.
    pub(crate) fn read_at_once(&mut self) {
        self.pace_ms = 0;
        self.streams.values_mut().for_each(Stream::read_at_once);
    }

    /// Whether it holds a number for nothing, where nothing is asked: each topic is in one epoch.
    pub(crate) fn leaks(&self) -> bool {
        self.owes_nothing() && self.epochs.in_use() > self.topics.in_use()
    }

    pub(crate) fn connect(&mut self, env: &mut Env) {
        self.core.connect(env.schedule.now);
        self.carry_out(None, env);
    }

    pub(crate) fn close(&mut self, env: &mut Env) {
        self.core.close(env.schedule.now);
        self.is_closing = true;
        self.carry_out(None, env);
        self.is_closing = false;
    }

    pub(crate) fn wake_up(&mut self, env: &mut Env) {
        self.core.handle_wake(env.schedule.now);
        self.carry_out(None, env);
    }

    /// Looks at the clock and at what has arrived.
    pub(crate) fn turn(&mut self, env: &mut Env) {
        let now = env.schedule.now;
        for link in 0..2 {
            if self.opens_at[link].is_some_and(|at| at <= now) {
                self.opens_at[link] = None;
                self.open(link, env);
            }
            self.read(link, env);
        }
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.core.handle_timeout(now);
            self.carry_out(None, env);
        }
        self.read_streams(env);
        self.set_timer(env);
    }

    fn read(&mut self, link: usize, env: &mut Env) {
        let now = env.schedule.now;
        while let Some(socket) = self.sockets[link] {
            if self.reads_from > now {
                break;
            }
            let down = &mut env.network.sockets[socket].down;
            let was_full = !down.has_room();
            let Some(frame) = down.receive(now) else { break };
            if was_full {
                env.schedule.soon(Wake::Connection(socket));
            }
            self.reads_from = now + self.pace_ms;
            self.receive(link, frame, env);
        }
    }

    fn set_timer(&mut self, env: &mut Env) {
        let now = env.schedule.now;
        let opens = self.opens_at.into_iter().flatten();
        let reads = (self.reads_from > now).then_some(self.reads_from);
        let streams = self.streams.values().filter_map(Stream::reads_at);
        let moments = opens.chain(reads).chain(streams).chain(self.core.poll_timeout());
        let at = moments.min().unwrap_or(Millis::MAX);
        if at != Millis::MAX && (at < self.timer || self.timer <= now) {
            self.timer = at.max(now + 1);
            env.schedule.at(self.timer, Wake::Client(self.number));
        }
    }

    fn open(&mut self, link: usize, env: &mut Env) {
        let now = env.schedule.now;
        if now < self.offline_until {
            self.core.handle_closed(link as u8, CloseCode::ABNORMAL, now);
        } else {
            self.sockets[link] = Some(env.network.open(self.number, &mut env.schedule));
            env.oracle.connected(self.number);
            self.core.handle_opened(link as u8, now);
        }
        self.carry_out(None, env);
    }

    fn receive(&mut self, link: usize, frame: Down, env: &mut Env) {
        let now = env.schedule.now;
        env.trace(|| format!("client {} gets on {link} {frame:?}", self.number));
        if let Down::Closed { code } = frame {
            self.leave(link, env);
            self.core.handle_closed(link as u8, code, now);
            return self.carry_out(None, env);
        }
        let socket = self.sockets[link].unwrap_or_default();
        env.oracle.received(self.number, socket, &frame, now);
        let tuple = self.tuple(&frame);
        let on = link as u8;
        let verdict = match tuple.kind {
            Kind::Event => self.core.handle_event(on, tuple.topic, tuple.offset, tuple.prev, now),
            _ => self.core.handle_frame(on, tuple, now),
        };
        self.carry_out(Some(&frame), env);
        if let Down::Item { re, number, .. } = frame {
            self.item(link, re, number, env);
            self.set_timer(env);
        }
        if verdict == Verdict::Deliver
            && let Down::Event { topic, record } = frame
        {
            env.oracle.delivered(self.number, topic, &record);
        }
    }

    /// The frame as numbers, by docs/wire.md section 6.
    fn tuple(&mut self, frame: &Down) -> Frame {
        match *frame {
            Down::Hello { re, ping_ms, pong_ms } => {
                Frame { re: re.into(), ms: ping_ms, to: pong_ms, ..Frame::new(Kind::Hello) }
            }
            Down::Reply { re, reply: None } => Frame { re: re.into(), ..Frame::new(Kind::Reply) },
            Down::Reply { re, reply: Some(Reply { at, head, recovered, version, .. }) } => Frame {
                re: re.into(),
                epoch: self.epochs.give(at.epoch),
                offset: at.offset,
                to: head,
                flags: match recovered {
                    None => 0,
                    Some(true) => Frame::RECOVERED,
                    Some(false) => Frame::NOT_RECOVERED,
                } | if version.is_some() { Frame::VERSION } else { 0 },
                ..Frame::new(Kind::Reply)
            },
            Down::Item { re, .. } => Frame { re: re.into(), ..Frame::new(Kind::Item) },
            Down::Answer { re, .. } => Frame { re: re.into(), ..Frame::new(Kind::Reply) },
            Down::Events { re, head, .. } => Frame {
                re: re.into(),
                epoch: self.epochs.give(head.epoch),
                to: head.offset,
                ..Frame::new(Kind::Reply)
            },
            Down::Error { re, code } => Frame { re: re.into(), code, ..Frame::new(Kind::Error) },
            Down::Gap { topic, after, to, cause } => Frame {
                topic: self.topics.find(topic),
                offset: after,
                to,
                code: cause,
                ..Frame::new(Kind::Gap)
            },
            Down::Ping => Frame::new(Kind::Ping),
            Down::Drain { deadline_ms } => Frame { ms: deadline_ms, ..Frame::new(Kind::Drain) },
            Down::Subscribed { topic, at } => Frame {
                topic: self.topics.give(topic),
                epoch: self.epochs.give(at.epoch),
                offset: at.offset,
                ..Frame::new(Kind::Subscribed)
            },
            Down::Unsubscribed { topic, code } => {
                Frame { topic: self.topics.find(topic), code, ..Frame::new(Kind::Unsubscribed) }
            }
            Down::Event { topic, ref record } => Frame {
                topic: self.topics.find(topic),
                offset: record.offset,
                prev: record.prev,
                ..Frame::new(Kind::Event)
            },
            Down::Closed { .. } => Frame::new(Kind::Ignored),
        }
    }

    /// A socket of the client's, if it has one; of two, now this and now that.
    pub(crate) fn a_socket(&self, now: Millis) -> Option<usize> {
        let mut sockets = self.sockets;
        sockets.rotate_left(now as usize % 2);
        sockets.into_iter().flatten().next()
    }

    fn leave(&mut self, link: usize, env: &mut Env) {
        if let Some(socket) = self.sockets[link].take() {
            env.network.leave(socket, &mut env.schedule);
            env.oracle.left(socket);
            if self.sockets[1 - link].is_some() {
                env.oracle.falls_back(self.number);
            }
        }
    }

    fn at(&self, position: client::Position) -> At {
        At { epoch: self.epochs.name(position.epoch), offset: position.offset }
    }

    /// Does what the core says, in order; `frame` is what it was given.
    fn carry_out(&mut self, frame: Option<&Down>, env: &mut Env) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Link { link } => self.link = link,
                Output::Open => {
                    let wait = self.random.pick(&[1, 10, 60]);
                    self.opens_at[usize::from(self.link)] = Some(env.schedule.now + wait);
                }
                Output::Shut { .. } => {
                    let link = usize::from(self.link);
                    self.opens_at[link] = None;
                    if let Some(socket) = self.sockets[link].filter(|_| !self.is_closing) {
                        env.oracle.shuts(socket, env.schedule.now);
                    }
                    self.leave(link, env);
                }
                Output::Hello { id } => self.send(Up::Hello { id }, env),
                Output::Ping { id } => self.send(Up::Ping { id }, env),
                Output::Pong => self.send(Up::Pong, env),
                Output::Subscribe { id, topic, since } => {
                    let (topic, since) = (self.topics.name(topic), since.map(|at| self.at(at)));
                    env.oracle.asked(self.number, topic, since);
                    let snapshot = self.snapshots[topic];
                    let version = self.versions[topic].filter(|_| since.is_some());
                    let presence = self.wish.filter(|_| topic == HALL);
                    if topic == HALL {
                        self.told = presence;
                    }
                    let frame = Up::Subscribe { id, topic, since, version, snapshot, presence };
                    self.send(frame, env);
                }
                Output::Request { id } => self.request(id, env),
                Output::Cancel { id } => self.send(Up::Cancel { id }, env),
                Output::Unsubscribe { id, topic } => {
                    let topic = self.topics.name(topic);
                    self.send(Up::Unsubscribe { id, topic }, env);
                }
                Output::Publish { id, again } => {
                    let again = again.map(|at| self.at(at));
                    self.send_publish(id, again, env);
                }
                _ => self.tell(output, frame, env),
            }
        }
        self.set_timer(env);
    }

    fn send(&self, frame: Up, env: &mut Env) {
        self.send_on(self.link.into(), frame, env);
    }

    fn send_on(&self, link: usize, frame: Up, env: &mut Env) {
        env.trace(|| format!("client {} sends on {link} {frame:?}", self.number));
        match self.sockets[link] {
            Some(socket) => {
                env.oracle.sent(socket, &frame);
                env.network.send_up(socket, frame, &mut env.schedule);
            }
            None => env.oracle.fail(format!("{frame:?} is sent without a socket")),
        }
    }
}
