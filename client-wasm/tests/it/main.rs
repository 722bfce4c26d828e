//! The client against a real server: in Chromium, where `cargo xtask test browser` starts one, and in a program, where each test
//! has its own. What both can do is tested by the same code.

mod nowhere;
#[cfg(not(target_arch = "wasm32"))]
#[path = "native/mod.rs"]
mod platform;
#[cfg(target_arch = "wasm32")]
#[path = "web.rs"]
mod platform;
mod readme;
mod recovery;
mod schema;
mod state;
mod talk;
mod tokens;

use futures_util::StreamExt;
use schema::{Room, Said, Say, Talk};
use tidewire_client::{
    Connections, Continuity, Event, Live, Messages, PublishError, State, Subscription, connect,
};

use platform::{soon, unique};

async fn client() -> Live {
    connect::<Talk>(platform::server().await).build()
}

/// Two clients of one server.
async fn clients() -> (Live, Live) {
    let server = platform::server().await;
    (connect::<Talk>(&*server).build(), connect::<Talk>(&*server).build())
}

/// A room that no other test uses.
fn room(name: &str) -> Room {
    Room { room: unique(name) }
}

fn say(text: &str) -> Say {
    Say { text: text.into() }
}

async fn event(subscription: &mut Subscription<Said>) -> Event<Said> {
    soon("an event", subscription.next()).await.expect("the subscription lives")
}

/// The next message's text, whatever else comes before it.
async fn text(subscription: &mut Subscription<Said>) -> String {
    loop {
        match event(subscription).await {
            Event::Message { data, .. } => return data.text,
            Event::Live { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn live(subscription: &mut Subscription<Said>, expected: Continuity) {
    match event(subscription).await {
        Event::Live { continuity, .. } if continuity == expected => {}
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

async fn state(states: &mut Connections, wanted: impl Fn(&State) -> bool) -> State {
    loop {
        let connection = soon("a state", states.next()).await.expect("it is not closed");
        if wanted(&connection.state) {
            return connection.state;
        }
    }
}

async fn connected(live: &Live) {
    state(&mut live.connections(), |state| *state == State::Connected).await;
}

async fn message(messages: &mut Messages) -> String {
    soon("a message", messages.next()).await.expect("it is not closed").get().to_owned()
}

fn refusal(result: Result<tidewire_client::Position, PublishError>) -> tidewire_client::Refusal {
    match result {
        Err(PublishError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}
