//! The hash by which client and server tell whether they were built with the same schema entry.

use std::{fmt, str::FromStr};

/// The structural hash of a schema entry: what its data looks like, not how its types are named.
///
/// It is the 64-bit FNV-1a of the entry's canonical text, written as 16 hex digits. It tells builds apart; it is no
/// protection against somebody who wants two schemas to look alike.
///
/// ```
/// use tidewire_protocol::schema::SchemaHash;
/// let hash: SchemaHash = "8f14e45fceea167a".parse()?;
/// assert_eq!(hash.to_string(), "8f14e45fceea167a");
/// # Ok::<(), tidewire_protocol::schema::SchemaHashError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaHash(pub(super) u64);

/// A text is not 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a schema hash is 16 lower-case hex digits")]
#[non_exhaustive]
pub struct SchemaHashError;

impl SchemaHash {
    pub(super) fn of(text: &str) -> Self {
        // The offset basis and the prime of FNV-1a for 64 bits.
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

impl fmt::Display for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaHash({self})")
    }
}

impl FromStr for SchemaHash {
    type Err = SchemaHashError;

    fn from_str(text: &str) -> Result<Self, SchemaHashError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(SchemaHashError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| SchemaHashError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors that FNV's authors publish.
    #[test]
    fn it_is_fnv_1a() {
        for (text, hash) in
            [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")]
        {
            assert_eq!(SchemaHash::of(text).to_string(), hash);
            assert_eq!(hash.parse(), Ok(SchemaHash::of(text)));
        }
    }

    #[test]
    fn other_texts_are_no_hashes() {
        for text in [
            "",
            "8f14e45fceea167",
            "8f14e45fceea167a0",
            "8F14E45FCEEA167A",
            "+f14e45fceea167a",
            "8f14e45fceea167é",
        ] {
            assert_eq!(text.parse::<SchemaHash>(), Err(SchemaHashError), "{text}");
        }
    }
}
