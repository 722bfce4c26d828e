//! `vectors/tuples.json`: what a server sends, as the numbers that every driver must make of it.

use serde::Deserialize;
use tidewire_protocol::{
    MAX_INTEGER,
    client::Kind,
    code::ErrorCode,
    frame::{
        Position,
        server::{self, Gap, GapCause},
        tuple::Tuple,
    },
};

#[derive(Deserialize)]
struct Vectors {
    frames: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    about: String,
    text: String,
    tuple: Numbers,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Numbers {
    kind: u8,
    re: u64,
    topic: String,
    epoch: Option<String>,
    offset: u64,
    prev: u64,
    to: u64,
    code: u16,
    ms: u64,
    flags: u8,
}

impl From<Tuple<'_>> for Numbers {
    fn from(Tuple { frame, topic, epoch, .. }: Tuple<'_>) -> Self {
        assert_eq!((frame.topic, frame.epoch), (0, 0), "names get their numbers from the driver");
        Self {
            kind: frame.kind as u8,
            re: frame.re,
            topic: topic.into_owned(),
            epoch: epoch.map(Into::into),
            offset: frame.offset,
            prev: frame.prev,
            to: frame.to,
            code: frame.code,
            ms: frame.ms,
            flags: frame.flags,
        }
    }
}

#[test]
fn frames_of_a_server_are_read_as_their_tuples() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../../../vectors/tuples.json")).unwrap();
    for Case { about, text, tuple } in &vectors.frames {
        assert_eq!(Numbers::from(Tuple::parse(text)), *tuple, "{about}: {text}");
        assert_eq!(Kind::from_number(tuple.kind) as u8, tuple.kind, "{text}");
    }
    let malformed = vectors.frames.iter().filter(|case| case.tuple.kind == 0).count();
    assert!(malformed >= 100 && vectors.frames.len() - malformed >= 30);
}

#[test]
fn data_is_passed_on_as_it_came() {
    for (text, data) in [
        (r#"{"topic":"a","data": {"x": 1.0 ,"y":"\u0065"} }"#, r#"{"x": 1.0 ,"y":"\u0065"}"#),
        (r#"{"topic":"a","offset":2,"prev":1}"#, "null"),
        (
            r#"{"topic":"$hello","re":1,"data":{"ping_ms":1,"pong_ms":2}}"#,
            r#"{"ping_ms":1,"pong_ms":2}"#,
        ),
        (r#"{"topic":"a","data":5,"offset":"2"}"#, "null"),
    ] {
        assert_eq!(Tuple::parse(text).data.get(), data, "{text}");
    }
}

#[test]
fn what_a_server_writes_is_read_back() {
    let check = |text: &str, expected: Numbers| {
        assert_eq!(Numbers::from(Tuple::parse(text)), expected, "{text}");
    };
    let at = Position { epoch: "e\"1".into(), offset: MAX_INTEGER };
    let (topic, epoch, offset) = (|| "a\"b".to_owned(), Some(at.epoch.clone()), at.offset);
    check(
        &server::write_event(
            "a\"b",
            &server::Event {
                data: "null",
                offset: MAX_INTEGER,
                prev: 0,
                key: Some("k"),
                removed: true,
                mid: Some("m"),
            },
        ),
        Numbers { kind: 9, topic: topic(), offset, ..Numbers::default() },
    );
    check(
        &server::write_message("a\"b", "null"),
        Numbers { kind: 10, topic: topic(), ..Numbers::default() },
    );
    for (cause, code) in [(GapCause::Dropped, 1), (GapCause::Conflated, 2), (GapCause::Lost, 3)] {
        check(
            &server::write_gap("a\"b", Gap { after: 4, to: 6, cause }),
            Numbers { kind: 4, topic: topic(), offset: 4, to: 6, code, ..Numbers::default() },
        );
    }
    for (recovered, flags) in [(None, 0), (Some(true), 1), (Some(false), 2)] {
        let position = at.clone();
        let subscribed = server::Subscribed {
            position,
            head: MAX_INTEGER,
            recovered,
            version: None,
            snapshot: None,
        };
        check(
            &server::write_reply(7, &subscribed),
            Numbers {
                kind: 2,
                re: 7,
                epoch: epoch.clone(),
                offset,
                to: offset,
                flags,
                ..Numbers::default()
            },
        );
    }
    check(
        &server::write_subscribed("a\"b", &at),
        Numbers { kind: 7, topic: topic(), epoch, offset, ..Numbers::default() },
    );
    check(
        &server::write_unsubscribed("a\"b", ErrorCode::FORBIDDEN),
        Numbers { kind: 8, topic: topic(), code: 201, ..Numbers::default() },
    );
    check(
        &server::write_error(Some(7), &server::ErrorData::new(ErrorCode::LIMIT, None)),
        Numbers { kind: 3, re: 7, code: 300, ..Numbers::default() },
    );
    check(server::PING, Numbers { kind: 6, ..Numbers::default() });
}
