//! Streams without end, of clients that read them slowly or not, and more of them than there may be.

use std::time::Duration;

use futures_util::stream;
use serde_json::{Value, json};
use tidewire::{
    Live,
    ws::{Opcode, encode},
};

use crate::{
    ALLOCATOR,
    scene::{Scene, stage},
    support::{Client, Received},
};

tidewire_protocol::schema! {
    pub(crate) schema Endless {
        stream Fill = "fill" (usize) -> String;
    }
}

/// Never at a loss for an item, of so many bytes.
fn live() -> Live<()> {
    let builder = stage().message_rate(0, 0).byte_rate(0, 0);
    builder
        .write_timeout(Duration::from_secs(60))
        .stream(Fill, async |_cx, _session, bytes| {
            Ok(stream::repeat_with(move || "x".repeat(bytes)))
        })
        .build()
}

async fn begin(client: &mut Client, id: usize, bytes: usize) {
    let data = json!({ "call": "fill", "args": bytes });
    client.send(json!({ "topic": "$call", "id": id, "data": data })).await;
}

#[tokio::test]
async fn a_gigabyte_that_is_read_slowly_or_not_takes_no_memory() {
    const BYTES: usize = 64 << 10;
    let scene = Scene::start(live()).await;
    scene
        .survives("a stream that is read slowly", async || {
            let mut client = scene.full().await;
            let before = scene.least_bytes().await;
            begin(&mut client, 100, BYTES).await;
            let check = || {
                let more = ALLOCATOR.current_usage().saturating_sub(before);
                assert!(more < 4 << 20, "{more} bytes for a stream");
            };
            // Not read at all, and then 64 MiB of as much as there ever is.
            scene.hears(20).await;
            check();
            for _ in 0..(64 << 20) / BYTES {
                assert!(matches!(client.receive().await, Received::Frame(_)));
                check();
            }
        })
        .await;
}

#[tokio::test]
async fn streams_of_clients_that_do_not_read_take_a_page_each() {
    let scene = Scene::start(live()).await;
    scene
        .survives("streams that nobody reads", async || {
            let mut clients = Vec::new();
            for _ in 0..50 {
                let mut client = scene.full().await;
                for id in 100..108 {
                    begin(&mut client, id, 4 << 10).await;
                }
                clients.push(client);
            }
            scene.hears(50).await;
            let queued = scene.live.metrics().queued_bytes;
            assert_eq!(queued, 0, "streams fill no queue");
        })
        .await;
}

#[tokio::test]
async fn a_thousand_streams_are_32_and_room_for_what_is_none_is_nothing() {
    let scene = Scene::start(live()).await;
    scene
        .survives("streams and room", async || {
            let mut client = scene.full().await;
            let call = json!({ "call": "fill", "args": 1, "items": 0 });
            for id in 1..=1000 {
                client.send(json!({ "topic": "$call", "id": 1000 + id, "data": call })).await;
            }
            let mut refused = 0;
            while refused < 1000 - 32 {
                let answer = client.frame().await;
                assert_eq!(answer["data"]["name"], "limit");
                refused += 1;
            }
            let room = |id: Value, items: Value| {
                let frame = json!({ "topic": "$more", "data": { "id": id, "items": items } });
                encode::masked(Opcode::Text, frame.to_string().as_bytes(), [4, 3, 2, 1]).to_vec()
            };
            let mut refused = 0;
            for (id, items, is_room) in [
                (json!(5), json!(1), true),
                (json!(1001), json!(0), true),
                (json!(u64::MAX), json!(u64::MAX), true),
                (json!(-1), json!(1), false),
                (json!("1001"), json!(1), false),
                (json!(1001), json!(-1), false),
                (json!(1001), json!(1.5), false),
                (json!(1001), Value::Null, false),
            ] {
                client.send_raw(&room(id, items).repeat(100)).await;
                refused += if is_room { 0 } else { 100 };
            }
            for _ in 0..refused {
                assert_eq!(client.frame().await["data"]["name"], "invalid_data");
            }
            client.ping().await;
        })
        .await;
}
