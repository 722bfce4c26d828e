//! Bad input gets a clear answer and costs nothing: the session lives on unless the WebSocket itself is broken.

use serde_json::json;
use tidewire::{
    Live,
    ws::{Opcode, encode},
};

use crate::support::{Client, Server};

async fn server() -> Server {
    Server::start(&Live::<()>::builder().read_limit(1000).build()).await
}

#[tokio::test]
async fn what_makes_no_sense_is_an_error_frame() {
    let server = server().await;
    let mut client = server.full().await;
    for (text, id, name) in [
        ("nonsense", None, "malformed"),
        ("[]", None, "malformed"),
        (r#"{"data":1}"#, None, "malformed"),
        (r#"{"topic":7}"#, None, "malformed"),
        (r#"{"topic":"a","id":-1}"#, None, "malformed"),
        (r#"{"topic":"a","id":9,"after":-1}"#, Some(9), "malformed"),
        (r#"{"topic":"a","mid":5,"id":9}"#, Some(9), "malformed"),
        (r#"{"topic":"a","id":9}"#, Some(9), "unknown_topic"),
        (r#"{"topic":"","id":9}"#, Some(9), "invalid_topic"),
        (r#"{"topic":"a\u0000b","id":9}"#, Some(9), "invalid_topic"),
        (r#"{"topic":"$x","id":9}"#, Some(9), "reserved_topic"),
    ] {
        client.send_text(text).await;
        let answer = client.frame().await;
        assert_eq!(
            (&answer["topic"], &answer["data"]["name"]),
            (&json!("$error"), &json!(name)),
            "{text}"
        );
        assert_eq!(answer.get("re").and_then(|re| re.as_u64()), id, "{text}");
    }
    let deep = format!(r#"{{"topic":"a","id":4,"data":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    client.send_text(&deep).await;
    assert_eq!(client.frame().await["data"]["name"], "too_large");
    let long = "é".repeat(200);
    client.send(json!({ "topic": long })).await;
    let answer = client.frame().await;
    assert_eq!(answer["data"]["name"], "invalid_topic");
    assert!(answer["data"]["topic"].as_str().unwrap().len() < 80, "not echoed whole");
    client.ping().await;
}

/// Sends raw bytes on a fresh connection and checks the close code.
async fn check_closed(server: &Server, bytes: &[u8], code: u16) {
    let mut client = Client::connect(server.address, "/ws", &[]).await.unwrap();
    client.send_raw(bytes).await;
    assert_eq!(client.closed().await, Some(code), "{:?}", &bytes[..bytes.len().min(20)]);
}

#[tokio::test]
async fn a_broken_websocket_is_closed_with_the_code_that_says_why() {
    let server = server().await;
    let mask = |opcode, payload: &[u8]| encode::masked(opcode, payload, [9, 9, 9, 9]).to_vec();
    check_closed(&server, &mask(Opcode::Text, &[b'x'; 1001]), 1009).await;
    check_closed(&server, &mask(Opcode::Binary, b"x"), 1003).await;
    check_closed(&server, &mask(Opcode::Text, b"\xff"), 1007).await;
    check_closed(&server, &encode::text("unmasked"), 1002).await;
    check_closed(&server, &mask(Opcode::Continuation, b"x"), 1002).await;
    let mut reserved = mask(Opcode::Text, b"x");
    reserved[0] |= 0x40;
    check_closed(&server, &reserved, 1002).await;
}

#[tokio::test]
async fn many_frames_in_one_packet_wait_their_turn_without_harm() {
    let live = Live::<()>::builder()
        .on_message(async |_cx, session, message| {
            tokio::task::yield_now().await;
            session.send("n", &message.data).unwrap();
        })
        .queue_size(10_000)
        .message_rate(0, 0)
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    let mut packet = Vec::new();
    for n in 0..3000 {
        let text = json!({ "topic": "n", "data": n }).to_string();
        packet.extend_from_slice(&encode::masked(Opcode::Text, text.as_bytes(), [1, 2, 3, 4]));
    }
    client.send_raw(&packet).await;
    for n in 0..3000 {
        client.expect(json!({ "topic": "n", "data": n })).await;
    }
}
