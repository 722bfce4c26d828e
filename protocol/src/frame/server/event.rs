//! [`Event`] and its text, by hand: one is written for every publish.

use alloc::string::String;
use core::fmt::Write;

use crate::frame::to_json;

/// An event as full mode shows it.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its data, valid JSON.
    pub data: &'a str,
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// Its key, in a keyed topic.
    pub key: Option<&'a str>,
    /// The key is no more.
    pub removed: bool,
    /// The id of the publish that it came from.
    pub mid: Option<&'a str>,
}

impl Event<'_> {
    /// Writes the event as a reply to `$history` lists it.
    pub(super) fn write_listed(&self, text: &mut String) {
        let _ = write!(text, r#"{{"data":{}"#, self.data);
        self.write_fields(text);
    }

    /// Writes the fields behind `data`, and the end of the object.
    fn write_fields(&self, text: &mut String) {
        let Self { offset, prev, key, removed, mid, .. } = *self;
        let _ = write!(text, r#","offset":{offset},"prev":{prev}"#);
        if let Some(key) = key {
            text.push_str(r#","key":"#);
            push_quoted(text, key);
        }
        if removed {
            text.push_str(r#","removed":true"#);
        }
        if let Some(mid) = mid {
            text.push_str(r#","mid":"#);
            push_quoted(text, mid);
        }
        text.push('}');
    }
}

/// The text of an event in full mode.
#[must_use]
pub fn write_event(topic: &str, event: &Event<'_>) -> String {
    let mut text = plain_head(topic, event.data, 48);
    event.write_fields(&mut text);
    text
}

/// The text of a message, and of an event in plain mode. `data` must be valid JSON.
#[must_use]
pub fn write_message(topic: &str, data: &str) -> String {
    let mut text = plain_head(topic, data, 1);
    text.push('}');
    text
}

fn plain_head(topic: &str, data: &str, room: usize) -> String {
    let mut text = String::with_capacity(topic.len() + data.len() + 20 + room);
    text.push_str(r#"{"topic":"#);
    push_quoted(&mut text, topic);
    text.push_str(r#","data":"#);
    text.push_str(data);
    text
}

/// Writes a JSON string. Few names have anything to escape.
fn push_quoted(text: &mut String, value: &str) {
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&to_json(&value));
    }
}
