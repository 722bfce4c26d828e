//! What a client sends: [`ClientFrame`] reads any of it, the `write_*` functions give the text of each.

mod hello;

use alloc::{borrow::Cow, boxed::Box, string::String};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use hello::{Hashes, Hello};

use super::{
    Position,
    server::{WORDS_BYTES, shorten},
    to_json,
};
use crate::{MAX_INTEGER, code::ErrorCode, message::is_deeper_than, name::PRESENCE};

/// A frame from a client, borrowed from its text.
#[derive(Clone, Debug)]
pub struct ClientFrame<'a> {
    /// What it is, by its topic.
    pub kind: Kind,
    /// The topic's name as sent, not yet checked.
    pub topic: Cow<'a, str>,
    /// The data as sent; `null` where there was none.
    pub data: &'a RawValue,
    /// The number under which the client wants an answer.
    pub id: Option<u64>,
    /// The client's name for a publish.
    pub mid: Option<Cow<'a, str>>,
    /// The epoch in which a publish was first sent.
    pub epoch: Option<Cow<'a, str>>,
    /// An offset that its topic had then.
    pub after: Option<u64>,
}

/// The longest `mid`.
pub const MID_BYTES: usize = 64;

/// What a client's frame is; its topic alone decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `$hello`
    Hello,
    /// `$subscribe`
    Subscribe,
    /// `$unsubscribe`
    Unsubscribe,
    /// `$ping`
    Ping,
    /// `$pong`
    Pong,
    /// `$token`
    Token,
    /// `$call`
    Call,
    /// `$cancel`
    Cancel,
    /// `$more`
    More,
    /// `$history`
    History,
    /// A reserved topic that this version does not know.
    Reserved,
    /// Any other name, and those of topics of members: a publish or a message.
    Other,
}

impl Kind {
    /// The kind of a frame with this topic.
    #[must_use]
    pub fn of(topic: &str) -> Self {
        match topic {
            "$hello" => Self::Hello,
            "$subscribe" => Self::Subscribe,
            "$unsubscribe" => Self::Unsubscribe,
            "$ping" => Self::Ping,
            "$pong" => Self::Pong,
            "$token" => Self::Token,
            "$call" => Self::Call,
            "$cancel" => Self::Cancel,
            "$more" => Self::More,
            "$history" => Self::History,
            _ if topic.starts_with('$') && !topic.starts_with(PRESENCE) => Self::Reserved,
            _ => Self::Other,
        }
    }
}

/// A text that is no frame of a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FrameError {
    /// The code to answer with.
    pub code: ErrorCode,
    /// What is wrong, for people.
    pub message: String,
    /// The frame's `id`, where it could be read.
    pub id: Option<u64>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow, default)]
    mid: Option<Text<'a>>,
    #[serde(borrow, default)]
    epoch: Option<Text<'a>>,
    #[serde(default)]
    after: Option<u64>,
}

/// Of a frame with a field that is not as it should be: what its answer is to carry.
#[derive(Deserialize)]
struct Asked {
    id: Option<u64>,
}

