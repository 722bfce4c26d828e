//! What a server sends: the text of each frame.
//!
//! [`tuple`](super::tuple) reads them.

mod event;

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use event::{Event, write_event, write_message};

use super::{Position, to_json};
use crate::code::ErrorCode;

/// The data of the server's `$hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol's version.
    pub version: u32,
    /// The session's id.
    pub session: String,
    /// The server pings after this long without a frame.
    pub ping_ms: u64,
    /// It gives up this long after a ping.
    pub pong_ms: u64,
    /// How long the client's identity is good for; absent if it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_ms: Option<u64>,
    /// What the session may do.
    pub limits: Limits,
    /// A verdict for each schema entry that the client named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schema: BTreeMap<String, Match>,
}

/// The limits that a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest message that the server reads.
    pub message_bytes: u64,
    /// How many topics a session may be subscribed to.
    pub subscriptions: u64,
}

/// How a client's schema entry fits the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Match {
    /// The hashes are equal.
    Same,
    /// One side knows that the other's hash still fits.
    Compatible,
    /// The entry is refused.
    Incompatible,
    /// The server has no such entry.
    Unknown,
}

impl Match {
    /// Whether requests for the entry are taken.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Same | Self::Compatible)
    }
}

/// The data of a reply to `$token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenTaken {
    /// How long the identity is good for now; absent if it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_ms: Option<u64>,
}

/// The data of a reply to `$subscribe`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscribed {
    /// Where the subscription goes on from.
    #[serde(flatten)]
    pub position: Position,
    /// The newest offset when the reply was made.
    pub head: u64,
    /// Whether nothing after `since` is missing; absent where `since` was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<bool>,
    /// The application's version of the snapshot: to be sent with the position to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The topic's state as of that position or later, where it was asked for and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<RawValue>>,
}

/// The data of a reply to `$history`.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    /// The topic's epoch.
    pub epoch: String,
    /// The newest offset when the reply was made.
    pub head: u64,
    /// The events, oldest first.
    pub events: Vec<Listed>,
}

/// An event as a reply to `$history` lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// Its data; `null` where the key is removed.
    pub data: Box<RawValue>,
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// Its key, in a keyed topic.
    #[serde(default)]
    pub key: Option<String>,
    /// The key is no more.
    #[serde(default)]
    pub removed: bool,
    /// The id of the publish that it came from.
    #[serde(default)]
    pub mid: Option<String>,
}

/// Why a range of a topic's events is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GapCause {
    /// The client was too slow, and its subscription drops the oldest. Final.
    Dropped,
    /// Later events of the same key took their place. Final.
    Conflated,
    /// They are no longer known here: the client recovers the topic.
    Lost,
    /// Nothing is missing: the client's snapshot has them already.
    Included,
}

/// A range of missing events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The offset before the first missing event.
    pub after: u64,
    /// The last missing offset.
    pub to: u64,
    /// Why.
    pub cause: GapCause,
}

#[derive(Serialize)]
struct Frame<'a, T: Serialize> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    re: Option<u64>,
    data: T,
}

/// The text of the answer to a hello.
#[must_use]
pub fn write_hello(re: Option<u64>, welcome: &Welcome) -> String {
    to_json(&Frame { topic: "$hello", re, data: welcome })
}

/// The text of a `$reply`.
#[must_use]
pub fn write_reply(re: u64, data: &impl Serialize) -> String {
    to_json(&Frame { topic: "$reply", re: Some(re), data })
}

/// The text of an `$item` of a call that streams.
#[must_use]
pub fn write_item(re: u64, data: &impl Serialize) -> String {
    to_json(&Frame { topic: "$item", re: Some(re), data })
}

/// What stands before and behind the snapshot in a reply to `$subscribe`: the snapshot itself may be large, and the same for many.
#[must_use]
pub fn write_around_snapshot(re: u64, subscribed: &Subscribed) -> (String, &'static str) {
    const BEHIND: &str = "}}";
    let mut before = write_reply(re, subscribed);
    before.truncate(before.len() - BEHIND.len());
    before.push_str(r#","snapshot":"#);
    (before, BEHIND)
}

/// The text of a reply to `$history`.
#[must_use]
pub fn write_history<'a>(
    re: u64,
    epoch: &str,
    head: u64,
    events: impl Iterator<Item = Event<'a>>,
) -> String {
    let epoch = to_json(&epoch);
    let mut text = format!(
        r#"{{"topic":"$reply","re":{re},"data":{{"epoch":{epoch},"head":{head},"events":["#
    );
    for (at, event) in events.enumerate() {
        if at > 0 {
            text.push(',');
        }
        event.write_listed(&mut text);
    }
    text.push_str("]}}");
    text
}

