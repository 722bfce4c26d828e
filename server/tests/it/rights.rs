//! Who it is and what it may, and what changes while it is connected.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tidewire::{Allow, CloseCode, Deny, Identity, Live, Refusal, Session, Topic};

use crate::support::{Client, Server, eventually};

/// Which topics are open at the moment.
type Open = Arc<Mutex<BTreeSet<String>>>;

/// Tokens are `name` or `name/milliseconds`.
fn live(open: &Open) -> Live<String> {
    Live::<String>::builder()
        .state(Arc::clone(open))
        .user_key(String::clone)
        .on_token(async |_cx, token: Option<String>| {
            let token = token.filter(|token| token != "bad").ok_or(Refusal::unauthorized())?;
            Ok::<_, Refusal>(match token.split_once('/') {
                Some((name, ms)) => {
                    Identity::new(name.into()).expires_in(Duration::from_millis(ms.parse()?))
                }
                None => Identity::new(token),
            })
        })
        .on_subscribe(async |cx, _session, topic: Topic| {
            if cx.state.lock().unwrap().contains(&*topic) {
                Allow
            } else {
                Deny(Refusal::forbidden())
            }
        })
        .build()
}

fn open(topics: &[&str]) -> Open {
    Arc::new(Mutex::new(topics.iter().map(|&topic| topic.into()).collect()))
}

async fn connect(server: &Server, token: &str) -> (Client, Value) {
    let mut client = server.client().await;
    let hello = json!({ "version": 1, "client": "0".repeat(32), "token": token });
    let welcome = client.request("$hello", hello).await;
    (client, welcome)
}

fn unsubscribed(topic: &str, code: u16) -> Value {
    json!({ "topic": "$unsubscribed", "data": { "topic": topic, "code": code } })
}

#[tokio::test]
async fn a_recheck_ends_what_is_no_longer_allowed() {
    let open = open(&["a", "b", "c"]);
    let live = live(&open);
    let server = Server::start(&live).await;
    let (mut ann, _) = connect(&server, "ann").await;
    let (mut bob, _) = connect(&server, "bob").await;
    for client in [&mut ann, &mut bob] {
        client.subscribe("a").await;
        client.subscribe("b").await;
    }
    live.sessions_of("ann")[0].subscribe("c").await.unwrap();
    assert_eq!(ann.frame().await["topic"], "$subscribed");
    open.lock().unwrap().clear();
    live.recheck("ann").await;
    ann.expect(unsubscribed("a", 201)).await;
    ann.expect(unsubscribed("b", 201)).await;
    let topics = |user: &str| {
        live.sessions_of(user)[0].topics().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        (topics("ann"), topics("bob")),
        (vec!["c".to_owned()], vec!["a".into(), "b".into()]),
        "the server's stay"
    );
    live.recheck("nobody").await;
    bob.ping().await;
}

#[tokio::test]
async fn an_identity_that_is_good_for_ages_is_told_as_a_number_that_clients_read() {
    const MOST: u64 = (1 << 53) - 1;
    let server = Server::start(&live(&open(&[]))).await;
    let (mut client, welcome) = connect(&server, "ann/9007199254740992").await;
    assert_eq!(welcome["data"]["token_ms"], MOST);
    let answer = client.request("$token", json!({ "token": "ann/18446744073709551615" })).await;
    assert_eq!(answer["data"]["token_ms"], MOST);
}

#[tokio::test]
async fn a_fresh_token_renews_and_looks_at_the_rights_again() {
    let open = open(&["a"]);
    let live = live(&open);
    let server = Server::start(&live).await;
    let (mut client, welcome) = connect(&server, "ann/60000").await;
    let token_ms = welcome["data"]["token_ms"].as_u64().unwrap();
    assert!((50_000..=60_000).contains(&token_ms), "{token_ms}");
    client.subscribe("a").await;
    open.lock().unwrap().clear();
    let answer = client.request("$token", json!({ "token": "ann/90000" })).await;
    assert_eq!(
        (&answer["topic"], &answer["data"]),
        (&json!("$reply"), &json!({ "token_ms": 90_000 }))
    );
    client.expect(unsubscribed("a", 201)).await;
}

