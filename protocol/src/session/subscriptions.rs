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
    /// The server has ended it before it began.
    Ended,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "the session has as many subscriptions as it may",
            Self::Closed => "the session is closed",
            Self::Ended => "the server has ended the subscription",
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
            Self::Ended => ErrorCode::FORBIDDEN,
        }
    }
}

/// The subscriptions of one session; `H` is what the driver needs to end one.
///
/// One that is being made has an entry already, so that whatever ends it meanwhile does: a client [asks](Self::ask) and its rights are looked at;
/// it [begins](Self::begin), and what there was goes; it [is there](Self::insert), or [failed](Self::fail); the client has its
/// [answer](Self::settle). The server's own begin at once.
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
    /// The client has asked, and has no answer.
    is_asked: bool,
    is_beginning: bool,
    /// `None` until it has begun.
    handle: Option<H>,
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

    /// The entry of `topic`, which is made if there is none.
    fn enter(&mut self, topic: &Topic, owner: Owner) -> Result<&mut Entry<H>, SubscribeError> {
        if self.closed {
            return Err(SubscribeError::Closed);
        }
        let at = match self.find(topic) {
            Ok(at) => at,
            Err(_) if self.entries.len() >= self.limit => return Err(SubscribeError::Limit),
            Err(at) => {
                if self.entries.is_empty() {
                    self.entries.reserve_exact(1);
                }
                let topic = topic.clone();
                let entry =
                    Entry { topic, owner, is_asked: false, is_beginning: false, handle: None };
                self.entries.insert(at, entry);
                at
            }
        };
        Ok(&mut self.entries[at])
    }

    /// The client asks for a subscription. One that is there goes on until it [begins](Self::begin) anew.
    ///
    /// # Errors
    /// If the session is closed or has no room.
    pub fn ask(&mut self, topic: &Topic) -> Result<(), SubscribeError> {
        self.enter(topic, Owner::Client)?.is_asked = true;
        Ok(())
    }

    /// A subscription begins, the client's anew if it is there: then its earlier handle is returned.
    ///
    /// # Errors
    /// If the session is closed or has no room, or what the client has [asked](Self::ask) for was ended meanwhile.
    pub fn begin(&mut self, topic: &Topic, owner: Owner) -> Result<Option<H>, SubscribeError> {
        let is_asked = self.entry(topic).is_some_and(|entry| entry.is_asked);
        if owner == Owner::Client && !is_asked && !self.closed {
            return Err(SubscribeError::Ended);
        }
        let entry = self.enter(topic, owner)?;
        entry.is_beginning = true;
        if owner == Owner::Server {
            entry.owner = owner;
        }
        Ok(entry.handle.take())
    }

    /// A subscription has begun.
    ///
    /// # Errors
    /// If it was ended meanwhile, or the session is closed; the handle is dropped then.
    pub fn insert(&mut self, topic: &str, handle: H) -> Result<(), SubscribeError> {
        let ended = if self.closed { SubscribeError::Closed } else { SubscribeError::Ended };
        let at = self.find(topic).map_err(|_| ended)?;
        let entry = &mut self.entries[at];
        entry.is_beginning = false;
        entry.handle = Some(handle);
        Ok(())
    }

    /// A subscription that was to begin does not.
    pub fn fail(&mut self, topic: &str) {
        self.end(topic, |entry| entry.is_beginning = false);
    }

    /// The client has its answer.
    pub fn settle(&mut self, topic: &str) {
        self.end(topic, |entry| entry.is_asked = false);
    }

    /// Ends a step, and the entry if there is nothing more to it.
    fn end(&mut self, topic: &str, step: impl FnOnce(&mut Entry<H>)) {
        let Ok(at) = self.find(topic) else { return };
        let entry = &mut self.entries[at];
        step(entry);
        if !entry.is_asked && !entry.is_beginning && entry.handle.is_none() {
            self.remove(topic);
        }
    }

    /// Takes a subscription out; `Some(None)` if it was still being made.
    pub fn remove(&mut self, topic: &str) -> Option<Option<H>> {
        let at = self.find(topic).ok()?;
        let entry = self.entries.remove(at);
        if self.entries.len() <= self.entries.capacity() / 4 {
            self.entries.shrink_to_fit();
        }
        Some(entry.handle)
    }

    /// Who owns a subscription, also one that is being made.
    #[must_use]
    pub fn owner(&self, topic: &str) -> Option<Owner> {
        self.entry(topic).map(|entry| entry.owner)
    }

    /// A subscription's handle.
    #[must_use]
    pub fn handle(&self, topic: &str) -> Option<&H> {
        self.entry(topic)?.handle.as_ref()
    }

    /// All that are there, in order of their topics' names, with their owners.
    pub fn iter(&self) -> impl Iterator<Item = (&Topic, Owner, &H)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((&entry.topic, entry.owner, entry.handle.as_ref()?)))
    }

    /// Takes all out; nothing can be entered any more.
    pub fn close(&mut self) -> Vec<(Topic, H)> {
        self.closed = true;
        let entries = core::mem::take(&mut self.entries);
        entries.into_iter().filter_map(|entry| Some((entry.topic, entry.handle?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    type Table = Subscriptions<u32>;

    fn topic(name: &str) -> Topic {
        Topic::parse(name).unwrap()
    }

    fn names<H>(table: &Subscriptions<H>) -> Vec<&str> {
        table.iter().map(|(topic, ..)| topic.as_str()).collect()
    }

    /// A subscription from its beginning to its end; gives the handle of the earlier one.
    fn make<H>(
        table: &mut Subscriptions<H>,
        name: &str,
        owner: Owner,
        handle: H,
    ) -> Result<Option<H>, SubscribeError> {
        if owner == Owner::Client {
            table.ask(&topic(name))?;
        }
        let earlier = table.begin(&topic(name), owner)?;
        table.insert(name, handle)?;
        table.settle(name);
        Ok(earlier)
    }

    #[test]
    fn the_first_owner_stays() {
        let mut table = Table::new(2);
        assert_eq!(make(&mut table, "a", Owner::Server, 1), Ok(None));
        assert_eq!(make(&mut table, "a", Owner::Client, 2), Ok(Some(1)));
        assert_eq!((table.owner("a"), table.handle("a")), (Some(Owner::Server), Some(&2)));
        assert_eq!((table.remove("a"), table.remove("a")), (Some(Some(2)), None));
    }

    #[test]
    fn what_is_ended_while_it_is_made_does_not_come_to_be() {
        let ended = Err(SubscribeError::Ended);
        for earlier in [None, Some(1)] {
            // While its rights are looked at.
            let mut table = Table::new(2);
            if let Some(earlier) = earlier {
                make(&mut table, "a", Owner::Client, earlier).unwrap();
            }
            table.ask(&topic("a")).unwrap();
            assert_eq!((table.remove("a"), table.iter().count()), (Some(earlier), 0));
            assert_eq!(table.begin(&topic("a"), Owner::Client), ended);
            table.settle("a");
            // While it begins.
            table.ask(&topic("a")).unwrap();
            table.begin(&topic("a"), Owner::Client).unwrap();
            assert_eq!(table.remove("a"), Some(None));
            assert_eq!(table.insert("a", 2), Err(SubscribeError::Ended));
            assert_eq!((table.owner("a"), table.handle("a")), (None, None));
        }
    }

    #[test]
    fn the_servers_subscription_outlives_what_the_client_may_not_have() {
        let mut table = Table::new(2);
        table.ask(&topic("a")).unwrap();
        assert_eq!(make(&mut table, "a", Owner::Server, 1), Ok(None));
        assert_eq!(table.owner("a"), Some(Owner::Server));
        table.settle("a");
        assert_eq!(table.handle("a"), Some(&1));
        // Another is the server's own, and no answer to the client, whose request was ended.
        table.ask(&topic("a")).unwrap();
        table.remove("a");
        make(&mut table, "a", Owner::Server, 2).unwrap();
        assert_eq!(table.begin(&topic("a"), Owner::Client), Err(SubscribeError::Ended));
        table.settle("a");
        assert_eq!(table.handle("a"), Some(&2));
        // It is about to begin when the client is refused.
        table.ask(&topic("b")).unwrap();
        table.begin(&topic("b"), Owner::Server).unwrap();
        table.settle("b");
        assert_eq!((table.insert("b", 3), table.owner("b")), (Ok(()), Some(Owner::Server)));
    }

    #[test]
    fn what_was_refused_leaves_nothing() {
        let mut table = Table::new(1);
        table.ask(&topic("a")).unwrap();
        assert_eq!(table.ask(&topic("b")), Err(SubscribeError::Limit), "it has its place");
        table.settle("a");
        assert_eq!(table.owner("a"), None);
        table.begin(&topic("b"), Owner::Server).unwrap();
        table.fail("b");
        assert_eq!(table.owner("b"), None);
    }

    #[test]
    fn topics_stand_in_order_of_their_names_whatever_came_first() {
        let mut table = Subscriptions::new(100);
        for number in (10..90).rev().chain([95, 92, 91, 99]) {
            make(&mut table, &number.to_string(), Owner::Client, number).unwrap();
        }
        for number in (10..90).step_by(2) {
            assert_eq!(table.remove(&number.to_string()), Some(Some(number)));
        }
        let names = names(&table);
        assert!(names.is_sorted());
        assert_eq!(names.len(), 44);
        assert_eq!((table.handle("95"), table.handle("12")), (Some(&95), None));
    }

    #[test]
    fn a_table_holds_what_it_has_and_no_more() {
        let mut table = Subscriptions::new(1000);
        make(&mut table, "a", Owner::Client, ()).unwrap();
        assert_eq!(table.entries.capacity(), 1);
        for number in 0..500 {
            make(&mut table, &number.to_string(), Owner::Client, ()).unwrap();
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
            make(&mut table, name, Owner::Client, ()).unwrap();
        }
        assert_eq!(make(&mut table, "c", Owner::Server, ()), Err(SubscribeError::Limit));
        table.begin(&topic("b"), Owner::Server).unwrap();
        assert_eq!(table.close().len(), 1, "the other one is being made");
        assert_eq!(table.insert("b", ()), Err(SubscribeError::Closed));
        for owner in [Owner::Client, Owner::Server] {
            assert_eq!(make(&mut table, "a", owner, ()), Err(SubscribeError::Closed));
        }
        assert_eq!(table.iter().count(), 0);
    }
}
