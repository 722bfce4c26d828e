//! The edge: how an HTTP request becomes a connection, and a server below it. Only this folder names axum.

mod body;
mod serve;
mod service;
mod stream;
mod upgrade;

pub use serve::{Serve, serve};
pub use service::LiveService;
