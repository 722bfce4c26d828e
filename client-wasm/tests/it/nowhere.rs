//! Addresses to which there can be no connection: all that waits is told so, and why.

use futures_util::StreamExt;
use tidewire_client::{
    CloseCode, ErrorCode, Event, Live, Range, Refusal, RequestError, State, connect,
};

use crate::{
    platform::{self, soon},
    refusal, state,
};

tidewire_protocol::schema! {
    pub(crate) schema Nowhere {
        topic Lobby = "lobby" { event: String, publish: String }
        call Shout = "shout" (String) -> String;
        stream Ticks = "ticks" () -> u32;
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, RequestError>) -> Refusal {
    match result {
        Err(RequestError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What each is told that waits for something.
async fn told(live: &Live) -> [Refusal; 6] {
    let hi = "hi".to_owned();
    let (publish, call) = (live.publish(&Lobby, &hi), live.call(Shout, &hi));
    let history = live.history(&Lobby, Range::default());
    let mut ticks = live.stream(Ticks, &());
    let (mut heard, mut followed) = (live.subscribe(&Lobby), live.follow(&Lobby));
    let mut messages = live.messages("any");
    let told = [
        refusal(soon("the end of a publish", publish).await),
        refused(soon("the end of a call", call).await),
        refused(soon("the end of history", history).await),
        refused(soon("the end of a stream", ticks.next()).await.expect("it says why")),
        match soon("the end of a subscription", heard.next()).await {
            Some(Event::Ended(refusal)) => refusal,
            other => panic!("{other:?}"),
        },
        match soon("the end of a state", followed.next()).await {
            Some(Event::Ended(refusal)) => refusal,
            other => panic!("{other:?}"),
        },
    ];
    assert!(soon("the end of messages", messages.next()).await.is_none());
    told
}

/// Why there can be no connection to an address.
pub(crate) async fn reason(url: &str) -> String {
    let live = connect::<Nowhere>(url).build();
    let before = told(&live).await;
    let mut states = live.connections();
    let stopped = state(&mut states, |state| matches!(state, State::Stopped { .. })).await;
    assert_eq!(stopped, State::Stopped { code: CloseCode::NORMAL });
    let reason = live.connection().reason;
    live.reconnect();
    for refusal in before.into_iter().chain(told(&live).await) {
        assert_eq!((refusal.code, refusal.message), (ErrorCode::NOT_SENT, Some(reason.clone())));
    }
    live.close();
    let ended = refusal(soon("the end of a publish", live.publish(&Lobby, &"hi".into())).await);
    assert_eq!(ended.code, ErrorCode::CLOSED);
    reason
}

#[platform::test]
async fn what_waits_for_an_address_that_leads_nowhere_is_told() {
    let reason = reason("ftp://other.test/ws").await;
    assert!(reason.contains("scheme"), "{reason}");
}
