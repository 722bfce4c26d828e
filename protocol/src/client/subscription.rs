//! One topic as a client sees it: how far it has come, and what an event or a gap means for it.

use super::{Frame, output::Position, time::NEVER};
use crate::Millis;

/// How often a topic is recovered within [`RECOVERY_WINDOW_MS`] before a hole is taken for lost. A server whose history is
/// sound needs one.
const MOST_RECOVERIES: u8 = 5;
const RECOVERY_WINDOW_MS: Millis = 30_000;

/// The causes of a `$gap`, as numbers of the tuple. The one that is not here is lost, and any other is taken for it.
pub(super) const DROPPED: u16 = 1;
const CONFLATED: u16 = 2;
const INCLUDED: u16 = 4;

/// Whether the server sends the topic's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does not.
    #[default]
    Off,
    /// A `$subscribe` is on its way: what comes before the answer belongs to an earlier subscription.
    Asked,
    /// It does, and they are delivered.
    Live,
    /// It does, but there is a hole: nothing is delivered until the topic is asked for again.
    Stale,
    /// Nobody subscribes; the number's release waits to be polled.
    Gone,
}

/// What an event or a gap leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Deliver,
    Drop,
    /// Events are missing: subscribe again from the last seen.
    Recover,
    /// Events are missing and are given up: report them, then deliver.
    GiveUp,
}

#[derive(Debug)]
pub(super) struct Subscription {
    /// Local subscriptions; equal ones share this one.
    pub(super) count: u32,
    /// The link's server subscribed of itself, so only it ends that.
    pub(super) server: bool,
    pub(super) phase: Phase,
    /// The link that sends the events, or was asked to.
    pub(super) link: u8,
    /// The `$subscribe` on its way, 0 for none.
    pub(super) request: u32,
    /// The `$subscribe` on its way to the other link, while this one goes on; 0 for none.
    pub(super) moving: u32,
    /// 0 while no position is known.
    pub(super) epoch: u32,
    /// The last seen offset, from which to resume.
    pub(super) offset: u64,
    /// `prev` is not checked up to this offset: a `$gap` has spoken of it.
    pub(super) waived: u64,
    /// When to ask for the topic again.
    pub(super) retry_at: Millis,
    /// Refused asks in a row.
    pub(super) refusals: u8,
    pub(super) recoveries: u8,
    pub(super) recovered_at: Millis,
}

impl Subscription {
    pub(super) const fn new() -> Self {
        Self {
            count: 0,
            server: false,
            phase: Phase::Off,
            link: 0,
            request: 0,
            moving: 0,
            epoch: 0,
            offset: 0,
            waived: 0,
            retry_at: NEVER,
            refusals: 0,
            recoveries: 0,
            recovered_at: 0,
        }
    }

    /// How far it has come.
    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.offset }
    }

    /// An event that does not simply follow the last one.
    pub(super) fn event(&mut self, offset: u64, prev: u64, now: Millis) -> Step {
        if self.phase != Phase::Live || offset <= self.offset || offset <= prev {
            return Step::Drop;
        }
        if prev == self.offset || prev <= self.waived {
            return Step::Deliver;
        }
        self.hole(now)
    }

    /// A `$gap` from `after` to `to`.
    pub(super) fn gap(&mut self, after: u64, to: u64, cause: u16, now: Millis) -> Step {
        if self.phase != Phase::Live || to <= self.offset || to <= after {
            return Step::Drop;
        }
        // A gap that begins later than this topic has come tells of one hole and hides another.
        let joins = after <= self.offset.max(self.waived);
        match cause {
            DROPPED | CONFLATED if joins => Step::Deliver,
            INCLUDED if joins => {
                self.offset = to;
                Step::Drop
            }
            _ => self.hole(now),
        }
    }

    /// A first hole is recovered; one that comes again and again is given up, so that no server keeps a client busy.
    fn hole(&mut self, now: Millis) -> Step {
        if now.saturating_sub(self.recovered_at) > RECOVERY_WINDOW_MS {
            self.recoveries = 0;
        }
        if self.recoveries >= MOST_RECOVERIES {
            return Step::GiveUp;
        }
        self.recovered_at = now;
        self.recoveries += 1;
        self.phase = Phase::Stale;
        Step::Recover
    }

    /// Whether a subscription that goes on from the frame's position misses nothing. Whatever the history has: nothing lies between
    /// here and an earlier position that does not come again.
    pub(super) fn continues(&self, frame: Frame) -> bool {
        self.epoch != 0 && frame.epoch == self.epoch && frame.offset <= self.offset
    }

    /// Whether the frame names a later position in this epoch.
    pub(super) fn is_ahead(&self, frame: Frame) -> bool {
        frame.epoch != 0 && frame.epoch == self.epoch && frame.offset > self.offset
    }

    /// Its events flow.
    pub(super) fn attach(&mut self) {
        self.phase = Phase::Live;
        self.request = 0;
        self.waived = 0;
        self.retry_at = NEVER;
        self.refusals = 0;
    }

    /// Another link is to send its events.
    pub(super) fn go_to(&mut self, link: u8) {
        if link != self.link {
            self.link = link;
            self.server = false;
        }
    }

    /// Its link is of no more use: waits for the other one, if it was asked.
    pub(super) fn move_on(&mut self) -> bool {
        let request = core::mem::take(&mut self.moving);
        if request != 0 {
            self.go_to(self.link ^ 1);
            self.request = request;
            self.phase = Phase::Asked;
        }
        request != 0
    }

    /// The server will not let this topic be asked for again: holes are given up for a while.
    pub(super) fn stop_recovering(&mut self, now: Millis) {
        self.recoveries = MOST_RECOVERIES;
        self.recovered_at = now;
    }

    /// The connection is gone.
    pub(super) fn detach(&mut self) {
        self.phase = Phase::Off;
        self.request = 0;
        self.waived = 0;
        self.retry_at = NEVER;
        self.refusals = 0;
    }
}
