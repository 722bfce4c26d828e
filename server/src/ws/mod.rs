//! WebSocket (RFC 6455, with the compression of RFC 7692): strict, and without buffers at rest.
//!
//! In layers, of which an application takes the one it needs:
//!
//! - [`Upgrade`] and [`WebSocket`]: from a request under axum or hyper to messages sent and
//!   received. This is what to use for a plain WebSocket beside a live server.
//! - [`handshake`] and [`deflate`]: what is answered to a request, as functions of its head.
//! - [`Decoder`] and [`encode`]: bytes to checked messages, and messages to frames. They know no
//!   socket and no clock; frames can be encoded once and sent to many.
//!
//! Not here on purpose: HTTP/2 (RFC 8441), extensions other than `permessage-deflate`, and sending
//! a message in fragments.

mod close;
mod decode;
pub mod deflate;
pub mod encode;
mod event;
pub mod handshake;
mod head;
mod inflate;
mod mask;
mod message;
mod origin;
mod passage;
mod socket;
mod text;
mod upgrade;

pub use decode::Decoder;
pub use event::{CloseFrame, DecodeError, Event};
pub use head::{Opcode, Role};
pub(crate) use passage::Passage;
pub use socket::{Message, Options, SocketError, WebSocket};
pub use upgrade::{Opened, Pending, Stream, Upgrade};

/// The close codes of RFC 6455 that this layer knows.
pub mod close_code {
    pub use super::close::{
        GOING_AWAY, INTERNAL_ERROR, INVALID_DATA, NORMAL, POLICY_VIOLATION, PROTOCOL_ERROR,
        TOO_LARGE, UNSUPPORTED_DATA, may_be_sent,
    };
}