#[tokio::test]
async fn an_expired_token_closes_with_the_code_that_says_so() {
    let live = live(&open(&[]));
    let server = Server::start(&live).await;
    let (mut renewed, _) = connect(&server, "ann/50").await;
    renewed.request("$token", json!({ "token": "ann" })).await;
    let (mut expired, _) = connect(&server, "ann/50").await;
    assert_eq!(expired.closed().await, Some(CloseCode::TOKEN_EXPIRED.0));
    renewed.ping().await;
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_or_names_another_closes() {
    let live = live(&open(&[]));
    let server = Server::start(&live).await;
    for (token, code) in [("bad", 4200), ("bob", 4205)] {
        let (mut client, _) = connect(&server, "ann").await;
        client.send(json!({ "topic": "$token", "id": 5, "data": { "token": token } })).await;
        assert_eq!(client.closed().await, Some(code), "{token}");
    }
}

#[tokio::test]
async fn a_users_sessions_are_found_sent_to_and_closed() {
    let live = live(&open(&[]));
    let server = Server::start(&live).await;
    let (mut one, welcome) = connect(&server, "ann").await;
    let (mut two, _) = connect(&server, "ann").await;
    let (mut bob, _) = connect(&server, "bob").await;
    assert_eq!(live.send_to_user("ann", "note", &1), 2);
    for client in [&mut one, &mut two] {
        client.expect(json!({ "topic": "note", "data": 1 })).await;
    }
    live.send_to(welcome["data"]["session"].as_str().unwrap(), "own", &2).unwrap();
    one.expect(json!({ "topic": "own", "data": 2 })).await;
    assert!(live.send_to("nobody", "own", &2).is_err());
    assert_eq!(live.kick("ann", CloseCode::KICKED, "out"), 2);
    for client in [&mut one, &mut two] {
        assert_eq!(client.closed().await, Some(4204));
    }
    eventually("ann is gone", || live.sessions_of("ann").is_empty()).await;
    bob.ping().await;
    assert_eq!(live.session_count(), 1);
}

#[tokio::test]
async fn on_connect_comes_before_anything_the_client_sent() {
    let live = Live::<()>::builder()
        .on_connect(async |_cx, session: Session<()>| {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            session.send("welcome", &session.id()).unwrap();
            session.subscribe("news").await.unwrap();
        })
        .on_message(async |_cx, session, message| session.send("echo", &message.data).unwrap())
        .build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.send(json!({ "topic": "x", "data": 1 })).await;
    let id = live.sessions()[0].id().to_owned();
    client.expect(json!({ "topic": "welcome", "data": id })).await;
    client.expect(json!({ "topic": "echo", "data": 1 })).await;
    assert_eq!(live.subscribers("news").len(), 1);
}

#[tokio::test]
async fn a_recheck_waits_for_a_subscription_that_is_being_made() {
    let open = open(&["a"]);
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let go_on = Arc::new(tokio::sync::Notify::new());
    let live = Live::<()>::builder()
        .state((Arc::clone(&open), asked, Arc::clone(&go_on)))
        .on_subscribe(async |cx, _session, topic: Topic| {
            let (open, asked, go_on) = &*cx.state;
            let is_open = open.lock().unwrap().contains(&*topic);
            asked.send(()).unwrap();
            if is_open {
                go_on.notified().await;
            }
            if is_open { Allow } else { Deny(Refusal::forbidden()) }
        })
        .build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    client.send(json!({ "topic": "$subscribe", "id": 9, "data": { "topic": "a" } })).await;
    is_asked.recv().await.unwrap();
    open.lock().unwrap().clear();
    let session = live.sessions().pop().unwrap();
    let recheck = tokio::spawn(async move { session.recheck().await });
    go_on.notify_one();
    recheck.await.unwrap();
    assert_eq!(client.frame().await["topic"], "$reply");
    client.expect(unsubscribed("a", 201)).await;
    assert!(live.subscribers("a").is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_refused_anew_is_over() {
    let open = open(&["a"]);
    let live = live(&open);
    let server = Server::start(&live).await;
    let (mut client, _) = connect(&server, "ann").await;
    client.subscribe("a").await;
    open.lock().unwrap().clear();
    let answer = client.request("$subscribe", json!({ "topic": "a" })).await;
    assert_eq!(answer["data"]["name"], "forbidden");
    live.publish("a", &"secret").await.unwrap();
    client.ping().await;
}
