//! A session's table of subscriptions: which topics, who owns each, and how many there may be.

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use crate::{code::ErrorCode, name::Topic};

/// Who asked for a subscription first; only the owner ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The client, by a request.
    Client,
    /// The application, on the server.
    Server,
}

/// Why a subscription was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The session has as many as it may.
    Limit,
    /// The session is closed.
    Closed,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "the session has as many subscriptions as it may",
            Self::Closed => "the session is closed",
        })
    }
}

impl core::error::Error for SubscribeError {}

impl SubscribeError {
    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Limit => ErrorCode::LIMIT,
            Self::Closed => ErrorCode::CLOSED,
        }
    }
}

/// The subscriptions of one session; `H` is what the driver needs to end one.
#[derive(Debug)]
pub struct Subscriptions<H> {
    entries: BTreeMap<Topic, (Owner, H)>,
    limit: usize,
    closed: bool,
}

impl<H> Subscriptions<H> {
    /// An empty table.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { entries: BTreeMap::new(), limit, closed: false }
    }

    /// Whether `topic` could be subscribed now.
    ///
    /// # Errors
    /// If the session is closed or has no room.
    pub fn check(&self, topic: &Topic) -> Result<(), SubscribeError> {
        if self.closed {
            Err(SubscribeError::Closed)
        } else if self.entries.len() >= self.limit && !self.entries.contains_key(topic) {
            Err(SubscribeError::Limit)
        } else {
            Ok(())
        }
    }

    /// Enters a subscription. One that is there keeps its owner, and its earlier handle is returned.
    ///
    /// # Errors
    /// As [`check`](Self::check); the handle is dropped then.
    pub fn insert(
        &mut self,
        topic: Topic,
        owner: Owner,
        handle: H,
    ) -> Result<Option<H>, SubscribeError> {
        self.check(&topic)?;
        let owner = self.owner(&topic).unwrap_or(owner);
        Ok(self.entries.insert(topic, (owner, handle)).map(|(_, earlier)| earlier))
    }

    /// Takes a subscription out.
    pub fn remove(&mut self, topic: &str) -> Option<H> {
        self.entries.remove(topic).map(|(_, handle)| handle)
    }

    /// Who owns a subscription.
    #[must_use]
    pub fn owner(&self, topic: &str) -> Option<Owner> {
        self.entries.get(topic).map(|(owner, _)| *owner)
    }

    /// A subscription's handle.
    #[must_use]
    pub fn handle(&self, topic: &str) -> Option<&H> {
        self.entries.get(topic).map(|(_, handle)| handle)
    }

    /// All topics, in order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.entries.keys()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes all out; nothing can be entered any more.
    pub fn close(&mut self) -> Vec<(Topic, H)> {
        self.closed = true;
        core::mem::take(&mut self.entries)
            .into_iter()
            .map(|(topic, (_, handle))| (topic, handle))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::parse(name).unwrap()
    }

    #[test]
    fn the_first_owner_stays() {
        let mut table = Subscriptions::new(2);
        assert_eq!(table.insert(topic("a"), Owner::Server, 1), Ok(None));
        assert_eq!(table.insert(topic("a"), Owner::Client, 2), Ok(Some(1)));
        assert_eq!((table.owner("a"), table.handle("a")), (Some(Owner::Server), Some(&2)));
        assert_eq!((table.remove("a"), table.remove("a")), (Some(2), None));
    }

    #[test]
    fn the_limit_counts_topics_and_a_closed_table_takes_none() {
        let mut table = Subscriptions::new(2);
        for name in ["a", "b", "b"] {
            table.insert(topic(name), Owner::Client, ()).unwrap();
        }
        assert_eq!(table.insert(topic("c"), Owner::Client, ()), Err(SubscribeError::Limit));
        assert_eq!(table.close().len(), 2);
        assert_eq!(table.insert(topic("a"), Owner::Client, ()), Err(SubscribeError::Closed));
        assert!(table.is_empty());
    }
}
