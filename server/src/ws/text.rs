//! Text that arrives in pieces, checked as it comes.
//!
//! A piece may end within a character; the bytes of that character wait in `tail`. Text that can
//! no longer become valid is refused with the byte that shows it, not when the message ends.

/// The bytes are not UTF-8, whatever may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidUtf8;

/// A growing text: what is whole characters so far, and the beginning of the next.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    text: String,
    tail: [u8; 4],
    tail_len: u8,
}

impl TextBuffer {
    /// How many bytes have come.
    pub(super) fn len(&self) -> usize {
        self.text.len() + usize::from(self.tail_len)
    }

    /// Makes room for `additional` bytes, and no more.
    pub(super) fn reserve_exact(&mut self, additional: usize) {
        self.text.reserve_exact(additional);
    }

    /// How many bytes there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.tail_len > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.push_tail(byte)?;
        }
        let (whole, begun) = piece.split_at(piece.len() - begun_character(piece));
        self.text.push_str(simdutf8::basic::from_utf8(whole).map_err(|_| InvalidUtf8)?);
        begun.iter().try_for_each(|&byte| self.push_tail(byte))
    }

    /// Takes a byte of a character that is not whole yet. Never a fifth: four are a character, or
    /// an error, after which nothing more is taken.
    fn push_tail(&mut self, byte: u8) -> Result<(), InvalidUtf8> {
        self.tail[usize::from(self.tail_len)] = byte;
        self.tail_len += 1;
        match std::str::from_utf8(&self.tail[..usize::from(self.tail_len)]) {
            Ok(character) => {
                self.text.push_str(character);
                self.tail_len = 0;
            }
            Err(error) if error.error_len().is_some() => {
                self.tail_len = 0;
                return Err(InvalidUtf8);
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// The whole text, if it does not end within a character.
    pub(super) fn finish(self) -> Result<String, InvalidUtf8> {
        if self.tail_len == 0 { Ok(self.text) } else { Err(InvalidUtf8) }
    }
}

/// How many bytes at the end of `piece` begin a character that goes on after it.
fn begun_character(piece: &[u8]) -> usize {
    for (back, &byte) in (1..=3).zip(piece.iter().rev()) {
        let len = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            0x00..=0x7F => 1,
        };
        return if len > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pushes `bytes` in two pieces, cut everywhere: the answer must be that of the whole.
    fn check(bytes: &[u8]) {
        let expected = std::str::from_utf8(bytes).map_err(|_| InvalidUtf8);
        for cut in 0..=bytes.len() {
            let mut buffer = TextBuffer::default();
            let (head, tail) = bytes.split_at(cut);
            let text =
                buffer.push(head).and_then(|()| buffer.push(tail)).and_then(|()| buffer.finish());
            assert_eq!(text.as_deref(), expected.as_ref().map(|text| *text), "cut at {cut}");
        }
    }

    #[test]
    fn every_cut_gives_the_verdict_of_the_whole() {
        check("Hello-µ@ßöäüàá-UTF-8!! 🎉 κόσμε".as_bytes());
        check(b"");
        check(b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited");
        check(b"ends early \xF0\x9F\x8E");
        check(b"\xF4\x90\x80\x80");
        check(b"\xC0\xAF");
        check(b"\xFF");
    }

    #[test]
    fn what_cannot_become_text_is_refused_at_once() {
        let mut buffer = TextBuffer::default();
        assert_eq!(buffer.push(b"abc \xF4"), Ok(()));
        assert_eq!(buffer.push(b"\x90"), Err(InvalidUtf8));
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces(text in "\\PC{0,40}", sizes in proptest::collection::vec(0_usize..5, 0..60)) {
            let mut buffer = TextBuffer::default();
            let mut rest = text.as_bytes();
            for size in sizes {
                let (piece, after) = rest.split_at(size.min(rest.len()));
                prop_assert_eq!(buffer.push(piece), Ok(()));
                rest = after;
            }
            prop_assert_eq!(buffer.push(rest), Ok(()));
            prop_assert_eq!(buffer.finish(), Ok(text));
        }
    }
}
