//! What comes for a reader while the state that it waits for is on its way.

use std::collections::VecDeque;

use tidewire_protocol::client::Cause;

use super::Raw;
use crate::Gap;

/// How much is kept: a quarter of what may wait to be read, so that a state and what follows it have room there.
const MOST: usize = crate::Subscription::<()>::ROOM / 4;

/// The newest of what has come, each with the offset from which it is news. What is older is most likely in the state, since a
/// state is made at the head of its topic.
#[derive(Default)]
pub(super) struct Held {
    items: VecDeque<(u64, Raw)>,
    /// The first and the last offset that had to go.
    gone: Option<(u64, u64)>,
}

impl Held {
    pub(super) fn push(&mut self, offset: u64, raw: Raw) {
        if self.items.len() >= MOST
            && let Some((gone, _)) = self.items.pop_front()
        {
            let first = self.gone.map_or(gone, |(first, _)| first);
            self.gone = Some((first, gone));
        }
        self.items.push_back((offset, raw));
    }

    /// Whether a state of this offset continues in what is held, without a hole between.
    pub(super) fn continues(&self, at: u64) -> bool {
        self.gone.is_none_or(|(_, last)| last <= at)
    }

    /// What is missing where there is no state that it could be in.
    pub(super) fn gap(&self) -> Option<Gap> {
        let (first, to) = self.gone?;
        Some(Gap { after: first.saturating_sub(1), to, cause: Cause::Dropped })
    }

    pub(super) fn into_items(self) -> impl Iterator<Item = (u64, Raw)> {
        self.items.into_iter()
    }
}
