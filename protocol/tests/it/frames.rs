//! `vectors/frames.json`: what a client sends.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use tidewire_protocol::frame::{
    Position,
    client::{
        Call, ClientFrame, Hello, Kind, Subscribe, write_call, write_cancel, write_data,
        write_hello, write_more, write_ping, write_pong, write_subscribe, write_unsubscribe,
    },
};

const DEPTH: usize = 8;

#[derive(Deserialize)]
struct Vectors {
    written: Vec<Value>,
    read: Vec<Read>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Read {
    text: String,
    kind: String,
    topic: String,
    data: String,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Refused {
    text: String,
    name: String,
    re: Option<u64>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../vectors/frames.json")).unwrap()
}

fn write(case: &Value) -> String {
    let text = |field: &str| case[field].as_str().unwrap();
    let id = case["id"].as_u64();
    match text("frame") {
        "hello" => {
            let hello = Hello {
                version: 1,
                client: text("client").into(),
                token: case["token"].as_str().map(Into::into),
                schema: serde_json::from_value(case["schema"].clone()).unwrap(),
            };
            write_hello(id.unwrap(), &hello)
        }
        "subscribe" => {
            let since: Option<Position> = serde_json::from_value(case["since"].clone()).unwrap();
            let is = |field: &str| case[field].as_bool().unwrap_or_default();
            let (snapshot, beside) = (is("snapshot"), is("beside"));
            let subscribe = Subscribe { since, snapshot, beside, ..Subscribe::to(text("topic")) };
            write_subscribe(id.unwrap(), &subscribe)
        }
        "unsubscribe" => write_unsubscribe(id.unwrap(), text("topic")),
        "publish" => {
            write_data(text("topic"), id, &RawValue::from_string(text("data").into()).unwrap())
        }
        "call" => {
            let args = RawValue::from_string(text("args").into()).unwrap();
            let (timeout_ms, items) = (case["timeout_ms"].as_u64(), case["items"].as_u64());
            write_call(id.unwrap(), &Call { timeout_ms, items, ..Call::of(text("call"), &args) })
        }
        "more" => write_more(case["of"].as_u64().unwrap(), case["items"].as_u64().unwrap()),
        "cancel" => write_cancel(case["of"].as_u64().unwrap()),
        "ping" => write_ping(id.unwrap()),
        "pong" => write_pong(),
        other => panic!("no frame {other}"),
    }
}

fn name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

#[test]
fn frames_are_written_to_the_letter_and_read_back() {
    for case in vectors().written {
        let text = write(&case);
        assert_eq!(text, case["text"].as_str().unwrap());
        let frame = ClientFrame::parse(&text, DEPTH).unwrap();
        assert_eq!(frame.id, case["id"].as_u64());
        let kind = case["frame"].as_str().unwrap();
        assert_eq!(name(frame.kind), if kind == "publish" { "other" } else { kind });
    }
}

#[test]
fn frames_are_read() {
    for case in vectors().read {
        let frame = ClientFrame::parse(&case.text, DEPTH)
            .unwrap_or_else(|error| panic!("{}: {error}", case.text));
        assert_eq!(
            (name(frame.kind), &*frame.topic, frame.data.get(), frame.id),
            (case.kind, &*case.topic, &*case.data, case.id),
            "{}",
            case.text
        );
    }
}

#[test]
fn what_is_no_frame_is_refused() {
    for case in vectors().refused {
        let error = ClientFrame::parse(&case.text, DEPTH).expect_err(&case.text);
        assert_eq!((error.code.name(), error.id), (&*case.name, case.re), "{}", case.text);
    }
}