/// serde borrows a text within an `Option` only if told so by a type.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> ClientFrame<'a> {
    /// Reads the text of one frame, in which values may nest `depth` deep.
    ///
    /// # Errors
    /// [`ErrorCode::MALFORMED`] for what is no frame, [`ErrorCode::TOO_LARGE`] for deeper nesting.
    pub fn parse(text: &'a str, depth: usize) -> Result<Self, FrameError> {
        let is_id = |id: &u64| (1..=MAX_INTEGER).contains(id);
        let malformed = |message: String| {
            let id = serde_json::from_str::<Asked>(text).ok().and_then(|asked| asked.id);
            FrameError { code: ErrorCode::MALFORMED, message, id: id.filter(is_id) }
        };
        // serde_json would also take an array for a struct.
        if !text.trim_ascii_start().starts_with('{') {
            let message = "a frame is a JSON object".into();
            return Err(FrameError { code: ErrorCode::MALFORMED, message, id: None });
        }
        let fields: Fields<'a> = serde_json::from_str(text).map_err(|error| {
            malformed(shorten(&alloc::format!("not a frame: {error}"), WORDS_BYTES))
        })?;
        if fields.id.is_some_and(|id| !is_id(&id)) {
            return Err(malformed("`id` is an integer from 1 to 2^53 - 1".into()));
        }
        if fields.after.is_some_and(|after| after > MAX_INTEGER) {
            return Err(malformed("`after` is an integer from 0 to 2^53 - 1".into()));
        }
        if is_deeper_than(text, depth) {
            let message = alloc::format!("values nest deeper than {depth}");
            return Err(FrameError { code: ErrorCode::TOO_LARGE, message, id: fields.id });
        }
        Ok(Self {
            kind: Kind::of(&fields.topic),
            topic: fields.topic,
            data: fields.data.unwrap_or(RawValue::NULL),
            id: fields.id,
            mid: fields.mid.map(|Text(mid)| mid),
            epoch: fields.epoch.map(|Text(epoch)| epoch),
            after: fields.after,
        })
    }
}

/// The data of `$token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// For the application's `on_token`.
    pub token: String,
}

/// The data of `$call`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call<'a> {
    /// The call's name in the schema.
    #[serde(borrow)]
    pub call: Cow<'a, str>,
    /// Its arguments; `null` where there were none.
    #[serde(borrow, default)]
    pub args: Option<&'a RawValue>,
    /// The client waits no longer than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Of a call that streams: how many items the client has room for; without bound where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
}

impl<'a> Call<'a> {
    /// A call that is waited for as long as the server allows.
    #[must_use]
    pub const fn of(call: &'a str, args: &'a RawValue) -> Self {
        Self { call: Cow::Borrowed(call), args: Some(args), timeout_ms: None, items: None }
    }
}

/// The data of `$cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The `id` of the call.
    pub id: u64,
}

/// The data of `$more`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// The `id` of the call.
    pub id: u64,
    /// For how many more items the client has room.
    pub items: u64,
}

/// The data of `$subscribe`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscribe {
    /// The topic's name.
    pub topic: String,
    /// The position to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Position>,
    /// The version of the snapshot from which the client came to that position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether the topic's state is asked for, unless `since` can be recovered.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub snapshot: bool,
    /// Only the state is asked for, beside a subscription that goes on as it is.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub beside: bool,
    /// What the session's user wishes to be shown as, which makes it a member of the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Box<RawValue>>,
}

impl Subscribe {
    /// Asks for a topic's events, and nothing else.
    #[must_use]
    pub fn to(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            since: None,
            version: None,
            snapshot: false,
            beside: false,
            presence: None,
        }
    }
}

/// The data of `$history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The topic's name.
    pub topic: String,
    /// Only events after this offset, and of these the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only events before this offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many; 100 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// The data of `$unsubscribe`, and of `subscribe` and `unsubscribe` in plain mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicOnly {
    /// The topic's name.
    pub topic: String,
}

#[derive(Serialize)]
struct Frame<'a, T: Serialize + ?Sized> {
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a T>,
}

/// The text of `$hello`.
#[must_use]
pub fn write_hello(id: u64, hello: &Hello) -> String {
    to_json(&Frame { topic: "$hello", id: Some(id), data: Some(hello) })
}

/// The text of `$subscribe`.
#[must_use]
pub fn write_subscribe(id: u64, subscribe: &Subscribe) -> String {
    to_json(&Frame { topic: "$subscribe", id: Some(id), data: Some(subscribe) })
}

/// The text of `$history`.
#[must_use]
pub fn write_history(id: u64, history: &History) -> String {
    to_json(&Frame { topic: "$history", id: Some(id), data: Some(history) })
}

