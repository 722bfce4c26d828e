//! What an application declares once: its topics, what they carry, and the TypeScript that a page is built with.
//!
//! [`schema!`](crate::schema!) makes a Rust type of every topic, which implements [`TypedTopic`], one of every call, which
//! implements [`Call`] or [`StreamingCall`], and one for the whole, which implements [`Schema`]. Nothing here is needed to run an untyped server.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidewire_protocol::schema::TypedTopic;
//! use ts_rs::TS;
//!
//! #[derive(Serialize, Deserialize, TS)]
//! pub struct ChatMessage { pub user: String, pub text: String }
//! #[derive(Serialize, Deserialize, TS)]
//! pub struct NewMessage { pub text: String }
//!
//! tidewire_protocol::schema! {
//!     pub schema Chat {
//!         /// The messages of a room.
//!         topic Room { room: String } = "chat:{room}" { event: ChatMessage, publish: NewMessage }
//!         topic Prices = "prices" { event: f64 }
//!     }
//! }
//!
//! let topic = Room { room: "a b".into() }.topic()?;
//! assert_eq!(topic.as_str(), "chat:a%20b");
//! let module = Chat::typescript()?;
//! assert!(module.contains(
//!     r#""chat:{room}": { event: ChatMessage; publish: NewMessage; snapshot: Array<ChatMessage> };"#,
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How types are written
//! Types become TypeScript by ts-rs, of which the application's crate names version 12 in its manifest. It follows
//! serde's attributes and carries doc comments along. Integers of every size are `number`. Of two types within a schema
//! that would have one name, one needs `#[ts(rename = "…")]`. docs/schema.md of the project has the table of types, and
//! what becomes of attributes of serde that ts-rs does not know.

mod absent;
mod compare;
mod conform;
mod difference;
mod entry;
mod error;
#[doc(hidden)]
pub mod expansion;
mod export;
mod files;
mod fit;
mod form_text;
mod hash;
mod layout;
mod lock;
mod macros;
mod sample;
mod shape;
mod syntax;
mod types;

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use ts_rs::TS;

use crate::name::{FillError, Params, Pattern, Topic};

pub use absent::{NoPresence, NoPublish};
pub use entry::Entry;
pub use error::ExportError;
pub use hash::{SchemaHash, SchemaHashError};
pub use lock::{Lock, Versions};

/// A topic, or a family of topics with parameters in their names, with the types of what it carries.
///
/// [`schema!`](crate::schema!) implements it; a value names one topic of the family.
pub trait TypedTopic: Clone + Send + Sync + 'static {
    /// What subscribers get.
    type Event: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// What clients may publish; [`NoPublish`] where they may not.
    type Publish: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// The topic's state: `Vec<Event>`, or of a keyed topic `BTreeMap<String, Event>`, unless another type is declared.
    type Snapshot: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// What subscribers see of each member who is there; [`NoPresence`] where nobody is shown.
    type Presence: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// The pattern of the family's names.
    const PATTERN: &'static str;
    /// The name in JSON of the event's field that is its key; `None` for a topic without keys.
    const KEY: Option<&'static str> = None;
    /// The text of `schema.lock`; empty without one.
    const LOCK: &'static str = "";
    /// Whether the topic is keyed: its state is the last event of each key.
    const KEYED: bool = Self::KEY.is_some();

    /// The text of an event's key; `None` for a topic without keys.
    ///
    /// A key is at most [`MAX_BYTES`](crate::name::MAX_BYTES) long; who publishes checks that.
    fn key_of(event: &Self::Event) -> Option<String> {
        let _ = event;
        None
    }

    /// The pattern, parsed at its first use.
    fn pattern() -> &'static Pattern;

    /// The name of this topic.
    ///
    /// # Errors
    /// A parameter is empty, or the name would be longer than 255 bytes.
    fn topic(&self) -> Result<Topic, FillError>;

    /// The topic that has these parameters.
    ///
    /// `None` if one is missing or is no value of its field's type, or not the text of such a value: of a number `7` is
    /// taken and `07` is not, so that no two names mean one topic.
    fn from_params(params: &Params<'_>) -> Option<Self>;

    /// The structural hash, computed at its first use.
    fn hash() -> SchemaHash;

    /// The structural hash, and those of earlier versions with which this one still works.
    fn versions() -> Versions {
        Versions::locked(Self::hash(), Self::PATTERN, Self::LOCK)
    }
}

