//! Too much of what is allowed once.

use std::{future::pending, time::Duration};

use serde_json::{Value, json};
use tidewire::ws::{Opcode, encode};

use crate::{
    ALLOCATOR,
    scene::{Named, Scene, Wait, stage},
    support::{Received, eventually},
};

const MANY: usize = 10_000;

fn text(frame: &Value) -> Vec<u8> {
    encode::masked(Opcode::Text, frame.to_string().as_bytes(), [4, 3, 2, 1]).to_vec()
}

/// Requests to subscribe to as many topics, a hundred in each packet.
fn subscribe_requests() -> Vec<Vec<u8>> {
    let request = |n: usize| {
        let data = json!({ "topic": format!("room:{n}") });
        text(&json!({ "topic": "$subscribe", "id": n, "data": data }))
    };
    let numbers: Vec<usize> = (1..=MANY).collect();
    numbers.chunks(100).map(|chunk| chunk.iter().flat_map(|&n| request(n)).collect()).collect()
}

#[tokio::test]
async fn ten_thousand_subscribe_requests_at_the_default_rate() {
    let scene = Scene::start(stage().build()).await;
    let requests = subscribe_requests().concat();
    scene
        .survives("subscribe requests", async || {
            let mut client = scene.full().await;
            client.send_raw(&requests).await;
            assert_eq!(client.closed().await, Some(4101));
        })
        .await;
}