/// The text of `$unsubscribe`.
#[must_use]
pub fn write_unsubscribe(id: u64, topic: &str) -> String {
    to_json(&Frame {
        topic: "$unsubscribe",
        id: Some(id),
        data: Some(&TopicOnly { topic: topic.into() }),
    })
}

/// The text of `$token`.
#[must_use]
pub fn write_token(id: u64, token: &str) -> String {
    to_json(&Frame { topic: "$token", id: Some(id), data: Some(&Token { token: token.into() }) })
}

/// The text of `$call`.
#[must_use]
pub fn write_call(id: u64, call: &Call<'_>) -> String {
    to_json(&Frame { topic: "$call", id: Some(id), data: Some(call) })
}

/// The text of `$cancel`.
#[must_use]
pub fn write_cancel(id: u64) -> String {
    to_json(&Frame { topic: "$cancel", id: None, data: Some(&Cancel { id }) })
}

/// The text of `$more`.
#[must_use]
pub fn write_more(id: u64, items: u64) -> String {
    to_json(&Frame { topic: "$more", id: None, data: Some(&More { id, items }) })
}

/// The text of `$ping`.
#[must_use]
pub fn write_ping(id: u64) -> String {
    to_json(&Frame::<()> { topic: "$ping", id: Some(id), data: None })
}

/// The text of `$pong`.
#[must_use]
pub fn write_pong() -> String {
    to_json(&Frame::<()> { topic: "$pong", id: None, data: None })
}

/// The text of a publish (with `id`, to be acknowledged) or of a message (without).
#[must_use]
pub fn write_data(topic: &str, id: Option<u64>, data: &RawValue) -> String {
    to_json(&Frame { topic, id, data: Some(data) })
}

