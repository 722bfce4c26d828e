//! [`Message`]: a topic's name and raw JSON, which is passed on as it came.

use alloc::{borrow::ToOwned, boxed::Box, string::String};
use core::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// One `{topic, data}` message. `data` is never parsed and printed again on its way through.
///
/// ```
/// use tidewire_protocol::message::Message;
/// let message = Message::parse(r#"{"topic":"chat","data":{ "text" : "h\u0069" }}"#).unwrap();
/// assert_eq!(message.data.get(), r#"{ "text" : "h\u0069" }"#);
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Message {
    /// The topic's name as its sender wrote it.
    pub topic: String,
    /// Any JSON value; `null` where the sender gave none.
    #[serde(default = "null")]
    pub data: Box<RawValue>,
}

impl Message {
    /// A message with `data` as JSON.
    ///
    /// # Errors
    /// If `data` cannot be JSON: a map with keys that are no strings, or a `Serialize` that fails.
    pub fn new(topic: impl Into<String>, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self { topic: topic.into(), data: serde_json::value::to_raw_value(data)? })
    }

    /// Reads a message from the text of a frame; other fields are ignored.
    ///
    /// # Errors
    /// If the text is no JSON object with a string `topic`.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The data as a type of the application.
    ///
    /// # Errors
    /// If the data is not of that type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.data.get())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("data", &self.data.get())
            .finish()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.topic == other.topic && self.data.get() == other.data.get()
    }
}

/// The JSON value `null`.
pub(crate) fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

/// Whether arrays and objects in `json`, which must be valid JSON, nest deeper than `limit`.
///
/// A pass over the bytes without recursion: depth costs nothing but this loop.
#[must_use]
pub fn is_deeper_than(json: &str, limit: usize) -> bool {
    // Each level takes an opening and a closing byte.
    if json.len() < 2 * (limit + 1) {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_optional_and_other_fields_are_ignored() {
        let message = Message::parse(r#"{"x":[1],"topic":"a"}"#).unwrap();
        assert_eq!(message, Message { topic: "a".into(), data: null() });
    }

    #[test]
    fn data_is_passed_on_byte_for_byte() {
        let data = r#"{"b": 1.0,  "a":"é", "n":123456789012345678901234567890}"#;
        let message = Message::parse(&alloc::format!(r#"{{"data":{data},"topic":"t"}}"#)).unwrap();
        assert_eq!(message.data.get(), data);
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            alloc::format!(r#"{{"topic":"t","data":{data}}}"#)
        );
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |n: usize| alloc::format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (json, limit, deeper) in [
            (nested(128), 128, false),
            (nested(129), 128, true),
            (alloc::format!(r#""{}""#, "[".repeat(500)), 128, false),
            (alloc::format!(r#"["\"{}",{}]"#, "[".repeat(500), nested(3)), 4, false),
            (alloc::format!(r#"["\\",{}]"#, nested(4)), 4, true),
            ("[[],[],[]]".into(), 1, true),
        ] {
            assert_eq!(is_deeper_than(&json, limit), deeper, "{json} {limit}");
        }
    }
}
