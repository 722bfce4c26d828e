//! Typed realtime for Rust backends: a live server that an application embeds.
//!
//! A [`Live`] is built once and mounted as an axum route; browsers connect with the npm package `tidewire`, Rust programs with
//! `tidewire-client`, scripts with nothing but a WebSocket. [`ws`] is the WebSocket layer on its own.
//!
//! The schema that both sides share is written with [`schema!`](tidewire_protocol::schema!) in a crate of its own.

mod admission;
mod alarms;
pub mod broker;
mod builder;
mod calls;
mod clock;
mod close;
mod connection;
mod error;
mod hex;
mod history;
mod hooks;
mod hub;
mod identity;
mod io;
mod live;
mod metrics;
mod options;
mod outbox;
mod presence;
mod publishing;
mod random;
pub mod relay;
mod request;
mod rights;
mod session;
mod shutdown;
mod snapshots;
#[cfg(feature = "test")]
pub mod test;
mod topics;
mod transport;
pub mod ws;

pub use builder::LiveBuilder;
pub use calls::IntoItem;
pub use close::CloseReason;
pub use error::{
    Access::{self, Allow, Deny},
    HistoryError, PublishError, Refusal, SendError, SubscribeError,
};
pub use history::{History, Past};
pub use hooks::Context;
pub use identity::Identity;
pub use live::Live;
pub use metrics::{HookMetrics, Metrics};
pub use presence::Wish;
pub use publishing::{Accepted, Publishing};
pub use request::Request;
pub use session::Session;
pub use shutdown::Shutdown;
pub use snapshots::Snapshot;
pub use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    delivery::Overflow,
    frame::Position,
    message::Message,
    name::Topic,
};
pub use topics::{TopicBuilder, TopicHandle};
pub use transport::{LiveService, Serve, serve};