/// A request that clients make of the server, with the types of what they send and what they get.
///
/// [`schema!`](crate::schema!) implements it, for a type that only names the call.
pub trait Call: Send + Sync + 'static {
    /// What clients send; `()`, which is `null` on the wire, for a call without an argument.
    type Args: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// What the server answers.
    type Reply: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// The name on the wire, by the rules of a topic's; no other entry of the schema has it.
    const NAME: &'static str;
    /// The text of `schema.lock`; empty without one.
    const LOCK: &'static str = "";

    /// The structural hash, computed at its first use.
    fn hash() -> SchemaHash;

    /// The structural hash, and those of earlier versions with which this one still works.
    fn versions() -> Versions {
        Versions::locked(Self::hash(), Self::NAME, Self::LOCK)
    }
}

/// A call that is answered by a stream: any number of items, in order, and then its end or a refusal.
///
/// [`schema!`](crate::schema!) implements it, for a type that only names the call.
pub trait StreamingCall: Send + Sync + 'static {
    /// What clients send; `()`, which is `null` on the wire, for a call without an argument.
    type Args: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// What the server sends, any number of times.
    type Item: Serialize + DeserializeOwned + TS + Send + Sync + 'static;
    /// The name on the wire, by the rules of a topic's; no other entry of the schema has it.
    const NAME: &'static str;
    /// The text of `schema.lock`; empty without one.
    const LOCK: &'static str = "";

    /// The structural hash, computed at its first use.
    fn hash() -> SchemaHash;

    /// The structural hash, and those of earlier versions with which this one still works.
    fn versions() -> Versions {
        Versions::locked(Self::hash(), Self::NAME, Self::LOCK)
    }
}

/// A schema: every entry that client and server agree on.
///
/// [`schema!`](crate::schema!) implements it, and gives the type the functions `typescript`, `export` and `check`
/// besides, so that they need no import.
pub trait Schema: 'static {
    /// The schema's name.
    const NAME: &'static str;
    /// The Rust module that declares it.
    const MODULE: &'static str;
    /// The package that declares it.
    const PACKAGE: &'static str;
    /// The folder of that package, where it was built.
    const FOLDER: &'static str;
    /// Its doc comment.
    const DOCS: &'static str;
    /// Its entries in the order of their declaration.
    const ENTRIES: &'static [Entry];
    /// Its `schema.lock`, if it has one.
    const LOCK: Option<Lock> = None;

    /// The TypeScript module of this schema: its types, and its hashes as a value.
    ///
    /// # Errors
    /// Two patterns that one name could match, two types that would have one name, a type that has no TypeScript or is not
    /// in JSON what it is there, and a change that `schema.lock` does not allow.
    fn typescript() -> Result<String, ExportError> {
        export::render::<Self>(&[]).map(|files| files.module)
    }

    /// The text of `schema.lock` as [`export`](Self::export) writes it; `None` for a schema that has none.
    ///
    /// # Errors
    /// As [`typescript`](Self::typescript).
    fn lock() -> Result<Option<String>, ExportError> {
        export::render::<Self>(&[]).map(|files| files.lock)
    }

    /// Writes the TypeScript module to a file, and `schema.lock` if the schema has one. A file that says the same already is
    /// left alone; the folder may be new.
    ///
    /// A relative path begins at the folder of the package that declares the schema.
    ///
    /// # Errors
    /// As [`typescript`](Self::typescript), and what the file system answers.
    fn export(path: impl AsRef<Path>) -> Result<(), ExportError> {
        files::write::<Self>(path.as_ref(), &[])
    }

    /// Writes what [`export`](Self::export) writes, though these entries, by pattern or name, no longer work with what pages
    /// that are open know of them: such pages are refused the entry, and `schema.lock` forgets its earlier versions.
    ///
    /// # Errors
    /// As [`export`](Self::export), of other entries.
    fn export_breaking(path: impl AsRef<Path>, entries: &[&str]) -> Result<(), ExportError> {
        files::write::<Self>(path.as_ref(), entries)
    }

    /// Checks that the files say what [`export`](Self::export) would write: one line in a test keeps them so.
    ///
    /// With `TIDEWIRE_WRITE=1` in the environment it writes them instead. With `TIDEWIRE_BREAK` it does that too, and accepts
    /// that the entries named there (by pattern or name, commas between) no longer work with earlier versions, as the
    /// other functions do then.
    ///
    /// # Errors
    /// As [`typescript`](Self::typescript), and [`ExportError::Stale`] if a file is missing or says something else.
    fn check(path: impl AsRef<Path>) -> Result<(), ExportError> {
        files::check::<Self>(path.as_ref())
    }
}
