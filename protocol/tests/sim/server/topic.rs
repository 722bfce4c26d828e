//! One topic: the broker's log of it, and the node's subscribers with the passes that bring them its events.

use std::{rc::Rc, sync::Arc};

use tidewire_protocol::{
    Millis,
    delivery::Delivery,
    name,
    topic::{
        Entry, Epoch, Key, Log, Missing, PageLimits, Reading, Start,
        mids::{Mids, Window},
    },
};

use crate::{
    frames::{At, EpochName, Event, Record},
    setup::Rule,
};

pub(crate) struct Topic {
    pub(crate) name: name::Topic,
    pub(crate) rule: Rule,
    pub(crate) epoch: EpochName,
    log: Log<Rc<Event>>,
    mids: Mids,
    /// The newest offset that a pass has begun to hand to the subscribers.
    pub(crate) position: u64,
    pending: Vec<Record>,
    pub(crate) is_delivering: bool,
    /// The pass that is under way, and the place of the next subscriber.
    pub(crate) pass: Option<(Rc<[Record]>, usize)>,
    pub(crate) subscribers: Vec<Option<Subscriber>>,
    /// Subscriptions, those under way included.
    pub(crate) uses: usize,
    /// The broker loses so many events on their way to this node.
    pub(crate) loses: u64,
}

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

pub(crate) struct Subscriber {
    pub(crate) socket: usize,
    pub(crate) delivery: Delivery,
}

/// What became of a publish.
pub(crate) enum Published {
    Now(Record),
    /// It had been made before.
    Before(At),
    OtherEpoch,
}

/// A page of history.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    pub(crate) missing: Option<Missing>,
    pub(crate) head: u64,
}

impl Topic {
    pub(crate) fn new(number: usize, rule: Rule, epoch: EpochName) -> Self {
        let name = name::Topic::parse(&format!("topic:{number}")).expect("a valid name");
        Self {
            name,
            rule,
            epoch,
            log: Log::new(Epoch::from_bits(epoch)),
            mids: Mids::new(Window::default()),
            position: 0,
            pending: Vec::new(),
            is_delivering: false,
            pass: None,
            subscribers: Vec::new(),
            uses: 0,
            loses: 0,
        }
    }

    /// The broker's publish, by a client where there is a `scope`; a repeat has the first one's place.
    pub(crate) fn publish(
        &mut self,
        event: Rc<Event>,
        scope: Option<usize>,
        epoch: Option<EpochName>,
        now: Millis,
    ) -> Published {
        if epoch.is_some_and(|epoch| epoch != self.epoch) {
            return Published::OtherEpoch;
        }
        let text = |number: &dyn ToString| -> Arc<str> { number.to_string().into() };
        let once = scope.map(|scope| (text(&scope), text(&event.payload)));
        if let Some((scope, name)) = &once
            && let Some(first) = self.mids.find(scope, name, now)
        {
            return Published::Before(At { epoch: self.epoch, offset: first });
        }
        let (offset, prev) = self.append(&event, now);
        if let Some((scope, name)) = &once {
            self.mids.remember(scope, name, offset, now);
        }
        let record = Record { offset, prev, event };
        if self.loses > 0 {
            self.loses -= 1;
        } else if self.uses > 0 {
            self.pending.push(record.clone());
        }
        Published::Now(record)
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

    pub(crate) fn head(&self) -> At {
        At { epoch: self.epoch, offset: self.log.head() }
    }

    /// Somebody here is to be told of events: the first of them attaches to the broker.
    pub(crate) fn attach(&mut self) {
        if self.uses == 0 {
            self.position = self.log.head();
        }
        self.uses += 1;
    }

    pub(crate) fn detach(&mut self) {
        self.uses -= 1;
        if self.uses == 0 {
            self.pending.clear();
        }
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

    /// The state of the topic and its position; `None` for one without state.
    pub(crate) fn state(&mut self, now: Millis) -> Option<(At, Rc<[Record]>)> {
        if !self.rule.keyed && self.rule.keep.events == 0 {
            return None;
        }
        self.log.expire(self.rule.keep.age_ms, now);
        let records = if self.rule.keyed {
            self.log.state().into_iter().flat_map(|state| state.current()).map(record).collect()
        } else {
            self.log.after(0).map(record).collect()
        };
        Some((self.head(), records))
    }

    /// Whether the broker may forget it: nobody is subscribed, its history is empty, and it remembers no publish.
    pub(crate) fn is_idle(&mut self, now: Millis) -> bool {
        self.log.expire(self.rule.keep.age_ms, now);
        self.mids.expire(now);
        self.uses == 0 && self.log.is_empty() && self.mids.is_empty()
    }

    /// Begins a pass with what is pending, if anything is.
    pub(crate) fn begin_pass(&mut self, most: usize) -> bool {
        let count = self.pending.len().min(most);
        let records: Rc<[Record]> = self.pending.drain(..count).collect();
        let Some(last) = records.last() else {
            self.is_delivering = false;
            return false;
        };
        self.position = last.offset;
        self.pass = Some((records, 0));
        true
    }

    pub(crate) fn insert(&mut self, subscriber: Subscriber) -> usize {
        let free = self.subscribers.iter().position(Option::is_none);
        match free {
            Some(key) => {
                self.subscribers[key] = Some(subscriber);
                key
            }
            None => {
                self.subscribers.push(Some(subscriber));
                self.subscribers.len() - 1
            }
        }
    }

    /// The subscriber under `key`, if it is still this socket's: keys are used again.
    pub(crate) fn find(&mut self, key: usize, socket: usize) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(key)?.as_mut().filter(|one| one.socket == socket)
    }
}

fn record(entry: &Entry<Rc<Event>>) -> Record {
    Record { offset: entry.offset, prev: entry.prev, event: Rc::clone(&entry.event) }
}
