//! Cursors: how a subscription that is not live reads on, a page at a time ([`Log::read`]).

use alloc::vec::Vec;

use super::{Entry, Log};

/// How a cursor reads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Every event.
    #[default]
    All,
    /// The newest only: what does not fit one page is dropped.
    Newest,
    /// The last event of each key.
    Keys,
}

/// The bounds of a page. One event is given whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Events.
    pub events: usize,
    /// Bytes of their data.
    pub bytes: usize,
}

/// Why a page does not have every event between a cursor's position and its own last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The cursor reads the newest only.
    Dropped,
    /// Later events of the same keys took their place.
    Conflated,
    /// They are no longer known. Nothing is read then.
    Lost,
}

/// What a cursor reads at once.
#[derive(Debug)]
pub struct Page<'a, E> {
    /// The events, oldest first.
    pub entries: Vec<&'a Entry<E>>,
    /// Why some are missing before or among them; `None` if none is.
    pub missing: Option<Missing>,
}

impl<E> Log<E> {
    /// Reads on after the offset `after`. A page that is empty and misses nothing is the end of the log.
    #[must_use]
    pub fn read(&self, after: u64, reading: Reading, most: PageLimits) -> Page<'_, E> {
        match reading {
            Reading::All if self.reaches(after) => {
                Page { entries: first(self.after(after), most), missing: None }
            }
            Reading::All => Page::lost(),
            Reading::Newest => self.newest(after, most),
            Reading::Keys => self.keys(after, most),
        }
    }

    /// The entries after one offset and before another, oldest first: the first that fit a page where `after` is given, else the last.
    #[must_use]
    pub fn range(
        &self,
        after: Option<u64>,
        before: Option<u64>,
        most: PageLimits,
    ) -> Vec<&Entry<E>> {
        let place = |offset: u64| self.entries.partition_point(|entry| entry.offset < offset);
        let to = before.map_or(self.entries.len(), place);
        let from = after.map_or(0, |after| place(after.saturating_add(1))).min(to);
        let within = self.entries.range(from..to);
        if after.is_some() { first(within, most) } else { last(within, most) }
    }

    fn newest(&self, after: u64, most: PageLimits) -> Page<'_, E> {
        let entries = last(self.after(after), most);
        let begins = entries.first().map_or(self.head(), |entry| entry.prev);
        Page { entries, missing: (begins > after).then_some(Missing::Dropped) }
    }

    fn keys(&self, after: u64, most: PageLimits) -> Page<'_, E> {
        let Some(state) = self.state().filter(|state| state.reaches(after)) else {
            return if after < self.head() { Page::lost() } else { Page::end() };
        };
        let entries = first(state.after(after), most);
        if entries.is_empty() && after < self.head() {
            // What came last had no key.
            return Page::lost();
        }
        let mut at = after;
        let is_whole =
            entries.iter().all(|entry| core::mem::replace(&mut at, entry.offset) == entry.prev);
        Page { entries, missing: (!is_whole).then_some(Missing::Conflated) }
    }
}

impl<E> Page<'_, E> {
    const fn lost() -> Self {
        Self { entries: Vec::new(), missing: Some(Missing::Lost) }
    }

    const fn end() -> Self {
        Self { entries: Vec::new(), missing: None }
    }
}

/// The first entries that fit a page.
fn first<'a, E>(
    entries: impl Iterator<Item = &'a Entry<E>>,
    most: PageLimits,
) -> Vec<&'a Entry<E>> {
    let mut bytes = 0_usize;
    let fits = |(at, entry): &(usize, &Entry<E>)| {
        bytes = bytes.saturating_add(entry.bytes);
        *at == 0 || (*at < most.events && bytes <= most.bytes)
    };
    entries.enumerate().take_while(fits).map(|(_, entry)| entry).collect()
}

