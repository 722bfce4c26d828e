//! [`Holders`]: the members of one topic, by the nodes that hold them.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::fmt;

use super::Change;

/// The members that all nodes together hold. `N` names a node, `D` is what is shown of a user.
#[derive(Debug)]
pub struct Holders<N, D> {
    /// Who holds each member, and what each shows of it; the last one's word counts. Never empty.
    members: BTreeMap<Arc<str>, Vec<(N, D)>>,
    most: usize,
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

    /// A node holds a member, or lets go of it. Returns the change that is seen, `None` if none is.
    ///
    /// # Errors
    /// If it would be one member too many.
    pub fn handle_change(&mut self, node: N, change: Change<D>) -> Result<Option<Change<D>>, Full> {
        let Change { user, data } = change;
        if data.is_some() && self.members.len() >= self.most && !self.members.contains_key(&user) {
            return Err(Full);
        }
        let before = self.data(&user).cloned();
        let mut holders = self.members.remove(&user).unwrap_or_default();
        holders.retain(|(other, _)| *other != node);
        if let Some(data) = data {
            holders.push((node, data));
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
            self.members.iter().filter(|(_, holders)| holders.iter().any(|(n, _)| n == node));
        let users: Vec<_> = held.map(|(user, _)| Arc::clone(user)).collect();
        let let_go = users.into_iter().map(|user| {
            // To let go is never one too many.
            self.handle_change(node.clone(), Change { user, data: None }).ok().flatten()
        });
        let_go.flatten().collect()
    }

    /// What is shown of a user.
    #[must_use]
    pub fn data(&self, user: &str) -> Option<&D> {
        self.members.get(user).and_then(|holders| holders.last()).map(|(_, data)| data)
    }

    /// All members and what is shown of each, in order of their keys.
    pub fn members(&self) -> impl Iterator<Item = (&Arc<str>, &D)> {
        self.members.iter().filter_map(|(user, holders)| Some((user, &holders.last()?.1)))
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

    fn change(user: &str, data: Option<char>) -> Change<char> {
        Change { user: user.into(), data }
    }

    #[test]
    fn a_member_is_there_as_long_as_one_node_holds_it() {
        let mut holders = Holders::new(10);
        for (node, data, seen) in [
            (1, Some('a'), Some(change("ann", Some('a')))),
            (2, Some('a'), None),
            (2, Some('b'), Some(change("ann", Some('b')))),
            (1, None, None),
            (1, None, None),
            (2, None, Some(change("ann", None))),
            (2, None, None),
        ] {
            assert_eq!(
                holders.handle_change(node, change("ann", data)),
                Ok(seen),
                "{node} {data:?}"
            );
        }
        assert!(holders.is_empty());
    }

    #[test]
    fn a_lost_node_lets_go_of_its_members_alone() {
        let mut holders = Holders::new(10);
        for (node, user) in [(1, "ann"), (1, "bob"), (2, "bob"), (2, "cid")] {
            holders.handle_change(node, change(user, Some('x'))).unwrap();
        }
        assert_eq!(holders.handle_node_lost(&1), [change("ann", None)]);
        assert_eq!(holders.members().map(|(user, _)| &**user).collect::<Vec<_>>(), ["bob", "cid"]);
        assert_eq!(holders.len(), 2);
    }

    #[test]
    fn one_member_too_many_is_refused_and_those_there_may_change() {
        let mut holders = Holders::new(1);
        holders.handle_change(1, change("ann", Some('a'))).unwrap();
        assert_eq!(holders.handle_change(1, change("bob", Some('b'))), Err(Full));
        assert_eq!(holders.handle_change(1, change("bob", None)), Ok(None));
        assert!(holders.handle_change(1, change("ann", Some('c'))).unwrap().is_some());
    }
}
