//! The payload that every server gets and must give back byte for byte: 128 bytes of JSON that say who sent it, as which of
//! their messages, and when.
//!
//! The numbers have a fixed width, so that a stamp is read without a JSON parser: the load generator must be cheap.

use std::fmt::Write;

/// The length of every payload.
pub(crate) const BYTES: usize = 128;

const FROM: &[u8] = br#"{"from":"#;
const SEQ: &[u8] = br#","seq":"#;
const AT: &[u8] = br#","at":"#;
const TEXT: &[u8] =
    br#","text":"The quick brown fox jumps over the lazy dog, then does it again"}"#;

/// What is added to each number, so that it has its width and no leading zero.
const FROM_BASE: u64 = 1_000_000;
const SEQ_BASE: u64 = 1_000_000_000;
const AT_BASE: u64 = 1_000_000_000_000_000;

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The number of the connection that published it.
    pub(crate) from: usize,
    /// How many that connection had published before.
    pub(crate) seq: u64,
    /// When, in nanoseconds since the load began.
    pub(crate) at_ns: u64,
}

impl Stamp {
    /// The payload.
    pub(crate) fn write(&self, to: &mut String) {
        let from = FROM_BASE + self.from as u64;
        let (seq, at) = (SEQ_BASE + self.seq, AT_BASE + self.at_ns);
        let text = std::str::from_utf8(TEXT).expect("a literal");
        let _ = write!(to, r#"{{"from":{from},"seq":{seq},"at":{at}{text}"#);
    }

    /// Reads the payload that `bytes` begin with, and what follows it. `None` if one byte of it is not as it was sent.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (payload, rest) = bytes.split_at_checked(BYTES)?;
        let payload = payload.strip_prefix(FROM)?;
        let (from, payload) = number::<7>(payload)?;
        let (seq, payload) = number::<10>(payload.strip_prefix(SEQ)?)?;
        let (at, payload) = number::<16>(payload.strip_prefix(AT)?)?;
        let stamp = Self {
            from: usize::try_from(from.checked_sub(FROM_BASE)?).ok()?,
            seq: seq.checked_sub(SEQ_BASE)?,
            at_ns: at.checked_sub(AT_BASE)?,
        };
        (payload == TEXT).then_some((stamp, rest))
    }
}

fn number<const DIGITS: usize>(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<DIGITS>()?;
    let value = digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
    });
    Some((value?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { from: 9_999, seq: 123_456, at_ns: 98_765_432_109 };

    #[test]
    fn a_payload_is_read_back_with_what_follows() {
        let mut text = String::new();
        STAMP.write(&mut text);
        assert_eq!(text.len(), BYTES);
        text.push_str(",rest");
        assert_eq!(Stamp::read(text.as_bytes()), Some((STAMP, &b",rest"[..])));
    }

    #[test]
    fn a_changed_byte_is_seen() {
        let mut text = String::new();
        STAMP.write(&mut text);
        for at in 0..BYTES {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 0x10;
            let read = Stamp::read(&changed);
            assert!(read.is_none_or(|(stamp, _)| stamp != STAMP), "byte {at}");
        }
        assert_eq!(Stamp::read(&text.as_bytes()[..BYTES - 1]), None);
    }
}
