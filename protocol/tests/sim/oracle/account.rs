//! What one client's handlers were told of one topic, and whether that may be so.

use std::collections::{BTreeMap, BTreeSet};

use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    delivery::Overflow,
};

use super::{
    members,
    truth::{Published, Truth},
};
use crate::{
    frames::{At, Record, Shown, Snapshot, User},
    setup::Content,
};

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
    /// What the handlers have of what the application stores; `None` where they do not have all.
    stored: Option<BTreeSet<u64>>,
    /// Of the last snapshot's version: its payloads, which do not come as events.
    included: BTreeSet<u64>,
    /// The server has subscribed of itself since: it knows of no snapshot, and leaves out nothing.
    may_repeat: bool,
    /// The members as the handlers know them; `None` where they do not know all.
    members: Option<BTreeMap<User, Shown>>,
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

    /// Whether it begins at or before an offset, and its events never come.
    fn is_final_at(&self, offset: u64) -> bool {
        let is_final = matches!(self.cause, Cause::Dropped | Cause::Lost);
        is_final && self.after <= offset && offset < self.to
    }
}

impl Account {
    pub(super) fn new(at: At) -> Self {
        Self {
            at,
            asked: at,
            holes: Vec::new(),
            keys: BTreeMap::new(),
            state_at: 0,
            whole_after: at.offset,
            stored: None,
            included: BTreeSet::new(),
            may_repeat: false,
            members: None,
        }
    }

    /// How far it has come; what was dropped or given up at its end is behind it, and what is in the snapshot.
    pub(super) fn at(&self, truth: &Truth, topic: usize) -> At {
        let mut at = self.at;
        loop {
            let missed = truth.events_after(topic, at).iter();
            let has = missed.take_while(|event| self.included.contains(&event.payload)).last();
            let hole = self.holes.iter().find(|hole| hole.is_final_at(at.offset));
            let to = has.map(|event| event.offset).into_iter().chain(hole.map(|hole| hole.to));
            match to.max() {
                Some(offset) => at.offset = offset,
                None => return at,
            }
        }
    }

    /// Whether a position is where the handlers are, but for what they have in the snapshot, and what was dropped before that.
    fn is_at(&self, truth: &Truth, topic: usize, at: At) -> bool {
        let is_passed = |event: &Published| {
            let is_dropped = |hole: &Hole| hole.cause == Cause::Dropped && hole.has(event.offset);
            self.included.contains(&event.payload) || self.holes.iter().any(is_dropped)
        };
        let mut between = truth.events_between(topic, self.at, at.offset + 1).iter();
        let is_ahead = at.epoch == self.at.epoch && at.offset > self.at.offset;
        at == self.at || (is_ahead && between.all(is_passed))
    }

    /// Whether it has come as far as a position, or further.
    pub(super) fn is_past(&self, at: At) -> bool {
        at.epoch == self.at.epoch && at.offset <= self.at.offset
    }

