//! Patterns such as `chat:{room}:log`: which names they cover, and the name that parameters give.
//!
//! A parameter's value has exactly one encoding, so that a name and the values in it determine each other.

use alloc::{
    borrow::Cow,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{fmt, str::FromStr};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode,
};

use super::{MAX_BYTES, Topic, TopicError, grammar::check};

/// A pattern of names: segments divided by `:`, each a literal or one `{parameter}`. Cheap to clone.
///
/// ```
/// use tidewire_protocol::name::Pattern;
/// let log = Pattern::parse("chat:{room}:log")?;
/// let topic = log.fill(&[("room", "a:b")])?;
/// assert_eq!(topic.as_str(), "chat:a%3Ab:log");
/// assert_eq!(log.matches(&topic).unwrap().get("room"), Some("a:b"));
/// assert!(log.matches("chat:a:b:log").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

/// One segment of a [`Pattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// The name has this text here.
    Literal(&'a str),
    /// The name has the encoding of any value here.
    Parameter(&'a str),
}

/// The values that a name gives to the parameters of a pattern, decoded, in the order of the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params<'a>(Vec<(&'a str, Cow<'a, str>)>);

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub enum PatternError {
    /// The pattern breaks the rules that hold for every name.
    Name(TopicError),
    /// Nothing stands between two `:`, or before the first or after the last.
    EmptySegment,
    /// A brace stands elsewhere than around a whole segment.
    Brace,
    /// A parameter's name is no identifier of ASCII letters, digits and `_`.
    ParameterName,
    /// Two parameters have one name.
    RepeatedParameter,
}

/// Why a pattern and parameters give no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// The parameter has no value.
    #[error("the parameter `{0}` has no value")]
    Missing(String),
    /// The parameter's value is empty.
    #[error("the value of the parameter `{0}` is empty")]
    Empty(String),
    /// The name would have more than [`MAX_BYTES`] bytes, the encoding included.
    #[error("the name would be longer than 255 bytes")]
    TooLong,
}

impl Pattern {
    /// Takes a pattern.
    ///
    /// # Errors
    /// Whatever keeps the text from being a pattern, the first fault first.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        check(pattern).map(|()| Self(pattern.into()))
    }

    /// The text the pattern was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.0.split(':').map(|text| {
            match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                Some(parameter) => Segment::Parameter(parameter),
                None => Segment::Literal(text),
            }
        })
    }

    /// The values of the parameters if the name belongs to this pattern.
    ///
    /// A value that is not encoded in the one canonical way belongs to no pattern.
    #[must_use]
    pub fn matches<'a>(&'a self, name: &'a str) -> Option<Params<'a>> {
        if name.len() > MAX_BYTES {
            return None;
        }
        let mut parts = name.split(':');
        let mut params = Vec::new();
        for segment in self.segments() {
            let part = parts.next()?;
            match segment {
                Segment::Literal(text) if text == part => {}
                Segment::Literal(_) => return None,
                Segment::Parameter(parameter) => params.push((parameter, decode(part)?)),
            }
        }
        parts.next().is_none().then_some(Params(params))
    }

    /// The name that the parameters give, each as its name and its value. What no parameter asks for is ignored.
    ///
    /// # Errors
    /// A parameter without a value or with an empty one, or a name that is too long.
    pub fn fill(&self, params: &[(&str, &str)]) -> Result<Topic, FillError> {
        let mut name = String::with_capacity(self.0.len());
        for segment in self.segments() {
            if !name.is_empty() {
                name.push(':');
            }
            match segment {
                Segment::Literal(text) => name.push_str(text),
                Segment::Parameter(parameter) => {
                    let (_, value) = params
                        .iter()
                        .find(|(key, _)| *key == parameter)
                        .ok_or_else(|| FillError::Missing(parameter.to_string()))?;
                    if value.is_empty() {
                        return Err(FillError::Empty(parameter.to_string()));
                    }
                    name.extend(encode(value));
                }
            }
        }
        // The literals were checked with the pattern and an encoded value has no `$` and no control character.
        Topic::parse(&name).map_err(|_| FillError::TooLong)
    }

    /// Whether one name could belong to both patterns.
    ///
    /// ```
    /// use tidewire_protocol::name::Pattern;
    /// let room = Pattern::parse("chat:{room}")?;
    /// assert!(room.overlaps(&Pattern::parse("chat:lobby")?));
    /// assert!(!room.overlaps(&Pattern::parse("chat:{room}:log")?));
    /// # Ok::<(), tidewire_protocol::name::PatternError>(())
    /// ```
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.segments().count() == other.segments().count()
            && self.segments().zip(other.segments()).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Literal(text), _) | (_, Segment::Literal(text)) => decode(text).is_some(),
                (Segment::Parameter(_), Segment::Parameter(_)) => true,
            })
    }
}

impl PatternError {
    /// Constant, for the errors of `schema!`.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Name(error) => error.message(),
            Self::EmptySegment => "a pattern must not have an empty segment",
            Self::Brace => "braces must enclose a whole segment between two `:`",
            Self::ParameterName => "a parameter's name must be an identifier",
            Self::RepeatedParameter => "a pattern must not name a parameter twice",
        }
    }
}

impl<'a> Params<'a> {
    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, parameter: &str) -> Option<&str> {
        self.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value)
    }

    /// Each parameter's name and value, in the order of the pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value))
    }
}

impl AsRef<str> for Pattern {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(pattern: &str) -> Result<Self, PatternError> {
        Self::parse(pattern)
    }
}

/// What stands for itself in a parameter's value.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'~').remove(b'-');

fn encode(value: &str) -> PercentEncode<'_> {
    utf8_percent_encode(value, ENCODED)
}

/// The value that has this canonical encoding.
fn decode(part: &str) -> Option<Cow<'_, str>> {
    let value = percent_decode_str(part).decode_utf8().ok()?;
    let rest = encode(&value).try_fold(part, |rest, piece| rest.strip_prefix(piece))?;
    (rest.is_empty() && !value.is_empty()).then_some(value)
}
