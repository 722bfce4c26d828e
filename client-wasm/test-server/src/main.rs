//! The server that the browser tests of `tidewire-client` talk to. It prints its address.
//!
//! Messages by which a test brings about what a network does: `cut` closes the sender's connection with a code, `adopt`
//! subscribes it to a topic, `alive` asks whether a session is there; whatever else comes is sent back.

#[path = "../../tests/web/schema.rs"]
mod schema;

use std::{
    error::Error,
    io::{self, Write},
    time::Duration,
};

use axum::Router;
use serde::de::DeserializeOwned;
use tidewire::{CloseCode, Context, Live, Message, Refusal, Session, Topic};
use tokio::net::TcpListener;

use schema::{Room, Said, Say, Shout, Vault};

/// Pings so often that a test sees several.
const PING: Duration = Duration::from_millis(250);
const PONG: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "client tests at http://{}", listener.local_addr()?)?;
    axum::serve(listener, Router::new().route("/ws", talk().handler())).await?;
    Ok(())
}

fn talk() -> Live<String> {
    Live::<String>::builder()
        // The pages of the tests come from a port that changes.
        .origins(["*"])
        .heartbeat(PING, PONG)
        .on_token(async |_cx, token: Option<String>| match token.as_deref() {
            Some("refuse") => Err(Refusal::unauthorized().message("Not you.")),
            token => Ok(token.unwrap_or("nobody").to_owned()),
        })
        .topic::<Room>(|topic| topic.public().history(100, Duration::from_secs(60)).on_publish(say))
        .topic::<Vault>(|topic| topic)
        .call(Shout, shout)
        .on_message(hear)
        .build()
}

async fn say(
    _cx: Context<()>,
    session: Session<String>,
    _room: Room,
    Say { text }: Say,
) -> Result<Said, Refusal> {
    if text == "refuse" {
        return Err(Refusal::forbidden().message("Not that."));
    }
    Ok(Said { by: session.value().to_string(), text })
}

async fn shout(
    _cx: Context<()>,
    _session: Session<String>,
    Say { text }: Say,
) -> Result<Say, Refusal> {
    match text.as_str() {
        "refuse" => Err(Refusal::forbidden().message("Hush.")),
        "wait" => std::future::pending().await,
        _ => Ok(Say { text: text.to_uppercase() }),
    }
}

async fn hear(_cx: Context<()>, session: Session<String>, message: Message) {
    match message.topic.as_str() {
        "cut" => session.close(CloseCode(read(&message)), "cut"),
        "adopt" => {
            if let Ok(topic) = Topic::parse(&read::<String>(&message)) {
                // A session that has ended needs no topic.
                let _ = session.subscribe(&topic).await;
            }
        }
        "alive" => {
            let alive = session.live().session(&read::<String>(&message)).is_some();
            answer(&session, "alive", &alive);
        }
        _ => answer(&session, &message.topic, &message.data),
    }
}

fn answer(session: &Session<String>, topic: &str, data: &impl serde::Serialize) {
    // A session that has ended hears nothing.
    let _ = session.send(topic, data);
}

fn read<T: DeserializeOwned + Default>(message: &Message) -> T {
    message.decode().unwrap_or_default()
}
