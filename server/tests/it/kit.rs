//! The test kit that applications get: what its clients see, and that none of them waits for ever.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tidewire::{
    CloseCode, CloseReason, ErrorCode, Live, Refusal, Request,
    test::{self, Client, Close, ConnectError, RequestError, WaitError},
};
use tidewire_protocol::frame::server::Match;

tidewire_protocol::schema! {
    pub(crate) schema Site {
        topic Room { room: String } = "room:{room}" { event: String, publish: String }
        topic News = "site-news" { event: u32 }
    }
}

type Reasons = Arc<Mutex<Vec<CloseReason>>>;

/// A server that says `echo` to every message and keeps the reasons of its closes.
fn live(reasons: &Reasons) -> Live<()> {
    Live::<()>::builder()
        .state(Arc::clone(reasons))
        .topic::<Room>(|topic| {
            topic.public().on_publish(async |_cx, _session, _room, text: String| {
                if text.is_empty() {
                    Err(Refusal::forbidden().message("say something"))
                } else {
                    Ok(text)
                }
            })
        })
        .on_message(async |_cx, session, message| match &*message.topic {
            "kick" => session.close(CloseCode(4500), "out"),
            _ => session.send("echo", &message.data).unwrap(),
        })
        .on_close(async |cx, _session, reason| cx.state.lock().unwrap().push(reason))
        .build()
}

