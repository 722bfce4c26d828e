//! The topic core: one topic's log of events.
//!
//! [`Log::append`] gives an event its offset and `prev` and keeps it in a history that is bounded by count, age and bytes;
//! a cursor is an offset, and [`Log::read`] reads on from it. Offsets begin at 1 and grow by 1 here; logs that are copies of
//! another's [`Log::append_at`] may have holes, which `prev` shows. A keyed topic's last events stand beside, in its [`State`].
//!
//! Invariant: the `prev` of each retained entry is the offset of the one before it, and the newest one's offset is the head.

mod cursor;
pub mod mids;
mod state;

use alloc::{boxed::Box, collections::VecDeque, sync::Arc};
use core::fmt;

pub use cursor::{Missing, Page, PageLimits, Reading};
pub use state::{Full, Key, MAX_KEY_BYTES, State, StateLimits};

use crate::Millis;

/// One life of a topic's offsets, an opaque text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// An epoch from random bits.
    ///
    /// ```
    /// # use tidewire_protocol::topic::Epoch;
    /// assert_eq!(Epoch::from_bits(255).as_str(), "00000000000000ff");
    /// ```
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(alloc::format!("{bits:016x}").into())
    }

    /// The epoch's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Epoch {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({})", self.as_str())
    }
}

/// How much of a topic's past is kept. The first bound that is reached drops the oldest event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events.
    pub events: usize,
    /// Age of an event.
    pub age_ms: Millis,
    /// Bytes of all events' data.
    pub bytes: usize,
}

impl Retention {
    /// Keeps nothing.
    pub const NONE: Self = Self { events: 0, age_ms: 0, bytes: 0 };
}

/// An event in a topic's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<E> {
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// What was published.
    pub event: E,
    at: Millis,
    bytes: usize,
}

/// Where a subscription begins, as [`Log::start`] judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the head, without a position to go on from.
    Fresh,
    /// At the position asked for; nothing after it is missing.
    Recovered(u64),
    /// At the head; what lies between is no longer known.
    Lost,
}

/// One topic's events.
#[derive(Debug)]
pub struct Log<E> {
    epoch: Epoch,
    head: u64,
    entries: VecDeque<Entry<E>>,
    bytes: usize,
    /// `None` as long as no event had a key.
    state: Option<Box<State<E>>>,
}