#[tokio::test]
async fn ten_thousand_subscribe_requests_at_any_rate() {
    let scene = Scene::start(stage().message_rate(0, 0).byte_rate(0, 0).build()).await;
    let requests = subscribe_requests();
    scene
        .survives("subscribe requests whose answers are read", async || {
            let mut client = scene.full().await;
            let mut answers = 1..=MANY;
            for packet in &requests {
                client.send_raw(packet).await;
                for n in answers.by_ref().take(100) {
                    let answer = client.frame().await;
                    let name = if n <= 128 { &Value::Null } else { &json!("limit") };
                    assert_eq!((&answer["re"], &answer["data"]["name"]), (&json!(n), name));
                }
            }
            assert_eq!(scene.live.sessions().iter().map(|one| one.topics().len()).max(), Some(128));
        })
        .await;
    scene
        .survives("subscribe requests whose answers are not read", async || {
            let mut client = scene.full().await;
            let mut packets = requests.iter().cycle().take(20 * requests.len());
            // The kernel takes megabytes of answers before the server's queue has to.
            while scene.live.session_count() > 1 {
                client.send_raw(packets.next().expect("an overflow")).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(client.closed().await, Some(4001));
        })
        .await;
}

#[tokio::test]
async fn what_waits_behind_a_hook_is_bounded() {
    let live = stage()
        .message_rate(0, 0)
        .byte_rate(0, 0)
        .hook_timeout(Duration::from_secs(1))
        .on_message(async |_cx, _session, _message| pending::<()>().await)
        .build();
    let scene = Scene::start(live).await;
    for (what, bytes) in [("messages", 10), ("large messages", 100_000)] {
        scene
            .survives(what, async || {
                let mut client = scene.client().await;
                let message = text(&json!({ "topic": "m", "data": "x".repeat(bytes) }));
                let packet = message.repeat(50_000_000 / message.len());
                ALLOCATOR.reset_peak_usage();
                let before = ALLOCATOR.current_usage();
                // The server stops reading, so that the socket takes no more.
                let sent = client.send_raw(&packet);
                assert!(tokio::time::timeout(Duration::from_millis(300), sent).await.is_err());
                let held = ALLOCATOR.peak_usage() - before;
                assert!(held < 1 << 20, "{what}: {held} bytes wait");
            })
            .await;
    }
}

#[tokio::test]
async fn calls_that_do_not_end_are_bounded() {
    let live = stage()
        .message_rate(0, 0)
        .hook_timeout(Duration::from_secs(1))
        .call(Wait, async |_cx, _session, ()| pending::<Result<(), _>>().await)
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("calls", async || {
            let mut client = scene.full().await;
            let call =
                |id: usize| json!({ "topic": "$call", "id": id, "data": { "call": "wait" } });
            let packet: Vec<u8> = (1..=MANY).flat_map(|id| text(&call(id))).collect();
            ALLOCATOR.reset_peak_usage();
            let before = ALLOCATOR.current_usage();
            client.send_raw(&packet).await;
            scene.hears(50).await;
            let held = ALLOCATOR.peak_usage() - before;
            assert!(held < 1 << 20, "{held} bytes wait");
        })
        .await;
}

/// A schema with so many entries that nobody knows.
fn unknown_entries(count: usize) -> Value {
    let entries = (0..count).map(|n| (format!("entry-{n}"), json!("0123456789abcdef")));
    Value::Object(entries.collect())
}

#[tokio::test]
async fn a_large_hello_is_answered_and_not_kept() {
    let scene = Scene::start(stage().build()).await;
    let schema = unknown_entries(1_000);
    scene
        .survives("a large hello", async || {
            let mut client = scene.client().await;
            let before = ALLOCATOR.current_usage();
            assert_eq!(client.hello(schema.clone()).await["data"]["schema"]["entry-7"], "unknown");
            eventually("it is not kept", || ALLOCATOR.current_usage() < before + (256 << 10)).await;
            client.ping().await;
        })
        .await;
}

#[tokio::test]
async fn a_hello_that_is_too_large_is_refused_before_it_is_read() {
    let scene = Scene::start(stage().build()).await;
    let short = format!("{{{}}}", vec![r#""":"""#; 30_000].join(","));
    for (what, schema, most) in [
        ("a hello of a hundred thousand entries", unknown_entries(100_000).to_string(), 12 << 20),
        ("short entries without number", short, 2 << 20),
        ("one entry too many", unknown_entries(1_001).to_string(), 2 << 20),
    ] {
        let client = "0".repeat(32);
        let hello = format!(
            r#"{{"topic":"$hello","id":1,"data":{{"version":1,"client":"{client}","schema":{schema}}}}}"#
        );
        let packet = encode::masked(Opcode::Text, hello.as_bytes(), [9, 8, 7, 6]).to_vec();
        scene
            .survives(what, async || {
                let mut client = scene.client().await;
                ALLOCATOR.reset_peak_usage();
                let before = ALLOCATOR.current_usage();
                client.send_raw(&packet).await;
                assert_eq!(client.closed().await, Some(4202), "{what}");
                let held = ALLOCATOR.peak_usage() - before;
                assert!(held < most, "{what}: {held} bytes");
            })
            .await;
    }
}

#[tokio::test]
async fn a_thousand_that_come_and_go() {
    let scene = Scene::start(stage().max_sessions(600).build()).await;
    scene
        .survives("many clients", async || {
            for _ in 0..2 {
                let mut clients = Vec::new();
                for _ in 0..500 {
                    let mut client = scene.full().await;
                    client.subscribe("flood").await;
                    clients.push(client);
                }
                scene.live.publish("flood", &"for all").await.unwrap();
                for client in &mut clients {
                    assert!(matches!(client.receive().await, Received::Frame(_)));
                }
                drop(clients);
                scene.is_alone().await;
            }
        })
        .await;
}

#[tokio::test]
async fn names_of_publishes_without_number_stay_within_their_bytes() {
    const WINDOW: usize = 8 << 20;
    let live = stage()
        .message_rate(0, 0)
        .byte_rate(0, 0)
        .topic::<Named>(|topic| {
            topic.history(0, Duration::ZERO).on_publish(async |_cx, _session, _topic, n| Ok(n))
        })
        .build();
    let scene = Scene::start(live).await;
    let before = scene.least_bytes().await;
    // Each client may have a thousand remembered, and comes as somebody else the next time.
    for n in 0..100 {
        let mut client = scene.client().await;
        client.request("$hello", json!({ "version": 1, "client": format!("{n:032x}") })).await;
        let publish = |n| json!({ "topic": "named", "data": 1, "mid": format!("{n:064}") });
        let packet: Vec<u8> = (0..1_000).flat_map(|n| text(&publish(n))).collect();
        client.send_raw(&packet).await;
        let last = client.request("named", json!(1)).await;
        assert_eq!(last["data"]["offset"], (n + 1) * 1_001, "all have come");
    }
    scene.is_alone().await;
    let held = scene.least_bytes().await - before;
    assert!((WINDOW / 2..WINDOW).contains(&held), "{held} bytes are held");
}
