//! The edge: how an HTTP request becomes a connection. Only this folder names axum.

mod axum;
mod upgrade;
