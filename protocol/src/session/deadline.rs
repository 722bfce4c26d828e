//! [`Deadline`]: a moment that may never come, in one word. Every session has four.

use crate::Millis;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline(Millis);

impl Deadline {
    pub(super) const NEVER: Self = Self(Millis::MAX);

    pub(super) const fn after(now: Millis, wait: Millis) -> Self {
        Self(now.saturating_add(wait))
    }

    pub(super) const fn is_set(self) -> bool {
        self.0 != Self::NEVER.0
    }

    pub(super) const fn is_due(self, now: Millis) -> bool {
        self.is_set() && self.0 <= now
    }

    pub(super) fn or_earlier(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    pub(super) const fn get(self) -> Option<Millis> {
        if self.is_set() { Some(self.0) } else { None }
    }
}

impl From<Option<Millis>> for Deadline {
    fn from(at: Option<Millis>) -> Self {
        at.map_or(Self::NEVER, Self)
    }
}
