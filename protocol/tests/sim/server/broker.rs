//! The broker: the log of every topic, the publishes that it remembers, and the members that all nodes hold.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use tidewire_protocol::{
    Millis,
    presence::{Aged, Change, Holders},
    topic::{
        Entry, Epoch, Key, Log, Missing, PageLimits, Reading, Start,
        mids::{Mids, Window},
    },
};

use crate::{
    frames::{At, EpochName, Event, Range, Record, Shown, Snapshot},
    random::Random,
    setup::{Content, Rule, Setup},
};

pub(crate) struct Broker {
    pub(crate) topics: Vec<Topic>,
    window: Window,
    /// It cannot be reached until then.
    pub(crate) trouble_until: Millis,
    random: Random,
}

/// One topic, on every node the same.
pub(crate) struct Topic {
    pub(crate) rule: Rule,
    pub(crate) epoch: EpochName,
    log: Log<Rc<Event>>,
    mids: Mids,
    holders: Holders<u64, Shown>,
    /// Presence events.
    told: u64,
}

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

/// The most data that a reply to a range of history has.
pub(crate) const HISTORY_BYTES: usize = 1_000;

/// Payloads of presence events begin here.
const MEMBERS_PAYLOADS: u64 = 1 << 40;

/// Names a publish, and says how it came.
pub(crate) struct Once {
    pub(crate) scope: usize,
    /// Where it was sent before: the epoch then, and a position before it.
    pub(crate) again: Option<At>,
}

/// What became of a publish.
pub(crate) enum Published {
    Now(Record),
    /// It had been made before.
    Before(At),
    OtherEpoch,
    /// What is remembered does not tell.
    Forgotten,
}

/// A page of history.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    pub(crate) missing: Option<Missing>,
    pub(crate) head: u64,
}

impl Broker {
    pub(crate) fn new(setup: &Setup) -> Self {
        let random = Random::new(setup.seed, 3);
        let mut broker =
            Self { topics: Vec::new(), window: setup.window, trouble_until: 0, random };
        broker.forget_topics(setup);
        broker
    }

    /// Its memory is gone.
    pub(crate) fn forget_topics(&mut self, setup: &Setup) {
        self.topics = setup.topics.iter().map(|&rule| self.begin(rule)).collect();
    }

    fn begin(&mut self, rule: Rule) -> Topic {
        let epoch = self.random.next() | 1;
        Topic {
            rule,
            epoch,
            log: Log::new(Epoch::from_bits(epoch)),
            mids: Mids::new(self.window),
            holders: Holders::new(1_000),
            told: epoch % 1_000_000 * 1_000,
        }
    }

    /// Forgets a topic that nobody needs; `is_used` is what the nodes say.
    pub(crate) fn sweep(&mut self, number: usize, is_used: bool, now: Millis) {
        if !is_used && self.topics[number].is_idle(now) {
            let rule = self.topics[number].rule;
            self.topics[number] = self.begin(rule);
        }
    }
}

impl Topic {
    /// A publish, of a client where it is to be made `once`; a repeat has the first one's place.
    pub(crate) fn publish(
        &mut self,
        event: Rc<Event>,
        once: Option<&Once>,
        now: Millis,
    ) -> Published {
        let again = once.and_then(|once| once.again);
        if again.is_some_and(|again| again.epoch != self.epoch) {
            return Published::OtherEpoch;
        }
        let name: Arc<str> = event.payload.to_string().into();
        let scope = once.map(|once| Arc::<str>::from(once.scope.to_string()));
        if let Some(scope) = &scope {
            if let Some(first) = self.mids.find(scope, &name, now) {
                return Published::Before(At { epoch: self.epoch, offset: first });
            }
            if again.is_some_and(|again| !self.mids.reaches(scope, again.offset)) {
                return Published::Forgotten;
            }
        }
        let (offset, prev) = self.append(&event, now);
        if let Some(scope) = &scope {
            self.mids.remember(scope, &name, offset, now);
        }
        Published::Now(Record { offset, prev, event })
    }

