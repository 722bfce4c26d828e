//! Full mode: hello, typed topics, positions, recovery.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{Live, Refusal};
use tidewire_protocol::schema::TypedTopic;
use ts_rs::TS;

use crate::support::{Received, Server};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Said {
    text: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Talk {
        topic Room { room: String } = "chat:{room}" { event: Said, publish: Said }
        topic News = "news" { event: Said }
        topic Secret { id: u32 } = "secret:{id}" { event: Said, publish: Said }
    }
}

fn talk() -> Live<()> {
    Live::<()>::builder()
        // However slow the machine, a close frame stays to be read.
        .close_timeout(Duration::from_secs(60))
        .topic::<Room>(|topic| {
            topic.public().history(5, Duration::from_secs(60)).on_publish(
                async |_cx, _session, _room, said: Said| {
                    if said.text == "bad" {
                        Err(Refusal::forbidden().message("mind your words"))
                    } else {
                        Ok(said)
                    }
                },
            )
        })
        .topic::<News>(|topic| topic.public())
        .topic::<Secret>(|topic| topic)
        .build()
}

fn said(topic: &str, text: &str, offset: u64) -> Value {
    json!({ "topic": topic, "data": { "text": text }, "offset": offset, "prev": offset - 1 })
}

fn error(answer: &Value) -> (&str, &str) {
    (answer["topic"].as_str().unwrap(), answer["data"]["name"].as_str().unwrap_or(""))
}

#[tokio::test]
async fn hello_is_answered_with_limits_and_a_verdict_per_entry() {
    let server = Server::start(&talk()).await;
    let mut client = server.client().await;
    let hashes = json!({ "chat:{room}": Room::hash().to_string(), "news": "0000000000000000", "other": "1" });
    let welcome = client.hello(hashes).await;
    assert_eq!(welcome["topic"], "$hello");
    let data = &welcome["data"];
    assert_eq!(
        data["schema"],
        json!({ "chat:{room}": "same", "news": "incompatible", "other": "unknown" })
    );
    assert_eq!(
        (&data["version"], &data["ping_ms"], &data["pong_ms"]),
        (&json!(1), &json!(25_000), &json!(10_000))
    );
    assert_eq!(data["limits"], json!({ "message_bytes": 4_194_304, "subscriptions": 128 }));
    assert_eq!(data["session"].as_str().map(str::len), Some(32));
    let refused = client.request("$subscribe", json!({ "topic": "news" })).await;
    assert_eq!(error(&refused), ("$error", "incompatible"));
    client.subscribe("chat:a").await;
}

#[tokio::test]
async fn a_bad_hello_is_closed_and_a_second_one_refused() {
    let server = Server::start(&talk()).await;
    for data in [
        json!({}),
        json!({ "version": 2, "client": "0".repeat(32) }),
        json!({ "version": 1, "client": "x" }),
        json!([1, "0".repeat(32), null, {}]),
    ] {
        let mut client = server.client().await;
        client.send(json!({ "topic": "$hello", "id": 1, "data": data })).await;
        assert_eq!(client.closed().await, Some(4202), "{data}");
    }
    let mut client = server.full().await;
    assert_eq!(error(&client.hello(json!({})).await), ("$error", "not_ready"));
}

#[tokio::test]
async fn a_publish_is_acknowledged_and_reaches_every_subscriber() {
    let live = talk();
    let server = Server::start(&live).await;
    let (mut ann, mut bob, mut plain) =
        (server.full().await, server.full().await, server.client().await);
    let began = ann.subscribe("chat:a").await;
    assert_eq!(
        (&began["offset"], &began["head"], &began["recovered"]),
        (&json!(0), &json!(0), &Value::Null)
    );
    bob.subscribe("chat:a").await;
    plain.send(json!({ "topic": "subscribe", "data": { "topic": "chat:a" } })).await;
    plain.ping().await;
    let ack = ann.request("chat:a", json!({ "text": "hi" })).await;
    assert_eq!(ack["data"], json!({ "epoch": began["epoch"], "offset": 1 }));
    ann.expect(said("chat:a", "hi", 1)).await;
    bob.expect(said("chat:a", "hi", 1)).await;
    plain.expect(json!({ "topic": "chat:a", "data": { "text": "hi" } })).await;
    let position = live
        .topic(Room { room: "a".into() })
        .publish(&Said { text: "server".into() })
        .await
        .unwrap();
    assert_eq!(position.offset, 2);
    bob.expect(said("chat:a", "server", 2)).await;
    assert_eq!(live.topic(Room { room: "a".into() }).subscriber_count(), 3);
}

