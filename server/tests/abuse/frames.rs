//! Bytes that are no WebSocket, and messages that are no frames of ours.

use flate2::{Compress, Compression, FlushCompress};
use serde_json::json;
use tidewire::ws::{Opcode, encode};

use crate::{
    ALLOCATOR,
    scene::{Scene, stage},
    support::Client,
};

const KEY: [u8; 4] = [9, 8, 7, 6];

fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    encode::masked(opcode, payload, KEY).to_vec()
}

/// The same frame with other bits in its first byte.
fn with_bits(mut frame: Vec<u8>, change: impl Fn(u8) -> u8) -> Vec<u8> {
    frame[0] = change(frame[0]);
    frame
}

/// A frame that does not end its message.
fn fragment(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    with_bits(frame(opcode, payload), |bits| bits & 0x7f)
}

/// A masked head that declares a payload and brings none of it.
fn head_alone(len: u64) -> Vec<u8> {
    [&[0x81, 0xff][..], &len.to_be_bytes(), &KEY].concat()
}

#[tokio::test]
async fn a_broken_websocket_is_closed_with_the_code_that_says_why() {
    let scene = Scene::start(stage().build()).await;
    let over = (4 << 20) + 1;
    let pieces = |count: usize| {
        let rest = fragment(Opcode::Continuation, &[b'x'; 64 << 10]).repeat(count);
        [fragment(Opcode::Text, b"x"), rest].concat()
    };
    for (what, bytes, code) in [
        ("unmasked", encode::text("hello").to_vec(), 1002),
        ("over the limit, in its head", head_alone(over), 1009),
        ("over the limit, in one", frame(Opcode::Text, &vec![b'x'; over as usize]), 1009),
        ("over the limit, in pieces", pieces(64), 1009),
        ("of 2^63 bytes", head_alone(1 << 63), 1002),
        ("of 2^63 - 1 bytes", head_alone((1 << 63) - 1), 1009),
        ("with a length that is too long", head_alone(5), 1002),
        ("not UTF-8", frame(Opcode::Text, b"\xc0\xaf"), 1007),
        ("not UTF-8 any more", fragment(Opcode::Text, b"abc\xf4\x90"), 1007),
        ("binary", frame(Opcode::Binary, b"hello"), 1003),
        ("with a reserved opcode", with_bits(frame(Opcode::Text, b"x"), |bits| bits | 0x07), 1002),
        ("with a reserved bit", with_bits(frame(Opcode::Text, b"x"), |bits| bits | 0x10), 1002),
        ("compressed unasked", with_bits(frame(Opcode::Text, b"x"), |bits| bits | 0x40), 1002),
        ("a ping in pieces", fragment(Opcode::Ping, b"x"), 1002),
        ("a long ping", frame(Opcode::Ping, &[b'x'; 126]), 1002),
        ("going on with nothing", frame(Opcode::Continuation, b"x"), 1002),
        ("a message in a message", fragment(Opcode::Text, b"x").repeat(2), 1002),
        ("a close of one byte", frame(Opcode::Close, &[3]), 1002),
        ("a close with a code of nobody", frame(Opcode::Close, &1005_u16.to_be_bytes()), 1002),
        ("three thousand pings", frame(Opcode::Ping, b"?").repeat(3000), 4101),
    ] {
        scene
            .survives(what, async || {
                let mut client = scene.client().await;
                client.send_raw(&bytes).await;
                assert_eq!(client.closed().await, Some(code), "{what}");
            })
            .await;
    }
}

#[tokio::test]
async fn a_message_without_an_end_holds_no_more_than_it_has_sent() {
    let scene = Scene::start(stage().build()).await;
    scene
        .survives("fragments of nothing", async || {
            let mut client = scene.client().await;
            client.send_raw(&fragment(Opcode::Text, b"x")).await;
            for _ in 0..100 {
                client.send_raw(&fragment(Opcode::Continuation, b"").repeat(1000)).await;
            }
            client.ping().await;
        })
        .await;
    scene
        .survives("large messages announced, by a hundred", async || {
            ALLOCATOR.reset_peak_usage();
            let before = ALLOCATOR.current_usage();
            let mut clients = Vec::new();
            for _ in 0..100 {
                let mut client = scene.client().await;
                client.ping().await;
                client.send_raw(&head_alone(4 << 20)).await;
                client.send_raw(b"x").await;
                clients.push(client);
            }
            let held = ALLOCATOR.peak_usage() - before;
            assert!(held < 100 * (64 << 10), "{held} bytes for what was only announced");
        })
        .await;
}

