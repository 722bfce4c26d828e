//! [`Mids`]: the names under which a topic's latest publishes were made, so that one that is sent again is found.
//!
//! Within a scope (a user, a client, the application) no two publishes share a name. What is remembered is bounded thrice, oldest out
//! first: by age and by count in each scope, as the wire promises, and by bytes over all scopes, so that no number of users fills the
//! memory. A name costs [`NAME_BYTES`] beside its text, which makes the bound of bytes one of count too.
//!
//! A scope's names are a list in order of their offsets, and beside it their hashes, close together: most names are new, and to see
//! that a new one is not among a thousand takes a walk over 2 KiB, while a tree of names reads as many texts as it is deep, each from
//! a place of its own. Names of equal hashes are told apart by their text, so that nobody gains by making them.
//!
//! Invariant: a name's offset is above those of all names that were remembered before it, so that offsets are their order.

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::Millis;

/// What remembering a name costs beside its text: its place in its scope's lists, which may have thrice the room that they need, and its
/// allocation.
pub const NAME_BYTES: usize = 160;

/// What a scope costs beside its text: its share of both maps, and the least room of its lists.
pub const SCOPE_BYTES: usize = 400;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Age of a name.
    pub age_ms: Millis,
    /// Names of one scope.
    pub names: usize,
    /// Bytes of all names and scopes, what they cost beside their text included.
    pub bytes: usize,
}

impl Default for Window {
    /// 10 minutes and 1,000 names in each scope, as docs/wire.md says, and 8 MiB: some 40,000 names, which are 20 seconds of a topic
    /// with 2,000 publishes a second, about as long as a client needs to come back and send again.
    fn default() -> Self {
        Self { age_ms: 600_000, names: 1_000, bytes: 8 << 20 }
    }
}

/// The names of a topic's latest publishes, and their offsets.
#[derive(Debug, Default)]
pub struct Mids {
    window: Window,
    scopes: BTreeMap<Arc<str>, Scope>,
    /// Each scope by the offset of its oldest name, and when that was remembered.
    oldest: BTreeMap<u64, (Millis, Arc<str>)>,
    len: usize,
    bytes: usize,
    /// The newest that was forgotten, but for those that its own scope counts.
    forgotten: u64,
}

/// The names of one scope, oldest first; there is at least one.
#[derive(Debug, Default)]
struct Scope {
    names: VecDeque<Name>,
    /// Of the same names.
    hashes: VecDeque<u16>,
    /// The newest that was one too many.
    forgotten: u64,
}

#[derive(Debug)]
struct Name {
    text: Arc<str>,
    offset: u64,
    at: Millis,
}

impl Mids {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { window, ..Self::default() }
    }

    /// The offset of the publish that was made under this name, if it is remembered.
    pub fn find(&mut self, scope: &str, name: &str, now: Millis) -> Option<u64> {
        self.expire(now);
        self.scopes.get(scope)?.find(name)
    }

    /// Whether every name of a scope is remembered that a publish after `offset` was made under: then one that is not found there was not
    /// made.
    #[must_use]
    pub fn reaches(&self, scope: &str, offset: u64) -> bool {
        let of_scope = self.scopes.get(scope).map_or(0, |scope| scope.forgotten);
        offset >= self.forgotten.max(of_scope)
    }

    /// A publish was made under this name, which [`find`](Self::find) has just not found. `offset` is above all before it.
    pub fn remember(&mut self, scope: &Arc<str>, name: &Arc<str>, offset: u64, now: Millis) {
        let within = self.scopes.entry(Arc::clone(scope)).or_insert_with(|| {
            self.oldest.insert(offset, (now, Arc::clone(scope)));
            self.bytes += SCOPE_BYTES + scope.len();
            Scope::default()
        });
        debug_assert!(within.names.back().is_none_or(|last| last.offset < offset));
        debug_assert!(within.find(name).is_none());
        within.hashes.push_back(hash(name));
        within.names.push_back(Name { text: Arc::clone(name), offset, at: now });
        self.len += 1;
        self.bytes += NAME_BYTES + name.len();
        let first = within.names.front().filter(|_| within.names.len() > self.window.names);
        if let Some(first) = first.map(|first| first.offset) {
            within.forgotten = first;
            self.forget(first);
        }
        while self.bytes > self.window.bytes && self.drop_oldest() > 0 {}
        self.expire(now);
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Millis) {
        while self.oldest().is_some_and(|at| now.saturating_sub(at) >= self.window.age_ms) {
            self.drop_oldest();
        }
    }

    /// Forgets the oldest name. Returns the bytes that it cost, 0 if there is none.
    pub fn drop_oldest(&mut self) -> usize {
        let before = self.bytes;
        if let Some((&oldest, _)) = self.oldest.first_key_value() {
            self.forgotten = self.forgotten.max(oldest);
            self.forget(oldest);
        }
        before - self.bytes
    }

    /// When the oldest name was remembered.
    #[must_use]
    pub fn oldest(&self) -> Option<Millis> {
        self.oldest.first_key_value().map(|(_, (at, _))| *at)
    }

    /// How many names are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no name is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What all that is remembered costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets a name that is its scope's oldest.
    fn forget(&mut self, offset: u64) {
        let Some((_, scope)) = self.oldest.remove(&offset) else { return };
        let Some(within) = self.scopes.get_mut(&scope) else { return };
        if let Some(name) = within.forget_first() {
            self.len -= 1;
            self.bytes -= NAME_BYTES + name.text.len();
        }
        match within.names.front() {
            Some(next) => {
                self.oldest.insert(next.offset, (next.at, scope));
            }
            None => {
                self.bytes -= SCOPE_BYTES + scope.len();
                self.scopes.remove(&scope);
                self.forgotten = self.forgotten.max(offset);
            }
        }
    }
}