#[tokio::test]
async fn a_refusal_without_words_names_the_topic() {
    let server = Server::start(&talk()).await;
    let mut client = server.full().await;
    for (request, topic, words) in [
        ("$subscribe", "elsewhere", "No pattern of the schema and no hook covers the topic"),
        ("$history", "elsewhere", "No pattern of the schema and no hook covers the topic"),
        ("$subscribe", "secret:1", "The session may not do this"),
    ] {
        let answer = client.request(request, json!({ "topic": topic })).await;
        assert_eq!(answer["data"]["message"], format!("{words}: {topic}"), "{request}");
    }
}

#[tokio::test]
async fn rights_are_denied_unless_given() {
    let server = Server::start(&talk()).await;
    let mut client = server.full().await;
    for (topic, data, expected) in [
        ("$subscribe", json!({ "topic": "secret:1" }), "forbidden"),
        ("$subscribe", json!({ "topic": "secret:x" }), "forbidden"),
        ("$subscribe", json!({ "topic": "elsewhere" }), "unknown_topic"),
        ("$subscribe", json!({ "topic": "$hello" }), "reserved_topic"),
        ("$subscribe", json!({ "topic": "" }), "invalid_topic"),
        ("$subscribe", json!({}), "invalid_data"),
        (
            "$subscribe",
            json!({ "topic": "chat:a", "since": { "epoch": "e", "offset": -1 } }),
            "invalid_data",
        ),
        ("secret:1", json!({ "text": "x" }), "forbidden"),
        ("news", json!({ "text": "x" }), "forbidden"),
        ("chat:a", json!({ "text": "bad" }), "forbidden"),
        ("chat:a", json!({ "text": 5 }), "invalid_data"),
        ("chat:a", json!("x"), "invalid_data"),
        ("chat:a:b", json!({ "text": "x" }), "unknown_topic"),
        ("chat:%41", json!({ "text": "x" }), "unknown_topic"),
        ("$later", json!(null), "reserved_topic"),
    ] {
        let answer = client.request(topic, data.clone()).await;
        assert_eq!(error(&answer), ("$error", expected), "{topic} {data}");
    }
    client.ping().await;
}

#[tokio::test]
async fn a_reconnect_within_history_misses_nothing() {
    let live = talk();
    let server = Server::start(&live).await;
    let room = || live.topic(Room { room: "a".into() });
    let mut client = server.full().await;
    let epoch = client.subscribe("chat:a").await["epoch"].clone();
    for n in 1..=2 {
        room().publish(&Said { text: n.to_string() }).await.unwrap();
        client.expect(said("chat:a", &n.to_string(), n)).await;
    }
    drop(client);
    for n in 3..=7 {
        room().publish(&Said { text: n.to_string() }).await.unwrap();
    }
    let mut client = server.full().await;
    let began = client.subscribe_since("chat:a", &epoch, 2).await;
    assert_eq!(began, json!({ "epoch": epoch, "offset": 2, "head": 7, "recovered": true }));
    room().publish(&Said { text: "8".into() }).await.unwrap();
    for n in 3..=8 {
        client.expect(said("chat:a", &n.to_string(), n)).await;
    }
}

#[tokio::test]
async fn beyond_history_or_epoch_it_is_told() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let epoch = client.subscribe("chat:a").await["epoch"].clone();
    for n in 1..=7 {
        live.topic(Room { room: "a".into() }).publish(&Said { text: n.to_string() }).await.unwrap();
    }
    for (epoch, offset) in [(&epoch, 1), (&epoch, 8), (&json!("other"), 7)] {
        let mut client = server.full().await;
        let began = client.subscribe_since("chat:a", epoch, offset).await;
        assert_eq!(
            (&began["offset"], &began["recovered"]),
            (&json!(7), &json!(false)),
            "{epoch} {offset}"
        );
    }
}

