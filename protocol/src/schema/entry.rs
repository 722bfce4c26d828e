//! One entry of a schema, with its types out of sight: what hello and the export need of it.

use std::{any::TypeId, collections::BTreeMap, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use ts_rs::TS;

use super::{
    Call, NoPresence, SchemaHash, StreamingCall, TypedTopic, Versions, sample, shape::Shape,
    types::Types,
};

/// One entry of a [`Schema`](super::Schema).
#[derive(Clone, Copy)]
pub struct Entry {
    pub(super) kind: Kind,
    pub(super) key: &'static str,
    /// The field of a keyed topic's event.
    pub(super) field: Option<&'static str>,
    pub(super) docs: &'static str,
    pub(super) parts: fn() -> Vec<Part>,
    versions: fn() -> Versions,
}

/// What an entry declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Topic,
    Call,
}

/// Which way a part of an entry goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToPages,
    ToServer,
}

/// The way of a part with this role.
pub(super) fn way(role: &str) -> Way {
    if matches!(role, "publish" | "args") { Way::ToServer } else { Way::ToPages }
}

/// One of the types that an entry carries.
pub(super) struct Part {
    pub(super) role: &'static str,
    pub(super) types: Types,
    /// It follows from the other parts: it is shown, but changes no hash.
    pub(super) is_implied: bool,
    /// Reads a text as a value of the type and gives what is written of that; nothing where it is no type of data.
    pub(super) round: Option<Round>,
}

/// Reads and writes a value of one type.
pub(super) type Round = fn(&str) -> Result<Option<Value>, serde_json::Error>;

impl Part {
    fn new<T: TS + Serialize + DeserializeOwned + 'static>(role: &'static str) -> Self {
        let round: Round = |text| {
            let value: T = serde_json::from_str(text)?;
            Ok(serde_json::to_value(value).ok())
        };
        Self { role, types: Types::of::<T>(), is_implied: false, round: Some(round) }
    }

    fn literal(role: &'static str, text: &str) -> Self {
        Self { role, types: Types::literal(text), is_implied: false, round: None }
    }

    pub(super) fn way(&self) -> Way {
        way(self.role)
    }

    /// Whether the type reads whatever an earlier version of it wrote, also without what it has gained.
    pub(super) fn reads_all(&self, earlier: &Shape) -> bool {
        self.round.is_some_and(|round| sample::reads_all(earlier, round))
    }
}

const TOPIC: &str = "topic";
const CALL: &str = "call";

impl Entry {
    /// The entry of a topic, with its doc comment.
    #[must_use]
    pub const fn topic<T: TypedTopic>(docs: &'static str) -> Self {
        Self {
            kind: Kind::Topic,
            key: T::PATTERN,
            field: T::KEY,
            docs,
            parts: topic_parts::<T>,
            versions: T::versions,
        }
    }

    /// The entry of a call, with its doc comment.
    #[must_use]
    pub const fn call<C: Call>(docs: &'static str) -> Self {
        Self {
            kind: Kind::Call,
            key: C::NAME,
            field: None,
            docs,
            parts: call_parts::<C>,
            versions: C::versions,
        }
    }

    /// The entry of a call that streams, with its doc comment.
    #[must_use]
    pub const fn stream<C: StreamingCall>(docs: &'static str) -> Self {
        Self {
            kind: Kind::Call,
            key: C::NAME,
            field: None,
            docs,
            parts: stream_parts::<C>,
            versions: C::versions,
        }
    }

    /// What names the entry on the wire: a topic's pattern, a call's name.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// The structural hash.
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        self.versions().hash()
    }

    /// The structural hash, and those of earlier versions with which this one still works.
    #[must_use]
    pub fn versions(&self) -> Versions {
        (self.versions)()
    }

    /// The text that the hash is of.
    pub(super) fn canonical(&self, parts: &[Part]) -> String {
        let kind = match self.kind {
            Kind::Topic => TOPIC,
            Kind::Call => CALL,
        };
        canonical(kind, parts)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key).field("hash", &self.hash()).finish()
    }
}

/// Computes the structural hash of a topic.
#[doc(hidden)]
#[must_use]
pub fn topic_hash<T: TypedTopic>() -> SchemaHash {
    SchemaHash::of(&canonical(TOPIC, &topic_parts::<T>()))
}

/// Computes the structural hash of a call.
#[doc(hidden)]
#[must_use]
pub fn call_hash<C: Call>() -> SchemaHash {
    SchemaHash::of(&canonical(CALL, &call_parts::<C>()))
}

/// Computes the structural hash of a call that streams: never that of one which does not.
#[doc(hidden)]
#[must_use]
pub fn stream_hash<C: StreamingCall>() -> SchemaHash {
    SchemaHash::of(&canonical(CALL, &stream_parts::<C>()))
}

fn topic_parts<T: TypedTopic>() -> Vec<Part> {
    let mut parts = vec![Part::new::<T::Event>("event"), Part::new::<T::Publish>("publish")];
    // What is not declared has no part, so that the hashes of topics from before these parts stay as they are.
    if let Some(field) = T::KEY {
        parts.push(Part::literal("key", field));
    }
    let implied = if T::KEYED {
        TypeId::of::<BTreeMap<String, T::Event>>()
    } else {
        TypeId::of::<Vec<T::Event>>()
    };
    parts.push(Part {
        is_implied: TypeId::of::<T::Snapshot>() == implied,
        ..Part::new::<T::Snapshot>("snapshot")
    });
    if TypeId::of::<T::Presence>() != TypeId::of::<NoPresence>() {
        parts.push(Part::new::<T::Presence>("presence"));
    }
    parts
}

fn call_parts<C: Call>() -> Vec<Part> {
    vec![Part::new::<C::Args>("args"), Part::new::<C::Reply>("reply")]
}

fn stream_parts<C: StreamingCall>() -> Vec<Part> {
    vec![Part::new::<C::Args>("args"), Part::new::<C::Item>("item")]
}

/// The text that is hashed: a line for the kind of entry, then one for each part.
fn canonical(kind: &str, parts: &[Part]) -> String {
    let lines = parts
        .iter()
        .filter(|part| !part.is_implied)
        .map(|part| format!("\n{} {}", part.role, Shape::of(&part.types)));
    format!("{kind}{}", lines.collect::<String>())
}
