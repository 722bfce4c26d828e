//! One client that stops reading among a thousand, under each overflow policy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tidewire::{Live, Overflow};
use tokio::task::{JoinSet, yield_now};
use ts_rs::TS;

use crate::{
    ALLOCATOR,
    scene::{Scene, stage},
    support::{Client, PATIENCE},
};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Sample {
    key: u64,
    padding: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Samples {
        topic Closing = "closing" { event: Sample, key: key }
        topic Dropping = "dropping" { event: Sample, key: key }
        topic Conflating = "conflating" { event: Sample, key: key }
        topic Resyncing = "resyncing" { event: Sample, key: key }
    }
}

const TOPICS: [&str; 4] = ["closing", "dropping", "conflating", "resyncing"];

/// Clients that read, a quarter of them each topic.
const READERS: usize = 1000;

/// Events before they come, and while they read: together more than a socket and its queue take of one that does not, the first alone less.
const EARLY_EVENTS: u64 = 12;
const EVENTS: u64 = 18;
const BYTES: usize = 8 * 1024;
const QUEUE_BYTES: usize = 64 * 1024;

/// Events once only those are there that do not read: 8 MiB in each topic.
const MORE_EVENTS: u64 = 1024;

const IN_TIME: Duration = Duration::from_secs(1);

/// What four histories and four queues may hold.
const MOST_BYTES: usize = 4 * ((1 << 20) + QUEUE_BYTES);

fn live() -> Live<()> {
    stage()
        .topic::<Closing>(|topic| topic.public())
        .topic::<Dropping>(|topic| topic.public().overflow(Overflow::DropOldest))
        .topic::<Conflating>(|topic| topic.public().overflow(Overflow::Conflate))
        .topic::<Resyncing>(|topic| topic.public().overflow(Overflow::Resync))
        .queue_bytes(QUEUE_BYTES)
        .write_timeout(PATIENCE * 6)
        .build()
}

async fn publish(live: &Live<()>, number: u64) {
    let sample = Sample { key: number % 4, padding: "x".repeat(BYTES) };
    live.topic(Closing).publish(&sample).await.unwrap();
    live.topic(Dropping).publish(&sample).await.unwrap();
    live.topic(Conflating).publish(&sample).await.unwrap();
    live.topic(Resyncing).publish(&sample).await.unwrap();
}

/// Reads every event, each after the one before it, and counts them in `heard`.
async fn read(mut client: Client, heard: Arc<AtomicUsize>) {
    for number in EARLY_EVENTS + 1..=EARLY_EVENTS + EVENTS {
        let frame = client.frame().await;
        assert_eq!(
            (frame["prev"].as_u64(), frame["offset"].as_u64()),
            (Some(number - 1), Some(number))
        );
        heard.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until all have heard so many; returns how long that took.
async fn all_hear(heard: &AtomicUsize, count: usize) -> Duration {
    let start = Instant::now();
    while heard.load(Ordering::Relaxed) < count {
        assert!(start.elapsed() < PATIENCE, "{} of {count}", heard.load(Ordering::Relaxed));
        yield_now().await;
    }
    start.elapsed()
}

/// What a client that did not read is told when it does again.
async fn read_on(topic: &str, client: &mut Client, last: u64) {
    let mut causes = Vec::new();
    loop {
        let frame = client.frame().await;
        match &frame["topic"] {
            gap if gap == "$gap" => {
                causes.push(frame["data"]["cause"].as_str().unwrap().to_owned())
            }
            _ if frame["offset"] == last => break,
            _ => {}
        }
        if topic == "resyncing" && !causes.is_empty() {
            break;
        }
    }
    let cause = match topic {
        "dropping" => "dropped",
        "conflating" => "conflated",
        _ => "lost",
    };
    assert!(!causes.is_empty() && causes.iter().all(|told| told == cause), "{topic}: {causes:?}");
}

#[tokio::test]
async fn one_that_stops_reading_among_a_thousand_costs_the_others_nothing() {
    raise_file_limit();
    let scene = Scene::start(live()).await;
    let live = &scene.live;
    let mut stopped = Vec::new();
    for topic in TOPICS {
        let mut client = scene.full().await;
        client.subscribe(topic).await;
        stopped.push(client);
    }
    for number in 1..=EARLY_EVENTS {
        publish(live, number).await;
    }
    assert_eq!(live.metrics().lags_total, 0, "it happens while others read");
    let (mut readers, heard) = (JoinSet::new(), Arc::<AtomicUsize>::default());
    for reader in 0..READERS {
        let mut client = scene.full().await;
        client.subscribe(TOPICS[reader % TOPICS.len()]).await;
        readers.spawn(read(client, Arc::clone(&heard)));
    }

    let (mut slowest, mut before) = (Duration::ZERO, 0);
    for number in 1..=EVENTS {
        publish(live, EARLY_EVENTS + number).await;
        slowest = slowest.max(all_hear(&heard, READERS * number as usize).await);
        if number == 1 {
            before = ALLOCATOR.current_usage();
        }
    }
    assert!(slowest < IN_TIME, "one waited for {slowest:?}");
    let grown = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(grown < MOST_BYTES, "{grown} bytes more");
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    let metrics = live.metrics();
    assert_eq!(metrics.lags_total, 3, "each but the one that was closed");
    assert!(metrics.closed_total.contains(&("slow_consumer", 1)));

    // However much more comes, a reader that is behind costs what history does.
    let last = EARLY_EVENTS + EVENTS + MORE_EVENTS;
    for number in last - MORE_EVENTS + 1..=last {
        publish(live, number).await;
        yield_now().await;
    }
    let grown = ALLOCATOR.current_usage().saturating_sub(before);
    assert!(grown < MOST_BYTES, "{grown} bytes more");
    for (topic, client) in TOPICS.into_iter().zip(&mut stopped).skip(1) {
        read_on(topic, client, last).await;
    }
}

/// Both ends of each connection are in this process.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("up to its maximum it is free");
}
