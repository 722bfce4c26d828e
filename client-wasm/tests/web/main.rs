//! The client in a real browser, against a real server: `cargo xtask test browser` starts both.

#![cfg(target_arch = "wasm32")]

mod schema;

use std::{cell::Cell, rc::Rc};

use futures_util::{FutureExt, StreamExt, future::Either};
use gloo_timers::future::TimeoutFuture;
use schema::{Room, Said, Say, Shout, Talk, Vault};
use serde::{Deserialize, Serialize};
use tidewire_client::{
    CloseCode, Connections, Continuity, ErrorCode, Event, Live, Messages, PublishError, Range,
    RequestError, State, Subscription, connect,
};
use tidewire_protocol::schema::TypedTopic;
use ts_rs::TS;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Nothing of a test takes longer, unless it never comes.
const PATIENCE_MS: u32 = 10_000;

fn server() -> &'static str {
    option_env!("TIDEWIRE_TEST_SERVER")
        .expect("`cargo xtask test browser` sets the server's address")
}

fn client() -> Live {
    connect::<Talk>(server()).build()
}

/// A room that no other test uses.
fn room(name: &str) -> Room {
    Room { room: format!("{name} {}", js_sys::Math::random()) }
}

fn say(text: &str) -> Say {
    Say { text: text.into() }
}

async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    let wanted = std::pin::pin!(wanted);
    match futures_util::future::select(wanted, TimeoutFuture::new(PATIENCE_MS)).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("{what} did not come"),
    }
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

