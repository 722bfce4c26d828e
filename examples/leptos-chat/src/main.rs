//! The rooms of `examples/chat` with a front end in Rust: Leptos on `tidewire-client`, with the schema crate of the server.
//!
//! `cargo xtask demo leptos` builds the page and serves it with the chat's server. Reading order: `visitor` (a name and its
//! connection) → `chat` (the page around a room) → `room` (what a room tells, as signals) → `parts` (what is drawn more than once).

#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "components are written so by their macro")
)]

#[cfg(target_arch = "wasm32")]
mod chat;
#[cfg(target_arch = "wasm32")]
mod composer;
#[cfg(target_arch = "wasm32")]
mod parts;
#[cfg(target_arch = "wasm32")]
mod room;
#[cfg(target_arch = "wasm32")]
mod timeline;
#[cfg(target_arch = "wasm32")]
mod visitor;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    leptos::mount::mount_to_body(visitor::App);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    use std::io::Write;
    // Without a terminal there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "this is a page: `cargo xtask demo leptos` serves it");
    std::process::ExitCode::FAILURE
}
