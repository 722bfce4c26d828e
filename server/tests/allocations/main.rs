//! What the server allocates for a publish, a message, a subscription and a connection, held to the numbers in `snapshot.txt`: a
//! regression is a changed number, not a flaky timing.
//!
//! A binary of its own, since its allocator counts. It counts what one thread does, on which the whole server runs; the clients are
//! sockets that this thread reads without allocating. `TIDEWIRE_SNAPSHOT=write` writes the file anew.
//!
//! The numbers are those of the dev profile, on Linux: an optimising compiler merges some.

#![cfg(all(target_os = "linux", debug_assertions))]

mod client;
mod scene;
mod snapshot;

use std::net::SocketAddr;

use client::Client;
use rustix::process::{Resource, getrlimit, setrlimit};
use scene::{Feed, Item, Scene};
use snapshot::{Cost, Snapshot};

#[test]
fn the_server_allocates_what_the_snapshot_says() {
    raise_file_limit();
    let mut snapshot = Snapshot::default();
    let [none, one, ten, hundred, thousand] = [0, 1, 10, 100, 1_000].map(publish);
    assert_eq!(one, ten, "a delivery allocates");
    // Beyond 64 subscribers a task delivers.
    assert_eq!(hundred, thousand, "a delivery of a large topic allocates");
    snapshot.add("a publish to nobody", none);
    snapshot.add("a publish to 1 subscriber, or 10", ten);
    snapshot.add("a publish to 1,000 subscribers", thousand);
    snapshot.add("a client publishes and has its acknowledgement", client_publish());
    snapshot.add("a client's message comes back, full mode", echo(Client::full));
    snapshot.add("a client's message comes back, plain mode", echo(Client::plain));
    snapshot.add("a client calls and has its reply", call());
    snapshot.add("a client subscribes and unsubscribes", subscription());
    snapshot.add("a connection is made, full mode", handshake(Client::full));
    snapshot.add("a connection is made, plain mode", handshake(Client::plain));
    snapshot.check();
}

/// The application publishes, and each subscriber gets it.
fn publish(subscribers: usize) -> Cost {
    let scene = Scene::start();
    let mut clients = scene.run(async || {
        let mut clients = Vec::with_capacity(subscribers);
        for _ in 0..subscribers {
            let mut client = Client::full(scene.address).await;
            client.request(r#"{"topic":"$subscribe","id":2,"data":{"topic":"feed:all"}}"#).await;
            clients.push(client);
        }
        clients
    });
    let (topic, item) = (scene.live.topic(Feed { name: "all".into() }), Item::sample());
    scene.least(async || {
        topic.publish(&item).await.expect("the topic takes it");
        for client in &mut clients {
            client.frames(1).await;
        }
    })
}

fn client_publish() -> Cost {
    asked(r#"{"topic":"feed:own","id":3,"data":ITEM}"#, Client::full)
}

fn echo<F: Future<Output = Client>>(connect: impl Fn(SocketAddr) -> F) -> Cost {
    asked(r#"{"topic":"echo","data":ITEM}"#, connect)
}

fn call() -> Cost {
    asked(r#"{"topic":"$call","id":3,"data":{"call":"echo","args":ITEM}}"#, Client::full)
}

/// A client sends a text, and gets one frame for it.
fn asked<F: Future<Output = Client>>(text: &str, connect: impl Fn(SocketAddr) -> F) -> Cost {
    let scene = Scene::start();
    let mut client = scene.run(async || connect(scene.address).await);
    let item = serde_json::to_string(&Item::sample()).expect("an item is JSON");
    let frame = client::text(&text.replace("ITEM", &item));
    scene.least(async || {
        client.send(&frame);
        client.frames(1).await;
    })
}

fn subscription() -> Cost {
    let scene = Scene::start();
    let mut client = scene.run(async || Client::full(scene.address).await);
    let [subscribe, unsubscribe] = ["$subscribe", "$unsubscribe"].map(|topic| {
        client::text(&format!(r#"{{"topic":"{topic}","id":2,"data":{{"topic":"feed:own"}}}}"#))
    });
    scene.least(async || {
        client.send(&subscribe);
        client.frames(1).await;
        client.send(&unsubscribe);
        client.frames(1).await;
    })
}

/// From the connection to what a client must have before it may speak.
fn handshake<F: Future<Output = Client>>(connect: impl Fn(SocketAddr) -> F) -> Cost {
    let scene = Scene::start();
    // Kept open: what a connection's end costs is not its handshake's.
    let mut clients = Vec::with_capacity(scene::REPEATS);
    scene.least(async || clients.push(connect(scene.address).await))
}

/// The thousand connections have both their ends in this process.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to its maximum it is free");
}
