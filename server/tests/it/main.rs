//! The live server over real sockets.

mod calls;
mod compression;
mod full;
mod hooks;
mod input;
mod kit;
mod limits;
mod metrics;
mod plain;
#[expect(unreachable_pub, reason = "README shows what an application has in crates of its own")]
mod readme;
mod rights;
mod shutdown;
mod support;
mod timing;