impl<E> Log<E> {
    /// An empty log of a new epoch.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, head: 0, entries: VecDeque::new(), bytes: 0, state: None }
    }

    /// The epoch of all offsets here.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The newest offset; 0 before the first event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Bytes of all retained events' data.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events are retained.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no event is retained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last event of each key; `None` if no event had one.
    #[must_use]
    pub fn state(&self) -> Option<&State<E>> {
        self.state.as_deref()
    }

    /// By how many bytes the state would grow by an event of `bytes`; 0 if it would shrink.
    #[must_use]
    pub fn growth(&self, key: Key<'_>, bytes: usize) -> usize {
        match &self.state {
            Some(state) => state.growth(key, bytes),
            None if key.removed => 0,
            None => bytes,
        }
    }

    /// When the oldest retained event was appended.
    #[must_use]
    pub fn oldest(&self) -> Option<Millis> {
        self.entries.front().map(|entry| entry.at)
    }

    /// Appends the event of a key and makes it the key's last. Returns its offset and `prev`.
    ///
    /// # Errors
    /// If the state has no room for it; nothing changes then.
    pub fn append_keyed(
        &mut self,
        key: Key<'_>,
        event: E,
        bytes: usize,
        keep: Retention,
        now: Millis,
    ) -> Result<(u64, u64), Full>
    where
        E: Clone,
    {
        let state = self.state.get_or_insert_default();
        if !state.admits(key, bytes) {
            return Err(Full);
        }
        let (offset, prev) = (self.head + 1, self.head);
        state.set(key, Entry { offset, prev, event: event.clone(), at: now, bytes });
        self.append_at(offset, event, bytes, keep, now);
        Ok((offset, prev))
    }

    /// Appends an event whose data is `bytes` long. Returns its offset and `prev`.
    pub fn append(&mut self, event: E, bytes: usize, keep: Retention, now: Millis) -> (u64, u64) {
        let offset = self.head + 1;
        (offset, self.append_at(offset, event, bytes, keep, now))
    }

    /// Appends an event whose offset is given, which must be above the head. Returns its `prev`.
    pub fn append_at(
        &mut self,
        offset: u64,
        event: E,
        bytes: usize,
        keep: Retention,
        now: Millis,
    ) -> u64 {
        debug_assert!(offset > self.head);
        let prev = core::mem::replace(&mut self.head, offset);
        self.entries.push_back(Entry { offset, prev, event, at: now, bytes });
        self.bytes += bytes;
        while self.entries.len() > keep.events || self.bytes > keep.bytes {
            if self.drop_oldest() == 0 && self.entries.is_empty() {
                break;
            }
        }
        self.expire(keep.age_ms, now);
        prev
    }

    /// Drops what is older than `age_ms`, and tombstones that are too old.
    pub fn expire(&mut self, age_ms: Millis, now: Millis) {
        if let Some(state) = &mut self.state {
            state.expire(now);
        }
        while self.entries.front().is_some_and(|entry| now.saturating_sub(entry.at) >= age_ms) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest event and returns the bytes of its data, 0 if there is none.
    pub fn drop_oldest(&mut self) -> usize {
        let bytes = self.entries.pop_front().map_or(0, |entry| entry.bytes);
        self.bytes -= bytes;
        bytes
    }

    /// Whether every event after `offset` is retained.
    #[must_use]
    pub fn reaches(&self, offset: u64) -> bool {
        match self.first_after(offset) {
            Some(at) => self.entries.get(at).is_some_and(|entry| entry.prev == offset),
            None => offset == self.head,
        }
    }

    /// Where a subscription begins that asks to go on from `since`.
    #[must_use]
    pub fn start(&self, since: Option<(&str, u64)>) -> Start {
        match since {
            None => Start::Fresh,
            Some((epoch, offset)) if epoch == self.epoch.as_str() && self.reaches(offset) => {
                Start::Recovered(offset)
            }
            Some(_) => Start::Lost,
        }
    }

    /// The retained events after `offset`, oldest first.
    pub fn after(&self, offset: u64) -> impl DoubleEndedIterator<Item = &Entry<E>> {
        let at = self.first_after(offset).unwrap_or(self.entries.len());
        self.entries.range(at..)
    }

    fn first_after(&self, offset: u64) -> Option<usize> {
        let at = self.entries.partition_point(|entry| entry.offset <= offset);
        (at < self.entries.len()).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const KEEP: Retention = Retention { events: 3, age_ms: 100, bytes: 1000 };

    fn log(appends: &[(usize, Millis)], keep: Retention) -> Log<u64> {
        let mut log = Log::new("e".into());
        for &(bytes, at) in appends {
            log.append(log.head() + 1, bytes, keep, at);
        }
        log
    }

    fn check_offsets(log: &Log<u64>, expected: &[u64]) {
        let offsets: Vec<u64> = log.after(0).map(|entry| entry.offset).collect();
        assert_eq!(offsets, expected);
        assert_eq!(log.bytes(), log.after(0).map(|entry| entry.bytes).sum::<usize>());
    }

    #[test]
    fn offsets_begin_at_one_and_prev_chains() {
        let mut log = Log::new(Epoch::from_bits(1));
        assert_eq!(log.append('a', 1, KEEP, 0), (1, 0));
        assert_eq!(log.append('b', 1, KEEP, 0), (2, 1));
        assert_eq!(log.append_at(9, 'c', 1, KEEP, 0), 2);
        assert_eq!(log.head(), 9);
        assert!(log.reaches(2) && log.reaches(9) && !log.reaches(5) && !log.reaches(10));
    }

    #[test]
    fn count_age_and_bytes_each_bound_the_history() {
        check_offsets(&log(&[(1, 0); 5], KEEP), &[3, 4, 5]);
        check_offsets(&log(&[(400, 0), (400, 0), (400, 0)], KEEP), &[2, 3]);
        check_offsets(&log(&[(1, 0), (1, 50), (1, 100)], KEEP), &[2, 3]);
        check_offsets(&log(&[(1, 0), (2000, 0)], KEEP), &[]);
        check_offsets(&log(&[(0, 0), (0, 0)], Retention::NONE), &[]);
    }

    #[test]
    fn a_position_is_recovered_only_if_all_after_it_is_there() {
        let log = log(&[(1, 0); 5], KEEP);
        for (since, expected) in [
            (None, Start::Fresh),
            (Some(("e", 5)), Start::Recovered(5)),
            (Some(("e", 2)), Start::Recovered(2)),
            (Some(("e", 1)), Start::Lost),
            (Some(("e", 6)), Start::Lost),
            (Some(("other", 5)), Start::Lost),
        ] {
            assert_eq!(log.start(since), expected, "{since:?}");
        }
        assert_eq!(log.after(3).map(|entry| entry.event).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn an_empty_log_recovers_its_own_head_only() {
        let mut log = log(&[(1, 0), (1, 0)], KEEP);
        log.expire(100, 1000);
        assert!(log.is_empty() && log.reaches(2) && !log.reaches(1) && !log.reaches(0));
    }

    proptest! {
        #[test]
        fn what_is_recovered_is_whole(
            appends in prop::collection::vec((0usize..400, 0u64..60, 1u64..4), 0..40),
            since in 0u64..60,
        ) {
            let (mut log, mut all, mut now) = (Log::new("e".into()), Vec::new(), 0);
            for (bytes, wait, step) in appends {
                now += wait;
                let offset = log.head() + step;
                log.append_at(offset, offset, bytes, KEEP, now);
                all.push(offset);
            }
            prop_assert!(log.len() <= KEEP.events && log.bytes() <= KEEP.bytes);
            if log.start(Some(("e", since))) == Start::Recovered(since) {
                let got: Vec<u64> = log.after(since).map(|entry| entry.offset).collect();
                let expected: Vec<u64> = all.iter().copied().filter(|&offset| offset > since).collect();
                prop_assert_eq!(got, expected);
                prop_assert!(since == 0 || all.contains(&since));
            }
        }
    }
}
