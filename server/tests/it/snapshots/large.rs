//! States as large as a history holds, over real sockets.

use serde_json::{Value, json};

use super::*;
use crate::support::{Client, Server};

const OFFER: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate");

/// With its quotes and brackets 1 MiB of JSON.
const EVENTS: usize = 1024;
const LETTERS: usize = 1024 - 3;

tidewire_protocol::schema! {
    pub(crate) schema Long { topic Text = "text" { event: String } }
}

/// Text that deflate makes shorter, but not short.
fn text(number: usize) -> String {
    let letter = |at: usize| {
        let noise = (number * LETTERS + at).wrapping_mul(2_654_435_761) >> 7;
        char::from(b'a' + (noise % 16) as u8)
    };
    (0..LETTERS).map(letter).collect()
}

async fn check(compression: bool) {
    let live = Live::<()>::builder()
        .compression(compression)
        .topic::<Text>(|topic| topic.public().history(EVENTS, HOUR))
        .build();
    for number in 0..EVENTS {
        live.topic(Text).publish(&text(number)).await.unwrap();
    }
    let server = Server::start(&live).await;
    let mut client = Client::connect(server.address, "/ws", &[OFFER]).await.unwrap();
    client.hello(json!({})).await;
    // Events of other topics wait before it, and make it wait.
    live.sessions()[0].subscribe("other").await.unwrap();
    for number in 0..100 {
        live.publish("other", &number).await.unwrap();
    }
    let before = client.received_bytes();
    let ask = json!({ "topic": "text", "snapshot": true });
    client.send(json!({ "topic": "$subscribe", "id": 70, "data": ask })).await;
    tidewire::test::eventually("it is subscribed", || live.topic(Text).subscriber_count() == 1)
        .await
        .unwrap();
    // More than the session's queue, while the state is on its way.
    for number in 0..500 {
        live.topic(Text).publish(&text(number)).await.unwrap();
    }
    let reply = loop {
        let frame = client.frame().await;
        if frame["re"] == 70 {
            break frame;
        }
        assert!(frame["topic"] == "other" || frame["topic"] == "$subscribed", "{frame}");
    };
    let taken = client.received_bytes() - before;
    let expected: Vec<Value> = (0..EVENTS).map(|number| text(number).into()).collect();
    assert_eq!(reply["data"]["snapshot"], Value::from(expected));
    assert_eq!(reply["data"]["offset"], EVENTS);
    assert_eq!(taken < (EVENTS * LETTERS) * 3 / 4, compression, "{taken} bytes");
    for number in 0..500 {
        let event = client.frame().await;
        assert_eq!(event["offset"], EVENTS + number + 1);
        assert_eq!(event["data"], text(number));
    }
}

#[tokio::test]
async fn a_mebibyte_reaches_a_client_and_so_does_what_follows() {
    check(false).await;
}

#[tokio::test]
async fn a_mebibyte_is_compressed_once_for_all() {
    check(true).await;
}
