//! Frames to be sent: the writing half of the codec.
//!
//! A frame is encoded once, into [`Bytes`] that any number of connections share. What a server
//! sends is not masked, so its frame is the same for every client; [`masked`] makes a client's.
//!
//! ```
//! use tidewire::ws::{Opcode, encode};
//!
//! assert_eq!(&encode::text("Hello")[..], b"\x81\x05Hello");
//! // A payload made of parts, written straight behind the head without a copy:
//! let frame = encode::write(Opcode::Text, 64, |payload| {
//!     payload.extend_from_slice(b"{\"topic\":");
//!     payload.extend_from_slice(b"\"chat\"}");
//! });
//! assert_eq!(&frame[..], b"\x81\x10{\"topic\":\"chat\"}");
//! ```

use bytes::Bytes;

pub use super::head::HeadBytes;
use super::{
    close,
    head::{MAX_CONTROL_PAYLOAD, MAX_HEAD, Opcode},
    mask,
};

/// The longest head of a frame that is not masked.
const MAX_PLAIN_HEAD: usize = MAX_HEAD - 4;

/// The head of a server's frame with a payload of `payload_len` bytes.
pub fn head(opcode: Opcode, payload_len: usize) -> HeadBytes {
    HeadBytes::write(opcode, false, payload_len, None)
}

/// A text message.
pub fn text(payload: &str) -> Bytes {
    frame(Opcode::Text, payload.as_bytes())
}

/// A binary message.
pub fn binary(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// A ping. Of a payload over 125 bytes, the first 125.
pub fn ping(payload: &[u8]) -> Bytes {
    control(Opcode::Ping, payload)
}

/// A pong. Of a payload over 125 bytes, the first 125.
pub fn pong(payload: &[u8]) -> Bytes {
    control(Opcode::Pong, payload)
}

/// A close frame. Of a reason over 123 bytes, the characters that fit.
pub fn close(code: u16, reason: &str) -> Bytes {
    frame(Opcode::Close, &close_payload(code, reason))
}

/// A close frame that gives no code.
pub fn close_without_code() -> Bytes {
    frame(Opcode::Close, &[])
}

/// A server's frame. A text's payload has to be UTF-8, a control frame's at most 125 bytes.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    join(HeadBytes::write(opcode, false, payload.len(), None), payload).into()
}

/// A fragment of a server's message: the first has the message's opcode, each other [`Opcode::Continuation`]. `is_compressed` in the
/// first says that all of the message is compressed.
pub(super) fn fragment(
    opcode: Opcode,
    is_compressed: bool,
    is_last: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut head = HeadBytes::write(opcode, is_compressed, payload.len(), None);
    if !is_last {
        head.clear_fin();
    }
    join(head, payload)
}

/// A server's frame whose payload is compressed.
pub(super) fn compressed_frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    join(HeadBytes::write(opcode, true, payload.len(), None), payload).into()
}

/// A server's frame whose payload is written by `write` at the end of the buffer it is given, in
/// which there is room for `capacity` bytes.
pub fn write(opcode: Opcode, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut buffer = Vec::with_capacity(MAX_PLAIN_HEAD + capacity);
    // The head's length depends on the payload's: it is written last, against the payload.
    buffer.resize(MAX_PLAIN_HEAD, 0);
    write(&mut buffer);
    let head = head(opcode, buffer.len() - MAX_PLAIN_HEAD);
    let start = MAX_PLAIN_HEAD - head.len();
    buffer[start..MAX_PLAIN_HEAD].copy_from_slice(&head);
    // Frames wait in queues and histories, which count their length.
    buffer.shrink_to_fit();
    Bytes::from(buffer).slice(start..)
}

/// A client's frame, masked with `key`, which has to be new and random for every frame.
pub fn masked(opcode: Opcode, payload: &[u8], key: [u8; 4]) -> Bytes {
    let head = HeadBytes::write(opcode, false, payload.len(), Some(key));
    let mut frame = join(head, payload);
    mask::apply(&mut frame[head.len()..], key, 0);
    frame.into()
}

/// The payload of a close frame: a client has to mask it.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), close::fitting(reason).as_bytes()].concat()
}

fn control(opcode: Opcode, payload: &[u8]) -> Bytes {
    frame(opcode, &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)])
}

fn join(head: HeadBytes, payload: &[u8]) -> Vec<u8> {
    [&head, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_as_short_as_can_be() {
        let check = |len: usize, expected: &[u8]| {
            assert_eq!(&head(Opcode::Binary, len)[..], expected, "{len}");
            let frame =
                write(Opcode::Binary, len, |payload| payload.resize(payload.len() + len, 7));
            assert_eq!(&frame[..expected.len()], expected, "{len}");
            assert_eq!(frame.len(), expected.len() + len);
        };
        check(0, b"\x82\x00");
        check(125, b"\x82\x7D");
        check(126, b"\x82\x7E\x00\x7E");
        check(65_535, b"\x82\x7E\xFF\xFF");
        check(65_536, b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00");
    }

    #[test]
    fn frames_of_the_rfc() {
        assert_eq!(&text("Hello")[..], b"\x81\x05Hello");
        assert_eq!(&ping(b"Hello")[..], b"\x89\x05Hello");
        assert_eq!(
            &masked(Opcode::Text, b"Hello", [0x37, 0xFA, 0x21, 0x3D])[..],
            b"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"
        );
        assert_eq!(&close_without_code()[..], b"\x88\x00");
    }

    #[test]
    fn fragments_of_the_rfc() {
        assert_eq!(&fragment(Opcode::Text, false, false, b"Hel")[..], b"\x01\x03Hel");
        assert_eq!(&fragment(Opcode::Continuation, false, true, b"lo")[..], b"\x80\x02lo");
    }

    #[test]
    fn control_frames_stay_within_their_bounds() {
        assert_eq!(pong(&[7; 200]).len(), 2 + 125);
        assert_eq!(&close(1000, "bye")[..], b"\x88\x05\x03\xE8bye");
        // The 62nd of these two-byte characters would end at byte 124.
        assert_eq!(close(1000, &"é".repeat(100)).len(), 2 + 2 + 122);
        assert_eq!(close(1000, &"e".repeat(200)).len(), 2 + 2 + 123);
    }
}
