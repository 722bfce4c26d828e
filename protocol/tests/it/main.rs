//! The crate as its users see it: one binary, one module per topic.

mod client;
#[cfg(feature = "schema")]
#[expect(
    unreachable_pub,
    reason = "docs/schema.md shows what an application has in a crate of its own"
)]
mod declaration;
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
