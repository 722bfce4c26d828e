//! The live server over real sockets.

mod broker;
mod calls;
mod compression;
mod crossing;
mod drain;
mod edge;
mod full;
mod hooks;
mod input;
mod keyed;
mod kit;
mod limits;
mod metrics;
mod overflow;
mod plain;
mod presence;
mod publish;
#[expect(unreachable_pub, reason = "README shows what an application has in crates of its own")]
mod readme;
mod recovery;
mod relay;
mod rights;
mod serve;
mod shutdown;
mod snapshots;
mod streams;
mod support;
mod timing;
mod versions;
