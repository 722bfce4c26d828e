//! What was published: every life of every topic, whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use tidewire_protocol::Millis;

use crate::{
    frames::{At, EpochName, Record, Shown, User},
    setup::{Rule, Setup},
};

pub(crate) struct Truth {
    rules: Vec<Rule>,
    lives: BTreeMap<(usize, EpochName), Life>,
    /// Lives that have begun.
    begun: u64,
    /// Events that the broker lost on their way to the server.
    lost: BTreeSet<(usize, EpochName, u64)>,
    /// What the application has stored, in order: a version is a place there, from 1.
    stored: Vec<u64>,
}

#[derive(Debug, Default)]
struct Life {
    /// Its place in the order of all lives.
    number: u64,
    /// In order of their offsets.
    events: Vec<Published>,
}

#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) offset: u64,
    prev: u64,
    pub(crate) payload: u64,
    pub(crate) key: Option<u8>,
    pub(crate) removed: bool,
    pub(super) bytes: usize,
    at: Millis,
    pub(super) version: Option<u64>,
    pub(super) members: Rc<[(User, Option<Shown>)]>,
}

impl Published {
    /// The offset of the event before it.
    pub(super) fn before(&self) -> u64 {
        self.prev
    }
}

impl Truth {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            rules: setup.topics.clone(),
            lives: BTreeMap::new(),
            begun: 0,
            lost: BTreeSet::new(),
            stored: Vec::new(),
        }
    }

    pub(super) fn rule(&self, topic: usize) -> &Rule {
        &self.rules[topic]
    }

    pub(super) fn appended(
        &mut self,
        topic: usize,
        epoch: EpochName,
        record: &Record,
        now: Millis,
    ) -> Result<(), String> {
        let begun = &mut self.begun;
        let life = self.lives.entry((topic, epoch)).or_insert_with(|| {
            *begun += 1;
            Life { number: *begun, events: Vec::new() }
        });
        let head = life.events.last().map_or(0, |event| event.offset);
        let event = &record.event;
        life.events.push(Published {
            offset: record.offset,
            prev: record.prev,
            payload: event.payload,
            key: event.key,
            removed: event.removed,
            bytes: event.bytes,
            at: now,
            version: event.version,
            members: Rc::clone(&event.members),
        });
        if record.offset > head && record.prev == head {
            return Ok(());
        }
        Err(format!("the event after {head} of topic {topic} was appended as {record:?}"))
    }

    /// The application has stored a payload.
    pub(super) fn stored(&mut self, payload: u64) {
        self.stored.push(payload);
    }

    /// The first payloads that were stored, up to a version.
    pub(super) fn stored_up_to(&self, version: u64) -> &[u64] {
        &self.stored[..self.stored.len().min(version as usize)]
    }

    pub(super) fn lost_on_the_way(&mut self, topic: usize, epoch: EpochName, offset: u64) {
        self.lost.insert((topic, epoch, offset));
    }

    pub(super) fn was_lost(&self, topic: usize, epoch: EpochName, offset: u64) -> bool {
        self.lost.contains(&(topic, epoch, offset))
    }

    /// The events of a life, in order.
    pub(super) fn events(&self, topic: usize, epoch: EpochName) -> &[Published] {
        self.lives.get(&(topic, epoch)).map_or(&[], |life| &life.events)
    }

    /// Those after a position.
    pub(super) fn events_after(&self, topic: usize, at: At) -> &[Published] {
        let events = self.events(topic, at.epoch);
        &events[events.partition_point(|event| event.offset <= at.offset)..]
    }

    /// Those after a position and before an offset.
    pub(super) fn events_between(&self, topic: usize, at: At, offset: u64) -> &[Published] {
        let events = self.events_after(topic, at);
        &events[..events.partition_point(|event| event.offset < offset)]
    }

    fn event(&self, topic: usize, At { epoch, offset }: At) -> Option<&Published> {
        let events = self.events(topic, epoch);
        events.binary_search_by_key(&offset, |event| event.offset).ok().map(|at| &events[at])
    }

    pub(super) fn is_at(&self, topic: usize, at: At, payload: u64) -> Result<(), String> {
        match self.event(topic, at) {
            Some(event) if event.payload == payload => Ok(()),
            other => Err(format!("{payload} is said to be at {at:?}, where {other:?} is")),
        }
    }

    /// That an event came as it was published.
    pub(super) fn is_event(
        &self,
        topic: usize,
        epoch: EpochName,
        record: &Record,
    ) -> Result<(), String> {
        let Record { offset, prev, ref event } = *record;
        let same = |truth: &Published| {
            (truth.payload, truth.key, truth.removed, truth.prev)
                == (event.payload, event.key, event.removed, prev)
        };
        match self.event(topic, At { epoch, offset }) {
            Some(truth) if same(truth) => Ok(()),
            other => Err(format!("{record:?} came where {other:?} is")),
        }
    }

    /// The last event of each key up to a position, removals too.
    pub(super) fn last_of_keys(&self, topic: usize, at: At) -> BTreeMap<u8, Published> {
        let until = self.events_between(topic, At { offset: 0, ..at }, at.offset + 1);
        until.iter().filter_map(|event| Some((event.key?, event.clone()))).collect()
    }

    /// That a position is not beyond what was published.
    pub(super) fn exists(&self, topic: usize, at: At) -> Result<(), String> {
        if at.offset <= self.events(topic, at.epoch).last().map_or(0, |event| event.offset) {
            return Ok(());
        }
        Err(format!("{at:?} is a position in topic {topic} that nothing has reached"))
    }

    /// Whether `later` began after `earlier`. A life without events has not begun here, so it is not earlier.
    pub(super) fn is_later(&self, topic: usize, earlier: EpochName, later: EpochName) -> bool {
        let number = |epoch| self.lives.get(&(topic, epoch)).map(|life| life.number);
        match (number(earlier), number(later)) {
            (Some(earlier), Some(later)) => later > earlier,
            (None, Some(_)) | (_, None) => earlier != later,
        }
    }

    /// Whether an event is within what history keeps, where `head` is the newest.
    pub(super) fn keeps(&self, topic: usize, event: &Published, head: At, now: Millis) -> bool {
        let from = At { offset: event.prev, ..head };
        let since = self.events_between(topic, from, head.offset + 1);
        let keep = self.rule(topic).keep;
        since.len() <= keep.events
            && since.iter().map(|event| event.bytes).sum::<usize>() <= keep.bytes
            && now - event.at < keep.age_ms
    }

    /// Whether it may have been when somebody asked at `asked_at`, or later.
    pub(super) fn kept(&self, topic: usize, event: &Published, head: At, asked_at: Millis) -> bool {
        self.keeps(topic, event, head, event.at.max(asked_at))
    }

    /// Whether every event after a position is within what the topic's history keeps.
    pub(super) fn keeps_all_after(&self, topic: usize, at: At, now: Millis) -> bool {
        let keep = self.rule(topic).keep;
        let missed = self.events_after(topic, at);
        missed.len() <= keep.events
            && missed.iter().map(|event| event.bytes).sum::<usize>() <= keep.bytes
            && missed.first().is_none_or(|oldest| now - oldest.at < keep.age_ms)
    }
}
