//! [`Hello`]: the first frame of a client in full mode, and the versions of the schema that it names.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The data of `$hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol's version, [`VERSION`](crate::frame::VERSION).
    pub version: u32,
    /// The client instance: 32 hex digits.
    pub client: String,
    /// For the application's `on_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The structural hash of each schema entry the client was built with, and of the earlier versions it can do with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "entries")]
    pub schema: BTreeMap<String, Hashes>,
}

/// How a client names its version of a schema entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Hashes {
    /// The structural hash.
    One(String),
    /// That, and behind it those of earlier versions of the server that are good enough for this client.
    More(Vec<String>),
}

impl Hashes {
    /// How many a server looks at.
    pub const MAX: usize = 8;

    /// The client's own version first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(hash) => core::slice::from_ref(hash),
            Self::More(hashes) => hashes,
        };
        all.iter().take(Self::MAX).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Hashes {
    /// Keeps as many as are looked at, however many there are: a hello is read before it is known who sends it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Hashes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash, or an array of hashes")
            }

            fn visit_str<E: de::Error>(self, hash: &str) -> Result<Hashes, E> {
                Ok(Hashes::One(hash.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Hashes, A::Error> {
                let mut hashes = Vec::new();
                while hashes.len() < Hashes::MAX
                    && let Some(hash) = all.next_element()?
                {
                    hashes.push(hash);
                }
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Hashes::More(hashes))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl From<String> for Hashes {
    fn from(hash: String) -> Self {
        Self::One(hash)
    }
}

impl FromIterator<String> for Hashes {
    fn from_iter<I: IntoIterator<Item = String>>(hashes: I) -> Self {
        let mut hashes: Vec<String> = hashes.into_iter().collect();
        if hashes.len() == 1 { Self::One(hashes.remove(0)) } else { Self::More(hashes) }
    }
}

/// Reads as many entries as there may be, and none beyond: a hello is read before it is known who sends it.
fn entries<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Hashes>, D::Error> {
    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = BTreeMap<String, Hashes>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {} entries of a schema", Hello::MAX_ENTRIES)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
            let (mut entries, mut count) = (BTreeMap::new(), 0);
            while let Some(entry) = all.next_key()? {
                count += 1;
                if count > Hello::MAX_ENTRIES {
                    return Err(de::Error::invalid_length(count, &self));
                }
                entries.insert(entry, all.next_value()?);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Reader)
}

impl Hello {
    /// Entries of a schema that a client may name.
    pub const MAX_ENTRIES: usize = 1_000;

    /// The longest data, the token included.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Whether `client` is 32 hex digits.
    #[must_use]
    pub fn has_valid_client(&self) -> bool {
        self.client.len() == 32 && self.client.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The bits of a valid `client`.
    #[must_use]
    pub fn client_bits(&self) -> u128 {
        u128::from_str_radix(&self.client, 16).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn beyond_the_bound_of_entries_nothing_is_read() {
        let hello = |count: usize, end: &str| {
            let entries: String = (0..count).map(|n| format!(r#""entry-{n}":"a","#)).collect();
            let text = format!(r#"{{"version":1,"client":"","schema":{{{entries}"last":"a"{end}"#);
            serde_json::from_str::<Hello>(&text)
        };
        assert_eq!(hello(Hello::MAX_ENTRIES - 1, "}}").unwrap().schema.len(), Hello::MAX_ENTRIES);
        for end in ["}}", "no JSON any more"] {
            let error = format!("{}", hello(Hello::MAX_ENTRIES, end).unwrap_err());
            assert!(error.starts_with("invalid length 1001, expected at most 1000"), "{error}");
        }
    }

    #[test]
    fn of_hashes_without_number_a_few_are_kept() {
        let many = format!("[{}{{}}]", r#""a","#.repeat(10_000));
        let hashes: Hashes = serde_json::from_str(&many).unwrap();
        assert!(matches!(&hashes, Hashes::More(kept) if kept.len() == Hashes::MAX));
        for (text, expected) in
            [(r#""a""#, Some(1)), ("[]", Some(0)), (r#"["a",1]"#, None), ("7", None)]
        {
            let hashes = serde_json::from_str::<Hashes>(text).ok();
            assert_eq!(hashes.map(|hashes| hashes.iter().count()), expected, "{text}");
        }
    }
}
