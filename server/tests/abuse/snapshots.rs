//! Clients that ask for large answers and do not read them.

use std::time::Duration;

use serde_json::json;

use crate::{
    ALLOCATOR,
    scene::{Room, Scene, stage},
    support::{Client, Received, eventually},
};

tidewire_protocol::schema! {
    pub(crate) schema Library {
        topic Book = "book" { event: u64, snapshot: String }
    }
}

const CLIENTS: usize = 100;
/// With its quotes as much as a history holds.
const LETTERS: usize = (1 << 20) - 2;

/// What a connection and a test's client may take besides.
const BYTES_OF_A_CLIENT: usize = 64 * 1024;

async fn ask(scene: &Scene, topic: &str, times: u64) -> Client {
    let mut client = scene.full().await;
    for id in 100..100 + times {
        let data = json!({ "topic": topic, "snapshot": true });
        client.send(json!({ "topic": "$subscribe", "id": id, "data": data })).await;
    }
    client
}

/// Asks as many clients, lets the server do what it can, and checks what that costs; then one reads.
async fn check(scene: &Scene, topic: &str) {
    let before = scene.least_bytes().await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(ask(scene, topic, 20).await);
    }
    eventually("all are subscribed", || scene.live.subscribers(topic).len() == CLIENTS).await;
    scene.hears(20).await;
    let more = scene.least_bytes().await.saturating_sub(before);
    let most = 4 * LETTERS + CLIENTS * BYTES_OF_A_CLIENT;
    assert!(more < most, "{more} bytes for {CLIENTS} clients");
    assert!(ALLOCATOR.current_usage() < CLIENTS * LETTERS / 4, "one copy for each would be more");
    for id in 100..103 {
        let Received::Frame(reply) = clients[0].receive().await else { panic!("no frame") };
        let state = &reply["data"]["snapshot"];
        let letters = state.as_str().or(state[0].as_str()).map(str::len);
        assert_eq!((reply["re"].as_u64(), letters), (Some(id), Some(LETTERS)));
    }
}

#[tokio::test]
async fn a_snapshot_that_nobody_reads_is_there_once() {
    let live = stage()
        .topic::<Book>(|topic| topic.public().snapshot(async |_cx, _book| Ok("x".repeat(LETTERS))))
        .write_timeout(Duration::from_secs(60))
        .build();
    let scene = Scene::start(live).await;
    scene.survives("no snapshot is read", async || check(&scene, "book").await).await;
}

#[tokio::test]
async fn a_history_that_nobody_reads_is_there_once() {
    let live = stage().write_timeout(Duration::from_secs(60)).build();
    let room = Room { room: "long".into() };
    live.topic(room).publish(&"x".repeat(LETTERS)).await.unwrap();
    let scene = Scene::start(live).await;
    scene.survives("no history is read", async || check(&scene, "room:long").await).await;
}
