//! Plain mode: a script with nothing but a WebSocket and JSON, and the original's example client as it is.

use serde_json::json;
use tidewire::{Allow, Deny, Live, Refusal};

use crate::support::{Client, Received, Server, eventually};

/// The original's chat: subscribe with a check, `chat` is broadcast to `chat:general`.
fn chat() -> Live<String> {
    Live::<String>::builder()
        .on_auth(async |_cx, request: tidewire::Request| {
            let token = request.query("token").unwrap_or_default();
            token.strip_prefix("user:").map(str::to_owned).ok_or(Refusal::unauthorized())
        })
        .on_subscribe(async |_cx, _session, topic: tidewire::Topic| {
            if topic.starts_with("chat:") {
                Allow
            } else {
                Deny(Refusal::forbidden().message("not allowed"))
            }
        })
        .on_message(async |_cx, session, message| {
            if message.topic == "chat" {
                let data = json!({ "user": *session.value(), "data": message.data });
                session.live().publish("chat:general", &data).await.unwrap();
            }
        })
        .build()
}

#[tokio::test]
async fn the_originals_client_works_as_it_is() {
    let live = chat();
    let server = Server::start(&live).await;
    let mut ann = Client::connect(server.address, "/ws?token=user:ann", &[]).await.unwrap();
    let mut bob = Client::connect(server.address, "/ws?token=user:bob", &[]).await.unwrap();
    for client in [&mut ann, &mut bob] {
        client.send(json!({ "topic": "subscribe", "data": { "topic": "chat:general" } })).await;
        client.ping().await;
    }
    ann.send_text(r#"{"topic":"chat","data":{ "text" : "h\u0069" }}"#).await;
    for client in [&mut ann, &mut bob] {
        client.expect(json!({ "topic": "chat:general", "data": { "user": "ann", "data": { "text": "hi" } } })).await;
    }
    bob.send(json!({ "topic": "unsubscribe", "data": { "topic": "chat:general" } })).await;
    bob.send(json!({ "topic": "chat", "data": "from bob" })).await;
    ann.expect(json!({ "topic": "chat:general", "data": { "user": "bob", "data": "from bob" } }))
        .await;
    bob.ping().await;
}

#[tokio::test]
async fn refusals_are_error_messages_and_the_session_lives_on() {
    let live = chat();
    let server = Server::start(&live).await;
    let mut client = Client::connect(server.address, "/ws?token=user:ann", &[]).await.unwrap();
    client.send(json!({ "topic": "subscribe", "data": { "topic": "secrets" } })).await;
    let error =
        json!({ "code": 201, "name": "forbidden", "message": "not allowed", "topic": "subscribe" });
    client.expect(json!({ "topic": "error", "data": error })).await;
    client.send(json!({ "topic": "subscribe", "data": { "topic": 5 } })).await;
    let error = client.frame().await;
    assert_eq!(
        (&error["topic"], &error["data"]["name"]),
        (&json!("error"), &json!("invalid_data"))
    );
    client.ping().await;
}

#[tokio::test]
async fn without_topics_subscribe_is_a_message_like_any_other() {
    let live = Live::<()>::builder()
        .on_message(async |_cx, session, message| {
            if message.topic == "subscribe" {
                session.subscribe("mine").await.unwrap();
                session.send("subscribed", &message.data).unwrap();
            }
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "subscribe", "data": { "topic": "x" } })).await;
    client.expect(json!({ "topic": "subscribed", "data": { "topic": "x" } })).await;
    live.publish("mine", &1).await.unwrap();
    client.expect(json!({ "topic": "mine", "data": 1 })).await;
}

#[tokio::test]
async fn refused_upgrades_are_answered_by_their_status() {
    let live = chat();
    let server = Server::start(&live).await;
    for (path, headers, status) in [
        ("/ws", &[][..], 401),
        ("/ws?token=user:ann", &[("Origin", "https://evil.example")][..], 403),
        ("/ws?token=user:ann", &[("Origin", "null")][..], 403),
    ] {
        let refused = Client::connect(server.address, path, headers).await.err().expect("refused");
        assert_eq!(refused.status, status, "{path} {headers:?}");
    }
    let origin = format!("http://{}", server.address);
    assert!(
        Client::connect(server.address, "/ws?token=user:ann", &[("Origin", &origin)]).await.is_ok()
    );
}

#[tokio::test]
async fn our_client_is_told_of_a_refusal_by_a_close_code() {
    let live = chat();
    let server = Server::start(&live).await;
    for (origin, code) in
        [("https://evil.example", 4201), (&*format!("http://{}", server.address), 4200)]
    {
        let headers = [("Origin", origin), ("Sec-WebSocket-Protocol", "tidewire.1")];
        let mut client = Client::connect(server.address, "/ws", &headers).await.expect("upgraded");
        assert_eq!(client.receive().await, Received::Close(Some(code)));
        assert_eq!(client.receive().await, Received::End);
    }
    assert_eq!(live.session_count(), 0);
}

#[tokio::test]
async fn what_was_queued_is_delivered_before_a_close() {
    let live = Live::<()>::builder()
        .on_message(async |_cx, session, _message| {
            for n in 0..100 {
                session.send("n", &n).unwrap();
            }
            session.close(tidewire::CloseCode(4500), "done");
            assert!(session.send("n", &100).is_err(), "closed");
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "go" })).await;
    for n in 0..100 {
        client.expect(json!({ "topic": "n", "data": n })).await;
    }
    assert_eq!(client.receive().await, Received::Close(Some(4500)));
    client.close(4500).await;
    eventually("the session is gone", || live.session_count() == 0).await;
}

#[tokio::test]
async fn an_id_changes_nothing_in_plain_mode() {
    let live = chat();
    let server = Server::start(&live).await;
    let mut client = Client::connect(server.address, "/ws?token=user:ann", &[]).await.unwrap();
    client
        .send(json!({ "topic": "subscribe", "id": 1, "data": { "topic": "chat:general" } }))
        .await;
    client
        .send(json!({ "topic": "unsubscribe", "id": 2, "data": { "topic": "chat:general" } }))
        .await;
    client.send(json!({ "topic": "other", "id": 3 })).await;
    client.ping().await;
}
