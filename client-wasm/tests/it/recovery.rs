//! Connections that are lost.

use tidewire_client::{CloseCode, Continuity, State};

use crate::{
    clients, live,
    platform::{self, soon},
    room, say, state, text,
};

#[platform::test]
async fn a_lost_connection_costs_no_message() {
    let (ann, bob) = clients().await;
    let general = room("lost");
    let mut heard = ann.subscribe(&general);
    live(&mut heard, Continuity::Fresh).await;
    for turn in 0..3 {
        soon("an answer", bob.publish(&general, &say(&format!("before {turn}")))).await.unwrap();
        assert_eq!(text(&mut heard).await, format!("before {turn}"));
        let mut states = ann.connections();
        drop(ann.send("cut", &4100));
        let lost = state(&mut states, |state| *state != State::Connected).await;
        assert!(matches!(lost, State::Waiting { code: CloseCode(4100), .. }), "{lost:?}");
        assert_eq!(ann.connection().reason, "cut");
        soon("an answer", bob.publish(&general, &say(&format!("away {turn}")))).await.unwrap();
        live(&mut heard, Continuity::Recovered).await;
        assert_eq!(text(&mut heard).await, format!("away {turn}"));
    }
    // What is published without a connection goes out with the next.
    let mut states = ann.connections();
    drop(ann.send("cut", &4100));
    state(&mut states, |state| *state != State::Connected).await;
    soon("an answer", ann.publish(&general, &say("waited"))).await.unwrap();
    assert_eq!(text(&mut heard).await, "waited");
}
