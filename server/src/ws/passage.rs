//! [`Passage`]: a large part of text messages, encoded once for all connections that are sent it.
//!
//! A message with a passage goes out in three fragments, of which the middle one is the passage. Without context takeover the parts
//! of a compressed message do not depend on each other, so that the passage is compressed once too.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{deflate::Deflate, encode, head::Opcode};

/// A part that many messages share.
pub(crate) struct Passage {
    frame: Vec<u8>,
    /// Where the text begins.
    head: usize,
    compressed: OnceLock<Option<Vec<u8>>>,
}

/// Which of a passage's frames; it keeps the passage.
struct Whole(Arc<Passage>);
struct Compressed(Arc<Passage>);

impl Passage {
    pub(crate) fn new(text: &str) -> Self {
        let frame = encode::fragment(Opcode::Continuation, false, false, text.as_bytes());
        Self { head: frame.len() - text.len(), frame, compressed: OnceLock::new() }
    }

    /// The text, as bytes.
    pub(crate) fn text(&self) -> &[u8] {
        &self.frame[self.head..]
    }

    /// Does what takes time, so that [`message`](Self::message) does not.
    pub(crate) fn prepare(&self, deflate: Option<Deflate>) {
        if deflate.is_some_and(Deflate::is_shared) {
            self.compressed();
        }
    }

    /// The frames of a text message that has the passage within it, for a connection that agreed to this compression.
    pub(crate) fn message(
        self: &Arc<Self>,
        deflate: Option<Deflate>,
        before: &str,
        behind: &str,
    ) -> [Bytes; 3] {
        let deflate = deflate.filter(|deflate| deflate.is_shared() && self.compressed().is_some());
        let parts = deflate.and_then(|deflate| {
            Some((deflate.part(before.as_bytes())?, deflate.part(behind.as_bytes())?))
        });
        let first = |is_compressed, payload| {
            encode::fragment(Opcode::Text, is_compressed, false, payload).into()
        };
        let last = |payload| encode::fragment(Opcode::Continuation, false, true, payload).into();
        match parts {
            Some((before, behind)) => [
                first(true, &before),
                Bytes::from_owner(Compressed(Arc::clone(self))),
                last(Deflate::end(&behind)),
            ],
            None => [
                first(false, before.as_bytes()),
                Bytes::from_owner(Whole(Arc::clone(self))),
                last(behind.as_bytes()),
            ],
        }
    }

    fn compressed(&self) -> Option<&[u8]> {
        let compress = || {
            let part = Deflate::SHARED.part(self.text())?;
            Some(encode::fragment(Opcode::Continuation, false, false, &part))
        };
        self.compressed.get_or_init(compress).as_deref()
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.0.frame
    }
}

impl AsRef<[u8]> for Compressed {
    fn as_ref(&self) -> &[u8] {
        self.0.compressed().unwrap_or_default()
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("bytes", &self.text().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{Decoder, Event};

    fn decoded(frames: &[Bytes]) -> String {
        let mut bytes = frames.concat();
        let mut bytes = &mut bytes[..];
        let mut decoder = Decoder::client(8 << 20).with_deflate(true);
        let Some(Event::Text(text)) = decoder.decode(&mut bytes).unwrap() else {
            panic!("no message")
        };
        let text = text.to_string();
        assert!(bytes.is_empty(), "nothing follows");
        text
    }

    #[test]
    fn a_message_reads_as_one_with_and_without_compression() {
        let noise: String = (0_u32..300_000)
            .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 90))
            .collect();
        let even = "to be or not to be, ".repeat(50_000);
        for text in ["", "[]", &even, &noise, "é".repeat(40_000).as_str()] {
            let passage = Arc::new(Passage::new(text));
            assert_eq!(passage.text(), text.as_bytes());
            let expected = format!("{{\"data\":{text}}}");
            for deflate in [None, Some(Deflate::SHARED)] {
                passage.prepare(deflate);
                let frames = passage.message(deflate, "{\"data\":", "}");
                assert_eq!(decoded(&frames), expected, "{deflate:?}");
            }
        }
        let frames = Arc::new(Passage::new(&even)).message(Some(Deflate::SHARED), "<", ">");
        assert!(frames.concat().len() < 10_000, "it is compressed");
    }

    #[test]
    fn connections_share_the_passage() {
        let passage = Arc::new(Passage::new(&"x".repeat(1000)));
        let [_, one, _] = passage.message(None, "<", ">");
        let [_, other, _] = passage.message(None, "[", "]");
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(Arc::strong_count(&passage), 3, "each keeps it");
        drop((one, other));
        assert_eq!(Arc::strong_count(&passage), 1);
    }
}
