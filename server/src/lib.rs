//! Typed realtime for Rust backends.
pub mod ws;
