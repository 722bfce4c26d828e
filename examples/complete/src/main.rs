//! The "complete example" of the live server that Tidewire comes from, to be read beside it: who comes in, what becomes of what they
//! send, what happens when they leave, and the limits. Nothing here is typed; `examples/chat` shows the same with a schema.
//!
//! `HOST` and `PORT` say where it listens; `ORIGINS`, divided by commas, whose pages may connect beside `https://myapp.com`.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
};

use axum::Router;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tidewire::{CloseReason, Context, Live, Message, Refusal, Request, Session};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "8080")?.parse()?;
    let origins = variable("ORIGINS", "")?;
    let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());

    let live = Live::<String>::builder()
        // Authentication
        .on_auth(authenticate)
        // Message handling
        .on_message(handle_message)
        // Cleanup on disconnect
        .on_close(say_goodbye)
        // Limits
        .queue_size(512)
        .read_limit(64 * 1024)
        // Origins
        .origins(["https://myapp.com"].into_iter().chain(origins))
        .build();

    let app = Router::new().route("/ws", live.handler());
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    writeln!(io::stdout(), "complete at ws://{}/ws", listener.local_addr()?)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    tidewire::serve(listener, app).shutdown(live.shutdown(), interrupted).await;
    Ok(())
}

/// `user:NAME` is the token of the user NAME.
async fn authenticate(_cx: Context<()>, request: Request) -> Result<String, Refusal> {
    let token = request.query("token").unwrap_or_default();
    match token.strip_prefix("user:") {
        Some(user) if !user.is_empty() => Ok(user.to_owned()),
        _ => Err(Refusal::unauthorized().message("the token is not valid")),
    }
}

async fn handle_message(_cx: Context<()>, session: Session<String>, message: Message) {
    let user = session.value();
    match message.topic.as_str() {
        "subscribe" => {
            let Named { topic } = message.decode().unwrap_or_default();
            if !can_subscribe(&user, &topic) {
                refuse(&session, "not allowed");
            } else if let Err(error) = session.subscribe(&topic).await {
                refuse(&session, &error.to_string());
            }
        }
        "unsubscribe" => {
            let Named { topic } = message.decode().unwrap_or_default();
            session.unsubscribe(&topic);
        }
        "chat" if message.data.get() == "null" => refuse(&session, "a chat message has data"),
        "chat" => {
            // The data goes on byte for byte as its sender wrote it.
            let said = Said { user: &user, data: &message.data };
            if let Err(error) = session.live().publish("chat:general", &said).await {
                refuse(&session, &error.to_string());
            }
        }
        _ => {}
    }
}

async fn say_goodbye(_cx: Context<()>, session: Session<String>, _reason: CloseReason) {
    let leave = json!({ "type": "leave", "user": *session.value() });
    // Where nothing can be published there is nobody to tell.
    let _ = session.live().publish("presence", &leave).await;
}

/// What `subscribe` and `unsubscribe` carry.
#[derive(Default, Deserialize)]
struct Named {
    topic: String,
}

/// What subscribers of `chat:general` get.
#[derive(Serialize)]
struct Said<'a> {
    user: &'a str,
    data: &'a RawValue,
}

fn can_subscribe(user: &str, topic: &str) -> bool {
    topic == "presence"
        || topic.starts_with("chat:")
        || topic.strip_prefix("user:").is_some_and(|owner| owner == user)
}

fn refuse(session: &Session<String>, why: &str) {
    // Who is gone, or reads nothing any more, misses nothing.
    let _ = session.send("error", &why);
}

fn variable(name: &str, default: &str) -> Result<String, VarError> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        value => value,
    }
}
