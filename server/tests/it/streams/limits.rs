//! How many streams a session has, and how long they may go on.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use futures_util::stream;
use serde_json::json;
use tidewire::{
    CloseCode, ErrorCode, Live, Refusal,
    test::{Client, RequestError},
};
use tokio::time::{Instant, sleep};

use super::{Count, Gate, Gated, Ping, builder, end, item, send_call, serve};
use crate::support::eventually;

const SECOND: Duration = Duration::from_secs(1);

fn code<T: std::fmt::Debug>(result: Result<T, RequestError>) -> Option<ErrorCode> {
    result.expect_err("a refusal").code()
}

#[tokio::test]
async fn a_session_has_32_streams_beside_its_calls() {
    let gate = Arc::<Gate>::default();
    let (server, _) = serve(&gate).await;
    let mut client = server.full().await;
    for id in 100..132 {
        send_call(&mut client, id, json!({ "call": "gated" })).await;
    }
    eventually("all run", || gate.running() == 32).await;
    assert_eq!(client.request("$call", json!({ "call": "ping" })).await["topic"], "$reply");
    let answer = client.request("$call", json!({ "call": "count", "args": 1 })).await;
    assert_eq!(answer["data"]["name"], "limit");
    client.send(json!({ "topic": "$cancel", "data": { "id": 131 } })).await;
    assert_eq!(client.frame().await["data"]["name"], "cancelled");
    send_call(&mut client, 200, json!({ "call": "count", "args": 1 })).await;
    client.expect(item(200, 1)).await;
    client.expect(end(200)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_gives_no_stream_is_a_call_like_any_other() {
    let live = Live::<()>::builder()
        .hook_timeout(5 * SECOND)
        .stream(Count, async |_cx, _session, seconds| {
            sleep(SECOND * u32::try_from(seconds).unwrap()).await;
            Ok(stream::pending::<usize>())
        })
        .build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let begin = Instant::now();
    // Nine at once: the last waits for one of the others.
    let mut waiting = Vec::new();
    for _ in 0..9 {
        waiting.push(client.stream(Count, &6).await.unwrap());
    }
    for items in &waiting {
        assert_eq!(code(client.next_item(items).await), Some(ErrorCode::TIMEOUT));
    }
    assert_eq!(begin.elapsed().as_secs(), 10);
    // While it waits, and while it runs.
    for _ in 0..9 {
        waiting.push(client.stream(Count, &6).await.unwrap());
    }
    for items in waiting[9..].iter().rev() {
        client.cancel(items).await.unwrap();
        assert_eq!(code(client.next_item(items).await), Some(ErrorCode::CANCELLED));
    }
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_as_long_as_its_client_waits() {
    let gate = Arc::<Gate>::default();
    let live = builder(&gate).hook_timeout(SECOND).build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let begin = Instant::now();
    let long = client.stream(Gated, &()).await.unwrap();
    // The time that a call names is that of all of it, whether items come or not.
    for (id, timeout_ms) in [(1000, 5_000), (1001, u64::MAX)] {
        let data = json!({ "call": "gated", "timeout_ms": timeout_ms });
        client
            .send_text(&json!({ "topic": "$call", "id": id, "data": data }).to_string())
            .await
            .unwrap();
    }
    sleep(3 * SECOND).await;
    gate.items.add_permits(1);
    assert_eq!(client.next_item(&long).await.unwrap(), Some(1));
    let timeout = client.next_of("$error").await.unwrap();
    assert_eq!((timeout.re, begin.elapsed().as_secs()), (Some(1000), 5));
    sleep(600 * SECOND).await;
    // One for each that is left.
    gate.items.add_permits(2);
    assert_eq!(client.next_item(&long).await.unwrap(), Some(2));
    assert_eq!(gate.running(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_in_a_drain_until_the_deadline() {
    let gate = Arc::<Gate>::default();
    let live = builder(&gate).build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let items = client.stream(Gated, &()).await.unwrap();
    let drained = tokio::spawn(live.drain(20 * SECOND).into_future());
    client.next_of("$drain").await.unwrap();
    let begin = Instant::now();
    for n in 1..=5 {
        sleep(SECOND).await;
        gate.items.add_permits(1);
        assert_eq!(client.next_item(&items).await.unwrap(), Some(n));
        client.call(Ping, &()).await.unwrap();
    }
    assert_eq!(client.closed().await.unwrap().code, CloseCode::DRAIN);
    assert!(begin.elapsed() > 9 * SECOND);
    drained.await.unwrap();
    assert_eq!(gate.running(), 0);
}

#[tokio::test]
async fn a_call_is_answered_by_one_rule() {
    let again = std::panic::catch_unwind(|| {
        builder(&Arc::default())
            .stream(Count, async |_cx, _session, _| Ok::<_, Refusal>(stream::empty::<usize>()))
    });
    assert!(again.is_err());
}
