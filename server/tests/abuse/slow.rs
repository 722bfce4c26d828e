//! Clients that take, or give, as little as they can.

use std::time::Duration;

use serde_json::json;
use tidewire::ws::{Opcode, encode};
use tokio::time::interval;

use crate::{
    scene::{Scene, stage},
    support::{Received, eventually},
};

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_let_go() {
    let scene = Scene::start(stage().close_timeout(SHORT).build()).await;
    let text = "x".repeat(64 << 10);
    scene
        .survives("never reads", async || {
            let mut client = scene.full().await;
            client.subscribe("flood").await;
            let mut published = 0;
            while scene.live.session_count() > 1 {
                scene.live.publish("flood", &text).await.unwrap();
                published += 1;
                tokio::task::yield_now().await;
                assert!(published < 1000, "64 MiB did not overflow a queue of 1 MiB");
            }
            // It still does not read, and the server has let go of it.
            scene.hears(2 * SHORT.as_millis() as u64 / 10).await;
            assert_eq!(end(&mut client).await, Received::End);
        })
        .await;
}

/// What comes after all events.
async fn end(client: &mut crate::support::Client) -> Received {
    loop {
        match client.receive().await {
            Received::Frame(_) => {}
            other => return other,
        }
    }
}

#[tokio::test]
async fn a_client_that_reads_too_late_is_told_why() {
    let scene = Scene::start(stage().build()).await;
    let text = "x".repeat(64 << 10);
    scene
        .survives("reads late", async || {
            let mut client = scene.full().await;
            client.subscribe("flood").await;
            while scene.live.session_count() > 1 {
                scene.live.publish("flood", &text).await.unwrap();
                tokio::task::yield_now().await;
            }
            assert_eq!(end(&mut client).await, Received::Close(Some(4001)));
        })
        .await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_but_stays_below_its_queue_is_closed() {
    let live = stage().write_timeout(SHORT).close_timeout(SHORT).queue_bytes(64 << 20).build();
    let scene = Scene::start(live).await;
    scene
        .survives("takes nothing", async || {
            let mut client = scene.full().await;
            client.subscribe("flood").await;
            scene.live.publish("flood", &"x".repeat(16 << 20)).await.unwrap();
            scene.is_alone().await;
        })
        .await;
}

#[tokio::test]
async fn a_frame_that_comes_byte_by_byte_is_no_sign_of_life() {
    let scene = Scene::start(stage().heartbeat(SHORT, SHORT).build()).await;
    scene
        .survives("a byte now and then", async || {
            let mut client = scene.client().await;
            let frame = encode::masked(Opcode::Text, &[b'x'; 1000], [1; 4]);
            let mut pace = interval(SHORT / 10);
            for byte in frame {
                pace.tick().await;
                client.send_raw(&[byte]).await;
                if scene.live.session_count() == 1 {
                    break;
                }
            }
            assert_eq!(end(&mut client).await, Received::Ping);
            assert_eq!(end(&mut client).await, Received::Close(Some(4103)));
        })
        .await;
    scene
        .survives("a message that does not go on", async || {
            let mut client = scene.client().await;
            let mut fragment = encode::masked(Opcode::Text, &[b'x'; 1 << 20], [1; 4]).to_vec();
            fragment[0] &= 0x7f;
            client.send_raw(&fragment).await;
            assert_eq!(client.closed().await, Some(4103));
        })
        .await;
}

#[tokio::test]
async fn who_vanishes_is_missed() {
    let scene = Scene::start(stage().heartbeat(SHORT, SHORT).build()).await;
    scene
        .survives("a hundred that say nothing more", async || {
            let mut silent = Vec::new();
            for _ in 0..100 {
                let mut client = scene.full().await;
                client.subscribe("flood").await;
                silent.push(client);
            }
            scene.is_alone().await;
            for client in &mut silent {
                client.expect(json!({ "topic": "$ping" })).await;
                assert_eq!(client.closed().await, Some(4103));
            }
        })
        .await;
    eventually("nobody is subscribed", || scene.live.subscribers("flood").is_empty()).await;
}
