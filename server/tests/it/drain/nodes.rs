//! Two nodes on one broker, behind one address: clients that move as docs/wire.md says miss nothing and see nothing twice.

use std::{
    collections::BTreeMap,
    future::IntoFuture,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tidewire::{
    CloseCode, Live, Refusal, Request,
    broker::MemoryBroker,
    test::{Client, ConnectError, Frame},
};
use tidewire_protocol::{frame::Position, schema::TypedTopic};
use tokio::time::{Instant, sleep};

use super::{Room, SECOND, asked, publish_once, room};

const ROOMS: [&str; 2] = ["a", "b"];
const CLIENTS: usize = 30;
/// What each node publishes to each room.
const EVENTS: u64 = 150;

fn node(broker: &MemoryBroker) -> Live<String> {
    Live::<String>::builder()
        .broker(broker.clone())
        .on_auth(async |_cx, request: Request| request.query("user").ok_or(Refusal::unauthorized()))
        .user_key(|user: &String| user.clone())
        .topic::<Room>(|topic| {
            topic
                .public()
                .history(10_000, 600 * SECOND)
                .on_publish(async |_cx, _session, _room, n| Ok::<_, Refusal>(n))
                .presence(async |_cx, session, _room, _wish| {
                    Ok::<_, Refusal>(session.value().to_string())
                })
        })
        .build()
}

/// The one address of both nodes. It sends clients to the old one until it has noticed that that drains.
struct Balancer {
    old: Live<String>,
    new: Live<String>,
    has_noticed: AtomicBool,
}

impl Balancer {
    fn new() -> Self {
        let broker = MemoryBroker::default();
        let (old, new) = (node(&broker), node(&broker));
        Self { old, new, has_noticed: AtomicBool::new(false) }
    }

    async fn check_health(&self) {
        while !self.old.is_stopping() {
            sleep(Duration::from_millis(250)).await;
        }
        self.has_noticed.store(true, Ordering::SeqCst);
    }

    async fn connect(&self, user: &str) -> Result<Client, ConnectError> {
        let has_noticed = self.has_noticed.load(Ordering::SeqCst);
        let node = if has_noticed { &self.new } else { &self.old };
        Client::connect(node).path(&format!("/ws?user={user}")).hello().await
    }
}

/// A frame's way takes as long as this, so that what happens at once overlaps.
async fn latency() {
    sleep(Duration::from_millis(15)).await;
}

/// A client in full mode that can move.
struct Mover {
    user: String,
    client: Client,
    rooms: BTreeMap<String, Seen>,
    refusals: usize,
    repeats: usize,
}

/// What a client has of a room.
struct Seen {
    position: Position,
    events: Vec<u64>,
}

impl Mover {
    async fn start(balancer: &Balancer, user: String) -> Self {
        let mut client = balancer.connect(&user).await.unwrap();
        let mut rooms = BTreeMap::new();
        for name in ROOMS {
            let position = client.subscribe(&room(name)).await.unwrap().position;
            let name = room(name).topic().unwrap().to_string();
            rooms.insert(name, Seen { position, events: Vec::new() });
        }
        Self { user, client, rooms, refusals: 0, repeats: 0 }
    }

    /// Runs until it has as many events of each room as there are.
    async fn run(mut self, balancer: &Balancer) -> Self {
        let all = usize::try_from(2 * EVENTS).unwrap();
        while self.rooms.values().any(|seen| seen.events.len() < all) {
            let frame = self.client.next().await.expect("a frame");
            if frame.topic == "$drain" {
                self.move_over(balancer).await;
            } else {
                self.take(&frame);
            }
        }
        self
    }

    async fn move_over(&mut self, balancer: &Balancer) {
        let mut new = loop {
            latency().await;
            match balancer.connect(&self.user).await {
                Ok(client) => break client,
                Err(ConnectError::Refused { code: Some(CloseCode::DRAIN), .. }) => {
                    self.refusals += 1;
                }
                Err(error) => panic!("{error}"),
            }
        };
        for name in ROOMS {
            let topic = room(name).topic().unwrap();
            let since = self.rooms[topic.as_str()].position.clone();
            latency().await;
            let subscribed = new.subscribe_since(&room(name), &since).await.unwrap();
            assert_eq!((subscribed.recovered, &subscribed.position), (Some(true), &since));
            latency().await;
            // Until the answer is there events come from the old connection.
            while let Some(frame) = self.client.try_next() {
                self.take(&frame);
            }
        }
        self.client.close(CloseCode::NORMAL, "").await.unwrap();
        self.client = new;
    }

    /// Takes an event, unless it has it already.
    fn take(&mut self, frame: &Frame) {
        let seen = self.rooms.get_mut(&frame.topic).unwrap_or_else(|| panic!("{frame:?}"));
        let (Some(offset), Some(prev)) = (frame.offset, frame.prev) else { panic!("{frame:?}") };
        if offset <= seen.position.offset {
            self.repeats += 1;
            return;
        }
        assert_eq!(prev, seen.position.offset, "a gap");
        seen.position.offset = offset;
        seen.events.push(frame.decode().unwrap());
    }
}

/// Publishes to all rooms. Returns what was published to each, with the offset that it was told.
async fn publish_from(node: &Live<String>, first: u64) -> Vec<(String, u64, u64)> {
    let mut published = Vec::new();
    for n in first..first + EVENTS {
        for name in ROOMS {
            let position = node.topic(room(name)).publish(&n).await.unwrap();
            published.push((room(name).topic().unwrap().to_string(), position.offset, n));
        }
        sleep(Duration::from_millis(7 + first % 2)).await;
    }
    published
}

#[tokio::test(start_paused = true)]
async fn clients_that_move_see_every_event_once() {
    let balancer = &Balancer::new();
    let mut movers = Vec::new();
    for n in 0..CLIENTS {
        movers.push(Mover::start(balancer, format!("user-{n}")).await.run(balancer));
    }
    let drain = async {
        sleep(Duration::from_millis(300)).await;
        let begin = Instant::now();
        balancer.old.drain(10 * SECOND).spread(Duration::from_millis(500)).await;
        begin.elapsed()
    };
    let (mut published, also_published, took, movers, ()) = tokio::join!(
        publish_from(&balancer.old, 0),
        publish_from(&balancer.new, 1_000_001),
        drain,
        futures_util::future::join_all(movers),
        balancer.check_health(),
    );
    published.extend(also_published);
    published.sort_unstable_by_key(|(_, offset, _)| *offset);
    for mover in &movers {
        for (name, seen) in &mover.rooms {
            let of_room = published.iter().filter(|(room, ..)| room == name);
            let expected: Vec<_> = of_room.map(|(.., n)| *n).collect();
            assert_eq!(seen.events, expected, "{} in {name}", mover.user);
        }
    }
    assert!(took < SECOND * 2, "{took:?}: nobody was there to wait for");
    assert_eq!((balancer.old.session_count(), balancer.new.session_count()), (0, CLIENTS));
    assert_eq!(balancer.old.metrics().connections_left, 0);
    // What this test is about has happened.
    assert!(movers.iter().any(|mover| mover.refusals > 0), "the balancer noticed too early");
    assert!(movers.iter().any(|mover| mover.repeats > 0), "both connections never overlapped");
}

#[tokio::test(start_paused = true)]
async fn what_is_published_again_on_the_other_node_is_appended_once() {
    let balancer = &Balancer::new();
    let mut client = balancer.connect("ann").await.unwrap();
    let mut witness = Client::connect(&balancer.new).path("/ws?user=bob").hello().await.unwrap();
    witness.subscribe(&room("a")).await.unwrap();
    let first = publish_once(&mut client, 50, 1, "m-1").await;
    let drained = tokio::spawn(balancer.old.drain(10 * SECOND).into_future());
    asked(&mut client).await;
    let second = publish_once(&mut client, 51, 2, "m-2").await;
    balancer.check_health().await;
    // Whose answer was lost does not know, and publishes again.
    let mut new = balancer.connect("ann").await.unwrap();
    client.close(CloseCode::NORMAL, "").await.unwrap();
    drained.await.unwrap();
    for (id, n, mid, earlier) in [(60, 2, "m-2", &second), (61, 1, "m-1", &first)] {
        let answer = publish_once(&mut new, id, n, mid).await;
        assert_eq!((&*answer.topic, answer.data.get()), ("$reply", earlier.data.get()));
    }
    publish_once(&mut new, 62, 3, "m-3").await;
    for n in 1..=3 {
        assert_eq!(witness.next_event::<Room>().await.unwrap().data, n);
    }
    witness.ping().await.unwrap();
    assert!(witness.try_next().is_none());
}

async fn join(client: &mut Client) {
    let wish = json!({ "topic": "room:a", "presence": true });
    client.request("$subscribe", &wish).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn members_that_move_are_not_seen_to_leave() {
    const USERS: [&str; 3] = ["ann", "bob", "cid"];
    let balancer = &Balancer::new();
    let mut members = Vec::new();
    for user in USERS {
        let mut client = balancer.connect(user).await.unwrap();
        join(&mut client).await;
        members.push((user, client));
    }
    sleep(SECOND).await;
    let mut eve = Client::connect(&balancer.new).path("/ws?user=eve").hello().await.unwrap();
    eve.request("$subscribe", &json!({ "topic": "$presence:room:a" })).await.unwrap();
    assert_eq!(balancer.new.topic(room("a")).member_count().await, Ok(3));
    let drained = tokio::spawn(balancer.old.drain(10 * SECOND).into_future());
    balancer.check_health().await;
    let mut moved = Vec::new();
    for (user, mut old) in members {
        asked(&mut old).await;
        let mut new = balancer.connect(user).await.unwrap();
        join(&mut new).await;
        latency().await;
        old.close(CloseCode::NORMAL, "").await.unwrap();
        moved.push(new);
    }
    drained.await.unwrap();
    // Longer than the time after which a member that was lost has left.
    sleep(10 * SECOND).await;
    eve.ping().await.unwrap();
    assert!(eve.try_next().is_none());
    assert_eq!(balancer.new.topic(room("a")).member_count().await, Ok(3));
    drop(moved);
    let left: Value = eve.next_of("$presence:room:a").await.unwrap().decode().unwrap();
    assert_eq!(left, json!({ "left": USERS }));
}
