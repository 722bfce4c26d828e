//! What one client's handlers were told of one topic, and whether that may be so.

use std::collections::BTreeMap;

use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    delivery::Overflow,
};

use super::truth::{Published, Truth};
use crate::frames::{At, Record};

#[derive(Clone, Debug)]
pub(super) struct Account {
    at: At,
    /// From where it was asked for last.
    asked: At,
    /// What was reported missing and has not been passed.
    holes: Vec<Hole>,
    /// The last event of each key that the handlers have, removals too.
    keys: BTreeMap<u8, u64>,
    /// Of which offset the state is that was read last: events up to here are in it.
    state_at: u64,
    /// Up to here the handlers' state need not be whole: they began here, or were told of a loss.
    whole_after: u64,
}

/// A range of events that was reported missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    pub(super) after: u64,
    pub(super) to: u64,
    pub(super) cause: Cause,
}

impl Hole {
    fn has(&self, offset: u64) -> bool {
        self.after < offset && offset <= self.to
    }
}

impl Account {
    pub(super) fn new(at: At) -> Self {
        let whole_after = at.offset;
        Self { at, asked: at, holes: Vec::new(), keys: BTreeMap::new(), state_at: 0, whole_after }
    }

    /// How far it has come; what was dropped or given up at its end is behind it.
    pub(super) fn at(&self) -> At {
        let joins = |to: u64, hole: &Hole| {
            let is_final = matches!(hole.cause, Cause::Dropped | Cause::Lost);
            if is_final && hole.after <= to { to.max(hole.to) } else { to }
        };
        At { offset: self.holes.iter().fold(self.at.offset, joins), ..self.at }
    }

    pub(super) fn asked(&mut self, since: At) {
        self.asked = since;
    }

    /// The subscription goes on at a position.
    pub(super) fn goes_on(
        &mut self,
        truth: &Truth,
        topic: usize,
        how: Continuity,
        at: At,
        now: Millis,
    ) -> Result<(), String> {
        let before = self.at;
        truth.exists(topic, at)?;
        if how != Continuity::Lost {
            if at != before {
                return Err(format!("{how:?} at {at:?} instead of {before:?}"));
            }
            if how == Continuity::Recovered {
                // What was left out before may come now.
                self.holes.clear();
            }
            return Ok(());
        }
        let told = self.holes.iter().find(|hole| match hole.cause {
            Cause::NewEpoch => at.epoch != before.epoch && hole.to == at.offset,
            Cause::Lost => at.epoch == before.epoch && hole.to == at.offset,
            _ => false,
        });
        let Some(hole) = told else { return Err(format!("lost up to {at:?} without a word")) };
        if hole.after != before.offset {
            return Err(format!("{hole:?} does not begin at {before:?}"));
        }
        if at.epoch == before.epoch && truth.keeps_all_after(topic, self.asked, now) {
            return Err(format!("{hole:?}, but the history has all of it"));
        }
        if at.epoch != before.epoch {
            if !truth.is_later(topic, before.epoch, at.epoch) {
                return Err(format!("back to an earlier life: from {before:?} to {at:?}"));
            }
            self.keys.clear();
            self.state_at = 0;
        }
        self.holes.clear();
        self.whole_after = at.offset;
        self.at = at;
        Ok(())
    }

    /// The topic's state as of a position, from which on events follow.
    pub(super) fn snapshot(
        &mut self,
        truth: &Truth,
        topic: usize,
        at: At,
        records: &[Record],
        now: Millis,
    ) -> Result<(), String> {
        if at != self.at {
            return Err(format!("a state as of {at:?} at {:?}", self.at));
        }
        check_snapshot(truth, topic, at, records, now)?;
        if truth.rule(topic).keyed {
            self.keys = keys_of(records);
            self.whole_after = 0;
        }
        Ok(())
    }

    /// The topic's state, asked for when the handlers had come to `from`. They take the events after it, which may have come already.
    pub(super) fn state_read(
        &mut self,
        truth: &Truth,
        topic: usize,
        from: At,
        (at, records): (At, &[Record]),
        now: Millis,
    ) -> Result<(), String> {
        check_snapshot(truth, topic, at, records, now)?;
        if at.epoch == from.epoch && at.offset < from.offset {
            return Err(format!("a state as of {at:?}, asked for at {from:?}"));
        }
        if at.epoch != self.at.epoch || !truth.rule(topic).keyed {
            return Ok(());
        }
        let later = self.keys.iter().filter(|&(_, &offset)| offset > at.offset);
        let mut keys = keys_of(records);
        keys.extend(later);
        self.keys = keys;
        self.state_at = at.offset;
        if self.whole_after <= at.offset {
            self.whole_after = 0;
        }
        Ok(())
    }

