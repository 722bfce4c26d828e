//! What the server of the tests does, in a program of its own for a browser, and in the tests themselves elsewhere.
//!
//! Messages by which a test brings about what a network does: `cut` closes the sender's connection with a code, `adopt`
//! subscribes it to a topic, `alive` asks whether a session is there; whatever else comes is sent back.

use std::time::Duration;

use futures_util::stream;
use serde::de::DeserializeOwned;
use tidewire::{CloseCode, Context, Live, LiveBuilder, Message, Refusal, Session, Topic, Wish};

use crate::schema::{Board, Count, Hall, Member, Pin, Room, Said, Say, Shout, Vault};

/// Pings so often that a test sees several.
const PING: Duration = Duration::from_millis(250);
const PONG: Duration = Duration::from_secs(5);

pub(crate) fn talk() -> LiveBuilder<String, ()> {
    Live::<String>::builder()
        // The pages of the tests come from a port that changes.
        .origins(["*"])
        .heartbeat(PING, PONG)
        .on_token(async |_cx, token: Option<String>| match token.as_deref() {
            Some("refuse") => Err(Refusal::unauthorized().message("Not you.")),
            token => Ok(token.unwrap_or("nobody").to_owned()),
        })
        .topic::<Room>(|topic| {
            let topic = topic.public().history(100, Duration::from_secs(60)).on_publish(say);
            topic.presence(async |_cx, session, _room, wish: Wish| {
                Ok(Member { name: session.value().to_string(), mood: wish.read()? })
            })
        })
        .topic::<Board>(|topic| topic.public().on_publish(pin))
        .topic::<Hall>(|topic| topic.public().count_members())
        .topic::<Vault>(|topic| topic.count_members())
        .call(Shout, shout)
        .stream(Count, async |_cx, _session, to: u32| Ok(stream::iter(1..=to)))
        .on_message(hear)
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

async fn pin(
    _cx: Context<()>,
    session: Session<String>,
    board: Board,
    pin: Pin,
) -> Result<Pin, Refusal> {
    if pin.text.is_empty() {
        // After this publish, so that the publisher's is not taken for it.
        let removal = session.live().topic(board).remove(&pin.name);
        removal.await.map_err(|_| Refusal::invalid_data())?;
        return Err(Refusal::forbidden().message("Taken off."));
    }
    Ok(pin)
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
