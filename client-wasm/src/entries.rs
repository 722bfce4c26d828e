//! A state that is kept up to date: of a keyed topic, and of the members of a topic.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::value::RawValue;
use tidewire_protocol::Millis;

use crate::{Event, Refusal, Subscription};

/// Values by their keys, as the server has them.
///
/// It is a stream of what changes; [`entries`](Self::entries) is the state up to the change that was read last. Without being
/// read it stands still, and ends when 256 changes wait. Dropping it ends its subscription.
#[must_use = "a state is kept only while it is read"]
pub struct Entries<V> {
    source: Source<V>,
    entries: BTreeMap<String, V>,
    /// How many there are, where only that is told.
    count: Option<u64>,
}

/// What has become of a state.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change {
    /// It is there, whole: at first, and again where changes were missed.
    Whole,
    /// Single entries are others. Both are empty where a topic only counts its members, and the count has changed.
    Keys {
        /// The keys that have come, or whose values are new.
        set: Vec<String>,
        /// The keys that are no more.
        removed: Vec<String>,
    },
    /// A state or a change that is not of the type that this build knows; it is left out.
    Invalid {
        /// Why it could not be read.
        error: serde_json::Error,
        /// Its offset in the topic.
        offset: u64,
    },
    /// The server does not serve the topic now; it is asked again by itself. What was known stays.
    Refused {
        /// Why.
        refusal: Refusal,
        /// When it is asked again, in milliseconds since 1970.
        retry_at: Millis,
    },
    /// Nothing follows. [`LIMIT`](crate::ErrorCode::LIMIT) where it was not read in time.
    Ended(Refusal),
}

enum Source<V> {
    Keyed(Subscription<V, BTreeMap<String, V>>, fn(&V) -> Option<String>),
    Members(Subscription<Movement<V>, Shown<V>>),
}

/// The snapshot of a topic's members.
pub(crate) enum Shown<M> {
    Members(BTreeMap<String, M>),
    Count(u64),
}

/// An event of a topic's members.
pub(crate) enum Movement<M> {
    Members(Changes<M>),
    Count(u64),
}

#[derive(Deserialize)]
pub(crate) struct Changes<M> {
    #[serde(default = "BTreeMap::new")]
    joined: BTreeMap<String, M>,
    #[serde(default)]
    left: Vec<String>,
}

impl<V> Entries<V> {
    pub(crate) fn keyed(
        subscription: Subscription<V, BTreeMap<String, V>>,
        key_of: fn(&V) -> Option<String>,
    ) -> Self {
        Self::new(Source::Keyed(subscription, key_of))
    }

    pub(crate) fn members(subscription: Subscription<Movement<V>, Shown<V>>) -> Self {
        Self::new(Source::Members(subscription))
    }

    fn new(source: Source<V>) -> Self {
        Self { source, entries: BTreeMap::new(), count: None }
    }

    /// The values by their keys. Empty until [`Change::Whole`] was read, and where a topic only counts its members.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, V> {
        &self.entries
    }

    /// How many there are, also where a topic only counts its members.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.count.unwrap_or(self.entries.len() as u64)
    }

    /// What an event of a keyed topic changes; `None` if nothing.
    fn keep(&mut self, event: Event<V, BTreeMap<String, V>>) -> Option<Change> {
        let Source::Keyed(_, key_of) = &self.source else { return None };
        match event {
            Event::Snapshot { state, .. } => {
                self.entries = state;
                Some(Change::Whole)
            }
            Event::Message { data, .. } => {
                let key = key_of(&data)?;
                self.entries.insert(key.clone(), data);
                Some(Change::Keys { set: vec![key], removed: Vec::new() })
            }
            Event::Removed { key, .. } => {
                self.entries.remove(&key);
                Some(Change::Keys { set: Vec::new(), removed: vec![key] })
            }
            other => said(other),
        }
    }

    /// What an event of a topic's members changes; `None` if nothing.
    fn keep_members(&mut self, event: Event<Movement<V>, Shown<V>>) -> Option<Change> {
        match event {
            Event::Snapshot { state, .. } => {
                (self.entries, self.count) = match state {
                    Shown::Members(members) => (members, None),
                    Shown::Count(count) => (BTreeMap::new(), Some(count)),
                };
                Some(Change::Whole)
            }
            Event::Message { data: Movement::Count(count), .. } => {
                self.count = Some(count);
                Some(Change::Keys { set: Vec::new(), removed: Vec::new() })
            }
            Event::Message { data: Movement::Members(Changes { joined, left }), .. } => {
                for user in &left {
                    self.entries.remove(user);
                }
                let set = joined.keys().cloned().collect();
                self.entries.extend(joined);
                Some(Change::Keys { set, removed: left })
            }
            other => said(other),
        }
    }
}

/// What is said of any state.
fn said<T, S>(event: Event<T, S>) -> Option<Change> {
    match event {
        Event::Invalid { error, offset } => Some(Change::Invalid { error, offset }),
        Event::Refused { refusal, retry_at } => Some(Change::Refused { refusal, retry_at }),
        Event::Ended(refusal) => Some(Change::Ended(refusal)),
        // Where a gap takes something from the state, the state comes again.
        _ => None,
    }
}

impl<V: DeserializeOwned> Stream for Entries<V> {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        let this = self.get_mut();
        loop {
            let change = match &mut this.source {
                Source::Keyed(subscription, _) => match Pin::new(subscription).poll_next(cx) {
                    Poll::Ready(Some(event)) => this.keep(event),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                },
                Source::Members(subscription) => match Pin::new(subscription).poll_next(cx) {
                    Poll::Ready(Some(event)) => this.keep_members(event),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                },
            };
            if change.is_some() {
                return Poll::Ready(change);
            }
        }
    }
}

// Nothing in it is pinned, whatever the values are.
impl<V> Unpin for Entries<V> {}

impl<'de, M: DeserializeOwned> Deserialize<'de> for Shown<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count_or(deserializer, Self::Count, Self::Members)
    }
}

impl<'de, M: DeserializeOwned> Deserialize<'de> for Movement<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count_or(deserializer, Self::Count, Self::Members)
    }
}

/// Of members that are counted comes a number, of others an object.
fn count_or<'de, D: Deserializer<'de>, T, R: DeserializeOwned>(
    deserializer: D,
    count: fn(u64) -> T,
    other: fn(R) -> T,
) -> Result<T, D::Error> {
    let data: Box<RawValue> = Deserialize::deserialize(deserializer)?;
    if let Ok(number) = serde_json::from_str(data.get()) {
        return Ok(count(number));
    }
    serde_json::from_str(data.get()).map(other).map_err(D::Error::custom)
}

impl<V> fmt::Debug for Entries<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("count", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_the_name_count_is_a_member() {
        let shown = |text: &str| match serde_json::from_str::<Shown<u64>>(text).unwrap() {
            Shown::Members(members) => Err(members),
            Shown::Count(count) => Ok(count),
        };
        assert_eq!(shown("7"), Ok(7));
        assert_eq!(shown(r#"{"count":7}"#), Err(BTreeMap::from([("count".into(), 7)])));
        let moved = serde_json::from_str::<Movement<u64>>(r#"{"joined":{"count":8},"count":5}"#);
        assert!(
            matches!(moved, Ok(Movement::Members(Changes { joined, .. })) if joined["count"] == 8)
        );
        assert!(matches!(serde_json::from_str::<Movement<u64>>("9"), Ok(Movement::Count(9))));
        assert!(serde_json::from_str::<Shown<u64>>(r#"{"ann":"no number"}"#).is_err());
    }
}
