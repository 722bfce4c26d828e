//! The live server over real sockets.

mod full;
mod hooks;
mod input;
mod plain;
mod support;
