//! What an application does with a client.

use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tidewire_client::{Continuity, ErrorCode, Event, RequestError, State, connect};
use tidewire_protocol::schema::{Schema, TypedTopic};
use ts_rs::TS;

use crate::{
    client, clients, connected, event, live, message,
    platform::{self, soon, unique},
    refusal, room, say,
    schema::{Count, Say, Shout, Vault},
    text,
};

#[platform::test]
async fn what_is_published_comes_back_in_order() {
    let (ann, bob) = clients().await;
    let general = room("order");
    let (mut heard, mut also) = (ann.subscribe(&general), bob.subscribe(&general));
    live(&mut heard, Continuity::Fresh).await;
    live(&mut also, Continuity::Fresh).await;
    let sent = (1..=50).map(|n| ann.publish(&general, &say(&n.to_string())));
    let positions = soon("the answers", futures_util::future::join_all(sent)).await;
    for (n, position) in (1..=50).zip(positions) {
        assert_eq!(position.expect("it was appended").offset, n);
        for subscription in [&mut heard, &mut also] {
            let Event::Message { data, offset } = event(subscription).await else { panic!() };
            assert_eq!((data.text, data.by.as_str(), offset), (n.to_string(), "nobody", n));
        }
    }
}

#[platform::test]
async fn a_call_is_answered_refused_or_given_up() {
    let live = client().await;
    let answer = soon("an answer", live.call(Shout, &say("hey"))).await;
    assert_eq!(answer.expect("it is answered").text, "HEY");
    match soon("a refusal", live.call(Shout, &say("refuse"))).await {
        Err(RequestError::Refused(refusal)) => {
            assert_eq!(
                (refusal.code, refusal.message.as_deref()),
                (ErrorCode::FORBIDDEN, Some("Hush."))
            );
        }
        other => panic!("{other:?}"),
    }
    let brief = std::time::Duration::from_millis(200);
    match soon("the end of patience", live.call_within(Shout, &say("wait"), brief)).await {
        Err(RequestError::Refused(refusal)) => assert_eq!(refusal.code, ErrorCode::TIMEOUT),
        other => panic!("{other:?}"),
    }
    // As many as run at a time: each is cancelled as it is dropped, so there is room for another.
    for _ in 0..8 {
        let mut waits = live.call(Shout, &say("wait"));
        assert!((&mut waits).now_or_never().is_none());
    }
    let answer = soon("an answer", live.call(Shout, &say("again"))).await;
    assert_eq!(answer.expect("it is answered").text, "AGAIN");
}

#[platform::test]
async fn a_stream_is_read_to_its_end_or_left() {
    let live = client().await;
    // More than wait to be read.
    let count = live.stream(Count, &1_000).map(|item| item.expect("an item"));
    let counted: Vec<u32> = soon("all items", count.collect()).await;
    assert_eq!(counted, (1..=1_000).collect::<Vec<_>>());
    // As many as a session may have: each is cancelled as it is dropped, so there is room for others.
    for _ in 0..100 {
        let mut count = live.stream(Count, &u32::MAX);
        let first = soon("an item", count.next()).await;
        assert_eq!(first.expect("it goes on").expect("an item"), 1);
    }
}

#[platform::test]
async fn refusals_have_codes_and_words() {
    let live = client().await;
    let refused = refusal(soon("an answer", live.publish(&room("no"), &say("refuse"))).await);
    assert_eq!(
        (refused.code, refused.message.as_deref()),
        (ErrorCode::FORBIDDEN, Some("Not that."))
    );
    let mut vault = live.subscribe(&Vault);
    let Event::Ended(refused) = event(&mut vault).await else { panic!() };
    assert_eq!(refused.code, ErrorCode::FORBIDDEN);
    assert!(soon("the end", vault.next()).await.is_none());
}

