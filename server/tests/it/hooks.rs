//! Hooks: in order, never in the way, and alone in their failures.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tidewire::{CloseCode, CloseReason, ErrorCode, Live, Refusal};
use tokio::sync::{Notify, mpsc};

use crate::support::{Received, Server, eventually};

#[tokio::test]
async fn messages_are_handled_one_at_a_time_in_order() {
    let live = Live::<()>::builder()
        .on_message(async |_cx, session, message| {
            let n: u64 = message.decode().unwrap();
            // The earlier, the slower: only waiting for each keeps the order.
            for _ in 0..(20 - n) * 5 {
                tokio::task::yield_now().await;
            }
            session.send("n", &n).unwrap();
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    for n in 0..20 {
        client.send(json!({ "topic": "n", "data": n })).await;
    }
    for n in 0..20 {
        client.expect(json!({ "topic": "n", "data": n })).await;
    }
}

#[tokio::test]
async fn a_slow_hook_holds_up_neither_pongs_nor_deliveries() {
    let release = Arc::new(Notify::new());
    let live = Live::<()>::builder()
        .state(Arc::clone(&release))
        .on_message(async |cx, session, message| {
            session.subscribe("t").await.unwrap();
            cx.state.notified().await;
            session.send("done", &message.data).unwrap();
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "slow", "data": 1 })).await;
    client.ping().await;
    eventually("subscribed", || live.sessions().iter().any(|session| !session.topics().is_empty()))
        .await;
    live.publish("t", &1).await.unwrap();
    client.expect(json!({ "topic": "t", "data": 1 })).await;
    client.ping().await;
    release.notify_one();
    client.expect(json!({ "topic": "done", "data": 1 })).await;
}

#[tokio::test]
async fn a_panic_ends_its_session_alone_with_1011() {
    let live = Live::<()>::builder()
        .on_message(async |_cx, session, message| {
            session.subscribe("t").await.unwrap();
            assert_ne!(message.topic, "panic", "a test's own panic");
        })
        .build();
    let server = Server::start(&live).await;
    let (mut victim, mut bystander) = (server.client().await, server.client().await);
    bystander.send(json!({ "topic": "ok" })).await;
    victim.send(json!({ "topic": "panic" })).await;
    assert_eq!(victim.closed().await, Some(1011));
    eventually("one session is left", || live.session_count() == 1).await;
    eventually("subscribed", || live.sessions()[0].topics().len() == 1).await;
    live.publish("t", &1).await.unwrap();
    bystander.expect(json!({ "topic": "t", "data": 1 })).await;
}

#[tokio::test]
async fn a_hook_past_its_time_out_is_dropped_and_its_session_closed() {
    let live = Live::<()>::builder()
        .hook_timeout(Duration::from_millis(50))
        .on_message(async |_cx, _session, _message| std::future::pending().await)
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "x" })).await;
    assert_eq!(client.closed().await, Some(4102));
    eventually("the session is gone", || live.session_count() == 0).await;
}

#[tokio::test]
async fn on_close_tells_why_once_and_after_the_subscriptions_ended() {
    let (closed, mut reasons) = mpsc::unbounded_channel();
    let live = Live::<()>::builder()
        .state(closed)
        .on_message(async |_cx, session, message| match message.topic.as_str() {
            "kick" => session.close(CloseCode::KICKED, "out"),
            _ => session.subscribe("t").await.unwrap(),
        })
        .on_close(async |cx, session, reason| {
            assert!(session.is_closed() && session.topics().is_empty());
            assert!(session.subscribe("t").await.is_err(), "nothing is subscribed after the close");
            cx.state.send((reason, session.close_reason())).unwrap();
        })
        .build();
    let server = Server::start(&live).await;
    let kicked = CloseReason::Application { code: CloseCode::KICKED, reason: "out".into() };
    let left = CloseReason::Client { code: Some(CloseCode(1001)), reason: String::new() };
    for (act, expected) in [("kick", kicked), ("leave", left), ("vanish", CloseReason::Lost)] {
        let mut client = server.client().await;
        client.send(json!({ "topic": "subscribe" })).await;
        client.ping().await;
        match act {
            "kick" => client.send(json!({ "topic": "kick" })).await,
            "leave" => {
                client.close(1001).await;
                assert_eq!(client.receive().await, Received::Close(Some(1001)));
            }
            _ => {}
        }
        if act == "kick" {
            assert_eq!(client.closed().await, Some(4204));
        }
        drop(client);
        let (reason, of_session) = reasons.recv().await.unwrap();
        assert_eq!((&reason, &of_session), (&expected, &Some(expected.clone())));
    }
    assert!(reasons.try_recv().is_err());
}

