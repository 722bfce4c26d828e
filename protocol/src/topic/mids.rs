//! [`Mids`]: the names under which a topic's latest publishes were made, so that one that is sent again is found.
//!
//! Within a scope (a user, a client, the application) no two publishes share a name. What is remembered is bounded thrice, oldest out
//! first: by age and by count in each scope, as the wire promises, and by bytes over all scopes, so that no number of users fills the
//! memory. A name costs [`NAME_BYTES`] beside its text, which makes the bound of bytes one of count too.
//!
//! Invariant: a name's offset is above those of all names that were remembered before it, so that offsets are their order.

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::Millis;

/// What remembering a name costs beside its text: its share of both maps and of its scope's list, and its allocation.
pub const NAME_BYTES: usize = 176;

/// What a scope costs beside its text.
pub const SCOPE_BYTES: usize = 160;

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
    /// By offset.
    names: BTreeMap<u64, Name>,
    scopes: BTreeMap<Arc<str>, Scope>,
    bytes: usize,
}

#[derive(Debug)]
struct Name {
    scope: Arc<str>,
    name: Arc<str>,
    at: Millis,
}

#[derive(Debug, Default)]
struct Scope {
    offsets: BTreeMap<Arc<str>, u64>,
    /// The same offsets, ascending.
    order: VecDeque<u64>,
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
        self.scopes.get(scope)?.offsets.get(name).copied()
    }

    /// A publish was made under this name, which [`find`](Self::find) has just not found. `offset` is above all before it.
    pub fn remember(&mut self, scope: &str, name: &str, offset: u64, now: Millis) {
        debug_assert!(self.names.last_key_value().is_none_or(|(&last, _)| last < offset));
        let scope = match self.scopes.get_key_value(scope) {
            Some((known, _)) => Arc::clone(known),
            None => {
                self.bytes += SCOPE_BYTES + scope.len();
                scope.into()
            }
        };
        let name: Arc<str> = name.into();
        self.bytes += NAME_BYTES + name.len();
        let within = self.scopes.entry(Arc::clone(&scope)).or_default();
        debug_assert!(!within.offsets.contains_key(&name));
        within.offsets.insert(Arc::clone(&name), offset);
        within.order.push_back(offset);
        let too_many = within.order.len() > self.window.names;
        let oldest = within.order.front().copied().filter(|_| too_many);
        self.names.insert(offset, Name { scope, name, at: now });
        if let Some(oldest) = oldest {
            self.forget(oldest);
        }
        while self.bytes > self.window.bytes && self.drop_oldest() > 0 {}
        self.expire(now);
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Millis) {
        while let Some((&oldest, name)) = self.names.first_key_value()
            && now.saturating_sub(name.at) >= self.window.age_ms
        {
            self.forget(oldest);
        }
    }

    /// Forgets the oldest name. Returns the bytes that it cost, 0 if there is none.
    pub fn drop_oldest(&mut self) -> usize {
        let before = self.bytes;
        if let Some((&oldest, _)) = self.names.first_key_value() {
            self.forget(oldest);
        }
        before - self.bytes
    }

    /// When the oldest name was remembered.
    #[must_use]
    pub fn oldest(&self) -> Option<Millis> {
        self.names.first_key_value().map(|(_, name)| name.at)
    }

    /// How many names are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no name is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What all that is remembered costs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets a name that is its scope's oldest.
    fn forget(&mut self, offset: u64) {
        let Some(Name { scope, name, .. }) = self.names.remove(&offset) else { return };
        self.bytes -= NAME_BYTES + name.len();
        let Some(within) = self.scopes.get_mut(&scope) else { return };
        within.offsets.remove(&name);
        let first = within.order.pop_front();
        debug_assert_eq!(first, Some(offset));
        if within.order.is_empty() {
            self.scopes.remove(&scope);
            self.bytes -= SCOPE_BYTES + scope.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const WINDOW: Window = Window { age_ms: 100, names: 3, bytes: 3_000 };

    fn check(mids: &mut Mids, now: Millis, expected: &[(&str, &str, Option<u64>)]) {
        for &(scope, name, offset) in expected {
            assert_eq!(mids.find(scope, name, now), offset, "{scope} {name}");
        }
    }

    #[test]
    fn a_name_is_found_in_its_own_scope_only() {
        let mut mids = Mids::new(WINDOW);
        mids.remember("ann", "1", 4, 0);
        mids.remember("bob", "1", 7, 0);
        let expected =
            [("ann", "1", Some(4)), ("bob", "1", Some(7)), ("bob", "2", None), ("", "1", None)];
        check(&mut mids, 99, &expected);
        check(&mut mids, 100, &[("ann", "1", None), ("bob", "1", None)]);
        assert_eq!((mids.len(), mids.bytes(), mids.scopes.len()), (0, 0, 0));
    }

    #[test]
    fn a_scope_that_floods_forgets_its_own_names() {
        let mut mids = Mids::new(WINDOW);
        mids.remember("ann", "first", 1, 0);
        for offset in 2..1_000 {
            mids.remember("bob", &format!("{offset}"), offset, 0);
        }
        check(
            &mut mids,
            0,
            &[("ann", "first", Some(1)), ("bob", "996", None), ("bob", "997", Some(997))],
        );
        assert_eq!(mids.len(), 4);
    }

    #[test]
    fn scopes_without_number_stay_within_the_bytes() {
        let mut mids = Mids::new(WINDOW);
        for offset in 1..1_000 {
            mids.remember(&format!("user-{offset}"), &"m".repeat(64), offset, 0);
            assert!(mids.bytes() <= WINDOW.bytes);
        }
        check(&mut mids, 0, &[("user-999", &"m".repeat(64), Some(999))]);
        assert!((5..10).contains(&mids.len()), "{}", mids.len());
        mids.remember(&"u".repeat(4_000), "1", 1_000, 0);
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
            for (scope, name, length, wait) in publishes {
                now += wait;
                head += 1 + wait % 3;
                let (scope, name) = (format!("user-{scope}"), format!("{name}{}", "x".repeat(length * 100)));
                let found = mids.find(&scope, &name, now);
                prop_assert_eq!(found, naive.find(&scope, &name, now));
                if found.is_none() {
                    mids.remember(&scope, &name, head, now);
                    naive.remember(&scope, &name, head, now);
                }
                prop_assert_eq!((mids.len(), mids.bytes()), (naive.0.len(), naive.bytes()));
                prop_assert!(mids.bytes() <= WINDOW.bytes);
                for (scope, name, offset, _) in naive.0.clone() {
                    prop_assert_eq!(mids.find(&scope, &name, now), Some(offset));
                }
            }
        }
    }
}
