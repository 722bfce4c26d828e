//! Tokens, from where they come to what becomes of them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use tidewire_client::{CloseCode, ErrorCode, Event, State, connect};

use crate::{
    connected, event,
    platform::{self, soon},
    refusal, room, say,
    schema::Talk,
    state,
};

#[platform::test]
async fn each_connection_has_a_fresh_token() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let ann = connect::<Talk>(platform::server().await)
        .token(move || {
            let token = Some(format!("ann {}", count.fetch_add(1, Relaxed) + 1));
            async {
                // A token that takes its time.
                platform::pause(20).await;
                token
            }
        })
        .build();
    let general = room("token");
    let mut heard = ann.subscribe(&general);
    for by in ["ann 1", "ann 2"] {
        soon("an answer", ann.publish(&general, &say("hi"))).await.unwrap();
        loop {
            if let Event::Message { data, .. } = event(&mut heard).await {
                assert_eq!(data.by, by);
                break;
            }
        }
        let mut states = ann.connections();
        drop(ann.send("cut", &4000));
        state(&mut states, |state| *state != State::Connected).await;
        connected(&ann).await;
    }
    assert_eq!(asked.load(Relaxed), 3);
}

#[platform::test]
async fn a_refused_token_stops_it_until_it_is_asked_again() {
    let good = Arc::new(AtomicBool::new(false));
    let is_good = good.clone();
    let ann = connect::<Talk>(platform::server().await)
        .token(move || {
            let token = if is_good.load(Relaxed) { "ann" } else { "refuse" };
            std::future::ready(Some(token.to_owned()))
        })
        .build();
    let mut states = ann.connections();
    let stopped = state(&mut states, |state| matches!(state, State::Stopped { .. })).await;
    assert_eq!(stopped, State::Stopped { code: CloseCode::UNAUTHORIZED });
    assert_eq!(ann.connection().reason, "Not you.");
    let refused = refusal(soon("a refusal", ann.send("echo", &1)).await);
    assert_eq!(refused.code, ErrorCode::NOT_SENT);
    good.store(true, Relaxed);
    ann.reconnect();
    connected(&ann).await;
}

#[platform::test]
async fn without_a_token_it_tries_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let ann = connect::<Talk>(platform::server().await)
        .token(move || {
            let is_third = count.fetch_add(1, Relaxed) == 2;
            std::future::ready(is_third.then(|| "ann".to_owned()))
        })
        .build();
    connected(&ann).await;
    assert_eq!(asked.load(Relaxed), 3);
}
