//! Tests of an application's [`Live`](crate::Live) without sockets, in time that the test controls. Cargo feature `test`.
//!
//! A [`Client`] is let in, limited and served by the code that serves one over TCP; only its socket is a bounded pipe in
//! memory. Under `#[tokio::test(start_paused = true)]` time passes when everybody waits, so that heartbeats, time-outs and
//! the end of a token take no time to test.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidewire::{ErrorCode, Live, Refusal, test::Client};
//! use ts_rs::TS;
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize, TS)]
//! pub struct Said { user: String, text: String }
//! #[derive(Serialize, Deserialize, TS)]
//! pub struct Say { text: String }
//!
//! tidewire_protocol::schema! {
//!     pub schema Chat {
//!         topic Room { room: String } = "chat:{room}" { event: Said, publish: Say }
//!     }
//! }
//!
//! fn live() -> Live<String> {
//!     Live::<String>::builder()
//!         .on_auth(async |_cx, request: tidewire::Request| {
//!             request.cookie("user").map(str::to_owned).ok_or(Refusal::unauthorized())
//!         })
//!         .topic::<Room>(|topic| topic.public().on_publish(async |_cx, session, _room, new: Say| {
//!             if new.text.is_empty() {
//!                 return Err(Refusal::invalid_data().message("nothing said"));
//!             }
//!             Ok(Said { user: session.value().to_string(), text: new.text })
//!         }))
//!         .build()
//! }
//!
//! // #[tokio::test(start_paused = true)]
//! async fn members_hear_each_other() -> Result<(), Box<dyn std::error::Error>> {
//!     let live = live();
//!     let mut ann = Client::connect(&live).header("cookie", "user=ann").hello().await?;
//!     let mut bob = Client::connect(&live).header("cookie", "user=bob").hello().await?;
//!     let room = Room { room: "general".into() };
//!     bob.subscribe(&room).await?;
//!
//!     let position = ann.publish(&room, &Say { text: "hello".into() }).await?;
//!     let event = bob.next_event::<Room>().await?;
//!     assert_eq!((event.topic, event.offset), (room.clone(), Some(position.offset)));
//!     assert_eq!(event.data, Said { user: "ann".into(), text: "hello".into() });
//!
//!     let refused = ann.publish(&room, &Say { text: String::new() }).await.unwrap_err();
//!     assert_eq!(refused.code(), Some(ErrorCode::INVALID_DATA));
//!     Ok(())
//! }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> { members_hear_each_other().await }
//! ```
//!
//! # Nothing waits for ever
//! What a client waits for and does not get is an error that says what it was: after 10 seconds of the wall clock, or, in paused
//! time, after a day of it, which passes at once where nobody has anything to do. Paused time also passes while a test waits for
//! a real socket, such as a database's; there use real time.

pub mod broker;
mod client;
mod connect;
mod error;
mod frame;
mod patience;
mod requests;
mod wire;

pub use client::Client;
pub use connect::{Connect, ConnectError};
pub use error::{RequestError, WaitError};
pub use frame::{Close, Event, Frame};
pub use patience::{NeverCame, eventually};
pub use requests::Items;
pub use tidewire_protocol::frame::server::{Subscribed, TokenTaken, Welcome};