    pub(super) fn adopted(&mut self) {
        self.may_repeat = true;
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
            if !self.is_at(truth, topic, at) {
                return Err(format!("{how:?} at {at:?} instead of {before:?}"));
            }
            if at != before && self.holes.iter().any(|hole| hole.cause == Cause::Dropped) {
                (self.stored, self.members) = (None, None);
            }
            self.at = at;
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
        if !self.is_at(truth, topic, At { offset: hole.after, ..before }) {
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
        (self.stored, self.members) = (None, None);
        self.at = at;
        Ok(())
    }

    /// The topic's state as of a position, from which on events follow.
    pub(super) fn snapshot(
        &mut self,
        truth: &Truth,
        topic: usize,
        (at, snapshot, version): (At, &Snapshot, Option<u64>),
        now: Millis,
    ) -> Result<(), String> {
        if at != self.at {
            return Err(format!("a state as of {at:?} at {:?}", self.at));
        }
        check_snapshot(truth, topic, (at, snapshot, version), now)?;
        match snapshot {
            Snapshot::Events(records) if truth.rule(topic).is_keyed() => {
                self.keys = keys_of(records);
                self.whole_after = 0;
            }
            Snapshot::Events(_) => {}
            Snapshot::Store(payloads) => {
                self.stored = Some(BTreeSet::clone(payloads));
                self.may_repeat = false;
                self.included = version.map_or_else(BTreeSet::new, |_| BTreeSet::clone(payloads));
            }
            Snapshot::Members(members) => self.members = Some(BTreeMap::clone(members)),
        }
        Ok(())
    }

    /// The topic's state, asked for when the handlers had come to `from`. They take the events after it, which may have come already.
    pub(super) fn state_read(
        &mut self,
        truth: &Truth,
        topic: usize,
        from: At,
        (at, snapshot, version): (At, &Snapshot, Option<u64>),
        now: Millis,
    ) -> Result<(), String> {
        check_snapshot(truth, topic, (at, snapshot, version), now)?;
        if version.is_some() {
            return Err("a version beside a stream, which leaves out nothing".into());
        }
        if at.epoch == from.epoch && at.offset < from.offset {
            return Err(format!("a state as of {at:?}, asked for at {from:?}"));
        }
        let Snapshot::Events(records) = snapshot else { return Ok(()) };
        if at.epoch != self.at.epoch || !truth.rule(topic).is_keyed() {
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
        if self.included.contains(&event.payload) && !self.may_repeat {
            return Err(format!("event {offset} is in the snapshot already"));
        }
        for missing in truth.events_between(topic, self.at, offset) {
            if self.included.contains(&missing.payload) {
                continue;
            }
            let Some(hole) = self.holes.iter().find(|hole| hole.has(missing.offset)) else {
                return Err(format!("{missing:?} is missing in silence, before {offset}"));
            };
            match hole.cause {
                Cause::Conflated => self.check_conflated(truth, topic, missing)?,
                Cause::Lost if !may_give_up => {
                    return Err(format!("{missing:?} was given up"));
                }
                _ => {
                    self.whole_after = missing.offset;
                    (self.stored, self.members) = (None, None);
                }
            }
        }
        let came = |hole: &&Hole| hole.cause != Cause::Conflated && hole.has(offset);
        if let Some(hole) = self.holes.iter().find(came) {
            return Err(format!("event {offset} comes, which {hole:?} reports missing"));
        }
        self.at.offset = offset;
        if let Some(stored) = &mut self.stored {
            stored.insert(event.payload);
        }
        if let Some(members) = &mut self.members {
            members::change(members, &event.members);
        }
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
        let all = truth.stored_up_to(u64::MAX);
        // What was dropped at the end has not been passed.
        let at = self.at(truth, topic);
        let is_dropped = |hole: &Hole| (self.at.offset..at.offset).any(|at| hole.is_final_at(at));
        let is_whole = !self.holes.iter().any(is_dropped);
        if let Some(stored) = self.stored.as_ref().filter(|_| is_whole)
            && !(stored.len() == all.len() && all.iter().all(|payload| stored.contains(payload)))
        {
            return Err(format!("{stored:?} are known of {all:?}, which are stored"));
        }
        let shown = members::shown(truth, self.at.epoch, self.at.offset);
        if let Some(members) = &self.members
            && *members != shown
        {
            return Err(format!("{members:?} are known of the members, which are {shown:?}"));
        }
        let dropped = at.offset;
        let whole_after = if dropped > self.at.offset { dropped } else { self.whole_after };
        for (key, event) in truth.last_of_keys(topic, at) {
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
    (at, snapshot, version): (At, &Snapshot, Option<u64>),
    now: Millis,
) -> Result<(), String> {
    let records = match (snapshot, truth.rule(topic).content) {
        (Snapshot::Store(payloads), Content::Store { versions }) => {
            return check_store(truth, topic, (at, payloads), version, versions);
        }
        (Snapshot::Members(members), Content::Members) => {
            let shown = members::shown(truth, at.epoch, at.offset);
            let is_same = **members == shown;
            return is_same.then_some(()).ok_or_else(|| format!("the members are {shown:?}"));
        }
        (Snapshot::Events(records), Content::Events | Content::Keys) => &**records,
        _ => return Err("that is no state of this topic".into()),
    };
    for record in records {
        truth.is_event(topic, at.epoch, record)?;
    }
    let has: Vec<u64> = records.iter().map(|record| record.offset).collect();
    if truth.rule(topic).is_keyed() {
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

/// What the application has stored at one moment, with all that was published up to the position.
fn check_store(
    truth: &Truth,
    topic: usize,
    (at, payloads): (At, &BTreeSet<u64>),
    version: Option<u64>,
    has_versions: bool,
) -> Result<(), String> {
    let count = payloads.len() as u64;
    let first = truth.stored_up_to(count);
    if first.len() as u64 != count || !first.iter().all(|payload| payloads.contains(payload)) {
        return Err(format!("{payloads:?} is not what was stored first"));
    }
    // Whether there is one the wire says.
    if version.is_some_and(|version| !has_versions || version != count) {
        return Err(format!("a state of version {version:?} has {count} payloads"));
    }
    let mut before = truth.events_between(topic, At { offset: 0, ..at }, at.offset + 1).iter();
    match before.find(|event| !payloads.contains(&event.payload)) {
        Some(missing) => Err(format!("{missing:?} is not in the state as of {at:?}")),
        None => Ok(()),
    }
}