#[tokio::test]
async fn a_live_subscription_recovers_by_subscribing_again() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let epoch = client.subscribe("chat:a").await["epoch"].clone();
    for n in 1..=4 {
        live.topic(Room { room: "a".into() }).publish(&Said { text: n.to_string() }).await.unwrap();
        client.expect(said("chat:a", &n.to_string(), n)).await;
    }
    let began = client.subscribe_since("chat:a", &epoch, 1).await;
    assert_eq!(began["recovered"], true);
    for n in 2..=4 {
        client.expect(said("chat:a", &n.to_string(), n)).await;
    }
    live.topic(Room { room: "a".into() }).publish(&Said { text: "5".into() }).await.unwrap();
    client.expect(said("chat:a", "5", 5)).await;
    client.ping().await;
    assert_eq!(live.topic(Room { room: "a".into() }).subscriber_count(), 1);
}

#[tokio::test]
async fn unsubscribe_ends_it_and_is_answered_either_way() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    client.subscribe("news").await;
    for _ in 0..2 {
        let answer = client.request("$unsubscribe", json!({ "topic": "news" })).await;
        assert_eq!((&answer["topic"], &answer["data"]), (&json!("$reply"), &Value::Null));
    }
    live.topic(News).publish(&Said { text: "x".into() }).await.unwrap();
    client.ping().await;
}

#[tokio::test]
async fn what_the_server_subscribes_is_announced_and_its_own() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let session = live.sessions().pop().unwrap();
    session.subscribe("user:7").await.unwrap();
    let announced = client.frame().await;
    assert_eq!(
        (&announced["topic"], &announced["data"]["topic"]),
        (&json!("$subscribed"), &json!("user:7"))
    );
    let refused = client.request("$unsubscribe", json!({ "topic": "user:7" })).await;
    assert_eq!(error(&refused), ("$error", "forbidden"));
    live.publish("user:7", &"x").await.unwrap();
    client.expect(json!({ "topic": "user:7", "data": "x", "offset": 1, "prev": 0 })).await;
    assert!(session.unsubscribe("user:7"));
    let ended = client.frame().await;
    assert_eq!(
        (&ended["topic"], &ended["data"]["topic"]),
        (&json!("$unsubscribed"), &json!("user:7"))
    );
    live.publish("user:7", &"y").await.unwrap();
    client.ping().await;
}

#[tokio::test]
async fn what_the_server_subscribed_before_the_hello_goes_on_with_positions() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.ping().await;
    live.sessions().pop().unwrap().subscribe("user:7").await.unwrap();
    live.publish("user:7", &1).await.unwrap();
    client.expect(json!({ "topic": "user:7", "data": 1 })).await;
    client.hello(json!({})).await;
    let announced = client.frame().await;
    assert_eq!(
        (&announced["topic"], &announced["data"]["offset"]),
        (&json!("$subscribed"), &json!(1))
    );
    live.publish("user:7", &2).await.unwrap();
    client.expect(json!({ "topic": "user:7", "data": 2, "offset": 2, "prev": 1 })).await;
}

#[tokio::test]
async fn the_limit_of_subscriptions_is_told() {
    let live =
        Live::<()>::builder().max_subscriptions(2).topic::<Room>(|topic| topic.public()).build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    for topic in ["chat:a", "chat:b", "chat:a"] {
        client.subscribe(topic).await;
    }
    let refused = client.request("$subscribe", json!({ "topic": "chat:c" })).await;
    assert_eq!(error(&refused), ("$error", "limit"));
}

