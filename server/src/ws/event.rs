//! What a decoder has to say: what came, or what is wrong with it.

use std::borrow::Cow;

use super::close;

/// What a peer sent: a whole message, or a control frame.
///
/// Borrowed from the input where it lay there whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// A ping, to be answered by a pong with the same payload.
    Ping(Cow<'a, [u8]>),
    /// The answer to a ping, or one nobody asked for.
    Pong(Cow<'a, [u8]>),
    /// The peer closes. Nothing is decoded after it.
    Close(Option<CloseFrame<'a>>),
}

/// Why a peer closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// One of the codes that may be sent: 1000–1003, 1007–1014, 3000–4999.
    pub code: u16,
    /// For people; may be empty.
    pub reason: Cow<'a, str>,
}

/// What is wrong with what a peer sent. The connection has to end, with [`close_code`].
///
/// [`close_code`]: DecodeError::close_code
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A reserved bit is set that no negotiated extension gives a meaning.
    #[error("a reserved bit is set")]
    ReservedBits,
    /// The opcode is none of the six that are defined.
    #[error("the opcode is reserved")]
    ReservedOpcode,
    /// A client's frame is not masked.
    #[error("a frame from a client is not masked")]
    Unmasked,
    /// A server's frame is masked.
    #[error("a frame from a server is masked")]
    Masked,
    /// A control frame is a fragment.
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A control frame's payload is over 125 bytes.
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    /// The length is not in the shortest of its three forms, or has its top bit set.
    #[error("the length of a frame is badly encoded")]
    BadLength,
    /// A continuation comes where no message has begun.
    #[error("a continuation frame continues nothing")]
    NothingToContinue,
    /// A message begins before the one under way has ended.
    #[error("a message begins within another")]
    MessageInMessage,
    /// The message is, or declares to be, over the read limit.
    #[error("the message is over the read limit")]
    TooLarge,
    /// A text message, or the reason of a close frame, is not UTF-8.
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// The payload of a close frame is a single byte, or its code may not be sent.
    #[error("the close frame has no valid code")]
    BadClose,
    /// A compressed message does not decompress.
    #[error("a compressed message does not decompress")]
    BadDeflate,
}

impl DecodeError {
    /// The close code that tells the peer.
    pub fn close_code(self) -> u16 {
        match self {
            Self::TooLarge => close::TOO_LARGE,
            Self::InvalidUtf8 | Self::BadDeflate => close::INVALID_DATA,
            _ => close::PROTOCOL_ERROR,
        }
    }
}
