//! [`Subscribers`]: one topic's subscribers, side by side, however many there once were.
//!
//! A pass goes through them from the last place to the first, and may pause between two. Who leaves meanwhile is replaced by the last
//! one, who has been served by then: nobody is left out, and whom a pass meets twice has the events already.

use std::sync::Arc;

use tidewire_protocol::delivery::{Delivery, Included};

use super::batch::Variant;
use crate::outbox::Outbox;

pub(super) struct Subscriber {
    pub(super) session: Arc<str>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) is_full: bool,
    pub(super) delivery: Delivery,
    /// The events that its snapshot has already.
    pub(super) included: Included,
}

impl Subscriber {
    pub(super) fn variant(&self) -> Variant {
        Variant { is_full: self.is_full, is_compressed: self.outbox.compresses() }
    }
}

/// `T` under keys that stay as they are while places change.
pub(super) struct Subscribers<T = Subscriber> {
    list: Vec<Entry<T>>,
    /// By key: the place in the list, or the next key that is free.
    places: Vec<u32>,
    free: u32,
}

struct Entry<T> {
    value: T,
    key: u32,
}

/// Ends the list of free keys.
const NONE: u32 = u32::MAX;

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        Self { list: Vec::new(), places: Vec::new(), free: NONE }
    }
}

impl<T> Subscribers<T> {
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter().map(|entry| &entry.value)
    }

    /// The subscriber at a place below [`len`](Self::len), and its key.
    pub(super) fn at(&mut self, place: usize) -> (u32, &mut T) {
        let entry = &mut self.list[place];
        (entry.key, &mut entry.value)
    }

    /// Enters a subscriber and gives its key.
    ///
    /// # Panics
    /// Beyond four thousand million subscribers.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let place = u32::try_from(self.list.len()).ok().filter(|place| *place != NONE);
        let place = place.expect("no machine has memory for so many");
        let key = if let Some(next) = self.places.get_mut(self.free as usize) {
            std::mem::replace(&mut self.free, std::mem::replace(next, place))
        } else {
            self.places.push(place);
            // No more keys than subscribers at a peak.
            (self.places.len() - 1) as u32
        };
        self.list.push(Entry { value, key });
        key
    }

    fn place(&self, key: u32) -> Option<usize> {
        let place = *self.places.get(key as usize)? as usize;
        // The place of a free key is another key.
        self.list.get(place).filter(|entry| entry.key == key).map(|_| place)
    }

    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.place(key).map(|place| &mut self.list[place].value)
    }

    pub(super) fn remove(&mut self, key: u32) -> Option<T> {
        let place = self.place(key)?;
        let entry = self.list.swap_remove(place);
        if let Some(moved) = self.list.get(place) {
            self.places[moved.key as usize] = place as u32;
        }
        self.places[key as usize] = std::mem::replace(&mut self.free, key);
        if self.list.is_empty() {
            *self = Self::default();
        } else if self.list.len() <= self.list.capacity() / 4 {
            self.list.shrink_to(self.list.len() * 2);
        }
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_keep_their_subscribers(steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)) {
            let (mut table, mut model) = (Subscribers::default(), BTreeMap::new());
            for (value, (enters, which)) in steps.into_iter().enumerate() {
                if enters || model.is_empty() {
                    prop_assert_eq!(model.insert(table.insert(value), value), None, "the key was free");
                } else {
                    let key = *which.get(&model.keys().copied().collect::<Vec<_>>());
                    prop_assert_eq!(table.remove(key), model.remove(&key));
                    prop_assert_eq!(table.remove(key), None);
                }
                prop_assert_eq!(table.len(), model.len());
                for key in 0..200 {
                    prop_assert_eq!(table.get_mut(key).copied(), model.get(&key).copied());
                }
            }
        }

        #[test]
        fn a_pass_leaves_out_nobody_who_stays(
            count in 1_usize..60,
            slice in 1_usize..9,
            leaves in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let mut table = Subscribers::default();
            let mut here: Vec<u32> = (0..count).map(|value| table.insert(value)).collect();
            let (mut below, mut served) = (table.len(), BTreeSet::new());
            let mut leaves = leaves.into_iter();
            while below > 0 {
                let to = below.min(table.len());
                below = to.saturating_sub(slice);
                served.extend((below..to).map(|place| table.at(place).0));
                for leave in leaves.by_ref().take(3) {
                    if !here.is_empty() {
                        table.remove(here.remove(leave.index(here.len())));
                    }
                }
            }
            prop_assert!(here.iter().all(|key| served.contains(key)));
        }
    }

    #[test]
    fn nothing_is_left_of_a_peak() {
        let mut table = Subscribers::default();
        let keys: Vec<u32> = (0..10_000).map(|value| table.insert(value)).collect();
        // The last one stays: the highest key.
        for key in &keys[..9_999] {
            table.remove(*key);
        }
        assert_eq!(
            (table.len(), table.at(0)),
            (1, (9_999, &mut 9_999)),
            "a pass goes to one place"
        );
        assert!(table.list.capacity() <= 8);
        table.remove(9_999);
        assert_eq!((table.list.capacity(), table.places.capacity()), (0, 0));
    }
}
