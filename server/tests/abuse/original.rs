//! The faults of the server that this one began as, each measured on it: none of them is here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidewire::{CloseCode, SubscribeError};
use tokio::sync::{Notify, mpsc};

use crate::{
    scene::{Room, Scene, stage},
    support::{Received, eventually},
};

#[tokio::test]
async fn what_was_queued_before_a_close_is_delivered() {
    let live = stage()
        .queue_size(10_000)
        .on_message(async |_cx, session, _message| {
            for n in 0..2000 {
                session.send("n", &(n, "x".repeat(100))).unwrap();
            }
            session.close(CloseCode(4500), "done");
        })
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("a close behind a full queue", async || {
            let mut client = scene.client().await;
            client.send(json!({ "topic": "go" })).await;
            for n in 0..2000 {
                assert_eq!(client.frame().await["data"][0], n);
            }
            assert_eq!(client.receive().await, Received::Close(Some(4500)));
        })
        .await;
}

#[tokio::test]
async fn a_close_code_tells_why() {
    let short = Duration::from_millis(100);
    let live = stage()
        .read_limit(1000)
        .hook_timeout(short)
        .on_message(async |_cx, session, message| match &*message.topic {
            "panic" => panic!("a test's own panic"),
            "sleep" => std::future::pending().await,
            "kick" => session.close(CloseCode::KICKED, "out"),
            _ => session.send("big", &"x".repeat(3 << 20)).unwrap_or_default(),
        })
        .build();
    let scene = Scene::start(live).await;
    for (message, times, code) in [
        (json!({ "topic": "panic" }), 1, 1011),
        (json!({ "topic": "sleep" }), 1, 4102),
        (json!({ "topic": "kick" }), 1, 4204),
        (json!({ "topic": "x".repeat(1000) }), 1, 1009),
        (json!({ "topic": "$pong" }), 3000, 4101),
    ] {
        let what = format!("{times} times {message:.30}");
        scene
            .survives(&what, async || {
                let mut client = scene.full().await;
                for _ in 0..times {
                    client.send(message.clone()).await;
                }
                assert_eq!(client.closed().await, Some(code), "{what}");
            })
            .await;
    }
}

#[tokio::test]
async fn a_panic_leaves_no_dead_session_subscribed() {
    let live = stage()
        .on_message(async |_cx, session, _message| {
            session.subscribe("room:panic").await.unwrap();
            panic!("a test's own panic");
        })
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("twenty panics", async || {
            for _ in 0..20 {
                let mut client = scene.client().await;
                client.send(json!({ "topic": "x" })).await;
                assert_eq!(client.closed().await, Some(1011));
            }
        })
        .await;
    assert_eq!(scene.live.topic(Room { room: "panic".into() }).subscriber_count(), 0);
    scene.live.publish("room:panic", &"to nobody").await.unwrap();
}

#[tokio::test]
async fn subscribing_after_the_close_is_refused() {
    let (results, mut answers) = mpsc::unbounded_channel();
    let live = stage()
        .state(results)
        .on_message(async |cx, session, _message| {
            session.subscribe("room:before").await.unwrap();
            session.close(CloseCode(4500), "");
            cx.state.send(session.subscribe("room:after").await).unwrap();
        })
        .on_close(async |cx, session, _reason| {
            cx.state.send(session.subscribe("room:after").await).unwrap();
        })
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("subscribing when closed", async || {
            let mut client = scene.client().await;
            let session = {
                let sessions = scene.live.sessions();
                sessions.into_iter().find(|session| session.topics().is_empty()).unwrap()
            };
            client.send(json!({ "topic": "x" })).await;
            assert_eq!(client.closed().await, Some(4500));
            for _ in 0..2 {
                assert_eq!(answers.recv().await.unwrap(), Err(SubscribeError::Closed));
            }
            drop(client);
            scene.is_alone().await;
            assert_eq!(session.subscribe("room:after").await, Err(SubscribeError::Closed));
        })
        .await;
    for topic in ["room:before", "room:after"] {
        assert!(scene.live.subscribers(topic).is_empty(), "{topic}");
    }
}

#[tokio::test]
async fn a_slow_hook_holds_up_no_pong() {
    let release = Arc::new(Notify::new());
    let live = stage()
        .state(Arc::clone(&release))
        .on_message(async |cx, session, message| {
            cx.state.notified().await;
            session.send("done", &message.data).unwrap();
        })
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("a slow hook", async || {
            let mut client = scene.client().await;
            client.send(json!({ "topic": "slow", "data": 1 })).await;
            for _ in 0..20 {
                let start = Instant::now();
                client.ping().await;
                assert!(start.elapsed() < Duration::from_secs(1));
            }
            release.notify_one();
            client.expect(json!({ "topic": "done", "data": 1 })).await;
        })
        .await;
}

#[tokio::test]
async fn a_duplicate_id_overwrites_no_session() {
    // The bystander's id, then those of the clients that warm up, then one that repeats.
    let given = Arc::new(AtomicUsize::new(0));
    let repeats = Arc::clone(&given);
    let live = stage()
        .id_generator(move || match repeats.fetch_add(1, Ordering::Relaxed) {
            0 => "bystander".into(),
            n if n < 1000 => n.to_string(),
            n if n < 1001 => "victim".into(),
            n if n % 2 == 0 => "victim".into(),
            _ => "bystander".into(),
        })
        .build();
    let scene = Scene::start(live).await;
    scene
        .survives("a duplicate id", async || {
            given.store(1000, Ordering::Relaxed);
            let mut victim = scene.client().await;
            victim.ping().await;
            for _ in 0..3 {
                let mut other = scene.client().await;
                assert_eq!(other.closed().await, Some(1011));
            }
            scene.live.send_to("victim", "hello", &1).unwrap();
            victim.expect(json!({ "topic": "hello", "data": 1 })).await;
        })
        .await;
    assert!(scene.live.session("bystander").is_some() && scene.live.session("victim").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_give_one_order_to_all() {
    const EACH: usize = 500;
    let scene = Scene::start(stage().queue_size(10_000).queue_bytes(64 << 20).build()).await;
    scene
        .survives("two publishers", async || {
            let mut clients = Vec::new();
            for _ in 0..8 {
                let mut client = scene.full().await;
                client.subscribe("room:order").await;
                clients.push(client);
            }
            let publish = |who: &'static str| {
                let live = scene.live.clone();
                tokio::spawn(async move {
                    for n in 0..EACH {
                        live.publish("room:order", &format!("{who}{n}")).await.unwrap();
                    }
                })
            };
            for publisher in [publish("a"), publish("b")] {
                publisher.await.unwrap();
            }
            let mut first = Vec::<Value>::new();
            for client in &mut clients {
                let mut all = Vec::new();
                for offset in 1..=2 * EACH {
                    let frame = client.frame().await;
                    assert_eq!(frame["offset"], offset);
                    all.push(frame["data"].clone());
                }
                if first.is_empty() {
                    first.clone_from(&all);
                }
                assert_eq!(all, first, "one order for all");
                for who in ["a", "b"] {
                    let own = all.iter().filter(|data| data.as_str().unwrap().starts_with(who));
                    assert!(
                        own.eq((0..EACH).map(|n| format!("{who}{n}")).collect::<Vec<_>>().iter())
                    );
                }
            }
        })
        .await;
    eventually("nobody is subscribed", || scene.live.subscribers("room:order").is_empty()).await;
}