/// The last entries that fit a page, oldest first.
fn last<'a, E>(
    entries: impl DoubleEndedIterator<Item = &'a Entry<E>>,
    most: PageLimits,
) -> Vec<&'a Entry<E>> {
    let mut entries = first(entries.rev(), most);
    entries.reverse();
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Key, Retention},
        *,
    };

    const MOST: PageLimits = PageLimits { events: 3, bytes: 100 };
    const KEEP: Retention = Retention { events: 8, age_ms: 1000, bytes: 1000 };

    /// A log of events, each of one of a few keys and of 10 bytes.
    fn log(keys: &[&str]) -> Log<u64> {
        let mut log = Log::new("e".into());
        for name in keys {
            let key = Key { name: name.trim_start_matches('-'), removed: name.starts_with('-') };
            log.append_keyed(key, log.head() + 1, 10, KEEP, 0).unwrap();
        }
        log
    }

    fn check(
        log: &Log<u64>,
        after: u64,
        reading: Reading,
        expected: &[u64],
        missing: Option<Missing>,
    ) {
        let page = log.read(after, reading, MOST);
        let offsets: Vec<u64> = page.entries.iter().map(|entry| entry.offset).collect();
        assert_eq!((&*offsets, page.missing), (expected, missing), "{reading:?} after {after}");
    }

    #[test]
    fn all_is_read_from_the_oldest_on_or_lost() {
        let log = log(&["a"; 10]);
        check(&log, 2, Reading::All, &[3, 4, 5], None);
        check(&log, 8, Reading::All, &[9, 10], None);
        check(&log, 10, Reading::All, &[], None);
        check(&log, 1, Reading::All, &[], Some(Missing::Lost));
    }

    #[test]
    fn of_the_newest_a_page_is_read_and_the_rest_dropped() {
        let log = log(&["a"; 10]);
        check(&log, 0, Reading::Newest, &[8, 9, 10], Some(Missing::Dropped));
        check(&log, 6, Reading::Newest, &[8, 9, 10], Some(Missing::Dropped));
        check(&log, 7, Reading::Newest, &[8, 9, 10], None);
        check(&log, 9, Reading::Newest, &[10], None);
        check(&log, 10, Reading::Newest, &[], None);
        let mut forgetful = Log::<u64>::new("e".into());
        forgetful.append(1, 10, Retention::NONE, 0);
        check(&forgetful, 0, Reading::Newest, &[], Some(Missing::Dropped));
    }

    #[test]
    fn of_each_key_the_last_event_is_read_in_order() {
        let log = log(&["a", "b", "a", "c", "d", "-b", "a"]);
        check(&log, 0, Reading::Keys, &[4, 5, 6], Some(Missing::Conflated));
        check(&log, 3, Reading::Keys, &[4, 5, 6], None);
        check(&log, 6, Reading::Keys, &[7], None);
        check(&log, 7, Reading::Keys, &[], None);
    }

    #[test]
    fn an_event_without_a_key_is_lost_to_a_reader_of_keys() {
        let mut log = log(&["a"]);
        log.append(2, 10, KEEP, 0);
        check(&log, 0, Reading::Keys, &[1], None);
        check(&log, 1, Reading::Keys, &[], Some(Missing::Lost));
        let keyless = Log::<u64>::new("e".into());
        check(&keyless, 0, Reading::Keys, &[], None);
    }

    #[test]
    fn a_page_has_bytes_and_at_least_one_event() {
        let mut log = Log::new("e".into());
        for bytes in [60, 40, 1, 500, 10] {
            log.append(0_u64, bytes, KEEP, 0);
        }
        check(&log, 0, Reading::All, &[1, 2], None);
        check(&log, 2, Reading::All, &[3], None);
        check(&log, 3, Reading::All, &[4], None);
        check(&log, 0, Reading::Newest, &[5], Some(Missing::Dropped));
    }

    #[test]
    fn a_range_is_cut_at_the_end_that_is_further_from_where_it_begins() {
        let log = log(&["a"; 10]);
        let check = |after, before, expected: &[u64]| {
            let range = log.range(after, before, MOST);
            let offsets: Vec<u64> = range.iter().map(|entry| entry.offset).collect();
            assert_eq!(offsets, expected, "after {after:?}, before {before:?}");
        };
        check(None, None, &[8, 9, 10]);
        check(None, Some(6), &[3, 4, 5]);
        check(None, Some(3), &[]);
        check(Some(0), None, &[3, 4, 5]);
        check(Some(5), Some(8), &[6, 7]);
        check(Some(8), Some(3), &[]);
        check(Some(u64::MAX), None, &[]);
    }

    proptest! {
        /// Whatever is published while a cursor reads, it comes to the head, in order, and has the last event of each key.
        #[test]
        fn a_cursor_of_any_kind_comes_to_the_head(
            rounds in prop::collection::vec(prop::collection::vec((0u8..4, any::<bool>()), 0..6), 1..12),
        ) {
            for reading in [Reading::All, Reading::Newest, Reading::Keys] {
                let keep = Retention { events: 1000, ..KEEP };
                let (mut log, mut after, mut last) = (Log::<u64>::new("e".into()), 0, [0; 4]);
                let (mut model, mut read) = ([0; 4], Vec::new());
                let mut step = |log: &Log<u64>, after: &mut u64| {
                    let page = log.read(*after, reading, MOST);
                    assert_ne!(page.missing, Some(Missing::Lost));
                    for entry in page.entries {
                        assert!(entry.offset > *after);
                        *after = entry.offset;
                        read.push(entry.offset);
                        last[(entry.event % 4) as usize] = entry.offset;
                    }
                };
                for round in &rounds {
                    for &(key, removed) in round {
                        let name = ["a", "b", "c", "d"][usize::from(key)];
                        let (offset, _) = log
                            .append_keyed(Key { name, removed }, u64::from(key), 10, keep, 0)
                            .unwrap();
                        model[usize::from(key)] = offset;
                    }
                    step(&log, &mut after);
                }
                for _ in 0..log.head() {
                    step(&log, &mut after);
                }
                prop_assert_eq!(after, log.head());
                match reading {
                    Reading::All => prop_assert_eq!(read, (1..=log.head()).collect::<Vec<_>>()),
                    Reading::Keys => prop_assert_eq!(last, model),
                    Reading::Newest => {}
                }
            }
        }
    }
}
