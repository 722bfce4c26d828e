//! The crate as its users see it: one binary, one module per topic.

mod client;
#[cfg(feature = "schema")]
mod export;
#[cfg(feature = "json")]
mod frames;
#[cfg(feature = "schema")]
mod hashes;
#[cfg(feature = "schema")]
mod mapping;
mod names;
#[cfg(feature = "schema")]
mod schema;
#[cfg(feature = "json")]
mod tuples;
#[cfg(feature = "schema")]
mod unhonoured;
