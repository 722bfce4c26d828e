//! The head of a frame (RFC 6455, section 5.2): read strictly, written minimally.
//!
//! Everything a head alone can show to be wrong is refused here, at the first byte that shows it,
//! so that a frame cut anywhere gives the verdict of the frame whole. What needs the frames before
//! it (order, sizes) is the decoder's.

use super::{event::DecodeError, mask::MaskKey};

/// The longest head: two bytes, a 64-bit length and a mask key.
pub(super) const MAX_HEAD: usize = 14;
/// The longest payload of a control frame.
pub(super) const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const MASKED: u8 = 0x80;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A question whether the peer lives.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xA,
}

impl Opcode {
    fn read(bits: u8) -> Result<Self, DecodeError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return Err(DecodeError::ReservedOpcode),
        })
    }

    /// Whether this is a close, ping or pong, which may come between the fragments of a message.
    pub fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// Which side of the connection reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Reads masked frames and writes plain ones.
    Server,
    /// Reads plain frames and writes masked ones.
    Client,
}

/// A frame's head, as far as it matters once it has been checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) fin: bool,
    /// RSV1: the first frame of a compressed message.
    pub(super) compressed: bool,
    pub(super) opcode: Opcode,
    /// All zero, which changes nothing, where the frame is not masked.
    pub(super) key: MaskKey,
    pub(super) payload_len: u64,
}

impl Head {
    /// Reads the head at the start of `bytes` and its length; `None` if there is more to come.
    pub(super) fn read(
        bytes: &[u8],
        reader: Role,
        deflate: bool,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let (fin, compressed) = (first & FIN != 0, first & RSV1 != 0);
        if first & RSV2_AND_3 != 0 {
            return Err(DecodeError::ReservedBits);
        }
        let opcode = Opcode::read(first & 0x0F)?;
        let begins_message = matches!(opcode, Opcode::Text | Opcode::Binary);
        if compressed && !(deflate && begins_message) {
            return Err(DecodeError::ReservedBits);
        }
        if opcode.is_control() && !fin {
            return Err(DecodeError::FragmentedControl);
        }

        let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
        let masked = second & MASKED != 0;
        match reader {
            Role::Server if !masked => return Err(DecodeError::Unmasked),
            Role::Client if masked => return Err(DecodeError::Masked),
            _ => {}
        }
        let short_len = second & 0x7F;
        if opcode.is_control() && usize::from(short_len) > MAX_CONTROL_PAYLOAD {
            return Err(DecodeError::LongControl);
        }

        let Some((payload_len, rest)) = read_len(short_len, rest)? else { return Ok(None) };
        let (key, rest) = match (masked, rest.split_first_chunk::<4>()) {
            (false, _) => ([0; 4], rest),
            (true, Some((key, rest))) => (*key, rest),
            (true, None) => return Ok(None),
        };
        let head = Self { fin, compressed, opcode, key, payload_len };
        Ok(Some((head, bytes.len() - rest.len())))
    }
}

/// The payload's length and what follows it, where the second byte says `short_len`.
fn read_len(short_len: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let (len, least, rest) = match short_len {
        126 => match rest.split_first_chunk::<2>() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((len, rest)) => (u64::from_be_bytes(*len), 1 << 16, rest),
            None => return Ok(None),
        },
        len => (u64::from(len), 0, rest),
    };
    if len < least || len > i64::MAX as u64 {
        return Err(DecodeError::BadLength);
    }
    Ok(Some((len, rest)))
}

/// The head of a frame to be sent: bytes on the stack, read through `Deref`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadBytes {
    bytes: [u8; MAX_HEAD],
    len: u8,
}

impl HeadBytes {
    /// Writes a head whose frame is whole (FIN is set).
    pub(super) fn write(
        opcode: Opcode,
        compressed: bool,
        payload_len: usize,
        key: Option<MaskKey>,
    ) -> Self {
        let mut head = Self { bytes: [0; MAX_HEAD], len: 0 };
        let mask_bit = if key.is_some() { MASKED } else { 0 };
        head.push(&[FIN | if compressed { RSV1 } else { 0 } | opcode as u8]);
        if payload_len < 126 {
            head.push(&[mask_bit | payload_len as u8]);
        } else if let Ok(len) = u16::try_from(payload_len) {
            head.push(&[mask_bit | 126]);
            head.push(&len.to_be_bytes());
        } else {
            head.push(&[mask_bit | 127]);
            head.push(&(payload_len as u64).to_be_bytes());
        }
        if let Some(key) = key {
            head.push(&key);
        }
        head
    }

    /// More fragments of the message follow.
    pub(super) fn clear_fin(&mut self) {
        self.bytes[0] &= !FIN;
    }

    fn push(&mut self, bytes: &[u8]) {
        let at = usize::from(self.len);
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len() as u8;
    }
}

impl std::ops::Deref for HeadBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}
