//! Messages, schemas and deterministic cores shared by the Tidewire server and its clients.
//!
//! What stands on the wire is in [`frame`], [`message`], [`name`] and [`code`]; what an application declares is in
//! [`mod@schema`]. The cores [`client`], [`session`], [`topic`] and [`delivery`] take every decision of the protocol. They hold no
//! socket, clock, thread or random source: inputs and the time go in, outputs come out, so that what runs in production
//! can be run on virtual time.
//!
//! # Features
//! - `std`: links the standard library. Without it the crate is `no_std` with `alloc`.
//! - `json`: messages and frames as JSON.
//! - `schema` (default): [`schema!`](crate::schema!), structural hashes and the TypeScript export.

#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

pub mod client;
pub mod code;
pub mod delivery;
#[cfg(feature = "json")]
pub mod frame;
#[cfg(feature = "json")]
pub mod message;
pub mod name;
pub mod presence;
#[cfg(feature = "schema")]
pub mod schema;
pub mod session;
pub mod topic;

#[cfg(feature = "schema")]
#[doc(hidden)]
pub use ts_rs;

/// Milliseconds since any fixed moment; only differences count. The cores are told the time, they never ask.
pub type Millis = u64;

/// The largest integer that JSON numbers carry exactly in every language: offsets and ids stay at or below it.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
