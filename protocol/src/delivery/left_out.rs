//! What a subscriber is not given of a batch, because it has it already: it published it, or its snapshot has it.

/// The events that a snapshot of the application's state has, by the application's version: those up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// The least version that is not among them.
    below: u64,
}

impl Included {
    /// None.
    pub const NOTHING: Self = Self { below: 0 };

    /// Those up to a version; none without one.
    #[must_use]
    pub fn up_to(version: Option<u64>) -> Self {
        version.map_or(Self::NOTHING, |version| Self { below: version.saturating_add(1) })
    }

    /// Whether an event of this version is among them.
    #[inline]
    #[must_use]
    pub fn has(self, version: Option<u64>) -> bool {
        version.is_some_and(|version| version < self.below)
    }
}

/// What an event of a batch becomes for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Nothing: it came before, or the gap before it speaks of it too.
    Nothing,
    /// Its frame.
    Event,
    /// A `$gap` with the cause `included`, for it and those behind it that are left out as well.
    Gap {
        /// The offset of the event before.
        after: u64,
        /// The last offset that is left out.
        to: u64,
    },
}

/// What each event of a batch becomes for a subscriber whose position is `after`, in order; `place` gives an event's `prev` and offset, `has`
/// says which ones the subscriber has already. A gap tells of these alone: where the batch has a hole, it ends.
pub fn leave_out<R>(
    records: &[R],
    mut after: u64,
    place: impl Fn(&R) -> (u64, u64),
    has: impl Fn(&R) -> bool,
) -> impl Iterator<Item = Piece> {
    records.iter().enumerate().map(move |(at, record)| {
        let (prev, offset) = place(record);
        let begins = prev.max(after);
        if offset <= after {
            return Piece::Nothing;
        }
        after = offset;
        if !has(record) {
            return Piece::Event;
        }
        for next in &records[at + 1..] {
            let (prev, offset) = place(next);
            if prev != after || !has(next) {
                break;
            }
            after = offset;
        }
        Piece::Gap { after: begins, to: after }
    })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_snapshot_has_the_events_up_to_its_version() {
        let included = Included::up_to(Some(7));
        assert!(included.has(Some(7)) && !included.has(Some(8)) && !included.has(None));
        assert!(!Included::up_to(None).has(Some(0)));
        assert!(Included::up_to(Some(u64::MAX)).has(Some(u64::MAX - 1)));
    }

    fn check(places: &[(u64, u64)], after: u64, has: &[u64], expected: &[Piece]) {
        let pieces = leave_out(places, after, |&place| place, |(_, offset)| has.contains(offset));
        assert_eq!(pieces.collect::<Vec<_>>(), expected, "{places:?} after {after}");
    }

    fn gap(after: u64, to: u64) -> Piece {
        Piece::Gap { after, to }
    }

    #[test]
    fn a_run_of_what_is_left_out_is_one_gap() {
        check(&[(3, 4), (4, 5), (5, 6)], 3, &[], &[Piece::Event; 3]);
        let sparse = [(3, 4), (4, 5), (5, 8), (8, 9)];
        check(&sparse, 3, &[5, 8], &[Piece::Event, gap(4, 8), Piece::Nothing, Piece::Event]);
        check(&sparse[..3], 4, &[4, 5], &[Piece::Nothing, gap(4, 5), Piece::Event]);
        check(&[(1, 4), (4, 7)], 1, &[4, 7], &[gap(1, 7), Piece::Nothing]);
        check(&[(3, 4), (4, 5)], 9, &[5], &[Piece::Nothing; 2]);
    }

    #[test]
    fn a_gap_hides_nothing_that_was_lost() {
        check(&[(5, 6), (8, 9)], 3, &[6, 9], &[gap(5, 6), gap(8, 9)]);
    }
}
