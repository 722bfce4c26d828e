//! `permessage-deflate` (RFC 7692): what is negotiated, and compressing a message.
//!
//! Context takeover is excluded in both directions. That costs some compression, and gives two
//! things: a compressed frame does not depend on the connection, so that one is made for all of
//! them, and a connection owns neither a compressor (some 260 KB) nor a decompressor.

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use http::HeaderValue;

use super::{encode, head::Opcode};

/// Compression that both sides agreed to.
///
/// ```
/// use tidewire::ws::{Opcode, deflate::Deflate};
///
/// let text = "to be or not to be, ".repeat(50);
/// let frame = Deflate::SHARED.frame(Opcode::Text, text.as_bytes());
/// assert!(frame.len() < 60);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// The server's window is two to the power of this, in bytes.
    window_bits: u8,
}

const LARGEST_WINDOW: u8 = 15;
/// zlib cannot write for a window of 256 bytes: an offer that wants it is declined.
const SMALLEST_WINDOW: u8 = 9;
/// What is shorter does not become shorter.
const MIN_PAYLOAD: usize = 32;
const EXTENSION: &str = "permessage-deflate";
/// What ends a flush, and is left out on the wire.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Of zlib's levels the one that shrinks messages nearly as far as the default does, in a third of
/// its time.
const LEVEL: u32 = 2;

impl Deflate {
    /// The agreement with the largest window, whose frames most connections can take.
    pub const SHARED: Self = Self { window_bits: LARGEST_WINDOW };

    /// Chooses among the offers in a client's `Sec-WebSocket-Extensions`: the first that can be
    /// had. An offer with a parameter that is unknown, repeated or malformed is declined.
    pub fn negotiate<'a>(extensions: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Self> {
        extensions
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .find_map(Self::agree)
    }

    /// The answer to one offer.
    fn agree(offer: &str) -> Option<Self> {
        let mut parts = offer.split(';').map(trim);
        if parts.next() != Some(EXTENSION) {
            return None;
        }
        let mut window_bits = None;
        let (mut no_server_context, mut no_client_context, mut client_window) =
            (false, false, false);
        for parameter in parts {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (trim(name), Some(unquote(trim(value))?)),
                None => (parameter, None),
            };
            let seen = match (name, value) {
                ("server_no_context_takeover", None) => &mut no_server_context,
                ("client_no_context_takeover", None) => &mut no_client_context,
                // Whatever window the client would have, ours is large enough to read it.
                ("client_max_window_bits", None) => &mut client_window,
                ("client_max_window_bits", Some(value)) => {
                    bits(value)?;
                    &mut client_window
                }
                ("server_max_window_bits", Some(value)) if window_bits.is_none() => {
                    window_bits = Some(bits(value)?);
                    continue;
                }
                _ => return None,
            };
            if std::mem::replace(seen, true) {
                return None;
            }
        }
        let window_bits = window_bits.unwrap_or(LARGEST_WINDOW);
        (window_bits >= SMALLEST_WINDOW).then_some(Self { window_bits })
    }

    /// Whether this connection can take frames made by [`Self::SHARED`]. One that cannot takes
    /// the plain frame, as every connection can.
    pub fn is_shared(self) -> bool {
        self == Self::SHARED
    }

    /// The `Sec-WebSocket-Extensions` that tells the client what was agreed.
    pub fn header(self) -> HeaderValue {
        let mut header =
            format!("{EXTENSION}; server_no_context_takeover; client_no_context_takeover");
        if self.window_bits != LARGEST_WINDOW {
            header += &format!("; server_max_window_bits={}", self.window_bits);
        }
        HeaderValue::try_from(header).expect("the extension is visible ASCII")
    }

    /// A server's frame that is a whole message, compressed where that makes it shorter.
    pub fn frame(self, opcode: Opcode, payload: &[u8]) -> Bytes {
        match self.compress(payload) {
            Some(compressed) => encode::compressed_frame(opcode, &compressed),
            None => encode::frame(opcode, payload),
        }
    }

    /// A part of a message, compressed on its own: parts make a message in any number and order, if the last one's is
    /// [ended](Self::end). Only what is too large for zlib cannot be had.
    pub(super) fn part(self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut stream =
            Compress::new_with_window_bits(Compression::new(LEVEL), false, self.window_bits);
        // What does not shrink is stored in blocks, each with a few bytes of its own.
        let mut output = Vec::with_capacity(payload.len() + payload.len() / 100 + 64);
        stream.compress_vec(payload, &mut output, FlushCompress::Sync).ok()?;
        let is_whole = stream.total_in() == payload.len() as u64 && output.ends_with(&TAIL);
        is_whole.then_some(output)
    }

    /// What of a message's last part goes on the wire.
    pub(super) fn end(part: &[u8]) -> &[u8] {
        part.strip_suffix(&TAIL).unwrap_or(part)
    }

    /// `payload` compressed, if that is shorter.
    fn compress(self, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.len() < MIN_PAYLOAD {
            return None;
        }
        // A new one each time costs 3 µs more than one used again, which has to be reset; the reset
        // of zlib-rs 0.6 forgets a part of its state.
        let mut stream =
            Compress::new_with_window_bits(Compression::new(LEVEL), false, self.window_bits);
        // What does not fit is not shorter.
        let mut output = Vec::with_capacity(payload.len() + TAIL.len());
        stream.compress_vec(payload, &mut output, FlushCompress::Sync).ok()?;
        let is_whole = stream.total_in() == payload.len() as u64;
        let message = output.strip_suffix(&TAIL)?;
        if !is_whole || output.len() == output.capacity() || message.len() >= payload.len() {
            return None;
        }
        output.truncate(message.len());
        Some(output)
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The value of a parameter, which may stand in quotes.
fn unquote(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"'),
        None => Some(value),
    }
}

/// A window's size: 8 to 15 without leading zeros.
fn bits(value: &str) -> Option<u8> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
