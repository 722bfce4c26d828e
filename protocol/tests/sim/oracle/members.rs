//! Who is a member, by the sessions that say so, and what may be told of it.

use std::collections::{BTreeMap, BTreeSet};

use tidewire_protocol::{Millis, presence::Timing};

use super::Truth;
use crate::{
    frames::{EpochName, Record, Shown, User},
    setup::MEMBERS,
};

#[derive(Debug)]
pub(super) struct Members {
    timing: Timing,
    users: BTreeMap<User, Presence>,
    /// Until then nodes may have failed to tell.
    trouble_until: Millis,
}

/// What makes a user a member: the node, and the number of a session's part in it.
pub(super) type Part = (u64, u64);

#[derive(Debug, Default)]
struct Presence {
    /// What makes it a member, by its sessions.
    parts: BTreeSet<Part>,
    /// When the last was lost.
    absent_since: Option<Millis>,
    /// Since it was last told of, it was away for so long that it may be told, or its last part ended on purpose.
    may_leave: bool,
    /// Of each node the last that it was wanted to be shown as there, and when that was.
    words: BTreeMap<u64, (Millis, Shown)>,
}

impl Presence {
    /// What it may be shown as: the latest word of the nodes that hold it. Of several at once it may be any.
    fn latest(&self) -> Vec<Shown> {
        let nodes: BTreeSet<_> = self.parts.iter().map(|&(node, _)| node).collect();
        let words: Vec<_> = nodes.iter().filter_map(|node| self.words.get(node)).collect();
        let latest = words.iter().map(|(at, _)| at).max();
        words.iter().filter(|(at, _)| Some(at) == latest).map(|&&(_, shown)| shown).collect()
    }
}

impl Members {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, users: BTreeMap::new(), trouble_until: 0 }
    }

    pub(super) fn trouble(&mut self, until: Millis) {
        self.trouble_until = self.trouble_until.max(until);
    }

    pub(super) fn joined(&mut self, user: User, part: Part, shown: Shown, now: Millis) {
        let Timing { gather_ms, grace_ms } = self.timing;
        let presence = self.users.entry(user).or_default();
        presence.parts.insert(part);
        presence.words.insert(part.0, (now, shown));
        let away = presence.absent_since.take().map_or(0, |since| now - since);
        presence.may_leave |= away + gather_ms >= grace_ms;
    }

    pub(super) fn parted(&mut self, user: User, part: Part, is_lost: bool, now: Millis) {
        let presence = self.users.entry(user).or_default();
        presence.parts.remove(&part);
        presence.may_leave |= !is_lost;
        if presence.parts.is_empty() {
            presence.absent_since = Some(now);
        }
    }

    /// An event of the members was appended: each change is one, and nobody leaves who was away for a moment.
    pub(super) fn told(
        &mut self,
        truth: &Truth,
        epoch: EpochName,
        record: &Record,
        now: Millis,
    ) -> Result<(), String> {
        let before = shown(truth, epoch, record.prev);
        let Timing { gather_ms, grace_ms } = self.timing;
        for &(user, data) in &*record.event.members {
            if before.get(&user).copied() == data {
                return Err(format!("user {user} is told to be {data:?}, as it was"));
            }
            let presence = self.users.entry(user).or_default();
            if data.is_some() {
                // It may come of one who was there before; the node of the last to join is gathering still.
                let is_gathered = presence.words.values().all(|&(at, _)| now >= at + gather_ms);
                presence.may_leave &= presence.parts.is_empty() || !is_gathered;
                continue;
            }
            let is_away = presence.absent_since.is_some_and(|since| now >= since + grace_ms);
            let was_untold = now <= self.trouble_until + 1_000;
            if !(is_away || presence.may_leave || was_untold) {
                return Err(format!("user {user} is told to have left at {now}: {presence:?}"));
            }
        }
        Ok(())
    }

    /// At rest: the members are the users who want to be, each shown as was wanted last, at whichever node.
    pub(super) fn check(
        &self,
        truth: &Truth,
        epoch: EpochName,
        wishes: &[(User, Shown)],
    ) -> Result<(), String> {
        let shown = shown(truth, epoch, u64::MAX);
        let users: BTreeSet<User> = wishes.iter().map(|&(user, _)| user).collect();
        if !shown.keys().eq(&users) {
            return Err(format!("the members are {shown:?}, but should be {users:?}"));
        }
        for (&user, &data) in &shown {
            let presence = self.users.get(&user);
            if !presence.is_some_and(|presence| presence.latest().contains(&data)) {
                return Err(format!("user {user} is shown as {data}: {presence:?}, {wishes:?}"));
            }
        }
        Ok(())
    }
}

/// The members after the event at an offset, by all events until then.
pub(super) fn shown(truth: &Truth, epoch: EpochName, offset: u64) -> BTreeMap<User, Shown> {
    let mut shown = BTreeMap::new();
    for event in truth.events(MEMBERS, epoch).iter().take_while(|event| event.offset <= offset) {
        change(&mut shown, &event.members);
    }
    shown
}

pub(super) fn change(shown: &mut BTreeMap<User, Shown>, changes: &[(User, Option<Shown>)]) {
    for &(user, data) in changes {
        match data {
            Some(data) => drop(shown.insert(user, data)),
            None => drop(shown.remove(&user)),
        }
    }
}
