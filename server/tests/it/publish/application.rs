//! What the application publishes: once under a key, without waiting, to all but one, from an HTTP handler.

use axum::Router;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tidewire::{Live, PublishError, Session};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ANN, BOB, Desk, Room, Said, listener, publish, publisher, talk, with_users};
use crate::support::{Client, Server};

#[tokio::test]
async fn the_application_publishes_once_under_a_key() {
    let live = with_users(&Desk::new());
    let server = Server::start(&live).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    assert_eq!(publish(&mut ann, "hi", "order-7").await, Ok(1));
    let (room, said) = (Room { room: "a".into() }, Said { text: "ordered".into() });
    let room = live.topic(room);
    let offset = async |key: &str| room.publish(&said).once(key).version(7).await.unwrap().offset;
    assert_eq!(offset("order-7").await, 2, "a client's name is none of the application's");
    assert_eq!((offset("order-7").await, offset("order-8").await), (2, 3));
    let untyped = live.publish("room:a", &json!({ "text": "ordered" })).once("order-8").await;
    assert_eq!(untyped.unwrap().offset, 3);
    for key in ["", &"x".repeat(65)] {
        assert_eq!(room.publish(&said).once(key).await, Err(PublishError::InvalidKey));
    }
    assert_eq!(live.publish("$x", &1).once("").await, Err(PublishError::InvalidTopic));
    assert_eq!(room.publish(&said).await.unwrap().offset, 4);
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told_that_too_much_waits() {
    let live = with_users(&Desk::new());
    let server = Server::start(&live).await;
    // More subscribers than are served at once by whoever publishes.
    let mut clients = Vec::new();
    for _ in 0..70 {
        clients.push(listener(&server).await);
    }
    let (room, said) = (Room { room: "a".into() }, Said { text: "x".into() });
    let room = live.topic(room);
    // Nobody else has a turn meanwhile.
    let publish = || room.try_publish(&said).into_future().now_or_never().unwrap();
    let taken = (0..5_000).take_while(|_| publish().is_ok()).count();
    assert_eq!((taken, publish()), (1_024, Err(PublishError::Busy)));
    assert_eq!(
        live.try_publish("room:a", &1).into_future().now_or_never(),
        Some(Err(PublishError::Busy))
    );
    assert_eq!(room.publish(&said).await.unwrap().offset, 1_025, "it waits instead");
}

fn gap(after: u64, to: u64) -> Value {
    json!({ "topic": "$gap", "data": { "topic": "room:a", "after": after, "to": to, "cause": "included" } })
}

fn unnamed(n: u64) -> Value {
    json!({ "topic": "room:a", "data": { "text": n.to_string() }, "offset": n, "prev": n - 1 })
}

#[tokio::test]
async fn a_session_that_is_left_out_misses_nothing_and_gets_nothing() {
    let live = with_users(&Desk::new());
    let server = Server::start(&live).await;
    let (mut ann, mut other) =
        (publisher(&server, "ann", ANN).await, publisher(&server, "ann", BOB).await);
    let mut plain = Client::connect(server.address, "/ws?user=carol", &[]).await.unwrap();
    let began = ann.subscribe("room:a").await;
    other.subscribe("room:a").await;
    plain.send(json!({ "topic": "subscribe", "data": { "topic": "room:a" } })).await;
    plain.ping().await;
    let carol = live.sessions_of("carol").pop().unwrap();
    let is_anns = |session: &Session<String>| session.user() == Some("ann");
    // The one that subscribed first is the first in the topic's table.
    let anns = live.subscribers("room:a").into_iter().find(is_anns).unwrap();
    let room = live.topic(Room { room: "a".into() });
    let said = |n: u64| Said { text: n.to_string() };
    let publish = async |n: u64, without: &[u64], session: &Session<String>| {
        let publish = room.publish(&said(n));
        let publish = if without.contains(&n) { publish.except(session) } else { publish };
        assert_eq!(publish.await.unwrap().offset, n);
    };
    for n in 1..=5 {
        publish(n, &[2, 4], &anns).await;
    }
    for n in 6..=8 {
        publish(n, &[6, 7], &carol).await;
    }
    for n in 1..=8 {
        other.expect(unnamed(n)).await;
        if n != 6 && n != 7 {
            plain.expect(json!({ "topic": "room:a", "data": { "text": n.to_string() } })).await;
        }
        ann.expect(if [2, 4].contains(&n) { gap(n - 1, n) } else { unnamed(n) }).await;
    }
    // What it reads again it is left out of again.
    ann.subscribe_since("room:a", &began["epoch"], 0).await;
    for expected in [unnamed(1), gap(1, 2), unnamed(3), gap(3, 4), unnamed(5)] {
        ann.expect(expected).await;
    }
}

#[tokio::test]
async fn of_a_batch_a_session_is_left_out_of_a_part() {
    let desk = Desk::new();
    let live = talk(&desk)
        .on_message(async |_cx, session: Session<String>, _message| {
            let room = session.live().topic(Room { room: "a".into() });
            // One turn, one batch.
            for n in 1..=6 {
                let said = Said { text: format!("{n}") };
                let publish = room.publish(&said);
                let is_own = [1, 3, 4, 6].contains(&n);
                let publish = if is_own { publish.except(&session) } else { publish };
                publish.await.unwrap();
            }
        })
        .build();
    let server = Server::start(&live).await;
    let mut heard = listener(&server).await;
    let mut ann = publisher(&server, "ann", ANN).await;
    ann.subscribe("room:a").await;
    ann.send(json!({ "topic": "say" })).await;
    for expected in [gap(0, 1), unnamed(2), gap(2, 4), unnamed(5), gap(5, 6)] {
        ann.expect(expected).await;
    }
    for n in 1..=6 {
        heard.expect(unnamed(n)).await;
    }
    live.topic(Room { room: "a".into() }).publish(&Said { text: "7".into() }).await.unwrap();
    ann.expect(unnamed(7)).await;
}

// readme: http
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};