    fn append(&mut self, event: &Rc<Event>, now: Millis) -> (u64, u64) {
        let (bytes, keep) = (event.bytes, self.rule.keep);
        if let Some(key) = event.key {
            let key = Key { name: KEYS[usize::from(key)], removed: event.removed };
            let appended = self.log.append_keyed(key, Rc::clone(event), bytes, keep, now);
            return appended.expect("few keys");
        }
        let step = if self.rule.sparse { 1 + event.payload % 3 } else { 1 };
        let offset = self.log.head() + step;
        (offset, self.log.append_at(offset, Rc::clone(event), bytes, keep, now))
    }

    /// A node's changes to the members, as one event if anything is seen of them.
    pub(crate) fn hold(
        &mut self,
        node: u64,
        changes: Vec<Change<Aged<Shown>>>,
        now: Millis,
    ) -> Option<Record> {
        let changes = changes.into_iter();
        let seen = changes
            .filter_map(|change| self.holders.handle_change(node, change, now).ok().flatten());
        let seen = seen.collect();
        self.tell(seen, now)
    }

    /// A node is gone.
    pub(crate) fn lose_node(&mut self, node: u64, now: Millis) -> Option<Record> {
        let seen = self.holders.handle_node_lost(&node);
        self.tell(seen, now)
    }

    fn tell(&mut self, seen: Vec<Change<Shown>>, now: Millis) -> Option<Record> {
        if seen.is_empty() {
            return None;
        }
        self.told += 1;
        let of = |change: Change<Shown>| (change.user.parse().expect("a number"), change.data);
        let members: Rc<[_]> = seen.into_iter().map(of).collect();
        let event = Rc::new(Event {
            payload: MEMBERS_PAYLOADS + self.told,
            key: None,
            removed: false,
            bytes: 40 + 20 * members.len(),
            version: None,
            members,
        });
        let (offset, prev) = self.append(&event, now);
        Some(Record { offset, prev, event })
    }

    pub(crate) fn head(&self) -> At {
        At { epoch: self.epoch, offset: self.log.head() }
    }

    pub(crate) fn start(&mut self, since: Option<At>, now: Millis) -> Start {
        self.log.expire(self.rule.keep.age_ms, now);
        let epoch = since.map(|at| (Epoch::from_bits(at.epoch), at.offset));
        self.log.start(epoch.as_ref().map(|(epoch, offset)| (epoch.as_str(), *offset)))
    }

    pub(crate) fn read(&self, after: At, reading: Reading, most: usize) -> Page {
        let head = self.log.head();
        if after.epoch != self.epoch {
            return Page { records: Vec::new(), missing: Some(Missing::Lost), head };
        }
        let page = self.log.read(after.offset, reading, PageLimits { events: most, bytes: 2_000 });
        Page {
            records: page.entries.into_iter().map(record).collect(),
            missing: page.missing,
            head,
        }
    }

    pub(crate) fn history(&mut self, range: Range, now: Millis) -> Rc<[Record]> {
        self.log.expire(self.rule.keep.age_ms, now);
        let most = PageLimits { events: range.limit, bytes: HISTORY_BYTES };
        self.log.range(range.after, range.before, most).into_iter().map(record).collect()
    }

    /// The state that the broker has of the topic; `None` for a topic without state.
    pub(crate) fn state(&mut self, now: Millis) -> Option<Snapshot> {
        self.log.expire(self.rule.keep.age_ms, now);
        Some(match self.rule.content {
            Content::Members => {
                let of = |(user, &shown): (&Arc<str>, _)| (user.parse().expect("a number"), shown);
                let members: BTreeMap<_, _> = self.holders.members().map(of).collect();
                Snapshot::Members(members.into())
            }
            Content::Keys => {
                let state = self.log.state().into_iter();
                Snapshot::Events(state.flat_map(|state| state.current()).map(record).collect())
            }
            _ if self.rule.keep.events == 0 => return None,
            _ => Snapshot::Events(self.log.after(0).map(record).collect()),
        })
    }

    /// Whether its history is empty, and it remembers nothing.
    fn is_idle(&mut self, now: Millis) -> bool {
        self.log.expire(self.rule.keep.age_ms, now);
        self.mids.expire(now);
        self.log.is_empty() && self.mids.is_empty() && self.holders.is_empty()
    }
}

fn record(entry: &Entry<Rc<Event>>) -> Record {
    Record { offset: entry.offset, prev: entry.prev, event: Rc::clone(&entry.event) }
}
