//! Pages and servers of different versions of one schema: who goes on, and who is refused what.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidewire::{Live, Refusal};
use tidewire_protocol::{
    frame::client::Hashes,
    schema::{Schema, SchemaHash, TypedTopic},
};
use ts_rs::TS;

use crate::support::{Client, Received, Server};

mod older {
    use super::*;

    #[derive(Serialize, Deserialize, TS)]
    pub(crate) struct Said {
        pub(crate) text: String,
    }
    #[derive(Serialize, Deserialize, TS)]
    pub(crate) struct Say {
        pub(crate) text: String,
    }
    #[derive(Serialize, Deserialize, TS)]
    pub(crate) enum Vote {
        Yes,
        No,
    }

    tidewire_protocol::schema! {
        pub(crate) schema Site lock "tests/it/locks/older.lock" {
            topic Room { room: String } = "room:{room}" { event: Said, publish: Say }
            topic Votes = "votes" { event: u32, publish: Vote }
            topic Plans = "plans" { event: String }
            call Join = "join" (Say) -> Said;
        }
    }
}

/// An event and a reply have more fields, a publish and an argument one that may be absent; votes have another variant, and
/// plans are another type, which was accepted.
mod newer {
    use super::*;

    #[derive(Serialize, Deserialize, TS)]
    pub(crate) struct Said {
        pub(crate) text: String,
        pub(crate) is_loud: bool,
    }
    #[derive(Serialize, Deserialize, TS)]
    pub(crate) struct Say {
        pub(crate) text: String,
        #[serde(default)]
        pub(crate) is_loud: bool,
    }
    #[derive(Serialize, Deserialize, TS)]
    pub(crate) enum Vote {
        Yes,
        No,
        Maybe,
    }

    tidewire_protocol::schema! {
        pub(crate) schema Site lock "tests/it/locks/newer.lock" {
            topic Room { room: String } = "room:{room}" { event: Said, publish: Say }
            topic Votes = "votes" { event: u32, publish: Vote }
            topic Plans = "plans" { event: Vec<String> }
            call Join = "join" (Say) -> Said;
        }
    }
}

macro_rules! server {
    ($site:ident, $said:expr) => {
        Live::<()>::builder()
            .topic::<$site::Room>(|topic| {
                topic
                    .public()
                    .on_publish(async |_cx, _session, _room, say: $site::Say| Ok($said(say)))
            })
            .topic::<$site::Votes>(|topic| {
                topic
                    .public()
                    .on_publish(async |_cx, _session, _votes, vote: $site::Vote| Ok(vote as u32))
            })
            .topic::<$site::Plans>(|topic| topic.public())
            .call($site::Join, async |_cx, _session, say: $site::Say| Ok::<_, Refusal>($said(say)))
            .build()
    };
}

fn newer() -> Live<()> {
    server!(newer, |say: newer::Say| newer::Said { text: say.text, is_loud: say.is_loud })
}

fn older() -> Live<()> {
    server!(older, |say: older::Say| older::Said { text: say.text })
}

/// What a page of a schema names in its hello.
fn page<S: Schema>() -> Value {
    let entries = S::ENTRIES.iter().map(|entry| {
        let named: Hashes = entry.versions().named().map(|hash| hash.to_string()).collect();
        (entry.key().to_owned(), json!(named))
    });
    Value::Object(entries.collect())
}

async fn connect(live: &Live<()>, schema: Value) -> (Server, Client, Value) {
    let server = Server::start(live).await;
    let mut client = server.client().await;
    let welcome = client.hello(schema).await;
    (server, client, welcome["data"]["schema"].clone())
}

/// Says something in a room with this data, and gives what comes back of it.
async fn say(client: &mut Client, data: Value) -> Value {
    client.subscribe("room:a").await;
    let answer = client.request("room:a", data.clone()).await;
    assert_eq!(answer["topic"], "$reply", "{answer}");
    let call = client.request("$call", json!({ "call": "join", "args": data })).await;
    let event = client.frame().await["data"].clone();
    assert_eq!(call["data"], event);
    event
}

