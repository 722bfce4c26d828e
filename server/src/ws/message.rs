//! A message that comes in pieces, put together.
//!
//! Its memory grows with what has come, never with what a head has declared, and by doubling only
//! up to the read limit.

use std::borrow::Cow;

use super::{
    event::{DecodeError, Event},
    head::Opcode,
    inflate,
    text::TextBuffer,
};

/// The pieces so far.
#[derive(Debug)]
pub(super) struct Assembly {
    body: Body,
    read_limit: usize,
}

#[derive(Debug)]
enum Body {
    Text(TextBuffer),
    Binary(Vec<u8>),
    /// Decompressed when it is whole, with the opcode that says what it then is.
    Compressed(Opcode, Vec<u8>),
}

impl Assembly {
    pub(super) fn new(opcode: Opcode, compressed: bool, read_limit: usize) -> Self {
        let body = match opcode {
            _ if compressed => Body::Compressed(opcode, Vec::new()),
            Opcode::Text => Body::Text(TextBuffer::default()),
            _ => Body::Binary(Vec::new()),
        };
        Self { body, read_limit }
    }

    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Text(text) => text.len(),
            Body::Binary(bytes) | Body::Compressed(_, bytes) => bytes.len(),
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.body, Body::Compressed(..))
    }

    /// Takes the next piece; the decoder has made sure that it is within the limit.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        match &mut self.body {
            Body::Text(text) => {
                let growth = growth(text.len(), text.capacity(), piece.len(), self.read_limit);
                text.reserve_exact(growth);
                text.push(piece).map_err(|_| DecodeError::InvalidUtf8)
            }
            Body::Binary(bytes) | Body::Compressed(_, bytes) => {
                let growth = growth(bytes.len(), bytes.capacity(), piece.len(), self.read_limit);
                bytes.reserve_exact(growth);
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    pub(super) fn finish<'a>(self) -> Result<Event<'a>, DecodeError> {
        match self.body {
            Body::Text(text) => match text.finish() {
                Ok(text) => Ok(Event::Text(Cow::Owned(text))),
                Err(_) => Err(DecodeError::InvalidUtf8),
            },
            Body::Binary(bytes) => Ok(Event::Binary(Cow::Owned(bytes))),
            Body::Compressed(opcode, bytes) => inflate::message(&bytes, opcode, self.read_limit),
        }
    }
}

/// How much room to ask for: double what there is, within the limit, and enough for the piece.
fn growth(len: usize, capacity: usize, piece: usize, read_limit: usize) -> usize {
    let needed = len + piece;
    if needed <= capacity {
        return piece;
    }
    needed.max((capacity * 2).min(read_limit)) - len
}
