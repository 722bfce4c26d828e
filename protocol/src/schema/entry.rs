//! One entry of a schema, with its types out of sight: what hello and the export need of it.

use std::{any::TypeId, collections::BTreeMap, fmt};

use super::{Call, NoPresence, SchemaHash, TypedTopic, shape::Shape, types::Types};

/// One entry of a [`Schema`](super::Schema).
#[derive(Clone, Copy)]
pub struct Entry {
    pub(super) kind: Kind,
    pub(super) key: &'static str,
    /// The field of a keyed topic's event.
    pub(super) field: Option<&'static str>,
    pub(super) docs: &'static str,
    pub(super) parts: fn() -> Vec<Part>,
    hash: fn() -> SchemaHash,
}

/// What an entry declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Topic,
    Call,
}

/// One of the types that an entry carries.
pub(super) struct Part {
    pub(super) role: &'static str,
    pub(super) types: Types,
    /// It follows from the other parts: it is shown, but changes no hash.
    is_implied: bool,
}

impl Part {
    fn new(role: &'static str, types: Types) -> Self {
        Self { role, types, is_implied: false }
    }
}

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
            hash: T::hash,
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
            hash: C::hash,
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
        (self.hash)()
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
    SchemaHash::of(&canonical("topic", &topic_parts::<T>()))
}

/// Computes the structural hash of a call.
#[doc(hidden)]
#[must_use]
pub fn call_hash<C: Call>() -> SchemaHash {
    SchemaHash::of(&canonical("call", &call_parts::<C>()))
}

fn topic_parts<T: TypedTopic>() -> Vec<Part> {
    let mut parts = vec![
        Part::new("event", Types::of::<T::Event>()),
        Part::new("publish", Types::of::<T::Publish>()),
    ];
    // What is not declared has no part, so that the hashes of topics from before these parts stay as they are.
    if let Some(field) = T::KEY {
        parts.push(Part::new("key", Types::literal(field)));
    }
    let implied = if T::KEYED {
        TypeId::of::<BTreeMap<String, T::Event>>()
    } else {
        TypeId::of::<Vec<T::Event>>()
    };
    parts.push(Part {
        is_implied: TypeId::of::<T::Snapshot>() == implied,
        ..Part::new("snapshot", Types::of::<T::Snapshot>())
    });
    if TypeId::of::<T::Presence>() != TypeId::of::<NoPresence>() {
        parts.push(Part::new("presence", Types::of::<T::Presence>()));
    }
    parts
}

fn call_parts<C: Call>() -> Vec<Part> {
    vec![Part::new("args", Types::of::<C::Args>()), Part::new("reply", Types::of::<C::Reply>())]
}

/// The text that is hashed: a line for the kind of entry, then one for each part.
fn canonical(kind: &str, parts: &[Part]) -> String {
    let lines = parts
        .iter()
        .filter(|part| !part.is_implied)
        .map(|part| format!("\n{} {}", part.role, Shape::of(&part.types)));
    format!("{kind}{}", lines.collect::<String>())
}