async fn refused(client: &mut Client, topic: &str) {
    let answer = client.request("$subscribe", json!({ "topic": topic })).await;
    assert_eq!(answer["data"]["name"], "incompatible", "{answer}");
    let message = answer["data"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("`{topic}`")), "{message}");
}

#[test]
fn the_locks_are_as_they_are_exported() {
    for (lock, exported) in
        [(older::Site::LOCK, older::Site::lock()), (newer::Site::LOCK, newer::Site::lock())]
    {
        assert_eq!(exported.unwrap().as_deref(), lock.map(|lock| lock.text));
    }
}

#[tokio::test]
async fn an_older_page_goes_on_at_a_newer_server() {
    let (_server, mut client, verdicts) = connect(&newer(), page::<older::Site>()).await;
    let expected = json!({
        "room:{room}": "compatible", "votes": "compatible", "plans": "incompatible", "join": "compatible",
    });
    assert_eq!(verdicts, expected);
    let event = say(&mut client, json!({ "text": "hi" })).await;
    assert_eq!(event, json!({ "text": "hi", "is_loud": false }));
    refused(&mut client, "plans").await;
    client.subscribe("votes").await;
    assert_eq!(client.request("votes", json!("No")).await["topic"], "$reply");
}

#[tokio::test]
async fn a_newer_page_goes_on_at_an_older_server() {
    let (_server, mut client, verdicts) = connect(&older(), page::<newer::Site>()).await;
    // An older server takes only some of the votes.
    let expected = json!({
        "room:{room}": "compatible", "votes": "incompatible", "plans": "incompatible", "join": "compatible",
    });
    assert_eq!(verdicts, expected);
    let event = say(&mut client, json!({ "text": "hi", "is_loud": true })).await;
    assert_eq!(event, json!({ "text": "hi" }));
    refused(&mut client, "plans").await;
    refused(&mut client, "votes").await;
    client.ping().await;
}

#[tokio::test]
async fn the_same_version_is_the_same() {
    for (live, page) in [(older(), page::<older::Site>()), (newer(), page::<newer::Site>())] {
        let (_server, _client, verdicts) = connect(&live, page).await;
        assert!(verdicts.as_object().unwrap().values().all(|verdict| verdict == "same"));
    }
}

/// What comes from a page is anything.
#[tokio::test]
async fn hashes_may_be_of_any_form() {
    let own = older::Room::hash().to_string();
    let other = "0000000000000001";
    let mut late: Vec<&str> = vec![other; Hashes::MAX];
    late.push(&own);
    for (named, verdict) in [
        (json!(own), "same"),
        (json!([own]), "same"),
        (json!([own, other]), "same"),
        (json!([other, own]), "compatible"),
        (json!([other, "x", own]), "compatible"),
        (json!(["x", own]), "compatible"),
        (json!(other), "incompatible"),
        (json!("x"), "incompatible"),
        (json!([]), "incompatible"),
        (json!([other, "x"]), "incompatible"),
        (json!(late), "incompatible"),
    ] {
        let (_server, _client, verdicts) = connect(&older(), json!({ "room:{room}": named })).await;
        assert_eq!(verdicts, json!({ "room:{room}": verdict }), "{named}");
    }
    for named in [json!(7), json!([7]), json!(null), json!({})] {
        let server = Server::start(&older()).await;
        let mut client = server.client().await;
        let data =
            json!({ "version": 1, "client": "0".repeat(32), "schema": { "room:{room}": named } });
        client.send(json!({ "topic": "$hello", "id": 1, "data": data })).await;
        assert_eq!(client.receive().await, Received::Close(Some(4202)), "{named}");
    }
    assert!(other.parse::<SchemaHash>().is_ok());
}