#[platform::test]
async fn messages_without_types_go_both_ways() {
    let ann = client().await;
    let mut echoes = ann.messages("echo");
    let position = soon("an answer", ann.send("echo", &serde_json::json!({"a": [1, null]}))).await;
    assert_eq!(position.expect("it was taken").offset, 0);
    assert_eq!(message(&mut echoes).await, r#"{"a":[1,null]}"#);
}

#[platform::test]
async fn a_topic_that_the_server_subscribed_is_heard() {
    let ann = client().await;
    let general = room("adopted");
    let name = general.topic().expect("a name");
    soon("an answer", ann.send("adopt", &name.as_str())).await.unwrap();
    let mut heard = ann.subscribe(&general);
    live(&mut heard, Continuity::Fresh).await;
    soon("an answer", ann.publish(&general, &say("hi"))).await.unwrap();
    assert_eq!(text(&mut heard).await, "hi");
}

mod older {
    //! The same topic as another build knew it.
    use super::{Deserialize, Say, Serialize, TS};

    #[derive(Debug, Serialize, Deserialize, TS)]
    pub(crate) struct Shouted {
        pub(crate) volume: u8,
    }

    tidewire_protocol::schema! {
        pub(crate) schema Older {
            topic Room { room: String } = "room:{room}" { event: Shouted, publish: Say }
        }
    }
}

#[platform::test]
async fn an_entry_that_does_not_fit_is_told_and_refused() {
    let ann = connect::<older::Older>(platform::server().await).build();
    connected(&ann).await;
    assert_eq!(ann.connection().incompatible, ["room:{room}"]);
    let mut heard = ann.subscribe(&older::Room { room: "any".into() });
    let ended = soon("an event", heard.next()).await;
    let Some(Event::Ended(refused)) = ended else { panic!("{ended:?}") };
    assert_eq!(refused.code, ErrorCode::INCOMPATIBLE);
}

mod newer {
    //! The same topic as a later build knows it, which can do with this server's.
    use super::{Deserialize, Serialize, TS};
    use crate::schema::Member;

    #[derive(Debug, Serialize, Deserialize, TS)]
    pub(crate) struct Said {
        pub(crate) by: String,
        pub(crate) text: String,
        #[serde(default)]
        pub(crate) at_ms: u64,
    }

    #[derive(Debug, Serialize, Deserialize, TS)]
    pub(crate) struct Say {
        pub(crate) text: String,
        #[serde(default)]
        pub(crate) loud: bool,
    }

    tidewire_protocol::schema! {
        pub(crate) schema Newer lock "tests/it/locks/newer.lock" {
            topic Room { room: String } = "room:{room}" { event: Said, publish: Say, presence: Member }
        }
    }
}

#[platform::test]
async fn an_entry_of_another_version_that_fits_goes_on() {
    let lock = <newer::Newer as Schema>::LOCK.map(|lock| lock.text);
    assert_eq!(newer::Newer::lock().unwrap().as_deref(), lock, "it is as it is exported");
    let ann = connect::<newer::Newer>(platform::server().await).build();
    connected(&ann).await;
    assert!(ann.connection().incompatible.is_empty());
    let room = newer::Room { room: unique("versions") };
    let mut heard = ann.subscribe(&room);
    let say = newer::Say { text: "hello".into(), loud: true };
    soon("an answer", ann.publish(&room, &say)).await.unwrap();
    loop {
        match soon("an event", heard.next()).await {
            Some(Event::Message { data, .. }) => {
                assert_eq!((&*data.text, data.at_ms), ("hello", 0));
                break;
            }
            Some(Event::Live { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[platform::test]
async fn pings_keep_a_quiet_connection() {
    let ann = client().await;
    connected(&ann).await;
    let session = ann.connection().session;
    platform::pause(1_500).await;
    soon("an answer", ann.send("echo", &1)).await.unwrap();
    assert_eq!(ann.connection().session, session);
}

#[platform::test]
async fn dropping_every_handle_ends_the_session() {
    let (ann, bob) = clients().await;
    let mut answers = ann.messages("alive");
    connected(&bob).await;
    let session = bob.connection().session.expect("a session");
    let mut is_alive = async || {
        soon("an answer", ann.send("alive", &session)).await.unwrap();
        message(&mut answers).await == "true"
    };
    let heard = bob.subscribe(&room("dropped"));
    drop(bob);
    assert!(is_alive().await, "a subscription holds it");
    drop(heard);
    soon("the end of the session", async {
        while is_alive().await {
            platform::pause(10).await;
        }
    })
    .await;
}

#[platform::test]
async fn closing_ends_what_hangs_on_it() {
    let ann = client().await;
    let mut heard = ann.subscribe(&room("closed"));
    live(&mut heard, Continuity::Fresh).await;
    ann.close();
    let Event::Ended(refused) = event(&mut heard).await else { panic!() };
    assert_eq!(refused.code, ErrorCode::CLOSED);
    assert_eq!(ann.connection().state, State::Closed);
}
