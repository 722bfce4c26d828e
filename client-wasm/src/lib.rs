//! The client for Rust programs and front ends: typed topics over a connection that mends itself.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use futures_util::StreamExt;
//! # use serde::{Deserialize, Serialize};
//! # use ts_rs::TS;
//! # #[derive(Debug, Serialize, Deserialize, TS)] pub struct ChatMessage { pub user: String, pub text: String }
//! # #[derive(Serialize, Deserialize, TS)] pub struct NewMessage { pub text: String }
//! # tidewire_protocol::schema! {
//! #     pub schema Chat {
//! #         topic Room { room: String } = "chat:{room}" { event: ChatMessage, publish: NewMessage }
//! #         call CreateRoom = "rooms.create" (NewMessage) -> ChatMessage;
//! #     }
//! # }
//! use tidewire_client::Event;
//!
//! let live = tidewire_client::connect::<Chat>("wss://app.example/ws").build();
//! let general = Room { room: "general".into() };
//! live.call(CreateRoom, &NewMessage { text: "general".into() }).await?;
//! let mut room = live.follow(&general);
//! live.publish(&general, &NewMessage { text: "hello".into() }).await?;
//! while let Some(event) = room.next().await {
//!     match event {
//!         Event::Snapshot { state, .. } => println!("{} messages before", state.len()),
//!         Event::Message { data, .. } => println!("{}: {}", data.user, data.text),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! After a lost connection every subscription goes on where it was: what was missed comes first, in order and once, and where
//! the server no longer has it an [`Event::Gap`] says so. All of that is decided by `tidewire_protocol::client`; this crate
//! moves its bytes.
//!
//! It is one API in two places: in a browser (`wasm32-unknown-unknown`, in a page or a worker) on the WebSocket that is there, and in
//! a program on tokio. In a browser an address may be relative to the page; in a program `wss` is by rustls, behind the feature
//! `tls`, which is on by default.
//!
//! Reading order: [`Live`] (what an application holds) → `engine` (carries out what the core decides, without a socket) →
//! `driver` (sockets, timer and clock).

mod builder;
mod connection;
mod driver;
mod engine;
mod entries;
mod history;
mod items;
mod live;
mod messages;
mod publish;
mod request;
mod shared;
mod subscription;

pub use builder::{Builder, connect};
pub use connection::{Connection, Connections};
pub use driver::Spawnable;
pub use entries::{Change, Entries};
pub use history::{Page, Past, Range};
pub use items::Items;
pub use live::Live;
pub use messages::Messages;
pub use publish::{Publish, PublishError, Refusal};
pub use request::{Request, RequestError};
pub use subscription::{Event, Gap, NoSnapshot, Subscription};
pub use tidewire_protocol::{
    client::{Cause, Continuity, State},
    code::{CloseCode, ErrorCode},
    frame::Position,
};