#[wasm_bindgen_test]
async fn what_is_published_comes_back_in_order() {
    let (ann, bob) = (client(), client());
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

#[wasm_bindgen_test]
async fn a_call_is_answered_refused_or_given_up() {
    let live = client();
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

#[wasm_bindgen_test]
async fn who_enters_gets_what_was_said_and_then_what_is() {
    let (ann, bob) = (client(), client());
    let general = room("history");
    for text in ["a", "b", "c"] {
        soon("the answer", ann.publish(&general, &say(text))).await.expect("it was appended");
    }
    let range = Range { before: Some(3), ..Range::default() };
    let page = soon("a page", bob.history(&general, range)).await.expect("it is allowed");
    let texts = page.events.iter().map(|past| past.data.as_ref().map(|said| &*said.text));
    assert_eq!(texts.collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(page.head, 3);

    let mut first = bob.follow(&general);
    let mut second = bob.follow(&general);
    for followed in [&mut first, &mut second] {
        loop {
            match soon("the state", followed.next()).await.expect("it goes on") {
                Event::Live { .. } => {}
                Event::Snapshot { state, at } => {
                    let texts: Vec<_> = state.iter().map(|said| &*said.text).collect();
                    assert_eq!((&texts[..], at.offset), (&["a", "b", "c"][..], 3));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    soon("the answer", ann.publish(&general, &say("d"))).await.expect("it was appended");
    for followed in [&mut first, &mut second] {
        match soon("an event", followed.next()).await {
            Some(Event::Message { data, offset: 4 }) => assert_eq!(data.text, "d"),
            other => panic!("{other:?}"),
        }
    }
}

#[wasm_bindgen_test]
async fn a_lost_connection_costs_no_message() {
    let (ann, bob) = (client(), client());
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

#[wasm_bindgen_test]
async fn refusals_have_codes_and_words() {
    let live = client();
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

#[wasm_bindgen_test]
async fn each_connection_has_a_fresh_token() {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let ann = connect::<Talk>(server())
        .token(move || {
            count.set(count.get() + 1);
            let token = Some(format!("ann {}", count.get()));
            // A token that takes its time.
            TimeoutFuture::new(20).map(|()| token)
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
    assert_eq!(asked.get(), 3);
}

#[wasm_bindgen_test]
async fn a_refused_token_stops_it_until_it_is_asked_again() {
    let good = Rc::new(Cell::new(false));
    let is_good = good.clone();
    let ann = connect::<Talk>(server())
        .token(move || {
            let token = if is_good.get() { "ann" } else { "refuse" };
            std::future::ready(Some(token.to_owned()))
        })
        .build();
    let mut states = ann.connections();
    let stopped = state(&mut states, |state| matches!(state, State::Stopped { .. })).await;
    assert_eq!(stopped, State::Stopped { code: CloseCode::UNAUTHORIZED });
    assert_eq!(ann.connection().reason, "Not you.");
    let refused = refusal(soon("a refusal", ann.send("echo", &1)).await);
    assert_eq!(refused.code, ErrorCode::NOT_SENT);
    good.set(true);
    ann.reconnect();
    connected(&ann).await;
}

#[wasm_bindgen_test]
async fn without_a_token_it_tries_again() {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let ann = connect::<Talk>(server())
        .token(move || {
            count.set(count.get() + 1);
            std::future::ready((count.get() > 2).then(|| "ann".to_owned()))
        })
        .build();
    connected(&ann).await;
    assert_eq!(asked.get(), 3);
}

#[wasm_bindgen_test]
async fn messages_without_types_go_both_ways() {
    let ann = client();
    let mut echoes = ann.messages("echo");
    let position = soon("an answer", ann.send("echo", &serde_json::json!({"a": [1, null]}))).await;
    assert_eq!(position.expect("it was taken").offset, 0);
    assert_eq!(message(&mut echoes).await, r#"{"a":[1,null]}"#);
}

#[wasm_bindgen_test]
async fn a_topic_that_the_server_subscribed_is_heard() {
    let ann = client();
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

#[wasm_bindgen_test]
async fn an_entry_that_does_not_fit_is_told_and_refused() {
    let ann = connect::<older::Older>(server()).build();
    connected(&ann).await;
    assert_eq!(ann.connection().incompatible, ["room:{room}"]);
    let mut heard = ann.subscribe(&older::Room { room: "any".into() });
    let ended = soon("an event", heard.next()).await;
    let Some(Event::Ended(refused)) = ended else { panic!("{ended:?}") };
    assert_eq!(refused.code, ErrorCode::INCOMPATIBLE);
}

#[wasm_bindgen_test]
async fn pings_keep_a_quiet_connection() {
    let ann = client();
    connected(&ann).await;
    let session = ann.connection().session;
    TimeoutFuture::new(1_500).await;
    soon("an answer", ann.send("echo", &1)).await.unwrap();
    assert_eq!(ann.connection().session, session);
}

#[wasm_bindgen_test]
async fn dropping_every_handle_ends_the_session() {
    let (ann, bob) = (client(), client());
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
            TimeoutFuture::new(10).await;
        }
    })
    .await;
}

#[wasm_bindgen_test]
async fn closing_ends_what_hangs_on_it() {
    let ann = client();
    let mut heard = ann.subscribe(&room("closed"));
    live(&mut heard, Continuity::Fresh).await;
    ann.close();
    let Event::Ended(refused) = event(&mut heard).await else { panic!() };
    assert_eq!(refused.code, ErrorCode::CLOSED);
    assert_eq!(ann.connection().state, State::Closed);
}

#[wasm_bindgen_test]
async fn a_page_that_is_online_again_tries_at_once() {
    let ann = connect::<Talk>(server().replace("/ws", "/nowhere")).build();
    let mut states = ann.connections();
    let retry_at = loop {
        let State::Waiting { retry_at, .. } =
            state(&mut states, |state| matches!(state, State::Waiting { .. })).await
        else {
            unreachable!()
        };
        if retry_at > js_sys::Date::now() as u64 + 2_000 {
            break retry_at;
        }
    };
    TimeoutFuture::new(1_100).await;
    let online = web_sys::Event::new("online").expect("an event");
    let window: web_sys::EventTarget = js_sys::global().unchecked_into();
    window.dispatch_event(&online).expect("it is dispatched");
    state(&mut states, |state| *state == State::Connecting).await;
    assert!((js_sys::Date::now() as u64) < retry_at);
}
