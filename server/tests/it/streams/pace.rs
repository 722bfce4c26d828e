//! At whose pace a stream goes: that of the client's room, and of its socket.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tidewire::{Live, Overflow};

use super::{Gate, News, builder, end, item, send_call, serve};
use crate::support::{Received, Server, eventually};

#[tokio::test]
async fn no_more_is_sent_than_the_client_has_room_for() {
    let (server, _) = serve(&Arc::default()).await;
    let mut client = server.full().await;
    send_call(&mut client, 100, json!({ "call": "count", "args": 9, "items": 3 })).await;
    for n in 1..=3 {
        client.expect(item(100, n)).await;
    }
    client.ping().await;
    client.send(json!({ "topic": "$more", "data": { "id": 100, "items": 2 } })).await;
    client.expect(item(100, 4)).await;
    client.expect(item(100, 5)).await;
    client.ping().await;
    // Whatever it says is no more than it can be.
    for items in [u64::MAX, u64::MAX] {
        client.send(json!({ "topic": "$more", "data": { "id": 100, "items": items } })).await;
    }
    for n in 6..=9 {
        client.expect(item(100, n)).await;
    }
    client.expect(end(100)).await;
    client.send(json!({ "topic": "$more", "data": { "id": 100, "items": 1 } })).await;
    client.ping().await;
    client.send(json!({ "topic": "$more", "data": { "id": 100 } })).await;
    assert_eq!(client.frame().await["data"]["name"], "invalid_data");
    // Without any it begins when there is some.
    send_call(&mut client, 101, json!({ "call": "count", "args": 1, "items": 0 })).await;
    client.ping().await;
    client.send(json!({ "topic": "$more", "data": { "id": 101, "items": 2 } })).await;
    client.expect(item(101, 1)).await;
    client.expect(end(101)).await;
}

#[tokio::test]
async fn room_for_items_that_came_costs_a_client_none_of_its_rate() {
    let live = builder(&Arc::default()).message_rate(1, 10).build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    send_call(&mut client, 100, json!({ "call": "count", "args": 100, "items": 1 })).await;
    for n in 1..=100 {
        client.expect(item(100, n)).await;
        client.send(json!({ "topic": "$more", "data": { "id": 100, "items": 1 } })).await;
    }
    client.expect(end(100)).await;
    // It is no way to say more than one may.
    for _ in 0..12 {
        client.send(json!({ "topic": "$more", "data": { "id": 100, "items": 1 } })).await;
    }
    assert_eq!(client.closed().await, Some(4101));
}

#[tokio::test]
async fn a_slow_reader_slows_its_stream() {
    const BYTES: usize = 64 * 1024;
    const COUNT: usize = (1 << 30) / BYTES;
    // What the kernel takes of a peer that has not read yet, and of one that reads: it lets that one's buffer grow.
    const FIRST: usize = (1 << 20) / BYTES;
    const AHEAD: usize = (16 << 20) / BYTES;
    let gate = Arc::<Gate>::default();
    let (server, live) = serve(&gate).await;
    let mut client = server.full().await;
    send_call(
        &mut client,
        100,
        json!({ "call": "tail", "args": { "bytes": BYTES, "count": COUNT } }),
    )
    .await;
    eventually("it has begun", || gate.taken() > 0).await;
    // Another client's round trips give it all the time that it wants.
    let mut other = server.full().await;
    for _ in 0..100 {
        other.ping().await;
    }
    let metrics = live.metrics();
    assert!((metrics.queued_messages, metrics.queued_bytes) == (0, 0), "{metrics:?}");
    assert!(gate.taken() <= FIRST, "{} were made for nobody", gate.taken());
    let mut came = 0;
    while came < 2 * AHEAD {
        assert!(gate.taken() <= came + AHEAD, "{} were made for {came}", gate.taken());
        came += usize::from(matches!(client.receive().await, Received::Frame(_)));
    }
    drop(client);
    eventually("it is dropped", || gate.running() == 0).await;
    assert!(gate.taken() < COUNT / 8);
}

const EVENTS: usize = 2_000;

/// A server whose topic has a past, and what subscribes from its beginning.
async fn with_past(gate: &Arc<Gate>) -> (Server, Live<()>, Value) {
    let live = builder(gate)
        .topic::<super::Past>(|topic| {
            let history = topic.public().overflow(Overflow::Resync);
            history.history(10_000, Duration::from_secs(60))
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let epoch = client.subscribe("past").await["epoch"].clone();
    for n in 0..EVENTS {
        live.topic(super::Past).publish(&n).await.unwrap();
    }
    let since = json!({ "topic": "past", "since": { "epoch": epoch, "offset": 0 } });
    (server, live, json!({ "topic": "$subscribe", "id": 1000, "data": since }))
}

#[tokio::test]
async fn a_stream_and_the_past_of_a_topic_have_turns() {
    let (server, live, subscribe) = with_past(&Arc::default()).await;
    let mut client = server.full().await;
    // One that never ends, and is never at a loss for an item.
    send_call(&mut client, 100, json!({ "call": "count", "args": usize::MAX })).await;
    assert_eq!(client.frame().await["re"], 100);
    client.send(subscribe).await;
    let (mut events, mut items, mut items_between) = (0, 0, 0);
    while events < EVENTS {
        let frame = client.frame().await;
        if frame["topic"] == "past" {
            assert_eq!(frame["data"], events);
            events += 1;
            items_between += std::mem::take(&mut items);
        } else if frame["topic"] == "$item" && events > 0 {
            items += 1;
        }
    }
    assert!(items_between > EVENTS / 10, "{items_between} items came between the events");
    live.topic(News).publish(&1).await.unwrap();
}

/// Each fills the socket: when it has room again, it is the turn of the past.
#[tokio::test]
async fn large_items_leave_the_past_of_a_topic_its_turns() {
    const BYTES: usize = 128 * 1024;
    let (server, _live, subscribe) = with_past(&Arc::default()).await;
    let mut client = server.full().await;
    let lines = json!({ "bytes": BYTES, "count": usize::MAX });
    send_call(&mut client, 100, json!({ "call": "tail", "args": lines })).await;
    assert_eq!(client.frame().await["re"], 100);
    client.send(subscribe).await;
    while client.frame().await["re"] != 1000 {}
    let (mut events, mut items) = (0, 0);
    while events < EVENTS {
        let frame = client.frame().await;
        events += usize::from(frame["topic"] == "past");
        items += usize::from(frame["topic"] == "$item");
        assert!(items < 300, "{items} items came for {events} events");
    }
}
