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

/// What each event of a batch becomes for a subscriber whose position is `after`, in order; `has` says which ones it has already.
pub fn leave_out<R>(
    records: &[R],
    mut after: u64,
    offset: impl Fn(&R) -> u64,
    has: impl Fn(&R) -> bool,
) -> impl Iterator<Item = Piece> {
    records.iter().enumerate().map(move |(at, record)| {
        let before = after;
        if offset(record) <= before {
            return Piece::Nothing;
        }
        after = offset(record);
        if !has(record) {
            return Piece::Event;
        }
        let run = records[at..].iter().take_while(|&record| has(record));
        after = run.last().map_or(after, &offset);
        Piece::Gap { after: before, to: after }
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

    #[test]
    fn a_run_of_what_is_left_out_is_one_gap() {
        let check = |offsets: &[u64], after, has: &[u64], expected: &[Piece]| {
            let pieces = leave_out(offsets, after, |&offset| offset, |offset| has.contains(offset));
            assert_eq!(pieces.collect::<Vec<_>>(), expected, "{offsets:?} after {after}");
        };
        let gap = |after, to| Piece::Gap { after, to };
        check(&[4, 5, 6], 3, &[], &[Piece::Event; 3]);
        check(&[4, 5, 8, 9], 3, &[5, 8], &[Piece::Event, gap(4, 8), Piece::Nothing, Piece::Event]);
        check(&[4, 5, 6], 4, &[4, 5], &[Piece::Nothing, gap(4, 5), Piece::Event]);
        check(&[4, 7], 1, &[4, 7], &[gap(1, 7), Piece::Nothing]);
        check(&[4, 5], 9, &[5], &[Piece::Nothing; 2]);
    }
}
