//! What was published: every life of every topic, whole.

use std::collections::{BTreeMap, BTreeSet};

use tidewire_protocol::Millis;

use crate::{
    frames::{At, EpochName, Record},
    setup::{Rule, Setup},
};

pub(crate) struct Truth {
    rules: Vec<Rule>,
    lives: BTreeMap<(usize, EpochName), Life>,
    /// Lives that have begun.
    begun: u64,
    /// Events that the broker lost on their way to the server.
    lost: BTreeSet<(usize, EpochName, u64)>,
}

#[derive(Debug, Default)]
struct Life {
    /// Its place in the order of all lives.
    number: u64,
    /// In order of their offsets.
    events: Vec<Published>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) offset: u64,
    prev: u64,
    pub(crate) payload: u64,
    pub(crate) key: Option<u8>,
    pub(crate) removed: bool,
    bytes: usize,
    at: Millis,
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
        });
        if record.offset > head && record.prev == head {
            return Ok(());
        }
        Err(format!("the event after {head} of topic {topic} was appended as {record:?}"))
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
        until.iter().filter_map(|event| Some((event.key?, *event))).collect()
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

    /// Whether every event after a position is within what the topic's history keeps.
    pub(super) fn keeps_all_after(&self, topic: usize, at: At, now: Millis) -> bool {
        let keep = self.rule(topic).keep;
        let missed = self.events_after(topic, at);
        missed.len() <= keep.events
            && missed.iter().map(|event| event.bytes).sum::<usize>() <= keep.bytes
            && missed.first().is_none_or(|oldest| now - oldest.at < keep.age_ms)
    }
}
