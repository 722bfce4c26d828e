//! Clients that read slower than is published, by their topics' policies, over real sockets.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidewire::{
    Live, Overflow, Topic,
    broker::{
        Broker, BrokerFuture, Held, Hold, MemoryBroker, Page, Place, Publish, Range, Sink, Slice,
    },
};
use tidewire_protocol::topic::{Reading, Start};
use ts_rs::TS;

use crate::support::{Client, Server};

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Sample {
    key: String,
    number: u64,
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

/// Keys of the samples.
const KEYS: u64 = 8;

fn live() -> Live<()> {
    const HISTORY: Duration = Duration::from_secs(600);
    Live::<()>::builder()
        .topic::<Closing>(|topic| topic.public())
        .topic::<Dropping>(|topic| topic.public().overflow(Overflow::DropOldest))
        .topic::<Conflating>(|topic| topic.public().overflow(Overflow::Conflate))
        .topic::<Resyncing>(|topic| {
            topic.public().overflow(Overflow::Resync).history(10_000, HISTORY)
        })
        .build()
}

/// Publishes the samples `from` to `to` of about so many bytes.
async fn publish(live: &Live<()>, topic: &str, from: u64, to: u64, bytes: usize) {
    for number in from..=to {
        let key = format!("k{}", number % KEYS);
        let sample = Sample { key, number, padding: "x".repeat(bytes) };
        match topic {
            "closing" => live.topic(Closing).publish(&sample).await.unwrap(),
            "dropping" => live.topic(Dropping).publish(&sample).await.unwrap(),
            "conflating" => live.topic(Conflating).publish(&sample).await.unwrap(),
            _ => live.topic(Resyncing).publish(&sample).await.unwrap(),
        };
    }
}

/// What a client saw from one position to another.
#[derive(Debug, Default)]
struct Seen {
    offsets: Vec<u64>,
    /// Bytes of all events.
    bytes: usize,
    /// Bytes of each key's last event.
    last_bytes: BTreeMap<String, usize>,
    /// After, to and cause.
    gaps: Vec<(u64, u64, String)>,
}

/// Reads up to the event `last`, and checks that nothing is missing but what a gap tells.
async fn read_to(client: &mut Client, position: u64, last: u64) -> Seen {
    let (mut seen, mut at, mut waived) = (Seen::default(), position, 0);
    while at < last {
        let frame = client.frame().await;
        if frame["topic"] == "$gap" {
            let number = |field: &str| frame["data"][field].as_u64().unwrap();
            let (after, to) = (number("after"), number("to"));
            assert_eq!(after, at, "{frame}");
            waived = to;
            seen.gaps.push((after, to, frame["data"]["cause"].as_str().unwrap().into()));
            continue;
        }
        let (offset, prev) = (frame["offset"].as_u64().unwrap(), frame["prev"].as_u64().unwrap());
        assert!(prev == at || (prev > at && prev <= waived), "after {at} {prev}");
        assert_eq!(frame["data"]["number"], Value::from(offset));
        at = offset;
        seen.offsets.push(offset);
        let bytes = frame.to_string().len();
        seen.bytes += bytes;
        seen.last_bytes.insert(frame["key"].as_str().unwrap().into(), bytes);
    }
    seen
}

/// What may stand between a client and the latest.
const OLD_BYTES: usize = 256 * 1024;

/// A client subscribes and reads nothing while so much is published, then reads on. Returns what it saw up to the last event.
async fn stop_and_read_on(live: &Live<()>, topic: &str, count: u64, bytes: usize) -> Seen {
    let server = Server::start(live).await;
    let mut client = server.full().await;
    client.subscribe(topic).await;
    publish(live, topic, 1, count, bytes).await;
    let seen = read_to(&mut client, 0, count).await;
    // It is live again.
    publish(live, topic, count + 1, count + 1, bytes).await;
    assert_eq!(read_to(&mut client, count, count + 1).await.offsets, [count + 1], "{topic}");
    assert_eq!(live.session_count(), 1, "{topic}: it was not closed");
    seen
}

#[tokio::test]
async fn little_that_is_old_stands_between_a_slow_client_and_the_latest() {
    // Many small ones, and few large ones.
    for (count, bytes) in [(20_000, 50), (3000, 1000), (150, 20_000)] {
        let live = live();
        for (topic, cause) in [("dropping", "dropped"), ("conflating", "conflated")] {
            let seen = stop_and_read_on(&live, topic, count, bytes).await;
            assert!(!seen.gaps.is_empty() && seen.gaps.iter().all(|gap| gap.2 == cause));
            let latest = if topic == "conflating" {
                let last = &seen.offsets[seen.offsets.len() - KEYS as usize..];
                assert_eq!(last, (count - KEYS + 1..=count).collect::<Vec<_>>(), "each key's last");
                seen.last_bytes.values().sum()
            } else {
                bytes
            };
            let old = seen.bytes - latest;
            assert!(old <= OLD_BYTES, "{topic}: {old} bytes, {bytes} each");
        }
        let metrics = live.metrics();
        assert!(metrics.lags_total >= 2, "{}", metrics.lags_total);
        for (cause, total) in metrics.gaps_total {
            assert_eq!(total > 0, cause != "lost", "{cause}: {total}");
        }
    }
}

#[tokio::test]
async fn a_slow_client_that_resyncs_misses_nothing_that_history_has() {
    let live = live();
    let seen = stop_and_read_on(&live, "resyncing", 900, 1000).await;
    assert_eq!(seen.offsets, (1..=900).collect::<Vec<_>>());
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    assert_eq!(live.metrics().lags_total, 1);
}

#[tokio::test]
async fn a_slow_client_that_resyncs_too_late_is_told_and_comes_back() {
    let live = live();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let epoch = client.subscribe("resyncing").await["epoch"].clone();
    publish(&live, "resyncing", 1, 3000, 1000).await;
    let mut at = 0;
    let gap = loop {
        let frame = client.frame().await;
        if frame["topic"] == "$gap" {
            break frame["data"].clone();
        }
        at = frame["offset"].as_u64().unwrap();
    };
    assert_eq!(gap["cause"], "lost");
    assert_eq!((&gap["after"], &gap["to"]), (&Value::from(at), &Value::from(3000)));
    let subscribed = client.subscribe_since("resyncing", &epoch, at).await;
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&false.into(), &3000.into()));
    publish(&live, "resyncing", 3001, 3001, 1000).await;
    assert_eq!(read_to(&mut client, 3000, 3001).await.offsets, [3001]);
}

