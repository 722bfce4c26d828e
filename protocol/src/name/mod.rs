//! Names: [`Topic`] and [`Pattern`], parsed once where they enter, so that nothing behind them checks again.
//!
//! docs/wire.md sections 1 and 2 are the rules; `vectors/names.json` has the cases that Rust and TypeScript both pass.

mod grammar;
mod pattern;

use alloc::{string::String, sync::Arc};
use core::{borrow::Borrow, fmt, ops::Deref, str::FromStr};

#[cfg(feature = "json")]
pub(crate) use grammar::check_name;
#[cfg(feature = "schema")]
pub(crate) use grammar::{check_fields, equal};
pub use pattern::{FillError, Params, Pattern, PatternError, Segment};

/// The longest name in bytes of UTF-8: it fits a length of one byte, and a broker's key.
pub const MAX_BYTES: usize = 255;

/// How the name begins of a topic that is about another one's members.
pub const PRESENCE: &str = "$presence:";

/// The name of a topic or an untyped message: 1 to 255 bytes without control characters that do not begin with `$`.
///
/// Cheap to clone.
///
/// ```
/// use tidewire_protocol::name::{Topic, TopicError};
/// let topic = Topic::parse("chat:general")?;
/// assert_eq!(&*topic, "chat:general");
/// assert_eq!(Topic::parse("$hello"), Err(TopicError::Reserved));
/// # Ok::<(), TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

/// Why a text is not the name of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub enum TopicError {
    /// The name is empty.
    Empty,
    /// The name begins with `$`, which the protocol keeps for itself.
    Reserved,
    /// The name has more than [`MAX_BYTES`] bytes.
    TooLong,
    /// The name has a control character (Unicode category Cc).
    ControlCharacter,
}

impl Topic {
    /// Takes a name that a peer or the application gave.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn parse(name: &str) -> Result<Self, TopicError> {
        Self::check(name).map(|()| Self(name.into()))
    }

    /// Whether a text is a name, for those who only pass it on: nothing is allocated.
    ///
    /// # Errors
    /// The first of [`TopicError`]'s variants that applies, in their order.
    pub const fn check(name: &str) -> Result<(), TopicError> {
        grammar::check_name(name)
    }

    /// Takes a name that may also be that of a topic's members: `$presence:` followed by the topic's.
    ///
    /// ```
    /// use tidewire_protocol::name::Topic;
    /// let members = Topic::parse_with_presence("$presence:chat:general")?;
    /// assert_eq!(members.present_in(), Some("chat:general"));
    /// assert_eq!(members, Topic::parse("chat:general")?.presence()?);
    /// # Ok::<(), tidewire_protocol::name::TopicError>(())
    /// ```
    ///
    /// # Errors
    /// As [`parse`](Self::parse), for either.
    pub fn parse_with_presence(name: &str) -> Result<Self, TopicError> {
        match name.strip_prefix(PRESENCE) {
            Some(topic) => Self::parse(topic)?.presence(),
            None => Self::parse(name),
        }
    }

    /// The topic of this topic's members.
    ///
    /// # Errors
    /// If its name would be too long.
    pub fn presence(&self) -> Result<Self, TopicError> {
        let fits = self.0.len() + PRESENCE.len() <= MAX_BYTES;
        let name = || alloc::format!("{PRESENCE}{}", self.0).into();
        if fits { Ok(Self(name())) } else { Err(TopicError::TooLong) }
    }

    /// The name of the topic whose members this one is about.
    #[must_use]
    pub fn present_in(&self) -> Option<&str> {
        self.0.strip_prefix(PRESENCE)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TopicError {
    /// Constant, for the errors of `schema!`.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Empty => "a name must not be empty",
            Self::Reserved => "names that begin with `$` are reserved",
            Self::TooLong => "a name must not be longer than 255 bytes",
            Self::ControlCharacter => "a name must not have control characters",
        }
    }
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(name: &str) -> Result<Self, TopicError> {
        Self::parse(name)
    }
}

impl TryFrom<&str> for Topic {
    type Error = TopicError;

    fn try_from(name: &str) -> Result<Self, TopicError> {
        Self::parse(name)
    }
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(name: String) -> Result<Self, TopicError> {
        Self::parse(&name)
    }
}

impl TryFrom<&String> for Topic {
    type Error = TopicError;

    fn try_from(name: &String) -> Result<Self, TopicError> {
        Self::parse(name)
    }
}

#[cfg(feature = "json")]
mod json {
    use super::{Topic, fmt};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    impl Serialize for Topic {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Topic {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Name;

            impl de::Visitor<'_> for Name {
                type Value = Topic;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("the name of a topic")
                }

                fn visit_str<E: de::Error>(self, name: &str) -> Result<Topic, E> {
                    Topic::parse(name).map_err(E::custom)
                }
            }

            deserializer.deserialize_str(Name)
        }
    }
}
