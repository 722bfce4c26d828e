//! The live server over real sockets.

mod full;
mod hooks;
mod input;
mod limits;
mod plain;
mod rights;
mod support;
