//! Decompressing a message of `permessage-deflate` (RFC 7692, section 7.2.2), within the read limit.
//!
//! A message is decompressed when it is whole and without the context of earlier ones, which the
//! negotiation excludes: so no connection owns a decompressor. Making one costs 0.4 µs. Its window
//! is the largest, which reads what any smaller one wrote.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};

use super::{
    event::{DecodeError, Event},
    head::Opcode,
};

/// What ends each message and is left out on the wire.
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The longest that an honest peer makes a message of `read_limit` bytes by compressing it: what
/// cannot be compressed grows a little.
pub(super) fn longest_compressed(read_limit: usize) -> usize {
    read_limit.saturating_add(read_limit / 16).saturating_add(64)
}

/// The message that `compressed` is.
pub(super) fn message<'a>(
    compressed: &[u8],
    opcode: Opcode,
    read_limit: usize,
) -> Result<Event<'a>, DecodeError> {
    let bytes = inflate(compressed, read_limit)?;
    match opcode {
        Opcode::Text => match String::from_utf8(bytes) {
            Ok(text) => Ok(Event::Text(Cow::Owned(text))),
            Err(_) => Err(DecodeError::InvalidUtf8),
        },
        _ => Ok(Event::Binary(Cow::Owned(bytes))),
    }
}

fn inflate(compressed: &[u8], read_limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut stream = Decompress::new(false);
    let mut output = Vec::new();
    feed(&mut stream, compressed, &mut output, read_limit)?;
    feed(&mut stream, &TAIL, &mut output, read_limit)?;
    Ok(output)
}

/// Decompresses all of `input`, of which a peer may have made several streams: a message may have
/// a final block and go on after it.
fn feed(
    stream: &mut Decompress,
    mut input: &[u8],
    output: &mut Vec<u8>,
    read_limit: usize,
) -> Result<(), DecodeError> {
    loop {
        if output.len() == output.capacity() {
            // One byte over the limit is enough to see that it is exceeded.
            let most = read_limit.saturating_add(1);
            let target = (output.len() * 2).max(input.len() * 3).max(256).min(most);
            output.reserve_exact(target - output.len());
        }
        let (read, written) = (stream.total_in(), output.len());
        let status = stream
            .decompress_vec(input, output, FlushDecompress::None)
            .map_err(|_| DecodeError::BadDeflate)?;
        let read = (stream.total_in() - read) as usize;
        input = &input[read..];
        if output.len() > read_limit {
            return Err(DecodeError::TooLarge);
        }
        if status == Status::StreamEnd {
            stream.reset(false);
            if input.is_empty() {
                return Ok(());
            }
        } else if input.is_empty() && output.len() < output.capacity() {
            // Room is left: all that the input says has been written.
            return Ok(());
        } else if read == 0 && output.len() == written {
            return Err(DecodeError::BadDeflate);
        }
    }
}
