//! What owns a socket, a timer and the page: one driver for each kind of place.

#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
pub(crate) mod web;
