//! Keyed topics: events with keys, removal, and the bounds of a topic's state.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidewire::{ErrorCode, Live, Overflow, PublishError, Refusal};
use ts_rs::TS;

use crate::support::Server;

#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub(crate) struct Quote {
    symbol: String,
    price: f64,
}

tidewire_protocol::schema! {
    pub(crate) schema Market {
        topic Prices = "prices" { event: Quote, publish: Quote, key: symbol }
        topic News = "news" { event: String }
    }
}

fn quote(symbol: &str, price: f64) -> Quote {
    Quote { symbol: symbol.into(), price }
}

fn live() -> Live<()> {
    Live::<()>::builder()
        .topic::<Prices>(|topic| {
            topic
                .public()
                .overflow(Overflow::Conflate)
                .on_publish(async |_cx, _session, _topic, quote| Ok::<_, Refusal>(quote))
        })
        .topic::<News>(|topic| topic.public())
        .build()
}

#[tokio::test]
async fn an_event_has_its_key_and_a_removal_says_so() {
    let live = live();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    client.subscribe("prices").await;
    live.topic(Prices).publish(&quote("TIDE", 1.5)).await.unwrap();
    client
        .expect(json!({
            "topic": "prices", "data": { "symbol": "TIDE", "price": 1.5 },
            "offset": 1, "prev": 0, "key": "TIDE",
        }))
        .await;
    live.topic(Prices).remove("TIDE").await.unwrap();
    client
        .expect(json!({
            "topic": "prices", "data": null, "offset": 2, "prev": 1, "key": "TIDE", "removed": true,
        }))
        .await;
    let mut plain = server.client().await;
    plain.send(json!({ "topic": "subscribe", "data": { "topic": "prices" } })).await;
    plain.ping().await;
    live.topic(Prices).remove("TIDE").await.unwrap();
    plain.expect(json!({ "topic": "prices", "data": null })).await;
}

#[tokio::test]
async fn a_keyed_topic_takes_no_event_without_a_fitting_key() {
    let live = live();
    let long = "x".repeat(256);
    assert_eq!(live.publish("prices", &1).await, Err(PublishError::InvalidKey), "by its name");
    for (result, offset) in [
        (live.topic(Prices).publish(&quote(&long, 1.0)).await, None),
        (live.topic(Prices).publish(&quote(&long[1..], 1.0)).await, Some(1)),
        (live.topic(Prices).remove(&long).await, None),
        (live.topic(News).remove("a").await, None),
        (live.topic(Prices).publish(&quote("", 1.0)).await, Some(2)),
    ] {
        match offset {
            Some(offset) => assert_eq!(result.unwrap().offset, offset),
            None => assert_eq!(result, Err(PublishError::InvalidKey)),
        }
    }
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let refused = client.request("prices", json!({ "symbol": long, "price": 1 })).await;
    assert_eq!(refused["data"]["code"], ErrorCode::INVALID_DATA.0, "{refused}");
}

#[tokio::test]
async fn a_key_too_many_is_refused_as_a_limit() {
    let live = live();
    for key in 0..10_000 {
        live.topic(Prices).publish(&quote(&key.to_string(), 1.0)).await.unwrap();
    }
    let error = live.topic(Prices).publish(&quote("new", 1.0)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::LIMIT);
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let refused = client.request("prices", json!({ "symbol": "new", "price": 1 })).await;
    assert_eq!(refused["data"]["name"], "limit");
    let taken = client.request("prices", json!({ "symbol": "7", "price": 2 })).await;
    assert_eq!(taken["data"]["offset"], 10_001, "a refused one changed nothing");
    live.topic(Prices).remove("7").await.unwrap();
    live.topic(Prices).publish(&quote("new", 1.0)).await.unwrap();
}

#[test]
#[should_panic(expected = "`news` cannot be conflated: its schema names no `key` of its events")]
fn a_topic_without_keys_cannot_be_conflated() {
    let _ = Live::<()>::builder().topic::<News>(|topic| topic.overflow(Overflow::Conflate));
}
