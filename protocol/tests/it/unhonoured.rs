//! Attributes of serde that ts-rs passes over: the export tells of each that makes JSON another than TypeScript says.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use tidewire_protocol::schema::ExportError;

fn as_text<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn from_text<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// What stands on the wire in place of another.
#[derive(Serialize, Deserialize)]
struct Wire {
    words: Vec<String>,
}

/// Declares a schema and gives what its export says: the place, the Rust type, what is different.
macro_rules! outcome {
    ([$($item:item)*] $($parts:tt)*) => {{
        mod declared {
            #[allow(unused_imports, reason = "not every schema needs them")]
            use super::*;
            $(#[derive(Serialize, Deserialize, ts_rs::TS)] $item)*
            tidewire_protocol::schema! { pub(super) schema Tried { topic Only = "tried" { $($parts)* } } }
        }
        declared::Tried::typescript()
    }};
}

macro_rules! refused {
    ($place:literal $rust:literal $what:literal: $($schema:tt)*) => {
        match outcome!($($schema)*) {
            Err(ExportError::Unhonoured { entry: "tried", place, rust, what, .. }) => {
                assert_eq!(place, $place);
                assert!(rust.ends_with(concat!("::", $rust)), "{rust}");
                assert!(what.contains($what), "{what}");
            }
            other => panic!("{other:?}"),
        }
    };
}

macro_rules! exported {
    ($($schema:tt)*) => { outcome!($($schema)*).unwrap() };
}

#[test]
fn what_serde_writes_otherwise_is_refused() {
    refused!("event.at" "Event" "JSON has `\"1\"` where TypeScript has `number`":
        [pub(super) struct Event { text: String, #[serde(serialize_with = "as_text")] at: u64 }]
        event: Event);
    refused!("event.notes[0].at" "Note" "JSON has `\"1\"` where TypeScript has `number`":
        [
            pub(super) struct Event { notes: Vec<Note> }
            pub(super) struct Note { #[serde(serialize_with = "as_text")] at: u64 }
        ]
        event: Event);
    refused!("event.text" "Event" "JSON may lack it":
        [pub(super) struct Event { #[serde(skip_serializing_if = "Option::is_none")] text: Option<String> }]
        event: Event);
    refused!("event.text" "Event" "JSON may lack it":
        [pub(super) struct Event { #[serde(skip_serializing_if = "String::is_empty")] #[ts(type = "\"\"")] text: String }]
        event: Event);
    refused!("event.text" "Event" "JSON has `null` where TypeScript has `string`":
        [pub(super) struct Event { #[ts(optional)] text: Option<String> }]
        event: Event);
    refused!("event._secret" "Event" "JSON may lack it":
        [pub(super) struct Event { #[serde(skip_serializing, default)] #[ts(optional = false)] _secret: String }]
        event: Event);
    refused!("presence.at" "Member" "JSON has `\"1\"` where TypeScript has `number`":
        [pub(super) struct Member { #[serde(serialize_with = "as_text")] at: u64 }]
        event: u8, presence: Member);
}

/// The one who wrote `#[ts(optional)]` is not told to write it.
#[test]
fn an_optional_that_is_written_as_null_is_told_what_it_lacks() {
    let error = outcome!(
        [pub(super) struct Event { #[serde(default)] #[ts(optional)] mood: Option<String> }]
        event: Event)
    .unwrap_err();
    let text = error.to_string();
    let mend =
        r#"`#[serde(default, skip_serializing_if = "Option::is_none")]` with `#[ts(optional)]`"#;
    assert!(text.contains("`event.mood`") && text.contains(mend), "{text}");
    let module = exported!(
        [pub(super) struct Event {
            #[serde(default, skip_serializing_if = "Option::is_none")] #[ts(optional)] mood: Option<String>,
            #[serde(default)] note: Option<String>
        }]
        event: Event, publish: Event);
    assert!(
        module.contains("mood?: string;") && module.contains("note: string | null;"),
        "{module}"
    );
}

#[test]
fn what_serde_reads_otherwise_is_refused() {
    refused!("publish.at" "Publish" "invalid type: integer `1`, expected a string":
        [pub(super) struct Publish { text: String, #[serde(deserialize_with = "from_text")] at: u64 }]
        event: u8, publish: Publish);
    refused!("publish" "Publish" "missing field `word`":
        [pub(super) struct Publish { #[serde(rename(serialize = "text", deserialize = "word"))] text: String }]
        event: u8, publish: Publish);
    refused!("publish" "Publish" "missing field `words`": [] event: u8, publish: container::Publish);
}

/// Types with more than a declaration.
mod container {
    use super::*;

    #[derive(Clone, Serialize, Deserialize, ts_rs::TS)]
    #[serde(into = "Wire")]
    pub(super) struct Event {
        text: String,
    }

    impl From<Event> for Wire {
        fn from(event: Event) -> Self {
            Self { words: vec![event.text] }
        }
    }

    #[derive(Serialize, Deserialize, ts_rs::TS)]
    #[serde(from = "Wire")]
    pub(super) struct Publish {
        text: String,
    }

    impl From<Wire> for Publish {
        fn from(wire: Wire) -> Self {
            Self { text: wire.words.concat() }
        }
    }

    #[derive(Serialize, Deserialize, ts_rs::TS)]
    #[serde(transparent)]
    pub(super) struct Transparent {
        text: String,
    }
}

#[test]
fn what_a_container_says_is_looked_at_too() {
    refused!("event.text" "Event" "JSON may lack it": [] event: container::Event);
    refused!("event" "Transparent" "invalid type: map, expected a string": [] event: container::Transparent);
}

#[test]
fn what_changes_nothing_is_exported() {
    let module = exported!(
        [
            #[serde(deny_unknown_fields, rename_all(serialize = "camelCase", deserialize = "camelCase"))]
            #[ts(rename_all = "camelCase")]
            pub(super) struct Event { #[serde(alias = "words")] some_text: String }
        ]
        event: Event, publish: Event);
    assert!(module.contains("someText: string;"), "{module}");
    exported!([#[serde(default)] #[derive(Default)] pub(super) struct Event { text: String }] event: Event, publish: Event);
    // An attribute that a `#[ts(…)]` tells of.
    exported!(
        [pub(super) struct Event {
            #[serde(serialize_with = "as_text", deserialize_with = "from_text")] #[ts(type = "string")] at: u64
        }]
        event: Event, publish: Event);
}

/// Of what has a format that no sample has nothing is claimed.
#[test]
fn a_format_that_is_not_known_hides_what_stands_beside_it() {
    exported!(
        [pub(super) struct Event {
            #[ts(type = "string")] word: Word, #[serde(serialize_with = "as_text")] at: u64
        }]
        event: Event);
}

#[derive(Serialize)]
struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "xyzzy" { Ok(Self(text)) } else { Err(D::Error::custom("that is not the word")) }
    }
}