#[tokio::test]
async fn a_token_is_required_where_it_is_asked_for() {
    let live = Live::<String>::builder()
        .on_token(async |_cx, token: Option<String>| match token.as_deref() {
            None | Some("bad") => Err(Refusal::unauthorized()),
            Some("later") => Err(Refusal::new(ErrorCode::UNAVAILABLE)),
            _ => Ok(token.unwrap_or_default()),
        })
        .on_message(async |_cx, session, _message| session.send("me", &*session.value()).unwrap())
        .build();
    let server = Server::start(&live).await;
    let hello = |token: &str| {
        let data = json!({ "version": 1, "client": "0".repeat(32), "token": token });
        json!({ "topic": "$hello", "id": 1, "data": data })
    };
    let mut client = server.client().await;
    client.send(json!({ "topic": "x" })).await;
    assert_eq!(client.frame().await["data"]["name"], "not_ready");
    assert_eq!(live.session_count(), 0);
    client.send(hello("ann")).await;
    client.send(json!({ "topic": "x" })).await;
    assert_eq!(client.frame().await["topic"], "$hello");
    client.expect(json!({ "topic": "me", "data": "ann" })).await;
    for (token, name, code) in [("bad", "unauthorized", 4200), ("later", "unavailable", 4100)] {
        let mut client = server.client().await;
        client.send(hello(token)).await;
        assert_eq!(client.frame().await["data"]["name"], name);
        assert_eq!(client.closed().await, Some(code));
    }
}

#[tokio::test]
async fn an_id_that_is_taken_is_not_given_again() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let ids = ["a", "a", "b", "a", "a", "b", "b", "a"];
    let live = Live::<()>::builder()
        .id_generator(move || {
            ids[next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % ids.len()].into()
        })
        .build();
    let server = Server::start(&live).await;
    let (mut first, mut second, mut third) =
        (server.client().await, server.client().await, server.client().await);
    first.ping().await;
    second.ping().await;
    assert_eq!(third.closed().await, Some(1011));
    let mut ids: Vec<String> = live.sessions().iter().map(|session| session.id().into()).collect();
    ids.sort();
    assert_eq!(ids, ["a", "b"]);
}

#[test]
fn a_runtime_that_stops_leaves_no_session_behind() {
    let live = Live::<()>::builder().build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let server = Server::start(&live).await;
        let client = server.client().await;
        live.sessions()[0].subscribe("t").await.unwrap();
        client
    });
    drop(runtime);
    drop(client);
    assert_eq!((live.session_count(), live.metrics().subscriptions), (0, 0));
}

#[tokio::test]
async fn a_code_that_nobody_may_send_is_sent_as_1000() {
    let live = Live::<()>::builder().build();
    let server = Server::start(&live).await;
    for (code, sent) in [(1005, 1000), (999, 1000), (4501, 4501), (1011, 1011)] {
        let mut client = server.client().await;
        live.sessions()[0].close(CloseCode(code), "");
        assert_eq!(client.closed().await, Some(sent), "{code}");
        drop(client);
        eventually("the session is gone", || live.session_count() == 0).await;
    }
}