/// The text of a publish that counts once however often it is sent; `again`, with a position from before it was first sent.
#[must_use]
pub fn write_publish(
    topic: &str,
    id: u64,
    mid: &str,
    again: Option<&Position>,
    data: &RawValue,
) -> String {
    #[derive(Serialize)]
    struct Publish<'a> {
        topic: &'a str,
        id: u64,
        mid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        data: &'a RawValue,
    }
    let epoch = again.map(|again| &*again.epoch);
    to_json(&Publish { topic, id, mid, epoch, after: again.map(|again| again.offset), data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(Kind, &str, &str, Option<u64>), ErrorCode>) {
        let got = ClientFrame::parse(text, 4);
        let got = got.as_ref().map(|f| (f.kind, &*f.topic, f.data.get(), f.id)).map_err(|e| e.code);
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn reads_frames() {
        check(r#"{"topic":"a"}"#, Ok((Kind::Other, "a", "null", None)));
        check(
            r#" {"data":{"x": 1},"topic":"a","id":7,"new":[]}"#,
            Ok((Kind::Other, "a", r#"{"x": 1}"#, Some(7))),
        );
        check(r#"{"topic":"a","data":null,"id":null}"#, Ok((Kind::Other, "a", "null", None)));
        check(r#"{"topic":"\u0024hello"}"#, Ok((Kind::Hello, "$hello", "null", None)));
        check(r#"{"topic":"$later"}"#, Ok((Kind::Reserved, "$later", "null", None)));
        check(r#"{"topic":"","data":1}"#, Ok((Kind::Other, "", "1", None)));
    }

    #[test]
    fn a_publish_has_a_name_and_the_epoch_it_was_first_sent_in() {
        for (text, mid, epoch) in [
            (r#"{"topic":"a"}"#, None, None),
            (r#"{"topic":"a","mid":null,"epoch":null}"#, None, None),
            (r#"{"mid":"5b1c-7","epoch":"k3","topic":"a"}"#, Some("5b1c-7"), Some("k3")),
            (r#"{"topic":"a","mid":"\u00e9"}"#, Some("é"), None),
        ] {
            let frame = ClientFrame::parse(text, 4).unwrap();
            assert_eq!((frame.mid.as_deref(), frame.epoch.as_deref()), (mid, epoch), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_frame() {
        for text in [
            "",
            "{",
            "null",
            "[]",
            r#"["a",null,null]"#,
            r#"{"data":1}"#,
            r#"{"topic":5}"#,
            r#"{"topic":null}"#,
            r#"{"topic":"a","topic":"b"}"#,
            r#"{"topic":"a","id":0}"#,
            r#"{"topic":"a","id":-1}"#,
            r#"{"topic":"a","id":1.5}"#,
            r#"{"topic":"a","id":"1"}"#,
            r#"{"topic":"a","id":9007199254740992}"#,
            r#"{"topic":"a","mid":5}"#,
            r#"{"topic":"a","epoch":5}"#,
            r#"{"topic":"a","mid":"1","mid":"1"}"#,
            r#"{"topic":"a"} x"#,
            r#"{"topic":"a","data":}"#,
            r#"{"topic":"\ud800"}"#,
        ] {
            check(text, Err(ErrorCode::MALFORMED));
        }
        check(r#"{"topic":"a","data":[[[[]]]]}"#, Err(ErrorCode::TOO_LARGE));
        check(r#"{"topic":"a","x":[[[[]]]]}"#, Err(ErrorCode::TOO_LARGE));
    }

    #[test]
    fn an_error_repeats_little_of_a_frame() {
        let text = alloc::format!(r#"{{"topic":"a","id":"{}"}}"#, "x".repeat(100_000));
        let message = ClientFrame::parse(&text, 4).unwrap_err().message;
        assert!(message.len() < 300, "{message}");
    }

    #[test]
    fn a_million_levels_cost_no_stack() {
        let text = alloc::format!(
            r#"{{"topic":"a","data":{}{}}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        check(&text, Err(ErrorCode::TOO_LARGE));
    }

    #[test]
    fn a_publish_that_counts_once_reads_back() {
        for again in [None, Some(Position { epoch: "e\"".into(), offset: 41 })] {
            let text = write_publish("a\"b", 7, "m\"", again.as_ref(), RawValue::NULL);
            let frame = ClientFrame::parse(&text, 4).unwrap();
            let read = (&*frame.topic, frame.id, frame.mid.as_deref(), frame.epoch.as_deref());
            let epoch = again.as_ref().map(|again| &*again.epoch);
            assert_eq!(read, ("a\"b", Some(7), Some("m\""), epoch));
            assert_eq!(frame.after, again.map(|again| again.offset));
            assert_eq!((frame.kind, frame.data.get()), (Kind::Other, "null"));
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let since = Position { epoch: "e".into(), offset: 4 };
        let subscribe = Subscribe { since: Some(since), snapshot: true, ..Subscribe::to("a\"b") };
        let text = write_subscribe(2, &subscribe);
        let frame = ClientFrame::parse(&text, 128).unwrap();
        assert_eq!((frame.kind, frame.id), (Kind::Subscribe, Some(2)));
        let data: Subscribe = serde_json::from_str(frame.data.get()).unwrap();
        assert_eq!(to_json(&data), to_json(&subscribe));
        let history =
            History { topic: "a".into(), after: None, before: Some(MAX_INTEGER), limit: Some(5) };
        let text = write_history(3, &history);
        assert_eq!(
            text,
            r#"{"topic":"$history","id":3,"data":{"topic":"a","before":9007199254740991,"limit":5}}"#
        );
        let frame = ClientFrame::parse(&text, 128).unwrap();
        assert_eq!(frame.kind, Kind::History);
        assert_eq!(serde_json::from_str::<History>(frame.data.get()).unwrap(), history);
        assert_eq!(write_pong(), r#"{"topic":"$pong"}"#);
        assert_eq!(write_data("t", None, RawValue::NULL), r#"{"topic":"t","data":null}"#);
    }
}
