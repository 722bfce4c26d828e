//! Reads what a server sends, as the tuple of docs/wire.md section 6.
//!
//! The names stay text here: the driver gives them their numbers. `vectors/tuples.json` has the frames that this and the
//! TypeScript driver must read alike.

use alloc::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{
    MAX_INTEGER,
    client::{Frame, Kind},
    name::check_name,
};

/// A frame of the server.
#[derive(Clone, Debug)]
pub struct Tuple<'a> {
    /// Its numbers; those of the two names are 0.
    pub frame: Frame,
    /// The topic's name; empty where the kind has none.
    pub topic: Cow<'a, str>,
    /// The epoch's name, where the frame has one.
    pub epoch: Option<Cow<'a, str>>,
    /// The data as sent; `null` where there was none.
    pub data: &'a RawValue,
    /// The key that an event removes: it has a key, and `"removed": true`.
    pub removed: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    re: Field<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    offset: Field<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    prev: Field<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    key: Field<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    removed: Field<'a>,
}

/// What the data of a reserved topic may have; which of it counts depends on the topic.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow, deserialize_with = "present")]
    topic: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    epoch: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    offset: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    head: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    recovered: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    version: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    code: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    after: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    to: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    cause: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    ping_ms: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    pong_ms: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    token_ms: Field<'a>,
    #[serde(borrow, deserialize_with = "present")]
    deadline_ms: Field<'a>,
}

/// Begins the name of the topic of another topic's members.
const PRESENCE: &str = "$presence:";

/// A field of any type, or none: only a field that counts for its frame can make it malformed.
type Field<'a> = Option<&'a RawValue>;

/// Serde takes a `null` for an absent field; here it is one of the wrong type.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Field<'de>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Tuple<'a> {
    /// Reads the text of one frame; of what is none comes [`Kind::Malformed`].
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        Self::read(text).unwrap_or_else(|| Self::new(Kind::Malformed))
    }

    fn new(kind: Kind) -> Self {
        let topic = Cow::Borrowed("");
        Self { frame: Frame::new(kind), topic, epoch: None, data: RawValue::NULL, removed: None }
    }

    fn read(text: &'a str) -> Option<Self> {
        let fields: Fields<'a> = object(text)?;
        let data = fields.data.unwrap_or(RawValue::NULL);
        let of_session = fields.offset.is_none() && fields.prev.is_none();
        let tuple = match fields.topic.strip_prefix(PRESENCE) {
            Some(_) if of_session => Self::new(Kind::Ignored),
            None if fields.topic.starts_with('$') => {
                Self::reserved(&fields.topic, fields.re, data)?
            }
            _ => Self::event(fields)?,
        };
        Some(Self { data, ..tuple })
    }

    fn event(fields: Fields<'a>) -> Option<Self> {
        check_name(fields.topic.strip_prefix(PRESENCE).unwrap_or(&fields.topic)).ok()?;
        let mut tuple = match (fields.offset, fields.prev) {
            (None, None) => Self::new(Kind::Message),
            (offset, prev) => {
                let (offset, prev) = (integer(offset)?, integer(prev)?);
                let frame = Frame { offset, prev, ..Frame::new(Kind::Event) };
                (offset > prev).then_some(Self { frame, ..Self::new(Kind::Event) })?
            }
        };
        if recovered(fields.removed) == Frame::RECOVERED {
            tuple.removed = string(fields.key);
        }
        tuple.topic = fields.topic;
        Some(tuple)
    }

    fn reserved(topic: &str, re: Field<'a>, data: &'a RawValue) -> Option<Self> {
        let kind = match topic {
            "$hello" => Kind::Hello,
            "$reply" => Kind::Reply,
            "$error" => Kind::Error,
            "$gap" => Kind::Gap,
            "$drain" => Kind::Drain,
            "$subscribed" => Kind::Subscribed,
            "$unsubscribed" => Kind::Unsubscribed,
            "$item" => {
                let frame = Frame { re: integer(re)?, ..Frame::new(Kind::Item) };
                return Some(Self { frame, ..Self::new(Kind::Item) });
            }
            "$ping" => return Some(Self::new(Kind::Ping)),
            _ => return Some(Self::new(Kind::Ignored)),
        };
        let data: Data<'a> = match object(data.get()) {
            Some(data) => data,
            // A reply's data may be the application's.
            None if kind == Kind::Reply || !data.get().starts_with('{') => Data::default(),
            None => return None,
        };
        let mut tuple = Self::new(kind);
        let frame = &mut tuple.frame;
        match kind {
            Kind::Hello => {
                frame.re = integer(re)?;
                frame.ms = integer(data.ping_ms)?;
                frame.to = integer(data.pong_ms)?;
                frame.prev = integer(data.token_ms).unwrap_or(0);
            }
            Kind::Reply => {
                frame.re = integer(re)?;
                frame.offset = integer(data.offset).unwrap_or(0);
                frame.to = integer(data.head).unwrap_or(0);
                frame.ms = integer(data.token_ms).unwrap_or(0);
                frame.flags = recovered(data.recovered);
                if string(data.version).is_some() {
                    frame.flags |= Frame::VERSION;
                }
                tuple.epoch = string(data.epoch);
            }
            Kind::Error => {
                frame.re = if re.is_none() { 0 } else { integer(re)? };
                frame.code = code(data.code)?;
            }
            Kind::Gap => {
                frame.offset = integer(data.after)?;
                frame.to = integer(data.to)?;
                frame.code = cause(data.cause)?;
                tuple.topic = string(data.topic)?;
            }
            Kind::Drain => frame.ms = integer(data.deadline_ms)?,
            Kind::Subscribed => {
                frame.offset = integer(data.offset)?;
                tuple.topic = string(data.topic)?;
                tuple.epoch = Some(string(data.epoch)?);
            }
            _ => {
                frame.code = code(data.code)?;
                tuple.topic = string(data.topic)?;
            }
        }
        Some(tuple)
    }
}

/// Serde takes an array for a struct too.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.trim_ascii_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
}

/// An integer in range, however it is written: `5.0` and `5e0` are 5, as they are to JavaScript.
fn integer(field: Field<'_>) -> Option<u64> {
    let text = field?.get();
    text.parse().ok().filter(|&number| number <= MAX_INTEGER).or_else(|| {
        let number: f64 = text.parse().ok()?;
        let integer = number as u64;
        (integer as f64 == number && integer <= MAX_INTEGER).then_some(integer)
    })
}

fn code(field: Field<'_>) -> Option<u16> {
    integer(field)?.try_into().ok()
}

fn string(field: Field<'_>) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(field?.get()).ok().map(|text| text.0)
}

fn recovered(field: Field<'_>) -> u8 {
    match field.map(RawValue::get) {
        Some("true") => Frame::RECOVERED,
        Some("false") => Frame::NOT_RECOVERED,
        _ => 0,
    }
}

fn cause(field: Field<'_>) -> Option<u16> {
    match &*string(field)? {
        "dropped" => Some(1),
        "conflated" => Some(2),
        "lost" => Some(3),
        "included" => Some(4),
        _ => None,
    }
}
