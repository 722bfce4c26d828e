//! The client's side of WebSocket framing, as little as a load needs: masked text out, whole text frames in.

/// What each byte that a client sends is mixed with. RFC 6455 wants it random, which no server can tell.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The longest message that a load sends.
const LONGEST: usize = u16::MAX as usize;

/// Adds a masked text frame to `to`.
///
/// # Panics
/// If the text is longer than 65,535 bytes: no load sends such.
pub(crate) fn write_text(to: &mut Vec<u8>, text: &str) {
    assert!(text.len() <= LONGEST, "a load sends small messages");
    to.push(0x81);
    match u8::try_from(text.len()) {
        Ok(short @ ..126) => to.push(0x80 | short),
        _ => {
            to.push(0x80 | 126);
            to.extend_from_slice(&[(text.len() >> 8) as u8, text.len() as u8]);
        }
    }
    to.extend_from_slice(&MASK);
    to.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// What a server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A text message.
    Text(&'a [u8]),
    /// A ping, which wants a pong.
    Ping(&'a [u8]),
    /// The server closes the connection.
    Close(&'a [u8]),
}

/// Not what a server may send, or more than this reads (fragments, binary, extensions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Takes the next whole frame off `bytes`; `None` if there is none yet.
pub(crate) fn read<'a>(bytes: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Unreadable> {
    let [first, second, rest @ ..] = *bytes else { return Ok(None) };
    let (length, rest) = match (*second, rest) {
        (short @ ..126, rest) => (usize::from(short), rest),
        (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        (127, [a, b, c, d, e, f, g, h, rest @ ..]) => {
            let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
            (usize::try_from(length).map_err(|_| Unreadable)?, rest)
        }
        (126 | 127, _) => return Ok(None),
        _ => return Err(Unreadable),
    };
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    *bytes = rest;
    match first {
        0x81 => Ok(Some(Frame::Text(payload))),
        0x88 => Ok(Some(Frame::Close(payload))),
        0x89 => Ok(Some(Frame::Ping(payload))),
        _ => Err(Unreadable),
    }
}

/// Adds the answer to a ping to `to`.
pub(crate) fn write_pong(to: &mut Vec<u8>, payload: &[u8]) {
    to.extend_from_slice(&[0x8a, 0x80 | payload.len() as u8]);
    to.extend_from_slice(&MASK);
    to.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_masked_behind_its_length() {
        let check = |length: usize, head: &[u8]| {
            let mut frame = Vec::new();
            write_text(&mut frame, &"x".repeat(length));
            let body = frame.strip_prefix(head).unwrap().strip_prefix(&MASK).unwrap();
            assert_eq!(body.len(), length);
            assert!(body.iter().enumerate().all(|(at, byte)| byte ^ MASK[at % 4] == b'x'));
        };
        check(3, &[0x81, 0x83]);
        check(125, &[0x81, 0xfd]);
        check(126, &[0x81, 0xfe, 0, 126]);
        check(60_000, &[0x81, 0xfe, 0xea, 0x60]);
    }

    #[test]
    fn frames_are_taken_whole_and_in_order() {
        let mut stream = vec![0x81, 2, b'h', b'i', 0x89, 1, b'p', 0x81, 126, 0, 200];
        stream.extend([b'y'; 200]);
        let whole = &stream[..];
        for length in 0..=whole.len() {
            let mut bytes = &whole[..length];
            let mut frames = Vec::new();
            while let Some(frame) = read(&mut bytes).unwrap() {
                frames.push(frame);
            }
            let expected = [Frame::Text(b"hi"), Frame::Ping(b"p"), Frame::Text(&[b'y'; 200])];
            let count = [4, 7, whole.len()].iter().filter(|end| **end <= length).count();
            assert_eq!(frames, expected[..count]);
        }
    }

    #[test]
    fn what_no_server_sends_here_is_unreadable() {
        for mut bytes in [&[0x82, 0][..], &[0x01, 0], &[0xc1, 0], &[0x81, 0x80]] {
            assert_eq!(read(&mut bytes), Err(Unreadable));
        }
    }
}