/// The data of an error frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorData {
    /// The code; see [`ErrorCode`].
    pub code: u16,
    /// The code's name.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it is about, in an error that answers no request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

impl ErrorData {
    /// The data for a code.
    #[must_use]
    pub fn new(code: ErrorCode, message: Option<String>) -> Self {
        Self { code: code.0, name: code.name().into(), message, topic: None }
    }

    /// The same, about a topic.
    #[must_use]
    pub fn about(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }
}

/// The text of an `$error`.
#[must_use]
pub fn write_error(re: Option<u64>, error: &ErrorData) -> String {
    to_json(&Frame { topic: "$error", re, data: error })
}

/// The text of an error in plain mode.
#[must_use]
pub fn write_plain_error(error: &ErrorData) -> String {
    to_json(&Frame { topic: "error", re: None, data: error })
}

/// The text of a `$gap`.
#[must_use]
pub fn write_gap(topic: &str, gap: Gap) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        topic: &'a str,
        after: u64,
        to: u64,
        cause: GapCause,
    }
    let Gap { after, to, cause } = gap;
    to_json(&Frame { topic: "$gap", re: None, data: Data { topic, after, to, cause } })
}

/// The text of `$ping`.
pub const PING: &str = r#"{"topic":"$ping"}"#;

/// The text of `$drain`.
#[must_use]
pub fn write_drain(deadline_ms: u64) -> String {
    #[derive(Serialize)]
    struct Data {
        deadline_ms: u64,
    }
    to_json(&Frame { topic: "$drain", re: None, data: Data { deadline_ms } })
}

/// The text of `$subscribed`.
#[must_use]
pub fn write_subscribed(topic: &str, position: &Position) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        topic: &'a str,
        #[serde(flatten)]
        position: &'a Position,
    }
    to_json(&Frame { topic: "$subscribed", re: None, data: Data { topic, position } })
}

/// The text of `$unsubscribed`.
#[must_use]
pub fn write_unsubscribed(topic: &str, code: ErrorCode) -> String {
    #[derive(Serialize)]
    struct Data<'a> {
        topic: &'a str,
        code: u16,
    }
    to_json(&Frame { topic: "$unsubscribed", re: None, data: Data { topic, code: code.0 } })
}

/// How much of a peer's name an error repeats.
pub const NAME_BYTES: usize = 64;

/// How many words an error spends on a peer's mistake: a parser's may quote all that it was given.
pub const WORDS_BYTES: usize = 200;

