//! `permessage-deflate`, where the application and the client want it.

use serde_json::json;
use tidewire::{
    Live,
    ws::{Opcode, deflate::Deflate},
};

use crate::support::{Client, Server};

const OFFER: (&str, &str) =
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");

fn live(compression: bool) -> Live<()> {
    Live::<()>::builder()
        .compression(compression)
        .read_limit(10_000)
        .on_message(async |_cx, session, message| {
            session.subscribe("t").await.unwrap();
            session.send("echo", &message.data).unwrap();
        })
        .build()
}

/// A client's compressed frame: the server's, masked with a key that changes nothing.
fn masked(frame: &[u8]) -> Vec<u8> {
    let (head, payload) = match frame[1] {
        126 => frame.split_at(4),
        _ => frame.split_at(2),
    };
    let mut head = head.to_vec();
    head[1] |= 0x80;
    [&head, &[0; 4][..], payload].concat()
}

#[tokio::test]
async fn events_and_messages_are_compressed_for_those_who_take_it() {
    let live = live(true);
    let server = Server::start(&live).await;
    let mut compressed = Client::connect(server.address, "/ws", &[OFFER]).await.unwrap();
    let mut plain = server.client().await;
    let text = "to be or not to be, ".repeat(100);
    for client in [&mut compressed, &mut plain] {
        client.send(json!({ "topic": "x", "data": text })).await;
        client.expect(json!({ "topic": "echo", "data": text })).await;
    }
    live.publish("t", &text).await.unwrap();
    for client in [&mut compressed, &mut plain] {
        client.expect(json!({ "topic": "t", "data": text })).await;
    }
    assert!(compressed.received_bytes() < 500, "{}", compressed.received_bytes());
    assert!(plain.received_bytes() > 4_000);
}

#[tokio::test]
async fn without_the_option_an_offer_is_declined() {
    let server = Server::start(&live(false)).await;
    let mut client = Client::connect(server.address, "/ws", &[OFFER]).await.unwrap();
    let text = "x".repeat(1000);
    client.send(json!({ "topic": "x", "data": text })).await;
    client.expect(json!({ "topic": "echo", "data": text })).await;
    assert!(client.received_bytes() > 1000);
}

#[tokio::test]
async fn a_compression_bomb_ends_at_the_read_limit() {
    let server = Server::start(&live(true)).await;
    let mut client = Client::connect(server.address, "/ws", &[OFFER]).await.unwrap();
    let bomb = Deflate::SHARED.frame(Opcode::Text, "x".repeat(10_000_000).as_bytes());
    assert!(bomb.len() < 50_000);
    client.send_raw(&masked(&bomb)).await;
    assert_eq!(client.closed().await, Some(1009));
}