/// `POST /rooms/{room}`, for other services; with an `Idempotency-Key` they may try again.
async fn say(
    State(live): State<Live<String>>,
    Path(room): Path<String>,
    headers: HeaderMap,
    text: String,
) -> Result<String, StatusCode> {
    let publish = live.topic(Room { room }).publish(&Said { text });
    let publish = match headers.get("idempotency-key") {
        Some(key) => publish.once(key.to_str().map_err(|_| StatusCode::BAD_REQUEST)?),
        None => publish,
    };
    match publish.await {
        Ok(position) => Ok(position.offset.to_string()),
        Err(PublishError::InvalidTopic | PublishError::InvalidKey) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
// readme: end

#[tokio::test]
async fn an_http_handler_publishes_and_may_be_asked_again() {
    let live = with_users(&Desk::new());
    let app = Router::new()
        .route("/ws", live.handler())
        .route("/rooms/{room}", axum::routing::post(say))
        .with_state(live);
    let server = Server::serve(app).await;
    let mut heard = listener(&server).await;
    let post = async |key: &str| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = "POST /rooms/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2";
        let request = format!("{head}\r\nIdempotency-Key: {key}\r\n\r\nhi");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (status, body) = (&answer[9..12], answer.rsplit("\r\n").next().unwrap());
        (status.to_owned(), body.to_owned())
    };
    for key in ["k1", "k1", "k2"] {
        assert_eq!(post(key).await, ("200".into(), key[1..].into()));
    }
    assert_eq!(post(&"k".repeat(65)).await.0, "400");
    for offset in 1..=2 {
        let prev = offset - 1;
        let event =
            json!({ "topic": "room:a", "data": { "text": "hi" }, "offset": offset, "prev": prev });
        heard.expect(event).await;
    }
    heard.ping().await;
}
