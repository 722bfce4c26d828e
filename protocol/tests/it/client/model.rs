//! A small server by the letter of docs/wire.md, with a whole memory of what it ever appended.
//!
//! It shares no code with the crate's own server side, so that one misreading of the text does not cancel out another.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;

/// Names are numbers here too, but not the client's.
pub(super) type Name = u32;

#[derive(Clone, Debug)]
pub(super) enum Up {
    Hello {
        id: u32,
    },
    Subscribe {
        id: u32,
        topic: Name,
        since: Option<(Name, u64)>,
    },
    Unsubscribe {
        id: u32,
        topic: Name,
    },
    /// The payload is its message id too; with the epoch it is sent again.
    Publish {
        id: u32,
        topic: Name,
        payload: u64,
        epoch: Option<Name>,
    },
    Call {
        id: u32,
        payload: u64,
    },
    Read {
        id: u32,
    },
    Cancel {
        id: u32,
    },
    Ping {
        id: u32,
    },
    Pong,
}

#[derive(Clone, Debug)]
pub(super) enum Down {
    Hello { re: u32 },
    Reply { re: u32, at: Option<(Name, u64)>, flags: u8 },
    Error { re: u32, code: u16 },
    Gap { topic: Name, after: u64, to: u64, cause: u16 },
    Drain { ms: u64 },
    Ping,
    Subscribed { topic: Name, at: (Name, u64) },
    Unsubscribed { topic: Name, code: u16 },
    Event { topic: Name, offset: u64, prev: u64 },
}

/// One life of a topic.
#[derive(Debug)]
struct Log {
    epoch: Name,
    offsets: Vec<u64>,
    /// How many of the newest are still in the history.
    kept: usize,
}

