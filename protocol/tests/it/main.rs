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
#[path = "../shared/numbers.rs"]
mod numbers;
#[path = "../shared/random.rs"]
mod random;
#[cfg(feature = "schema")]
mod schema;
#[cfg(feature = "json")]
mod tuples;
#[cfg(feature = "schema")]
mod unhonoured;