#[tokio::test]
async fn a_client_that_is_always_behind_sees_what_its_policy_promises() {
    for topic in ["dropping", "conflating", "resyncing"] {
        let live = live();
        let server = Server::start(&live).await;
        let mut client = server.full().await;
        client.subscribe(topic).await;
        // It reads a little, again and again, while more is published than it reads.
        let (mut at, mut published, mut seen) = (0, 0, 0);
        for _ in 0..12 {
            publish(&live, topic, published + 1, published + 200, 300).await;
            published += 200;
            let read = read_to(&mut client, at, at + 20).await;
            at = *read.offsets.last().unwrap();
            seen += read.offsets.len();
        }
        let read = read_to(&mut client, at, published).await;
        seen += read.offsets.len();
        assert_eq!(seen == 2400, topic == "resyncing", "{topic}: {seen} of 2400");
    }
}

#[tokio::test]
async fn a_phone_that_missed_900_messages_comes_back_whole_once() {
    let live = Live::<()>::builder()
        .topic::<Closing>(|topic| topic.public().history(1000, Duration::from_secs(600)))
        .build();
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let epoch = client.subscribe("closing").await["epoch"].clone();
    publish(&live, "closing", 1, 50, 800).await;
    read_to(&mut client, 0, 50).await;
    drop(client);
    publish(&live, "closing", 51, 950, 800).await;
    let mut client = server.full().await;
    let subscribed = client.subscribe_since("closing", &epoch, 50).await;
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&true.into(), &50.into()));
    // More comes before it has read what it missed.
    publish(&live, "closing", 951, 990, 800).await;
    let seen = read_to(&mut client, 50, 990).await;
    assert_eq!(seen.offsets, (51..=990).collect::<Vec<_>>());
    assert!(seen.gaps.is_empty());
    publish(&live, "closing", 991, 991, 800).await;
    assert_eq!(read_to(&mut client, 990, 991).await.offsets, [991], "and nothing again");
}

/// A broker whose history takes its time.
#[derive(Debug)]
struct SlowReads(MemoryBroker);

impl Broker for SlowReads {
    fn publish<'a>(&'a self, topic: &'a Topic, publish: Publish) -> BrokerFuture<'a, Place> {
        self.0.publish(topic, publish)
    }

    fn attach<'a>(&'a self, topic: &'a Topic, sink: Arc<dyn Sink>) -> BrokerFuture<'a, Place> {
        self.0.attach(topic, sink)
    }

    fn detach(&self, topic: &Topic, sink: &Arc<dyn Sink>) {
        self.0.detach(topic, sink);
    }

    fn start<'a>(
        &'a self,
        topic: &'a Topic,
        since: Option<(&'a str, u64)>,
    ) -> BrokerFuture<'a, (Start, Place)> {
        self.0.start(topic, since)
    }

    fn read<'a>(
        &'a self,
        topic: &'a Topic,
        after: &'a Place,
        reading: Reading,
        most: usize,
    ) -> BrokerFuture<'a, Page> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.0.read(topic, after, reading, most).await
        })
    }

    fn history<'a>(&'a self, topic: &'a Topic, range: Range) -> BrokerFuture<'a, Slice> {
        self.0.history(topic, range)
    }

    fn state<'a>(&'a self, topic: &'a Topic) -> BrokerFuture<'a, Slice> {
        self.0.state(topic)
    }

    fn hold<'a>(&'a self, topic: &'a Topic, hold: Hold) -> BrokerFuture<'a, Held> {
        self.0.hold(topic, hold)
    }
}

#[tokio::test]
async fn while_one_history_is_read_others_begin_to_be() {
    let live = Live::<()>::builder()
        .topic::<Closing>(|topic| topic.public())
        .topic::<Resyncing>(|topic| topic.public().overflow(Overflow::Resync))
        .broker(SlowReads(MemoryBroker::default()))
        .build();
    for topic in ["closing", "resyncing"] {
        publish(&live, topic, 1, 100, 10).await;
    }
    let server = Server::start(&live).await;
    let mut client = server.full().await;
    let mut position = async |topic: &str| client.subscribe(topic).await["epoch"].clone();
    let (closing, resyncing) = (position("closing").await, position("resyncing").await);
    // The second is asked for while the first is read.
    client.subscribe_since("closing", &closing, 0).await;
    client.subscribe_since("resyncing", &resyncing, 0).await;
    let mut at = BTreeMap::<String, u64>::new();
    while at.values().sum::<u64>() < 200 {
        let frame = client.frame().await;
        let offset = frame["offset"].as_u64().unwrap();
        let before = at.insert(frame["topic"].as_str().unwrap().into(), offset);
        assert_eq!(before.unwrap_or(0) + 1, offset, "{frame}");
    }
}