#[tokio::test]
async fn concurrent_publishes_have_one_order_for_all() {
    let live = talk();
    let server = Server::start(&live).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = server.full().await;
        client.subscribe("news").await;
        clients.push(client);
    }
    let publishers: Vec<_> = (0..8)
        .map(|publisher| {
            let live = live.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    live.topic(News)
                        .publish(&Said { text: format!("{publisher}.{n}") })
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let mut first: Option<Vec<Value>> = None;
    for client in &mut clients {
        let mut got = Vec::new();
        for offset in 1..=200 {
            let frame = client.frame().await;
            assert_eq!((&frame["offset"], &frame["prev"]), (&json!(offset), &json!(offset - 1)));
            got.push(frame["data"].clone());
        }
        assert_eq!(*first.get_or_insert(got.clone()), got);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_others_lose_nothing() {
    let live = talk();
    let server = Server::start(&live).await;
    let (mut slow, mut quick) = (server.full().await, server.full().await);
    slow.subscribe("news").await;
    quick.subscribe("news").await;
    // Far more than the sockets' buffers and the queue of 1 MiB take.
    let text = "x".repeat(64 * 1024);
    for offset in 1..=400 {
        live.topic(News).publish(&Said { text: text.clone() }).await.unwrap();
        assert_eq!(quick.frame().await["offset"], offset);
    }
    assert_eq!(live.topic(News).subscriber_count(), 1);
    let mut last = 0;
    let code = loop {
        match slow.receive().await {
            Received::Frame(frame) => {
                assert_eq!(frame["offset"], last + 1, "in order up to the close");
                last += 1;
            }
            Received::Close(code) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, Some(4001));
    assert!((1..400).contains(&last));
}

#[tokio::test]
async fn catching_up_goes_on_as_fast_as_its_client_reads() {
    let live = Live::<()>::builder()
        .topic::<Room>(|topic| topic.public().history(400, Duration::from_secs(60)))
        .build();
    let server = Server::start(&live).await;
    let text = "x".repeat(4_000);
    let room = || live.topic(Room { room: "a".into() });
    let epoch = json!(room().publish(&Said { text: text.clone() }).await.unwrap().epoch);
    for _ in 1..240 {
        room().publish(&Said { text: text.clone() }).await.unwrap();
    }
    let mut client = server.full().await;
    let began = client.subscribe_since("chat:a", &epoch, 0).await;
    assert_eq!((&began["recovered"], &began["head"]), (&json!(true), &json!(240)));
    // Each page is more than a socket takes at once. The heartbeat would wake it after 25 s; no frame may take that long.
    for n in 1..=240 {
        assert_eq!(client.frame().await["offset"], n);
    }
}

#[tokio::test]
async fn subscribing_what_is_subscribed_loses_nothing() {
    let live = Live::<()>::builder()
        .topic::<Room>(|topic| topic.public().history(400, Duration::from_secs(60)))
        .on_message(async |_cx, session, _message| session.subscribe("chat:a").await.unwrap())
        .build();
    let server = Server::start(&live).await;
    let room = || live.topic(Room { room: "a".into() });
    let epoch = json!(room().publish(&Said { text: "1".into() }).await.unwrap().epoch);
    for n in 2..=200 {
        room().publish(&Said { text: n.to_string() }).await.unwrap();
    }
    let mut client = server.full().await;
    let since = json!({ "epoch": epoch, "offset": 0 });
    client.send(json!({ "topic": "$subscribe", "id": 50, "data": { "topic": "chat:a", "since": since } })).await;
    client.send(json!({ "topic": "again" })).await;
    assert_eq!(client.frame().await["data"]["recovered"], true);
    for n in 1..=200 {
        client.expect(said("chat:a", &n.to_string(), n)).await;
    }
    let ended = client.request("$unsubscribe", json!({ "topic": "chat:a" })).await;
    assert_eq!(ended["topic"], "$reply", "the client asked first, and may end it");
}

#[tokio::test]
async fn arrays_and_offsets_beyond_2_to_the_53_are_no_requests() {
    let server = Server::start(&talk()).await;
    let mut client = server.full().await;
    let far = json!({ "topic": "chat:a", "since": { "epoch": "e", "offset": 1_u64 << 53 } });
    for (topic, data) in [
        ("$subscribe", json!(["chat:a"])),
        ("$unsubscribe", json!(["chat:a"])),
        ("$subscribe", far),
    ] {
        let answer = client.request(topic, data.clone()).await;
        assert_eq!(error(&answer), ("$error", "invalid_data"), "{topic} {data}");
    }
}
