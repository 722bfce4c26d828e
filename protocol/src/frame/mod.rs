//! Frames as JSON text: what a client sends ([`client`]) and what a server sends ([`server`]).
//!
//! Reading is strict about types and blind to unknown fields; writing is the only place where the wire's field names stand
//! besides docs/wire.md.

pub mod client;
pub mod server;
pub mod tuple;

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// A position in a topic: an offset within one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// One life of the topic's offsets; positions of different epochs do not compare.
    pub epoch: String,
    /// The offset, at most [`MAX_INTEGER`](crate::MAX_INTEGER); 0 is before the first event.
    pub offset: u64,
}

/// Writes a frame; the types written here cannot fail to be JSON.
pub(crate) fn to_json(frame: &impl Serialize) -> String {
    serde_json::to_string(frame).unwrap_or_else(|error| {
        // Only maps with keys that are no strings and failing `Serialize` impls end here, and frames have neither.
        debug_assert!(false, "{error}");
        error.to_string()
    })
}
