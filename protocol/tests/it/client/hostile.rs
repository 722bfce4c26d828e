//! A server that says anything at all: the core reports and goes on.

use std::collections::BTreeMap;

use tidewire_protocol::{
    MAX_INTEGER, Millis,
    client::{Client, Config, Continuity, Frame, Kind, Output, Verdict},
    code::CloseCode,
};

use super::model::Name;
use crate::{numbers::Numbers, random::Random};

/// A driver without a network: whatever it is told to send is lost, and whatever comes is made up.
pub(super) struct Hostile {
    client: Client,
    random: Random,
    now: Millis,
    topics: Numbers<Name>,
    epochs: Numbers<Name>,
    /// The last delivered offset of each topic, since its subscription began or jumped.
    last: BTreeMap<u32, u64>,
    /// Where a gap may have moved the position of a topic.
    included: BTreeMap<u32, u64>,
    hello: u32,
    /// Subscribes that were sent, and calls that may each send one for every topic.
    asked: usize,
    calls: usize,
}

impl Hostile {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        Self {
            client: Client::new(Config::default(), random.next()),
            random,
            now: 0,
            topics: Numbers::default(),
            epochs: Numbers::default(),
            last: BTreeMap::new(),
            included: BTreeMap::new(),
            hello: 0,
            asked: 0,
            calls: 0,
        }
    }

    pub(super) fn run(&mut self, turns: usize) {
        self.client.connect(self.now);
        self.carry_out();
        for _ in 0..turns {
            self.turn();
        }
        // Five recoveries of each topic in half a minute, and one answer to each call.
        assert!(self.asked <= self.calls + 8 * turns, "{} for {} calls", self.asked, self.calls);
    }

    fn turn(&mut self) {
        self.now += self.random.below(50);
        self.calls += 1;
        match self.random.below(40) {
            0 => {
                let (link, code) = (self.link(), CloseCode(self.random.below(6_000) as u16));
                self.client.handle_closed(link, code, self.now);
            }
            1 => self.client.connect(self.now),
            2..=4 => {
                let topic = self.topics.give(self.random.below(4) as u32);
                self.client.subscribe(topic, self.now);
            }
            5 => {
                let topic = self.topics.find(self.random.below(4) as u32);
                self.client.unsubscribe(topic, self.now);
            }
            6 => match self.random.below(5) {
                0 => {
                    let topic = self.topics.find(self.random.below(4) as u32);
                    self.client.publish(topic, self.now);
                }
                1 => {
                    self.client.call(self.random.below(5_000), self.now);
                }
                2 => {
                    self.client.read(self.random.below(5_000), self.now);
                }
                3 => {
                    self.client.stream(self.random.below(5_000), self.now);
                }
                _ => self.client.cancel(self.random.below(12) as u32, self.now),
            },
            7 => self.client.handle_wake(self.now),
            8 => self.pass(),
            9..=12 => {
                let link = self.link();
                self.client.handle_opened(link, self.now);
                self.carry_out();
                let re = self.hello.into();
                self.frame(link, Frame { re, ms: 2_000, to: 1_000, ..Frame::new(Kind::Hello) });
            }
            _ => {
                let (link, frame) = (self.link(), self.any_frame());
                self.frame(link, frame);
            }
        }
        self.carry_out();
    }

    /// Mostly the first: the other is for drains.
    fn link(&mut self) -> u8 {
        u8::from(self.random.percent(30))
    }

    /// To the next deadline.
    fn pass(&mut self) {
        let Some(at) = self.client.poll_timeout() else { return };
        self.now = self.now.max(at);
        self.client.handle_timeout(self.now);
        let next = self.client.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now), "time-outs make progress");
    }

    fn any_frame(&mut self) -> Frame {
        let random = &mut self.random;
        let mut number = || match random.below(8) {
            0 => random.next() & MAX_INTEGER,
            1 => MAX_INTEGER,
            _ => random.below(12),
        };
        let (re, offset, prev, to, ms) = (number(), number(), number(), number(), number());
        let kind = Kind::from_number(self.random.below(13) as u8);
        let names = if self.random.percent(10) { 100_000 } else { 6 };
        let name = self.random.below(names) as u32;
        let topic =
            if kind == Kind::Subscribed { self.topics.give(name) } else { self.topics.find(name) };
        let epoch = match self.random.below(5) as u32 {
            0 => 0,
            name => self.epochs.give(name),
        };
        let codes = if self.random.percent(50) { 5 } else { 65_536 };
        let code = self.random.below(codes) as u16;
        let flags = self.random.below(8) as u8;
        Frame { kind, re, topic, epoch, offset, prev, to, code, ms, flags }
    }

    fn frame(&mut self, link: u8, frame: Frame) {
        if frame.kind == Kind::Gap && frame.code == 4 {
            let to = self.included.entry(frame.topic).or_default();
            *to = frame.to.max(*to);
        }
        let verdict = self.client.handle_frame(link, frame, self.now);
        self.carry_out();
        if frame.kind == Kind::Event && verdict == Verdict::Deliver {
            let last = self.last.insert(frame.topic, frame.offset).expect("a subscription");
            assert!(frame.offset > last, "{frame:?} after {last}");
        }
        // A driver gives an epoch a number before it knows whether the core wants it.
        if frame.kind != Kind::Event {
            assert!(self.epochs.in_use() <= 4);
        }
    }

    fn carry_out(&mut self) {
        for count in 0.. {
            let Some(output) = self.client.poll_output() else { return };
            assert!(count < 20_000, "it never ends");
            match output {
                Output::Hello { id } => self.hello = id,
                Output::Subscribe { .. } => self.asked += 1,
                Output::Subscribed { topic, how, at } => {
                    let known = self.last.get(&topic).copied();
                    if how == Continuity::Recovered {
                        let included = self.included.get(&topic).copied();
                        assert!(
                            known == Some(at.offset)
                                || known < Some(at.offset) && included >= Some(at.offset),
                            "{output:?} after {known:?}"
                        );
                    }
                    self.last.insert(topic, at.offset);
                }
                Output::ReleaseTopic { topic } => {
                    self.topics.release(topic);
                    self.last.remove(&topic);
                }
                Output::ReleaseEpoch { epoch } => drop(self.epochs.release(epoch)),
                _ => {}
            }
        }
    }
}
