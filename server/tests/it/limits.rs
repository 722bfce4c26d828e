//! Limits: how many, how fast, from where.

use std::time::Duration;

use serde_json::json;
use tidewire::{
    Live,
    ws::{Opcode, encode},
};

use crate::support::{Client, Received, Server, eventually};

async fn status(server: &Server, headers: &[(&str, &str)]) -> u16 {
    Client::connect(server.address, "/ws", headers)
        .await
        .err()
        .map_or(101, |refused| refused.status)
}

#[tokio::test]
async fn there_are_no_more_sessions_than_there_may_be() {
    let live = Live::<()>::builder().max_sessions(2).build();
    let server = Server::start(&live).await;
    let (first, _second) = (server.client().await, server.client().await);
    assert_eq!(status(&server, &[]).await, 503);
    assert_eq!(
        status(&server, &[("Sec-WebSocket-Protocol", "tidewire.1")]).await,
        503,
        "HTTP for everyone"
    );
    drop(first);
    eventually("one has left", || live.session_count() == 1).await;
    // Its place is free once its connection's task has ended.
    let mut again = status(&server, &[]).await;
    while again == 503 {
        again = status(&server, &[]).await;
    }
    assert_eq!(again, 101);
}

#[tokio::test]
async fn an_address_has_its_own_limit() {
    let live = Live::<()>::builder()
        .client_address(1, |request| request.header("x-client")?.parse().ok())
        .build();
    let server = Server::start(&live).await;
    let _one = Client::connect(server.address, "/ws", &[("x-client", "10.0.0.1")]).await.unwrap();
    assert_eq!(status(&server, &[("x-client", "10.0.0.1")]).await, 429);
    assert_eq!(status(&server, &[("x-client", "10.0.0.2")]).await, 101);
    assert_eq!(status(&server, &[]).await, 101);
}

#[tokio::test]
async fn hosts_and_origins_are_checked_as_configured() {
    let origin = |server: &Server| format!("http://{}", server.address);
    let live = Live::<()>::builder().hosts(["app.example"]).build();
    assert_eq!(status(&Server::start(&live).await, &[]).await, 421);
    let live = Live::<()>::builder().require_origin().build();
    let server = Server::start(&live).await;
    assert_eq!(status(&server, &[]).await, 403);
    assert_eq!(status(&server, &[("Origin", &origin(&server))]).await, 101);
    let live = Live::<()>::builder().origins(["https://app.example"]).build();
    let server = Server::start(&live).await;
    for (given, expected) in
        [("https://app.example", 101), ("https://APP.example", 403), (&*origin(&server), 403)]
    {
        assert_eq!(status(&server, &[("Origin", given)]).await, expected, "{given}");
    }
    let check = |request: &tidewire::Request| {
        request.header("origin").is_some_and(|origin| origin.ends_with(".example"))
    };
    let live = Live::<()>::builder().origins(["https://no.where"]).check_origin(check).build();
    let server = Server::start(&live).await;
    assert_eq!(status(&server, &[("Origin", "https://any.example")]).await, 101);
    assert_eq!(status(&server, &[("Origin", "https://no.where")]).await, 403);
    let live = Live::<()>::builder().origins(["*"]).build();
    assert_eq!(status(&Server::start(&live).await, &[("Origin", "https://any.where")]).await, 101);
}

#[tokio::test]
async fn who_sends_too_fast_is_warned_and_then_closed() {
    let live = Live::<()>::builder()
        .message_rate(1, 3)
        .on_message(async |_cx, session, message| session.send("echo", &message.data).unwrap())
        .build();
    let server = Server::start(&live).await;
    let (mut fast, mut bystander) = (server.client().await, server.client().await);
    for n in 0..3 {
        fast.send(json!({ "topic": "n", "data": n })).await;
        fast.expect(json!({ "topic": "echo", "data": n })).await;
    }
    for n in 3..5 {
        fast.send(json!({ "topic": "n", "data": n })).await;
    }
    assert_eq!(fast.frame().await["data"]["name"], "rate_limited");
    assert_eq!(fast.closed().await, Some(4101));
    bystander.ping().await;
}

#[tokio::test]
async fn a_request_that_came_too_fast_is_answered_by_its_id() {
    let live = Live::<()>::builder().message_rate(1, 2).build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    assert_eq!(client.request("x", json!(1)).await["data"]["name"], "unknown_topic");
    assert_eq!(client.request("x", json!(2)).await["data"]["name"], "rate_limited");
}

#[tokio::test]
async fn bytes_and_control_frames_count_too() {
    let live = Live::<()>::builder().byte_rate(10, 100).build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    for name in ["unknown_topic", "rate_limited"] {
        client.send(json!({ "topic": "x", "data": "y".repeat(60) })).await;
        assert_eq!(client.frame().await["data"]["name"], name);
    }
    let live = Live::<()>::builder().message_rate(1, 2).build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    for _ in 0..4 {
        client.send_raw(&encode::masked(Opcode::Ping, b"", [0; 4])).await;
    }
    assert_eq!(client.closed().await, Some(4101));
}

#[tokio::test]
async fn a_silent_client_is_pinged_and_then_closed() {
    let live = Live::<()>::builder()
        .heartbeat(Duration::from_millis(40), Duration::from_millis(40))
        .build();
    let server = Server::start(&live).await;
    let mut plain = server.client().await;
    assert_eq!(plain.receive().await, Received::Ping);
    assert_eq!(plain.closed().await, Some(4103));
    let mut full = server.full().await;
    full.expect(json!({ "topic": "$ping" })).await;
    full.send(json!({ "topic": "$pong" })).await;
    full.expect(json!({ "topic": "$ping" })).await;
    assert_eq!(full.closed().await, Some(4103));
}

#[tokio::test]
async fn a_required_hello_has_its_time() {
    let live = Live::<()>::builder()
        .on_token(async |_cx, _token| Ok(()))
        .hello_timeout(Duration::from_millis(40))
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    assert_eq!(client.closed().await, Some(4203));
}

#[tokio::test]
async fn a_hello_that_came_in_time_may_be_looked_at_for_the_time_of_a_hook() {
    let live = Live::<()>::builder()
        .on_token(async |_cx, _token| {
            std::future::pending::<()>().await;
            Ok(())
        })
        .hello_timeout(Duration::from_millis(400))
        .hook_timeout(Duration::from_millis(800))
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    let data = json!({ "version": 1, "client": "0".repeat(32) });
    client.send(json!({ "topic": "$hello", "id": 1, "data": data })).await;
    assert_eq!(client.closed().await, Some(4102));
}

#[tokio::test]
async fn a_socket_that_takes_nothing_ends_its_session() {
    let live = Live::<()>::builder()
        .write_timeout(Duration::from_millis(100))
        .queue_bytes(64 << 20)
        .on_message(async |_cx, session, _message| {
            for _ in 0..200 {
                session.send("big", &"x".repeat(100_000)).unwrap();
            }
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "go" })).await;
    eventually("the session began", || live.session_count() == 1).await;
    eventually("the session is gone", || live.session_count() == 0).await;
}
