//! A session's table of subscriptions: which topics, who owns each, and how many there may be.

use alloc::vec::Vec;
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
    /// In order of the topics' names. A session has few, mostly one: no map is as small.
    entries: Vec<Entry<H>>,
    limit: usize,
    closed: bool,
}

#[derive(Debug)]
struct Entry<H> {
    topic: Topic,
    owner: Owner,
    handle: H,
}

impl<H> Subscriptions<H> {
    /// An empty table.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit, closed: false }
    }

    /// Where `topic` is, or where it would be.
    fn find(&self, topic: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.topic.as_str().cmp(topic))
    }

    fn entry(&self, topic: &str) -> Option<&Entry<H>> {
        self.find(topic).ok().map(|at| &self.entries[at])
    }

    /// Whether `topic` could be subscribed now.
    ///
    /// # Errors
    /// If the session is closed or has no room.
    pub fn check(&self, topic: &Topic) -> Result<(), SubscribeError> {
        if self.closed {
            Err(SubscribeError::Closed)
        } else if self.entries.len() >= self.limit && self.find(topic).is_err() {
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
        match self.find(&topic) {
            Ok(at) => Ok(Some(core::mem::replace(&mut self.entries[at].handle, handle))),
            Err(at) => {
                if self.entries.is_empty() {
                    self.entries.reserve_exact(1);
                }
                self.entries.insert(at, Entry { topic, owner, handle });
                Ok(None)
            }
        }
    }

    /// Takes a subscription out.
    pub fn remove(&mut self, topic: &str) -> Option<H> {
        let at = self.find(topic).ok()?;
        let entry = self.entries.remove(at);
        if self.entries.len() <= self.entries.capacity() / 4 {
            self.entries.shrink_to_fit();
        }
        Some(entry.handle)
    }

    /// Who owns a subscription.
    #[must_use]
    pub fn owner(&self, topic: &str) -> Option<Owner> {
        self.entry(topic).map(|entry| entry.owner)
    }

    /// A subscription's handle.
    #[must_use]
    pub fn handle(&self, topic: &str) -> Option<&H> {
        self.entry(topic).map(|entry| &entry.handle)
    }

    /// All topics, in order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.entries.iter().map(|entry| &entry.topic)
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
        let entries = core::mem::take(&mut self.entries);
        entries.into_iter().map(|entry| (entry.topic, entry.handle)).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

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
    fn topics_stand_in_order_of_their_names_whatever_came_first() {
        let mut table = Subscriptions::new(100);
        for number in (10..90).rev().chain([95, 92, 91, 99]) {
            table.insert(topic(&number.to_string()), Owner::Client, number).unwrap();
        }
        for number in (10..90).step_by(2) {
            assert_eq!(table.remove(&number.to_string()), Some(number));
        }
        let names: Vec<_> = table.topics().map(Topic::as_str).collect();
        assert!(names.is_sorted());
        assert_eq!((table.len(), names.len()), (44, 44));
        assert_eq!((table.handle("95"), table.handle("12")), (Some(&95), None));
    }

    #[test]
    fn a_table_holds_what_it_has_and_no_more() {
        let mut table = Subscriptions::new(1000);
        table.insert(topic("a"), Owner::Client, ()).unwrap();
        assert_eq!(table.entries.capacity(), 1);
        for number in 0..500 {
            table.insert(topic(&number.to_string()), Owner::Client, ()).unwrap();
        }
        for number in 0..500 {
            table.remove(&number.to_string());
        }
        assert!(table.entries.capacity() <= 4, "nothing is left of a peak");
        table.remove("a");
        assert_eq!(table.entries.capacity(), 0);
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
