//! [`Holders`]: the members of one topic, by the nodes that hold them.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::fmt;

use super::{Aged, Change};
use crate::Millis;

/// The members that all nodes together hold. `N` names a node, `D` is what is shown of a user.
#[derive(Debug)]
pub struct Holders<N, D> {
    /// Who holds each member, in order of their wishes; the last one is shown. Never empty.
    members: BTreeMap<Arc<str>, Vec<Holder<N, D>>>,
    most: usize,
}

#[derive(Debug)]
struct Holder<N, D> {
    node: N,
    data: D,
    /// Below 0 if that was before the clock began.
    wished_at: i64,
}

/// There are as many members as there may be; the change was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the topic has as many members as it may")
    }
}

impl core::error::Error for Full {}

impl<N: PartialEq, D: Clone + PartialEq> Holders<N, D> {
    /// Nobody. There may be `most` members.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { members: BTreeMap::new(), most }
    }

    /// A node holds a member, or lets go of it. Returns the change that is seen, `None` if none is. Of wishes that are equally old
    /// the one counts that is told last.
    ///
    /// # Errors
    /// If it would be one member too many.
    pub fn handle_change(
        &mut self,
        node: N,
        change: Change<Aged<D>>,
        now: Millis,
    ) -> Result<Option<Change<D>>, Full> {
        let Change { user, data } = change;
        if data.is_some() && self.members.len() >= self.most && !self.members.contains_key(&user) {
            return Err(Full);
        }
        let before = self.data(&user).cloned();
        let mut holders = self.members.remove(&user).unwrap_or_default();
        holders.retain(|holder| holder.node != node);
        if let Some(Aged { data, age_ms }) = data {
            let now = i64::try_from(now).unwrap_or(i64::MAX);
            let wished_at = now.saturating_sub_unsigned(age_ms);
            let earlier = holders.partition_point(|holder| holder.wished_at <= wished_at);
            holders.insert(earlier, Holder { node, data, wished_at });
        }
        if !holders.is_empty() {
            self.members.insert(Arc::clone(&user), holders);
        }
        let after = self.data(&user).cloned();
        Ok((before != after).then_some(Change { user, data: after }))
    }

    /// A node is gone: it lets go of everybody. Returns the changes that are seen.
    pub fn handle_node_lost(&mut self, node: &N) -> Vec<Change<D>>
    where
        N: Clone,
    {
        let held =
            self.members.iter().filter(|(_, holders)| holders.iter().any(|h| h.node == *node));
        let users: Vec<_> = held.map(|(user, _)| Arc::clone(user)).collect();
        let let_go = users.into_iter().map(|user| {
            // To let go is never one too many.
            self.handle_change(node.clone(), Change { user, data: None }, 0).ok().flatten()
        });
        let_go.flatten().collect()
    }

    /// What is shown of a user.
    #[must_use]
    pub fn data(&self, user: &str) -> Option<&D> {
        self.members.get(user).and_then(|holders| holders.last()).map(|holder| &holder.data)
    }

    /// All members and what is shown of each, in order of their keys.
    pub fn members(&self) -> impl Iterator<Item = (&Arc<str>, &D)> {
        self.members.iter().filter_map(|(user, holders)| Some((user, &holders.last()?.data)))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change<D>(user: &str, data: Option<D>) -> Change<D> {
        Change { user: user.into(), data }
    }

    /// What a node tells at `now`.
    fn tell(
        holders: &mut Holders<u32, char>,
        node: u32,
        user: &str,
        data: Option<char>,
        (age_ms, now): (Millis, Millis),
    ) -> Result<Option<Change<char>>, Full> {
        holders.handle_change(node, change(user, data.map(|data| Aged { data, age_ms })), now)
    }

    #[test]
    fn a_member_is_there_as_long_as_one_node_holds_it() {
        let mut holders = Holders::new(10);
        for (node, data, seen) in [
            (1, Some('a'), Some(Some('a'))),
            (2, Some('a'), None),
            (2, Some('b'), Some(Some('b'))),
            (1, None, None),
            (1, None, None),
            (2, None, Some(None)),
            (2, None, None),
        ] {
            let seen = seen.map(|data| change("ann", data));
            assert_eq!(tell(&mut holders, node, "ann", data, (0, 0)), Ok(seen), "{node} {data:?}");
        }
        assert!(holders.is_empty());
    }

    #[test]
    fn the_latest_wish_is_shown_whoever_tells_last() {
        let mut holders = Holders::new(10);
        for (node, data, times, seen) in [
            (2, Some('b'), (50, 200), Some(Some('b'))),
            (1, Some('a'), (200, 300), None),
            (3, Some('c'), (u64::MAX, 300), None),
            // As old as the other's: who tells last.
            (1, Some('A'), (150, 300), Some(Some('A'))),
            (2, Some('b'), (0, 400), Some(Some('b'))),
            (2, None, (0, 500), Some(Some('A'))),
            (1, None, (0, 500), Some(Some('c'))),
            (3, None, (0, 500), Some(None)),
        ] {
            let seen = seen.map(|data| change("ann", data));
            assert_eq!(tell(&mut holders, node, "ann", data, times), Ok(seen), "{node} {data:?}");
        }
    }

    #[test]
    fn a_lost_node_lets_go_of_its_members_alone() {
        let mut holders = Holders::new(10);
        for (node, user) in [(1, "ann"), (1, "bob"), (2, "bob"), (2, "cid")] {
            tell(&mut holders, node, user, Some('x'), (0, 0)).unwrap();
        }
        assert_eq!(holders.handle_node_lost(&1), [change("ann", None)]);
        assert_eq!(holders.members().map(|(user, _)| &**user).collect::<Vec<_>>(), ["bob", "cid"]);
        assert_eq!(holders.len(), 2);
    }

    #[test]
    fn one_member_too_many_is_refused_and_those_there_may_change() {
        let mut holders = Holders::new(1);
        tell(&mut holders, 1, "ann", Some('a'), (0, 0)).unwrap();
        assert_eq!(tell(&mut holders, 1, "bob", Some('b'), (0, 0)), Err(Full));
        assert_eq!(tell(&mut holders, 1, "bob", None, (0, 0)), Ok(None));
        assert!(tell(&mut holders, 1, "ann", Some('c'), (0, 0)).unwrap().is_some());
    }
}
