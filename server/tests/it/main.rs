//! The live server over real sockets.

mod full;
mod hooks;
mod input;
mod limits;
mod metrics;
mod plain;
mod rights;
mod support;
