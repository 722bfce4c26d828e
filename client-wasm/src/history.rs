//! What a topic's history holds.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tidewire_protocol::frame::server;

/// Which events of a topic's history are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Only events after this offset, and of these the first; else the last of all.
    pub after: Option<u64>,
    /// Only events before this offset.
    pub before: Option<u64>,
    /// At most so many, of which the server gives 1,000 at most. 100 by default.
    pub limit: Option<u64>,
}

/// Events of a topic's history, oldest first.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The topic's epoch.
    pub epoch: String,
    /// The newest offset when the server answered.
    pub head: u64,
    /// The events.
    pub events: Vec<Past<T>>,
}

/// An event of the history.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Past<T> {
    /// What it carries; `None` where it only says that its key is no more.
    pub data: Option<T>,
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// Its key, in a keyed topic.
    pub key: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    pub(crate) fn read(data: &RawValue) -> serde_json::Result<Self> {
        let server::History { epoch, head, events } =
            Deserialize::deserialize(&mut serde_json::Deserializer::from_str(data.get()))?;
        let events = events.into_iter().map(|listed| {
            let server::Listed { data, offset, prev, key, removed, .. } = listed;
            let data = if removed { None } else { Some(serde_json::from_str(data.get())?) };
            Ok(Past { data, offset, prev, key })
        });
        Ok(Self { epoch, head, events: events.collect::<serde_json::Result<_>>()? })
    }
}