fn room(name: &str) -> Room {
    Room { room: name.into() }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_cannot_end_says_what_it_was_for() {
    let live = live(&Reasons::default());
    let mut client = Client::connect(&live).hello().await.unwrap();
    let error = client.next_event::<Room>().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "waited for an event of room:{room}, which did not come within 86400s"
    );
    client.pause_reading();
    assert_eq!(client.next().await.unwrap_err(), WaitError::Paused("a frame".into()));
    client.resume_reading();
    client.send("kick", &()).await.unwrap();
    let error = client.next_of("echo").await.unwrap_err();
    let expected =
        "waited for a frame of \"echo\", but the connection is closed: other (4500): out";
    assert_eq!(error.to_string(), expected);
    let error = client.send("late", &()).await.unwrap_err();
    assert!(matches!(error, RequestError::Wait(WaitError::Closed { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_fails_the_send() {
    let live = Live::<()>::builder()
        .hook_timeout(std::time::Duration::MAX)
        .on_message(async |_cx, _session, _message| std::future::pending().await)
        .build();
    let mut client = Client::connect(&live).pipe_bytes(64).await.unwrap();
    let error = loop {
        if let Err(error) = client.send("x", &"y".repeat(1000)).await {
            break error;
        }
    };
    assert!(error.to_string().starts_with("waited for the server to take a message"), "{error}");
}

#[tokio::test]
async fn frames_stay_in_order_until_they_are_asked_for() {
    let live = live(&Reasons::default());
    let mut client = Client::connect(&live).hello().await.unwrap();
    client.subscribe(&room("a")).await.unwrap();
    client.subscribe(&room("b")).await.unwrap();
    for n in 0..3 {
        client.send("say", &n).await.unwrap();
        let position = client.publish(&room("a"), &format!("a{n}")).await.unwrap();
        live.topic(room("b")).publish(&format!("b{n}")).await.unwrap();
        assert_eq!(position.offset, n + 1);
    }
    client.ping().await.unwrap();
    assert_eq!(client.next_of("echo").await.unwrap().decode::<u64>().unwrap(), 0);
    for (name, offset) in [("a", 1), ("b", 1), ("a", 2)] {
        let event = client.next_event::<Room>().await.unwrap();
        assert_eq!(
            (event.topic, event.offset, event.prev),
            (room(name), Some(offset), Some(offset - 1))
        );
        assert_eq!(event.data, format!("{name}{}", offset - 1));
        if offset == 1 && name == "b" {
            let echo = client.next().await.unwrap();
            assert_eq!((&*echo.topic, echo.data.get()), ("echo", "1"));
        }
    }
    let left: Vec<_> = std::iter::from_fn(|| client.try_next()).map(|frame| frame.topic).collect();
    assert_eq!(left, ["room:b", "echo", "room:a", "room:b"]);
    client.unsubscribe(&room("a")).await.unwrap();
    client.publish(&room("a"), &"unheard".into()).await.unwrap();
    assert!(client.try_next().is_none());
}

#[tokio::test]
async fn requests_are_refused_with_codes_and_words() {
    let live = live(&Reasons::default());
    let mut client = Client::connect(&live).hello().await.unwrap();
    let refused =
        RequestError::Refused { code: ErrorCode::FORBIDDEN, message: Some("say something".into()) };
    let error = client.publish(&room("a"), &String::new()).await.unwrap_err();
    assert_eq!(
        (error.to_string(), error),
        ("refused: forbidden (201): say something".into(), refused)
    );
    let error = client.subscribe(&News).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC));
    assert!(matches!(client.subscribe(&room("")).await, Err(RequestError::InvalidTopic(_))));
    assert_eq!(client.request("say", &1).await.unwrap().get(), "null");
    let mut plain = Client::connect(&live).await.unwrap();
    assert_eq!(plain.subscribe(&room("a")).await.unwrap_err(), RequestError::Plain);
    plain.send("subscribe", &json!({ "topic": "site-news" })).await.unwrap();
    let error: serde_json::Value = plain.next_of("error").await.unwrap().decode().unwrap();
    assert_eq!(error["name"], "unknown_topic");
}

#[tokio::test]
async fn an_event_of_another_type_is_an_error() {
    let live = Live::<()>::builder().topic::<News>(|topic| topic.public()).build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    client.subscribe(&News).await.unwrap();
    live.publish("site-news", &"no number").await.unwrap();
    let error = client.next_event::<News>().await.unwrap_err();
    assert!(
        matches!(&error, WaitError::InvalidData { topic, .. } if topic == "site-news"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_ends_as_it_says() {
    let reasons = Reasons::default();
    let live = live(&reasons);
    let mut polite = Client::connect(&live).await.unwrap();
    let close = polite.close(CloseCode(4999), "bye").await.unwrap();
    assert_eq!(close, Close { code: CloseCode(4999), reason: String::new() });
    let mut lost = Client::connect(&live).await.unwrap();
    lost.send("say", &1).await.unwrap();
    lost.next_of("echo").await.unwrap();
    drop(lost);
    let mut kicked = Client::connect(&live).await.unwrap();
    kicked.send("say", &1).await.unwrap();
    kicked.send("kick", &()).await.unwrap();
    assert_eq!(kicked.closed().await.unwrap().to_string(), "other (4500): out");
    assert_eq!(kicked.next().await.unwrap().topic, "echo", "it came before the close");
    test::eventually("all have ended", || reasons.lock().unwrap().len() == 3).await.unwrap();
    let left = CloseReason::Client { code: Some(CloseCode(4999)), reason: "bye".into() };
    let out = CloseReason::Application { code: CloseCode(4500), reason: "out".into() };
    let mut got = reasons.lock().unwrap().clone();
    got.sort_by_key(|reason| reason.code().0);
    assert_eq!(got, [CloseReason::Lost, out, left]);
}

#[tokio::test]
async fn what_was_sent_before_a_drop_arrives() {
    let heard = Arc::new(Mutex::new(0));
    let live = Live::<()>::builder()
        .state(Arc::clone(&heard))
        .on_message(async |cx, _session, message| {
            *cx.state.lock().unwrap() += message.decode::<u32>().unwrap()
        })
        .build();
    let mut client = Client::connect(&live).await.unwrap();
    for n in 1..=4 {
        client.send("n", &n).await.unwrap();
    }
    drop(client);
    test::eventually("all came", || *heard.lock().unwrap() == 10).await.unwrap();
    test::eventually("it has left", || live.session_count() == 0).await.unwrap();
}

#[tokio::test]
async fn the_request_is_judged_as_over_http() {
    let live = Live::<String>::builder()
        .hosts(["localhost", "app.example"])
        .on_auth(async |_cx, request: Request| {
            assert_ne!(request.uri().path(), "/panic", "a test's own panic");
            let user = request.extensions().get::<&str>().map(|user| (*user).to_owned());
            user.or(request.query("user"))
                .ok_or(Refusal::forbidden().status(http::StatusCode::FORBIDDEN))
        })
        .build();
    let status = |result: Result<Client, ConnectError>| match result {
        Ok(_) => 101,
        Err(ConnectError::Refused { status, .. }) => status.as_u16(),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(status(Client::connect(&live).path("/ws?user=ann").await), 101);
    assert_eq!(status(Client::connect(&live).extension("bob").await), 101);
    assert_eq!(status(Client::connect(&live).await), 403);
    assert_eq!(status(Client::connect(&live).header("host", "evil.example").await), 421);
    let refused =
        Client::connect(&live).header("origin", "https://evil.example").await.unwrap_err();
    let code = Some(CloseCode::FORBIDDEN_ORIGIN);
    assert!(matches!(refused, ConnectError::Refused { code: told, .. } if told == code));
    assert_eq!(status(Client::connect(&live).path("/panic").await), 500);
    let invalid = Client::connect(&live).header("x", "line\nbreak").await.unwrap_err();
    assert!(matches!(invalid, ConnectError::InvalidRequest(_)), "{invalid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_compared_and_threads_are_no_matter() {
    let live = live(&Reasons::default());
    let client = Client::connect(&live).schema::<Site>().await.unwrap();
    let welcome = client.welcome().unwrap();
    assert_eq!(live.sessions()[0].id(), welcome.session);
    let verdicts: Vec<_> = welcome.schema.iter().map(|(key, fit)| (key.as_str(), *fit)).collect();
    assert_eq!(verdicts, [("room:{room}", Match::Same), ("site-news", Match::Unknown)]);
}
