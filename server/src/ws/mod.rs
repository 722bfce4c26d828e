//! WebSocket (RFC 6455), strict and without buffers: a pure codec and a handshake.

mod close;
mod decode;
pub mod deflate;
pub mod encode;
pub mod handshake;
mod head;
mod inflate;
mod mask;
mod message;
mod origin;
mod socket;
mod text;
mod upgrade;

pub use decode::{CloseFrame, DecodeError, Decoder, Event};
pub use head::{Opcode, Role};
pub use socket::{Message, Options, SocketError, WebSocket};
pub use upgrade::{Opened, Pending, Stream, Upgrade};

/// The close codes of RFC 6455.
pub mod close_code {
    pub use super::close::*;
}