#[tokio::test]
async fn a_compression_bomb_costs_no_more_than_the_read_limit() {
    let scene = Scene::start(stage().compression(true).build()).await;
    // 64 MiB of zeros, as permessage-deflate sends them.
    let mut bomb = Vec::new();
    let mut compress = Compress::new(Compression::fast(), false);
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        bomb.reserve(64 << 10);
        compress.compress_vec(&zeros, &mut bomb, FlushCompress::None).unwrap();
    }
    bomb.reserve(64 << 10);
    compress.compress_vec(&[], &mut bomb, FlushCompress::Sync).unwrap();
    drop((compress, zeros));
    let bytes = with_bits(frame(Opcode::Text, &bomb), |bits| bits | 0x40);
    drop(bomb);
    scene
        .survives("a bomb", async || {
            let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
            let connected = Client::connect(scene.address, "/ws", &offer).await;
            let mut client = connected.unwrap();
            ALLOCATOR.reset_peak_usage();
            let before = ALLOCATOR.current_usage();
            client.send_raw(&bytes).await;
            assert_eq!(client.closed().await, Some(1009));
            let held = ALLOCATOR.peak_usage() - before;
            assert!(held < 16 << 20, "{held} bytes for a bomb of {}", bytes.len());
        })
        .await;
}

/// What makes no sense is answered by an error, in few words, and the session lives on.
async fn check_error(scene: &Scene, in_full: bool, what: &str, text: &str, name: &str) {
    scene
        .survives(what, async || {
            let mut client = if in_full { scene.full().await } else { scene.client().await };
            client.send_text(text).await;
            let answer = client.frame().await;
            let words = answer.to_string();
            assert_eq!(answer["data"]["name"], name, "{what}: {words:.200}");
            assert!(words.len() < 1000, "{what}: the answer has {} bytes", words.len());
            client.ping().await;
        })
        .await;
}

#[tokio::test]
async fn nonsense_is_answered_in_few_words() {
    let scene = Scene::start(stage().build()).await;
    let long = "x".repeat(1 << 20);
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let open = "{\"a\":".repeat(500_000);
    for (what, text, name) in [
        ("no JSON", "nonsense".into(), "malformed"),
        ("a name of a megabyte", json!({ "topic": long, "data": 1 }).to_string(), "invalid_topic"),
        ("JSON a million deep", format!(r#"{{"topic":"a","data":{deep}}}"#), "too_large"),
        ("JSON a million deep aside", format!(r#"{{"topic":"a","x":{deep}}}"#), "too_large"),
        ("JSON that is only opened", format!(r#"{{"topic":"a","data":{open}"#), "malformed"),
        ("an id of a megabyte", json!({ "topic": "a", "id": long }).to_string(), "malformed"),
        ("a field of a megabyte", format!(r#"{{"topic":"a","{long}":1}}"#), "unknown_topic"),
        ("a megabyte of data", json!({ "topic": "a", "data": long }).to_string(), "unknown_topic"),
        (
            "a reserved name of a megabyte",
            json!({ "topic": format!("${long}") }).to_string(),
            "reserved_topic",
        ),
    ] {
        check_error(&scene, false, what, &text, name).await;
        check_error(&scene, true, what, &text, name).await;
    }
    for (topic, data, name) in [
        ("$subscribe", json!({ "topic": long }), "invalid_topic"),
        ("$subscribe", json!(long), "invalid_data"),
        (
            "$subscribe",
            json!({ "topic": "a", "since": { "epoch": long, "offset": long } }),
            "invalid_data",
        ),
        ("$unsubscribe", json!({ "topic": [long] }), "invalid_data"),
        ("$token", json!({ "token": long }), "forbidden"),
        ("$call", json!({ "call": long }), "unknown_call"),
        ("$call", json!({ "call": "a", "timeout_ms": long }), "invalid_data"),
        ("$cancel", json!({ "id": long }), "invalid_data"),
        ("room:a", json!(long), "forbidden"),
    ] {
        let what = format!("{topic} with a megabyte");
        let text = json!({ "topic": topic, "id": 5, "data": data }).to_string();
        check_error(&scene, true, &what, &text, name).await;
    }
    let data = json!({ "topic": long });
    let text = json!({ "topic": "subscribe", "data": data }).to_string();
    check_error(&scene, false, "a plain subscribe to a megabyte", &text, "invalid_topic").await;
}
