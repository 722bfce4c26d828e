//! The code that README shows, and that it does what README says. `cargo xtask codegen` copies the marked parts.

use serde_json::json;

use crate::support::{Client, Server};

// readme: schema
use serde::{Deserialize, Serialize};
use ts_rs::TS;

#[derive(Serialize, Deserialize, TS)]
pub struct ChatMessage {
    pub user: String,
    pub text: String,
}

#[derive(Serialize, Deserialize, TS)]
pub struct NewMessage {
    pub text: String,
}

tidewire_protocol::schema! {
    pub schema Chat {
        topic Room { room: String } = "chat:{room}" { event: ChatMessage, publish: NewMessage }
        topic Prices = "prices" { event: f64 }
    }
}
// readme: end

// readme: server
use std::time::Duration;

use axum::Router;
use tidewire::{Context, Live, Refusal, Session};

pub struct User {
    pub name: String,
}

async fn sign_in(_cx: Context<()>, token: Option<String>) -> Result<User, Refusal> {
    Ok(User { name: token.ok_or(Refusal::unauthorized())? })
}

async fn post(
    _cx: Context<()>,
    session: Session<User>,
    _room: Room,
    new: NewMessage,
) -> Result<ChatMessage, Refusal> {
    Ok(ChatMessage { user: session.value().name.clone(), text: new.text })
}

pub fn app() -> (Router, Live<User>) {
    let live = Live::<User>::builder()
        .on_token(sign_in)
        .topic::<Room>(|topic| {
            topic.public().history(1000, Duration::from_secs(600)).on_publish(post)
        })
        .topic::<Prices>(|topic| topic.public())
        .build();
    (Router::new().route("/ws", live.handler()), live)
}

/// From any handler, job or task.
pub async fn quote(live: &Live<User>, price: f64) -> Result<(), tidewire::PublishError> {
    live.topic(Prices).publish(&price).await?;
    Ok(())
}
// readme: end

#[tokio::test]
async fn the_readmes_server_chats() {
    let (app, live) = app();
    let server = Server::serve(app).await;
    let mut client = Client::connect(server.address, "/ws", &[]).await.unwrap();
    client
        .request("$hello", json!({ "version": 1, "client": "0".repeat(32), "token": "ann" }))
        .await;
    client.subscribe("chat:general").await;
    client.subscribe("prices").await;
    client.request("chat:general", json!({ "text": "hello" })).await;
    client.expect(json!({ "topic": "chat:general", "data": { "user": "ann", "text": "hello" }, "offset": 1, "prev": 0 })).await;
    quote(&live, 1.5).await.unwrap();
    client.expect(json!({ "topic": "prices", "data": 1.5, "offset": 1, "prev": 0 })).await;
    assert!(Chat::typescript().unwrap().contains("ChatMessage"));
}