/// The beginning of a text that may have come from a peer, so that an error never echoes a megabyte back.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.into();
    }
    let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: String, expected: &str) {
        assert_eq!(text, expected);
        serde_json::from_str::<serde::de::IgnoredAny>(&text).expect("valid JSON");
    }

    const EVENT: Event<'_> =
        Event { data: r#"{"x": 1}"#, offset: 58, prev: 57, key: None, removed: false, mid: None };

    #[test]
    fn writes_frames() {
        check(
            write_event("a\"b", &EVENT),
            r#"{"topic":"a\"b","data":{"x": 1},"offset":58,"prev":57}"#,
        );
        let removal =
            Event { data: "null", key: Some("k\""), removed: true, mid: Some("m"), ..EVENT };
        check(
            write_event("a", &removal),
            r#"{"topic":"a","data":null,"offset":58,"prev":57,"key":"k\"","removed":true,"mid":"m"}"#,
        );
        check(
            write_history(5, "e\"", 60, [EVENT, removal].into_iter()),
            concat!(
                r#"{"topic":"$reply","re":5,"data":{"epoch":"e\"","head":60,"events":["#,
                r#"{"data":{"x": 1},"offset":58,"prev":57},"#,
                r#"{"data":null,"offset":58,"prev":57,"key":"k\"","removed":true,"mid":"m"}]}}"#
            ),
        );
        check(
            write_history(5, "e", 0, [].into_iter()),
            r#"{"topic":"$reply","re":5,"data":{"epoch":"e","head":0,"events":[]}}"#,
        );
        check(write_message("a", "null"), r#"{"topic":"a","data":null}"#);
        for name in ["\\", "\"", "\n", "\u{1f}", "\u{7f}é/ "] {
            let text = format!(r#"{{"topic":{},"data":1}}"#, to_json(&name));
            check(write_message(name, "1"), &text);
        }
        check(PING.into(), r#"{"topic":"$ping"}"#);
        check(write_drain(5000), r#"{"topic":"$drain","data":{"deadline_ms":5000}}"#);
        check(
            write_gap("a", Gap { after: 1, to: 3, cause: GapCause::Lost }),
            r#"{"topic":"$gap","data":{"topic":"a","after":1,"to":3,"cause":"lost"}}"#,
        );
        let position = Position { epoch: "e".into(), offset: 3 };
        let subscribed = Subscribed {
            position: position.clone(),
            head: 9,
            recovered: Some(true),
            version: None,
            snapshot: None,
        };
        check(
            write_reply(2, &subscribed),
            r#"{"topic":"$reply","re":2,"data":{"epoch":"e","offset":3,"head":9,"recovered":true}}"#,
        );
        check(write_item(4, &[1]), r#"{"topic":"$item","re":4,"data":[1]}"#);
        let (before, behind) =
            write_around_snapshot(2, &Subscribed { recovered: None, ..subscribed.clone() });
        check(
            format!("{before}[1]{behind}"),
            r#"{"topic":"$reply","re":2,"data":{"epoch":"e","offset":3,"head":9,"snapshot":[1]}}"#,
        );
        let of_version = Subscribed { recovered: None, version: Some("7".into()), ..subscribed };
        let (before, behind) = write_around_snapshot(2, &of_version);
        check(
            format!("{before}[1]{behind}"),
            r#"{"topic":"$reply","re":2,"data":{"epoch":"e","offset":3,"head":9,"version":"7","snapshot":[1]}}"#,
        );
        check(
            write_subscribed("a", &position),
            r#"{"topic":"$subscribed","data":{"topic":"a","epoch":"e","offset":3}}"#,
        );
        check(
            write_unsubscribed("a", ErrorCode::FORBIDDEN),
            r#"{"topic":"$unsubscribed","data":{"topic":"a","code":201}}"#,
        );
        check(
            write_error(None, &ErrorData::new(ErrorCode::MALFORMED, None).about("x")),
            r#"{"topic":"$error","data":{"code":100,"name":"malformed","topic":"x"}}"#,
        );
        check(
            write_plain_error(&ErrorData::new(ErrorCode::FORBIDDEN, Some("no".into()))),
            r#"{"topic":"error","data":{"code":201,"name":"forbidden","message":"no"}}"#,
        );
    }

    #[test]
    fn replies_read_back() {
        let text = r#"{"head":9,"offset":3,"snapshot":{"a": 1},"epoch":"e"}"#;
        let subscribed: Subscribed = serde_json::from_str(text).unwrap();
        assert_eq!((&*subscribed.position.epoch, subscribed.position.offset), ("e", 3));
        assert_eq!(subscribed.snapshot.unwrap().get(), r#"{"a": 1}"#);
        let text =
            r#"{"epoch":"e","head":2,"events":[{"data":[ ],"offset":2,"prev":1,"key":"k"}]}"#;
        let history: History = serde_json::from_str(text).unwrap();
        let [event] = &history.events[..] else { panic!("{history:?}") };
        assert_eq!((event.data.get(), event.offset, event.prev), ("[ ]", 2, 1));
        assert_eq!((event.key.as_deref(), event.removed), (Some("k"), false));
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let long = "é".repeat(100);
        assert_eq!(shorten(&long, 64), format!("{}…", "é".repeat(32)));
        assert_eq!(shorten(&long, 65), format!("{}…", "é".repeat(32)));
        assert_eq!(shorten("short", 5), "short");
    }
}
