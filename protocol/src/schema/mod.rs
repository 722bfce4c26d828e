//! What an application declares once: its topics, what they carry, and the TypeScript that a page is built with.
//!
//! [`schema!`](crate::schema!) makes a Rust type of every topic, which implements [`TypedTopic`], one of every call, which
//! implements [`Call`], and one for the whole, which implements [`Schema`]. Nothing here is needed to run an untyped server.
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
//! that would have one name, one needs `#[ts(rename = "…")]`.

mod absent;
mod entry;
#[doc(hidden)]
pub mod expansion;
mod export;
mod hash;
mod layout;
mod macros;
mod shape;
mod syntax;
mod types;

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use ts_rs::TS;

use crate::name::{FillError, Params, Pattern, Topic};

pub use absent::{NoPresence, NoPublish};
pub use entry::Entry;
pub use export::ExportError;
pub use hash::{SchemaHash, SchemaHashError};

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

    /// The structural hash, computed at its first use.
    fn hash() -> SchemaHash;
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
    /// Its doc comment.
    const DOCS: &'static str;
    /// Its entries in the order of their declaration.
    const ENTRIES: &'static [Entry];

    /// The TypeScript module of this schema: its types, and its hashes as a value.
    ///
    /// # Errors
    /// Two patterns that one name could match, two types that would have one name, or a type that has no TypeScript.
    fn typescript() -> Result<String, ExportError> {
        export::module::<Self>()
    }

    /// Writes the TypeScript module to a file, which is left alone if it says the same already; its folder may be new.
    ///
    /// A relative path begins at the current directory: the crate's own in its tests and build script.
    ///
    /// # Errors
    /// As [`typescript`](Self::typescript), and what the file system answers.
    fn export(path: impl AsRef<Path>) -> Result<(), ExportError> {
        export::write::<Self>(path.as_ref())
    }

    /// Checks that a file says what [`export`](Self::export) would write: one line in a test keeps it so.
    ///
    /// # Errors
    /// As [`typescript`](Self::typescript), and [`ExportError::Stale`] if the file is missing or says something else.
    fn check(path: impl AsRef<Path>) -> Result<(), ExportError> {
        export::check::<Self>(path.as_ref())
    }
}