impl Scope {
    fn forget_first(&mut self) -> Option<Name> {
        self.hashes.pop_front();
        let first = self.names.pop_front();
        if self.names.capacity() > 3 * self.names.len().max(4) {
            // What was remembered once must not take room for good.
            let room = self.names.len() * 3 / 2;
            self.names.shrink_to(room);
            self.hashes.shrink_to(room);
        }
        first
    }

    /// The offset of a name. One that was sent again is mostly among the last.
    fn find(&self, name: &str) -> Option<u64> {
        let hash = hash(name);
        let (older, newer) = self.hashes.as_slices();
        let found = |hashes: &[u16], begins: usize| {
            // In pieces without a branch within, which the compiler compares many at a time.
            hashes.chunks(64).enumerate().rev().find_map(|(piece, hashes)| {
                if !hashes.iter().fold(false, |is_among, other| is_among | (*other == hash)) {
                    return None;
                }
                let begins = begins + piece * 64;
                let names = self.names.range(begins..begins + hashes.len());
                names.into_iter().find(|other| *other.text == *name).map(|name| name.offset)
            })
        };
        found(newer, older.len()).or_else(|| found(older, 0))
    }
}

/// FNV-1a, folded. It need not resist anybody: a scope's names are told apart by their text.
fn hash(name: &str) -> u16 {
    let mix = |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = name.bytes().fold(0x811c_9dc5, mix);
    (hash >> 16 ^ hash) as u16
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const WINDOW: Window = Window { age_ms: 100, names: 3, bytes: 3_000 };

    fn remember(mids: &mut Mids, scope: &str, name: &str, offset: u64, now: Millis) {
        mids.remember(&scope.into(), &name.into(), offset, now);
    }

    fn check(mids: &mut Mids, now: Millis, expected: &[(&str, &str, Option<u64>)]) {
        for &(scope, name, offset) in expected {
            assert_eq!(mids.find(scope, name, now), offset, "{scope} {name}");
        }
    }

    #[test]
    fn a_name_is_found_in_its_own_scope_only() {
        let mut mids = Mids::new(WINDOW);
        remember(&mut mids, "ann", "1", 4, 0);
        remember(&mut mids, "bob", "1", 7, 0);
        let expected =
            [("ann", "1", Some(4)), ("bob", "1", Some(7)), ("bob", "2", None), ("", "1", None)];
        check(&mut mids, 99, &expected);
        check(&mut mids, 100, &[("ann", "1", None), ("bob", "1", None)]);
        assert_eq!((mids.len(), mids.bytes(), mids.scopes.len()), (0, 0, 0));
    }

    #[test]
    fn names_of_equal_hashes_are_two() {
        let first = "0";
        let second = (1..).map(|n| format!("{n}")).find(|name| hash(name) == hash(first));
        let second = &*second.expect("there are but 65,536 hashes");
        let mut mids = Mids::new(WINDOW);
        remember(&mut mids, "ann", first, 1, 0);
        check(&mut mids, 0, &[("ann", first, Some(1)), ("ann", second, None)]);
        remember(&mut mids, "ann", second, 2, 0);
        check(&mut mids, 0, &[("ann", first, Some(1)), ("ann", second, Some(2))]);
    }

    #[test]
    fn a_scope_that_floods_forgets_its_own_names() {
        let mut mids = Mids::new(WINDOW);
        remember(&mut mids, "ann", "first", 1, 0);
        for offset in 2..1_000 {
            remember(&mut mids, "bob", &format!("{offset}"), offset, 0);
        }
        check(
            &mut mids,
            0,
            &[("ann", "first", Some(1)), ("bob", "996", None), ("bob", "997", Some(997))],
        );
        assert_eq!(mids.len(), 4);
    }

    #[test]
    fn a_scope_takes_no_more_room_than_it_needs() {
        let mut mids = Mids::new(Window { names: 1_000, bytes: 1 << 20, ..WINDOW });
        for offset in 1..=1_000 {
            remember(&mut mids, "ann", &format!("{offset}"), offset, 0);
        }
        while mids.len() > 1 {
            mids.drop_oldest();
            let Scope { names, hashes, .. } = &mids.scopes["ann"];
            let room = 3 * names.len().max(4);
            assert!(names.capacity() <= room && hashes.capacity() <= room);
        }
        check(&mut mids, 0, &[("ann", "1000", Some(1_000))]);
    }

    #[test]
    fn what_is_not_found_was_not_made_if_nothing_was_forgotten_since() {
        let mut mids = Mids::new(WINDOW);
        for offset in 1..=5 {
            remember(&mut mids, "ann", &format!("{offset}"), offset, 10 * offset);
        }
        assert!(mids.reaches("ann", 2) && !mids.reaches("ann", 1), "two were too many");
        assert!(mids.reaches("bob", 0), "of bob none was");
        mids.expire(131);
        assert!(mids.reaches("bob", 3) && !mids.reaches("bob", 2), "ann's third was too old");
        mids.drop_oldest();
        mids.drop_oldest();
        assert!(mids.is_empty() && mids.reaches("ann", 5) && !mids.reaches("ann", 4));
        let mut none = Mids::new(Window { names: 0, ..WINDOW });
        remember(&mut none, "ann", "1", 7, 0);
        assert!(!none.reaches("ann", 6));
    }

    #[test]
    fn scopes_without_number_stay_within_the_bytes() {
        let mut mids = Mids::new(WINDOW);
        for offset in 1..1_000 {
            remember(&mut mids, &format!("user-{offset}"), &"m".repeat(64), offset, 0);
            assert!(mids.bytes() <= WINDOW.bytes);
        }
        check(&mut mids, 0, &[("user-999", &"m".repeat(64), Some(999))]);
        assert!((4..10).contains(&mids.len()), "{}", mids.len());
        remember(&mut mids, &"u".repeat(4_000), "1", 1_000, 0);
        assert!(mids.is_empty(), "one that does not fit at all is not remembered");
    }

    /// The same, by a list that is searched.
    #[derive(Default)]
    struct Naive(Vec<(String, String, u64, Millis)>);

    impl Naive {
        fn expire(&mut self, now: Millis) {
            self.0.retain(|(.., at)| now - at < WINDOW.age_ms);
        }

        fn find(&mut self, scope: &str, name: &str, now: Millis) -> Option<u64> {
            self.expire(now);
            let found = self.0.iter().find(|(s, n, ..)| s == scope && n == name);
            found.map(|&(_, _, offset, _)| offset)
        }

        fn remember(&mut self, scope: &str, name: &str, offset: u64, now: Millis) {
            self.0.push((scope.into(), name.into(), offset, now));
            if self.0.iter().filter(|(s, ..)| s == scope).count() > WINDOW.names {
                let oldest = self.0.iter().position(|(s, ..)| s == scope).unwrap();
                self.0.remove(oldest);
            }
            while self.bytes() > WINDOW.bytes {
                self.0.remove(0);
            }
            self.expire(now);
        }

        fn bytes(&self) -> usize {
            let names = self.0.iter().map(|(_, name, ..)| NAME_BYTES + name.len());
            let mut scopes: Vec<_> = self.0.iter().map(|(scope, ..)| scope).collect();
            scopes.sort();
            scopes.dedup();
            names.sum::<usize>()
                + scopes.iter().map(|scope| SCOPE_BYTES + scope.len()).sum::<usize>()
        }
    }

    proptest! {
        #[test]
        fn it_remembers_what_a_list_would(
            publishes in prop::collection::vec((0u8..12, 0u8..8, 0usize..3, 0u64..30), 0..200),
        ) {
            let (mut mids, mut naive, mut now, mut head) = (Mids::new(WINDOW), Naive::default(), 0, 0);
            let mut made = Vec::<(String, u64)>::new();
            for (scope, name, length, wait) in publishes {
                now += wait;
                head += 1 + wait % 3;
                let (scope, name) = (format!("user-{scope}"), format!("{name}{}", "x".repeat(length * 100)));
                let found = mids.find(&scope, &name, now);
                prop_assert_eq!(found, naive.find(&scope, &name, now));
                if found.is_none() {
                    made.push((scope.clone(), head));
                    remember(&mut mids, &scope, &name, head, now);
                    naive.remember(&scope, &name, head, now);
                }
                prop_assert_eq!((mids.len(), mids.bytes()), (naive.0.len(), naive.bytes()));
                prop_assert!(mids.bytes() <= WINDOW.bytes);
                for (scope, name, offset, _) in naive.0.clone() {
                    prop_assert_eq!(mids.find(&scope, &name, now), Some(offset));
                }
                let is_gone = |made: &&(String, u64)| naive.0.iter().all(|one| one.2 != made.1);
                for (scope, _) in &made {
                    let last = made.iter().filter(is_gone).rfind(|made| made.0 == *scope);
                    prop_assert!(last.is_none_or(|last| !mids.reaches(scope, last.1 - 1)));
                    let last = made.iter().rfind(is_gone).map_or(0, |last| last.1);
                    prop_assert!(mids.reaches(scope, last));
                }
            }
        }
    }
}