impl Log {
    fn head(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The events after an offset, if the history still has them all.
    fn after(&self, since: (Name, u64)) -> Option<&[u64]> {
        let from = match since.1 {
            0 => 0,
            offset => self.offsets.iter().position(|&o| o == offset)? + 1,
        };
        let lost = self.offsets.len() - self.kept;
        (since.0 == self.epoch && from >= lost).then(|| &self.offsets[from..])
    }
}

#[derive(Debug, Default)]
struct Subscription {
    of_server: bool,
    /// A range that was not sent, to be told before the next event.
    hole: Option<(u64, u64, u16)>,
}

/// One connection, on its own node: all nodes share one broker.
#[derive(Debug, Default)]
struct Session {
    greeted: bool,
    subscriptions: BTreeMap<Name, Subscription>,
    /// Calls that run.
    running: Vec<u32>,
    sent: Vec<Down>,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) random: Random,
    /// Whether things go wrong.
    pub(super) faulty: bool,
    logs: BTreeMap<Name, Log>,
    next_epoch: Name,
    /// Every event ever, by topic and epoch.
    pub(super) truth: BTreeMap<(Name, Name), Vec<u64>>,
    /// Payloads of publishes in order of arrival.
    pub(super) published: Vec<u64>,
    /// Those that were refused once: if the refusal is lost, they are sent again and may come later than others.
    pub(super) refused: BTreeSet<u64>,
    /// Where each was appended, and the calls that were carried out: what a server remembers.
    places: BTreeMap<u64, (Name, u64)>,
    pub(super) called: Vec<u64>,
    /// By their link.
    sessions: [Session; 2],
    /// The link at hand.
    link: usize,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, 0),
            faulty: true,
            logs: BTreeMap::new(),
            next_epoch: 0,
            truth: BTreeMap::new(),
            published: Vec::new(),
            refused: BTreeSet::new(),
            places: BTreeMap::new(),
            called: Vec::new(),
            sessions: Default::default(),
            link: 0,
        }
    }

    /// A new connection; the server forgets the earlier one.
    pub(super) fn accept(&mut self, link: usize) {
        self.sessions[link] = Session::default();
    }

    pub(super) fn take_sent(&mut self, link: usize) -> Vec<Down> {
        std::mem::take(&mut self.sessions[link].sent)
    }

    fn session(&mut self) -> &mut Session {
        &mut self.sessions[self.link]
    }

    fn say(&mut self, frame: Down) {
        self.session().sent.push(frame);
    }

    /// Every topic begins anew.
    pub(super) fn restart(&mut self) {
        self.logs.clear();
        self.places.clear();
    }

    pub(super) fn handle(&mut self, link: usize, frame: Up) {
        self.link = link;
        match frame {
            Up::Hello { id } => {
                assert!(!self.session().greeted, "one hello");
                self.session().greeted = true;
                self.say(Down::Hello { re: id });
                return;
            }
            _ => assert!(self.session().greeted, "the hello comes first: {frame:?}"),
        }
        match frame {
            Up::Subscribe { id, topic, since } => self.subscribe(id, topic, since),
            Up::Unsubscribe { id, topic } => {
                let of_server =
                    self.session().subscriptions.get(&topic).is_some_and(|s| s.of_server);
                if of_server {
                    self.say(Down::Error { re: id, code: 201 });
                } else {
                    self.session().subscriptions.remove(&topic);
                    self.say(Down::Reply { re: id, at: None, flags: 0 });
                }
            }
            Up::Publish { id, topic, payload, epoch } => self.publish(id, topic, payload, epoch),
            Up::Call { id, payload } => {
                self.called.push(payload);
                self.session().running.push(id);
            }
            Up::Read { id } | Up::Ping { id } => {
                self.say(Down::Reply { re: id, at: None, flags: 0 })
            }
            Up::Cancel { id } => {
                if let Some(at) = self.session().running.iter().position(|&running| running == id) {
                    self.session().running.swap_remove(at);
                    self.say(Down::Error { re: id, code: 404 });
                }
            }
            Up::Pong | Up::Hello { .. } => {}
        }
        while !self.session().running.is_empty() && (!self.faulty || self.random.percent(40)) {
            let running = self.session().running.len() as u64;
            let at = self.random.index(running as usize);
            let re = self.session().running.swap_remove(at);
            self.say(Down::Reply { re, at: None, flags: 0 });
        }
    }

    fn publish(&mut self, id: u32, topic: Name, payload: u64, epoch: Option<Name>) {
        if self.faulty && self.random.percent(5) {
            self.refused.insert(payload);
            self.say(Down::Error { re: id, code: 303 });
            return;
        }
        if epoch.is_some_and(|epoch| epoch != self.log(topic).epoch) {
            self.say(Down::Error { re: id, code: 401 });
            return;
        }
        if let Some(&at) = self.places.get(&payload) {
            assert!(epoch.is_some(), "a publish that is sent again says so");
            self.say(Down::Reply { re: id, at: Some(at), flags: 0 });
            return;
        }
        self.published.push(payload);
        // The answer may come before or after the event.
        let early = self.random.percent(50);
        let log = self.log(topic);
        let (epoch, next) = (log.epoch, log.head() + 1);
        let at = if early { (epoch, next) } else { self.append(topic) };
        self.places.insert(payload, at);
        self.say(Down::Reply { re: id, at: Some(at), flags: 0 });
        if early {
            self.append_at(topic, next);
        }
    }

    fn subscribe(&mut self, id: u32, topic: Name, since: Option<(Name, u64)>) {
        if self.faulty && self.random.percent(8) {
            let code = if self.random.percent(70) { 303 } else { 201 };
            self.say(Down::Error { re: id, code });
            return;
        }
        let log = self.log(topic);
        let (epoch, head) = (log.epoch, log.head());
        let missed = since.and_then(|since| log.after(since)).map(<[u64]>::to_vec);
        let (offset, flags) = match (since, &missed) {
            (None, _) => (head, 0),
            (Some(_), None) => (head, 2),
            (Some((_, offset)), Some(_)) => (offset, 1),
        };
        // A snapshot has some of the newest events, which is told when they would come.
        let newest = log.offsets[log.offsets.len() - log.kept..].to_vec();
        if flags != 1 && self.random.percent(30) && newest.len() > 2 {
            let from = self.random.index(newest.len() - 1);
            let has = from + 1 + self.random.index(newest.len() - from - 1);
            let (after, to) = (newest[from], newest[has]);
            self.say(Down::Reply { re: id, at: Some((epoch, after)), flags });
            self.say(Down::Gap { topic, after, to, cause: 4 });
            for pair in newest[has..].windows(2) {
                self.say(Down::Event { topic, offset: pair[1], prev: pair[0] });
            }
            self.session().subscriptions.entry(topic).or_default().hole = None;
            return;
        }
        self.say(Down::Reply { re: id, at: Some((epoch, offset)), flags });
        let mut prev = offset;
        for offset in missed.into_iter().flatten() {
            self.say(Down::Event { topic, offset, prev });
            prev = offset;
        }
        self.session().subscriptions.entry(topic).or_default().hole = None;
    }

    /// The server subscribes the session itself.
    pub(super) fn adopt(&mut self, link: usize, topic: Name) {
        self.link = link;
        if self.session().greeted && !self.session().subscriptions.contains_key(&topic) {
            let log = self.log(topic);
            let at = (log.epoch, log.head());
            self.say(Down::Subscribed { topic, at });
            self.session()
                .subscriptions
                .insert(topic, Subscription { of_server: true, hole: None });
        }
    }

    /// Ends a subscription on every node.
    pub(super) fn end(&mut self, topic: Name, code: u16) {
        for session in &mut self.sessions {
            if session.subscriptions.remove(&topic).is_some() {
                session.sent.push(Down::Unsubscribed { topic, code });
            }
        }
    }

    pub(super) fn ping(&mut self, link: usize) {
        self.sessions[link].sent.push(Down::Ping);
    }

    /// Asks the client to move, if it is there.
    pub(super) fn drain(&mut self, link: usize, ms: u64) -> bool {
        let session = &mut self.sessions[link];
        if session.greeted {
            session.sent.push(Down::Drain { ms });
        }
        session.greeted
    }

    pub(super) fn append(&mut self, topic: Name) -> (Name, u64) {
        let skipped = if self.random.percent(20) { self.random.below(1000) } else { 0 };
        let offset = self.log(topic).head() + 1 + skipped;
        self.append_at(topic, offset)
    }

    fn append_at(&mut self, topic: Name, offset: u64) -> (Name, u64) {
        let forget = self.random.index(6);
        let log = self.log(topic);
        let (epoch, prev) = (log.epoch, log.head());
        log.offsets.push(offset);
        log.kept = (log.kept + 1).min(20 - forget);
        self.truth.entry((topic, epoch)).or_default().push(offset);
        for session in &mut self.sessions {
            let fate = if self.faulty { self.random.below(20) } else { 19 };
            let Some(subscription) = session.subscriptions.get_mut(&topic) else { continue };
            match fate {
                // The event does not fit, a later one takes its place, or the broker lost it: told with the next.
                0..=2 => {
                    let cause = fate as u16 + 1;
                    let (after, _, worst) = subscription.hole.unwrap_or((prev, offset, cause));
                    subscription.hole = Some((after, offset, worst.max(cause)));
                }
                // A fault: it just does not arrive.
                3 => {}
                _ => {
                    if let Some((after, to, cause)) = subscription.hole.take() {
                        session.sent.push(Down::Gap { topic, after, to, cause });
                    }
                    session.sent.push(Down::Event { topic, offset, prev });
                }
            }
        }
        (epoch, offset)
    }

    pub(super) fn head(&mut self, topic: Name) -> (Name, u64) {
        let log = self.log(topic);
        (log.epoch, log.head())
    }

    pub(super) fn subscribed(&self) -> BTreeSet<Name> {
        self.sessions.iter().flat_map(|session| session.subscriptions.keys().copied()).collect()
    }

    fn log(&mut self, topic: Name) -> &mut Log {
        let next = &mut self.next_epoch;
        self.logs.entry(topic).or_insert_with(|| {
            *next += 1;
            Log { epoch: *next, offsets: Vec::new(), kept: 0 }
        })
    }
}
