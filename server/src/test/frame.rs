//! What a client gets from the server.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tidewire_protocol::{code::CloseCode, schema::TypedTopic};

use super::error::WaitError;

/// A frame from the server: an event, a message, or what the protocol says of itself (`$unsubscribed`, `error`).
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Frame {
    /// The topic's name.
    pub topic: String,
    /// The data as the server wrote it; `null` where it gave none.
    #[serde(default = "null")]
    pub data: Box<RawValue>,
    /// The number of the request that it answers.
    pub re: Option<u64>,
    /// An event's offset. Plain clients get none.
    pub offset: Option<u64>,
    /// The offset of the event before it in its topic.
    pub prev: Option<u64>,
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl Frame {
    /// The data as a type.
    ///
    /// # Errors
    /// If it is not of that type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }

    /// The frame as an event of `T`, if its name matches.
    pub(super) fn event<T: TypedTopic>(&self) -> Option<Result<Event<T>, WaitError>> {
        let topic = T::from_params(&T::pattern().matches(&self.topic)?)?;
        let event = self.decode().map(|data| {
            let Self { offset, prev, .. } = *self;
            Event { topic, data, offset, prev }
        });
        Some(event.map_err(|error| WaitError::InvalidData {
            topic: self.topic.clone(),
            message: error.to_string(),
        }))
    }
}

/// An event of a typed topic.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event<T: TypedTopic> {
    /// The topic, with its parameters.
    pub topic: T,
    /// What was published.
    pub data: T::Event,
    /// Its offset. Plain clients get none.
    pub offset: Option<u64>,
    /// The offset of the event before it in its topic.
    pub prev: Option<u64>,
}

/// How a connection ended, as its client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code of the server's close frame; [`CloseCode::ABNORMAL`] if none came.
    pub code: CloseCode,
    /// Its reason.
    pub reason: String,
}

impl Close {
    /// The connection ended without a close frame.
    pub(super) const fn lost() -> Self {
        Self { code: CloseCode::ABNORMAL, reason: String::new() }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}
