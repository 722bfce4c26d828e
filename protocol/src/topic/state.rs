//! [`State`]: the last event of each key of a topic.
//!
//! A removed key leaves a *tombstone*: its removal stays an event that a cursor reads, until there are too many or it is too old.
//! A cursor from before a dropped tombstone cannot know of the removal, so that its place is lost.
//!
//! Invariants: each key's entry is found by its name and by its offset; its bytes are counted as those of a key or of a tombstone.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Entry;
use crate::Millis;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// The bounds of a topic's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLimits {
    /// Keys that are there.
    pub keys: usize,
    /// Bytes of their last events.
    pub bytes: usize,
    /// Tombstones.
    pub tombstones: usize,
    /// Age of a tombstone.
    pub tombstone_ms: Millis,
}

impl Default for StateLimits {
    /// 10,000 keys and 1 MiB: what a page can be given at once, and a snapshot be made of under a topic's lock. 1,000 tombstones
    /// and 10 minutes: longer than a socket is slow that is not dead.
    fn default() -> Self {
        Self { keys: 10_000, bytes: 1 << 20, tombstones: 1_000, tombstone_ms: 600_000 }
    }
}

/// The key of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Its name.
    pub name: &'a str,
    /// The event ends the key.
    pub removed: bool,
}

/// The state has as many keys or bytes as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The last event of each key.
#[derive(Debug)]
pub struct State<E> {
    limits: StateLimits,
    offsets: BTreeMap<Arc<str>, u64>,
    entries: BTreeMap<u64, Last<E>>,
    tombstones: BTreeSet<u64>,
    bytes: usize,
    /// Those of tombstones.
    removed_bytes: usize,
    /// The newest tombstone that was dropped.
    forgotten: u64,
}

#[derive(Debug)]
struct Last<E> {
    key: Arc<str>,
    entry: Entry<E>,
}

impl<E> State<E> {
    /// A state without keys.
    #[must_use]
    pub const fn new(limits: StateLimits) -> Self {
        Self {
            limits,
            offsets: BTreeMap::new(),
            entries: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            bytes: 0,
            removed_bytes: 0,
            forgotten: 0,
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.tombstones.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many removals are remembered.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.tombstones.len()
    }

    /// Bytes of the last events of all keys.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of all removals that are remembered.
    #[must_use]
    pub const fn tombstone_bytes(&self) -> usize {
        self.removed_bytes
    }

    /// By how many bytes the state would grow by an event of `bytes`; 0 if it would shrink.
    #[must_use]
    pub fn growth(&self, key: Key<'_>, bytes: usize) -> usize {
        if key.removed {
            return 0;
        }
        bytes.saturating_sub(self.find(key.name).map_or(0, |entry| entry.bytes))
    }

    /// Whether an event of `bytes` may be its key's last: there is room, or it needs none.
    #[must_use]
    pub fn admits(&self, key: Key<'_>, bytes: usize) -> bool {
        let growth = self.growth(key, bytes);
        let is_new = !key.removed && self.find(key.name).is_none();
        (!is_new || self.len() < self.limits.keys)
            && (growth == 0 || self.bytes.saturating_add(growth) <= self.limits.bytes)
    }

    /// The last event of a key that is there.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Entry<E>> {
        let offset = self.offsets.get(key).filter(|offset| !self.tombstones.contains(offset))?;
        self.entries.get(offset).map(|last| &last.entry)
    }

    /// The last event of each key that is there, in order of the offsets.
    pub fn current(&self) -> impl Iterator<Item = &Entry<E>> {
        let current = self.entries.iter().filter(|(offset, _)| !self.tombstones.contains(offset));
        current.map(|(_, last)| &last.entry)
    }

    /// The last event of each key after `offset`, removals included.
    pub fn after(&self, offset: u64) -> impl Iterator<Item = &Entry<E>> {
        self.entries.range(offset.saturating_add(1)..).map(|(_, last)| &last.entry)
    }

    /// Whether every removal after `offset` that was a key's last event is remembered.
    #[must_use]
    pub const fn reaches(&self, offset: u64) -> bool {
        offset >= self.forgotten
    }

    /// Makes an event, which is later than all others, its key's last. The caller has asked whether it is admitted.
    pub(super) fn set(&mut self, key: Key<'_>, entry: Entry<E>) {
        let (offset, bytes, now) = (entry.offset, entry.bytes, entry.at);
        let name = match self.offsets.get_mut(key.name) {
            Some(at) => {
                let earlier = core::mem::replace(at, offset);
                self.take(earlier)
            }
            None => None,
        };
        let name = name.unwrap_or_else(|| {
            let name = Arc::<str>::from(key.name);
            self.offsets.insert(Arc::clone(&name), offset);
            name
        });
        self.entries.insert(offset, Last { key: name, entry });
        if key.removed {
            self.tombstones.insert(offset);
            self.removed_bytes += bytes;
        } else {
            self.bytes += bytes;
        }
        while self.tombstones.len() > self.limits.tombstones {
            self.drop_oldest_tombstone();
        }
        self.expire(now);
    }

    /// Drops the tombstones that are too old.
    pub(super) fn expire(&mut self, now: Millis) {
        while let Some(last) = self.tombstones.first().and_then(|offset| self.entries.get(offset))
            && now.saturating_sub(last.entry.at) >= self.limits.tombstone_ms
        {
            self.drop_oldest_tombstone();
        }
    }

    fn drop_oldest_tombstone(&mut self) {
        let Some(&offset) = self.tombstones.first() else { return };
        if let Some(key) = self.take(offset) {
            self.offsets.remove(&key);
        }
        self.forgotten = self.forgotten.max(offset);
    }

