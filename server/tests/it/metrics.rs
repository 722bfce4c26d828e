//! The numbers that a server tells of itself.

use serde_json::json;
use tidewire::{Live, Metrics, Refusal, Session};

use crate::support::{Client, Server, eventually};

fn count(counts: &[(impl AsRef<str>, u64)], name: &str) -> u64 {
    counts.iter().find(|(known, _)| known.as_ref() == name).expect("a known label").1
}

fn calls(metrics: &Metrics, hook: &str) -> u64 {
    metrics.hooks.iter().find(|known| known.hook == hook).expect("a known hook").calls_total
}

#[tokio::test]
async fn what_happens_is_counted() {
    let live = Live::<String>::builder()
        .on_auth(async |_cx, request: tidewire::Request| {
            request.query("name").ok_or(Refusal::unauthorized())
        })
        .on_connect(async |_cx, session: Session<String>| session.subscribe("news").await.unwrap())
        .on_message(async |_cx, _session, _message| {})
        .build();
    let server = Server::start(&live).await;
    let mut client = Client::connect(server.address, "/ws?name=ann", &[]).await.unwrap();
    assert!(Client::connect(server.address, "/ws", &[]).await.is_err());
    assert!(Client::connect(server.address, "/ws?name=bob", &[("Origin", "null")]).await.is_err());
    client.hello(json!({})).await;
    client.request("x", json!(1)).await;
    client.request("$nothing", json!(1)).await;
    live.publish("news", &1).await.unwrap();
    assert_eq!(client.frame().await["topic"], "$subscribed");
    assert_eq!(client.frame().await["topic"], "news");
    client.ping().await;
    let metrics = live.metrics();
    assert_eq!((metrics.sessions, metrics.sessions_total), (1, 1));
    assert_eq!((metrics.topics, metrics.subscriptions), (1, 1));
    assert_eq!(metrics.received_messages_total, 4, "hello, two requests, a ping");
    // `$subscribed` and the hello's answer, a reply, an error, an event and a pong.
    assert_eq!(metrics.sent_messages_total, 6);
    assert!(metrics.sent_bytes_total > metrics.sent_messages_total);
    assert_eq!(count(&metrics.published_total, "untyped"), 1);
    assert_eq!(count(&metrics.errors_total, "reserved_topic"), 1);
    assert_eq!(
        (count(&metrics.refused_total, "auth"), count(&metrics.refused_total, "origin")),
        (1, 1)
    );
    assert_eq!(
        [calls(&metrics, "on_auth"), calls(&metrics, "on_connect"), calls(&metrics, "on_message")],
        [2, 1, 1]
    );
    client.close(1001).await;
    eventually("the session is gone", || live.session_count() == 0).await;
    let metrics = live.metrics();
    assert_eq!(count(&metrics.closed_total, "going_away"), 1);
    assert_eq!((metrics.sessions, metrics.topics, metrics.subscriptions), (0, 0, 0));
    assert!(live.metrics_text().contains("\ntidewire_closed_total{code=\"going_away\"} 1\n"));
}