    pub(super) fn gap(&mut self, truth: &Truth, topic: usize, hole: Hole) -> Result<(), String> {
        let overflow = truth.rule(topic).overflow;
        let is_permitted = match hole.cause {
            Cause::Dropped => overflow == Overflow::DropOldest,
            Cause::Conflated => overflow == Overflow::Conflate,
            _ => true,
        };
        if !is_permitted {
            return Err(format!("{hole:?} under the policy {overflow:?}"));
        }
        if hole.cause != Cause::NewEpoch && hole.to <= self.at.offset {
            return Err(format!("{hole:?} at {:?}", self.at));
        }
        self.holes.push(hole);
        Ok(())
    }

    pub(super) fn event(
        &mut self,
        truth: &Truth,
        topic: usize,
        record: &Record,
        may_give_up: bool,
    ) -> Result<(), String> {
        let At { epoch, offset: last } = self.at;
        let (offset, event) = (record.offset, &record.event);
        if offset <= last {
            return Err(format!("event {offset} after event {last}"));
        }
        truth.is_event(topic, epoch, record)?;
        for missing in truth.events_between(topic, self.at, offset) {
            let Some(hole) = self.holes.iter().find(|hole| hole.has(missing.offset)) else {
                return Err(format!("{missing:?} is missing in silence, before {offset}"));
            };
            match hole.cause {
                Cause::Conflated => self.check_conflated(truth, topic, missing)?,
                Cause::Lost if !may_give_up => {
                    return Err(format!("{missing:?} was given up"));
                }
                _ => self.whole_after = missing.offset,
            }
        }
        let came = |hole: &&Hole| hole.cause != Cause::Conflated && hole.has(offset);
        if let Some(hole) = self.holes.iter().find(came) {
            return Err(format!("event {offset} comes, which {hole:?} reports missing"));
        }
        self.at.offset = offset;
        self.holes.retain(|hole| hole.to > offset);
        if let Some(key) = event.key
            && offset > self.state_at
        {
            self.keys.insert(key, offset);
        }
        Ok(())
    }

    /// A later event of its key has taken the place of one that is left out.
    fn check_conflated(
        &self,
        truth: &Truth,
        topic: usize,
        missing: &Published,
    ) -> Result<(), String> {
        let at = At { offset: missing.offset, ..self.at };
        let mut later = truth.events_after(topic, at).iter();
        if missing.key.is_some() && later.any(|later| later.key == missing.key) {
            return Ok(());
        }
        Err(format!("{missing:?} was the last of its key, and was left out"))
    }

    /// At the topic's head: what the handlers have of each key is what is true.
    pub(super) fn check_state(&self, truth: &Truth, topic: usize) -> Result<(), String> {
        let dropped = self.at().offset;
        let whole_after = if dropped > self.at.offset { dropped } else { self.whole_after };
        for (key, event) in truth.last_of_keys(topic, self.at()) {
            let has = self.keys.get(&key).copied();
            let fits = has == Some(event.offset) || (event.removed && has.is_none());
            if event.offset > whole_after && !fits {
                return Err(format!("of key {key} the last is {event:?}, not {has:?}"));
            }
        }
        Ok(())
    }
}

fn keys_of(records: &[Record]) -> BTreeMap<u8, u64> {
    records.iter().filter_map(|record| Some((record.event.key?, record.offset))).collect()
}

/// A topic's state is what was published up to its position: of each key that is there the last event, else what the history has.
fn check_snapshot(
    truth: &Truth,
    topic: usize,
    at: At,
    records: &[Record],
    now: Millis,
) -> Result<(), String> {
    for record in records {
        truth.is_event(topic, at.epoch, record)?;
    }
    let has: Vec<u64> = records.iter().map(|record| record.offset).collect();
    if truth.rule(topic).keyed {
        let last = truth.last_of_keys(topic, at);
        let mut expected: Vec<u64> =
            last.values().filter(|event| !event.removed).map(|event| event.offset).collect();
        expected.sort_unstable();
        if has != expected {
            return Err(format!("the state as of {at:?} is {expected:?}, not {has:?}"));
        }
        return Ok(());
    }
    let all = truth.events_between(topic, At { offset: 0, ..at }, at.offset + 1);
    let (gone, there) = all.split_at(all.len().saturating_sub(has.len()));
    let keeps =
        |event: &Published| truth.keeps_all_after(topic, At { offset: event.before(), ..at }, now);
    if gone.last().is_some_and(keeps) || there.iter().map(|event| event.offset).ne(has) {
        return Err(format!("that is not the history as of {at:?}"));
    }
    Ok(())
}