    /// Takes out an entry, but not its name.
    fn take(&mut self, offset: u64) -> Option<Arc<str>> {
        let Last { key, entry } = self.entries.remove(&offset)?;
        if self.tombstones.remove(&offset) {
            self.removed_bytes -= entry.bytes;
        } else {
            self.bytes -= entry.bytes;
        }
        Some(key)
    }
}

impl<E> Default for State<E> {
    fn default() -> Self {
        Self::new(StateLimits::default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const LIMITS: StateLimits =
        StateLimits { keys: 3, bytes: 100, tombstones: 2, tombstone_ms: 1000 };

    fn set(state: &mut State<()>, offset: u64, name: &str, bytes: usize) -> bool {
        put(state, Entry { offset, prev: offset - 1, event: (), at: offset, bytes }, name, false)
    }

    fn remove(state: &mut State<()>, offset: u64, name: &str) -> bool {
        put(state, Entry { offset, prev: offset - 1, event: (), at: offset, bytes: 4 }, name, true)
    }

    fn put(state: &mut State<()>, entry: Entry<()>, name: &str, removed: bool) -> bool {
        let key = Key { name, removed };
        let admits = state.admits(key, entry.bytes);
        if admits {
            state.set(key, entry);
        }
        admits
    }

    fn check(state: &State<()>, current: &[u64], after: (u64, &[u64]), bytes: usize) {
        let offsets = |entry: &Entry<()>| entry.offset;
        assert_eq!(state.current().map(offsets).collect::<Vec<_>>(), current);
        assert_eq!(state.after(after.0).map(offsets).collect::<Vec<_>>(), after.1);
        assert_eq!((state.len(), state.bytes()), (current.len(), bytes));
        assert_eq!(state.tombstone_bytes(), 4 * state.tombstones());
    }

    #[test]
    fn the_last_event_of_each_key_is_kept_until_the_key_is_removed() {
        let mut state = State::new(LIMITS);
        for (offset, key) in [(1, "a"), (2, "b"), (3, "a")] {
            assert!(set(&mut state, offset, key, 10));
        }
        check(&state, &[2, 3], (0, &[2, 3]), 20);
        assert!(remove(&mut state, 4, "b"));
        check(&state, &[3], (3, &[4]), 10);
        assert!(state.find("b").is_none() && state.find("a").unwrap().offset == 3);
        assert!(set(&mut state, 5, "b", 20), "it comes again");
        check(&state, &[3, 5], (0, &[3, 5]), 30);
        assert_eq!(state.tombstones(), 0);
    }

    #[test]
    fn beyond_its_bounds_nothing_is_taken_that_needs_room() {
        let mut state = State::new(LIMITS);
        for (offset, key) in [(1, "a"), (2, "b"), (3, "c")] {
            assert!(set(&mut state, offset, key, 30));
        }
        assert!(!set(&mut state, 4, "d", 1), "a key too many");
        assert!(!set(&mut state, 4, "a", 41), "ten bytes are left");
        assert!(set(&mut state, 4, "a", 40) && set(&mut state, 5, "a", 40), "it grows by none");
        check(&state, &[2, 3, 5], (5, &[]), 100);
        assert!(remove(&mut state, 6, "a") && set(&mut state, 7, "d", 1), "there is room");
        assert!(remove(&mut state, 8, "unknown"), "a removal is always taken");
    }

    #[test]
    fn a_cursor_from_before_a_dropped_tombstone_is_lost() {
        let mut state = State::new(LIMITS);
        for (offset, key) in [(1, "a"), (2, "b"), (3, "c")] {
            set(&mut state, offset, key, 1);
        }
        for (offset, key) in [(4, "b"), (5, "a"), (6, "c")] {
            assert!(state.reaches(0));
            remove(&mut state, offset, key);
        }
        check(&state, &[], (0, &[5, 6]), 0);
        assert!(state.reaches(4) && !state.reaches(3), "one too many");
        state.expire(1005);
        check(&state, &[], (0, &[6]), 0);
        assert!(state.reaches(5) && !state.reaches(4), "one too old");
    }

    proptest! {
        #[test]
        fn it_is_what_a_map_would_be(
            steps in prop::collection::vec((0u8..6, any::<bool>(), 0usize..50), 0..60),
            after in 0u64..60,
        ) {
            let (mut state, mut model) = (State::new(LIMITS), BTreeMap::<String, (u64, bool)>::new());
            let mut offset = 0;
            for (key, removed, bytes) in steps {
                let name = format!("k{key}");
                let entry = Entry { offset: offset + 1, prev: offset, event: (), at: 0, bytes };
                if put(&mut state, entry, &name, removed) {
                    offset += 1;
                    model.insert(name, (offset, removed));
                }
            }
            let live = model.values().filter(|(_, removed)| !removed);
            let mut current: Vec<u64> = live.map(|(offset, _)| *offset).collect();
            current.sort_unstable();
            prop_assert_eq!(state.current().map(|entry| entry.offset).collect::<Vec<_>>(), current);
            prop_assert!(state.len() <= LIMITS.keys && state.bytes() <= LIMITS.bytes);
            prop_assert!(state.tombstones() <= LIMITS.tombstones);
            if state.reaches(after) {
                let mut expected: Vec<u64> =
                    model.values().map(|(offset, _)| *offset).filter(|at| *at > after).collect();
                expected.sort_unstable();
                prop_assert_eq!(state.after(after).map(|entry| entry.offset).collect::<Vec<_>>(), expected);
            }
        }
    }
}
