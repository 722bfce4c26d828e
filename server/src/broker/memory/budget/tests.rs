use std::time::Duration;

use tidewire_protocol::{
    name::Topic,
    topic::{Retention, Start},
};

use super::super::{
    super::{Broker, BrokerError, Event, Keep, Place, Publish, Range},
    MemoryBroker, MemoryLimits,
};
use super::*;

const LIMIT: usize = 64 * 1024;
const RETENTION: Retention = Retention { events: 1000, age_ms: 600_000, bytes: 1 << 20 };

fn broker() -> MemoryBroker {
    MemoryBroker::new(MemoryLimits { bytes: LIMIT, ..MemoryLimits::default() })
}

fn topic(number: u64) -> Topic {
    Topic::parse(&format!("t{number}")).unwrap()
}

/// Publishes a number in a topic, padded to so many bytes.
async fn publish(
    broker: &MemoryBroker,
    to: u64,
    number: u64,
    bytes: usize,
    keep: Keep,
    key: Option<&str>,
) -> Result<Place, BrokerError> {
    let data = serde_json::value::to_raw_value(&format!("{number:0bytes$}")).unwrap();
    let mut event = Event::new(data);
    event.key = key.map(Into::into);
    let placed = broker.publish(&topic(to), Publish::new(Arc::new(event), keep)).await;
    assert!(broker.bytes() <= LIMIT, "{}", broker.bytes());
    placed
}

const LOGGED: Keep = Keep { retention: RETENTION, is_keyed: false };
const KEYED: Keep = Keep { retention: RETENTION, is_keyed: true };

/// The numbers that history holds in all topics, ascending.
async fn held(broker: &MemoryBroker, topics: u64) -> Vec<u64> {
    let mut held = Vec::new();
    for number in 0..topics {
        let range = Range { after: Some(0), before: None, limit: usize::MAX, bytes: usize::MAX };
        let slice = broker.history(&topic(number), range).await.unwrap();
        let number =
            |data: &str| data.trim_matches('"').trim_start_matches('0').parse().unwrap_or(0);
        held.extend(slice.records.iter().map(|record| number(record.event.data.get())));
    }
    held.sort_unstable();
    held
}

#[tokio::test(start_paused = true)]
async fn what_was_published_first_goes_first_whatever_its_topic() {
    let broker = broker();
    let first = publish(&broker, 0, 0, 10, LOGGED, None).await.unwrap();
    // Topics that are published to often and seldom, with much and little.
    for number in 1..1000_u64 {
        tokio::time::advance(Duration::from_millis(1)).await;
        let to = if number % 3 == 0 { number % 50 } else { number % 2 };
        let bytes = 10 + (number as usize * 37) % 400;
        publish(&broker, to, number, bytes, LOGGED, None).await.unwrap();
    }
    let held = held(&broker, 50).await;
    assert!(held.len() > 100 && held.len() < 500, "{}", held.len());
    assert_eq!(held, (1000 - held.len() as u64..1000).collect::<Vec<_>>(), "the newest");
    assert!(broker.bytes() > LIMIT - LIMIT / 100 - 1000, "no more went than had to");
    let since = (first.epoch.as_str(), first.offset);
    let (start, _) = broker.start(&topic(0), Some(since)).await.unwrap();
    assert_eq!(start, Start::Lost);
}

#[tokio::test(start_paused = true)]
async fn topics_whose_events_go_of_themselves_are_no_trouble() {
    let broker = broker();
    let last_only = Keep { retention: Retention { events: 1, ..RETENTION }, is_keyed: false };
    for number in 0..2000_u64 {
        tokio::time::advance(Duration::from_millis(1)).await;
        let keep = if number % 2 == 0 { last_only } else { LOGGED };
        publish(&broker, number % 10, number, 200, keep, None).await.unwrap();
    }
    let held = held(&broker, 10).await;
    let seldom = held.iter().filter(|number| *number % 2 == 0).count();
    assert_eq!(seldom, 5, "each of them has its last: {held:?}");
}

#[tokio::test]
async fn state_stays_and_what_it_has_no_room_for_is_refused() {
    let broker = broker();
    for number in 0..1000 {
        publish(&broker, 1, number, 100, LOGGED, None).await.unwrap();
    }
    let mut keys = 0;
    while publish(&broker, 0, 0, 1000, KEYED, Some(&keys.to_string())).await.is_ok() {
        keys += 1;
    }
    let state = broker.state(&topic(0)).await.unwrap();
    assert!(keys > 40 && state.records.len() == keys, "{keys}");
    assert!(held(&broker, 2).await.len() < 10, "all else has gone");
    let head = state.place.offset;
    let refused = publish(&broker, 0, 0, 2000, KEYED, Some("0")).await;
    assert_eq!(refused, Err(BrokerError::TooManyKeys), "it would grow");
    let taken = publish(&broker, 0, 0, 1000, KEYED, Some("0")).await.unwrap();
    assert_eq!(taken.offset, head + 1, "what was refused changed nothing");
    let removal = Event { key: Some("0".into()), removed: true, ..Event::new(null()) };
    broker.publish(&topic(0), Publish::new(Arc::new(removal), KEYED)).await.unwrap();
    publish(&broker, 0, 0, 500, KEYED, Some("new")).await.unwrap();
    publish(&broker, 1, 0, 100, LOGGED, None).await.unwrap();
}

fn null() -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::NULL.to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_forgotten_holds_nothing() {
    let broker = broker();
    for number in 0..10 {
        publish(&broker, number, number, 100, LOGGED, None).await.unwrap();
        let key = number.to_string();
        publish(&broker, 20, number, 100, KEYED, Some(&key)).await.unwrap();
        let removal = Event { key: Some(key.into()), removed: true, ..Event::new(null()) };
        broker.publish(&topic(20), Publish::new(Arc::new(removal), KEYED)).await.unwrap();
    }
    assert!(broker.bytes() > 2000);
    for _ in 0..2 * 64 {
        tokio::time::advance(Duration::from_secs(60)).await;
        broker.start(&topic(99), None).await.unwrap();
    }
    assert_eq!((broker.bytes(), broker.topics()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_publish_at_once_stay_within_it() {
    let broker = broker();
    let mut tasks = Vec::new();
    for task in 0..4_u64 {
        let broker = broker.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..3000 {
                let data = serde_json::value::to_raw_value(&number).unwrap();
                let publish = Publish::new(Arc::new(Event::new(data)), LOGGED);
                broker.publish(&topic((number * (task + 1)) % 7), publish).await.unwrap();
                assert!(broker.bytes() < LIMIT + LIMIT / 4);
                tokio::task::yield_now().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    publish(&broker, 0, 0, 10, LOGGED, None).await.unwrap();
    let events = held(&broker, 7).await.len();
    assert!(events > 300, "{events}");
    let bytes: usize = broker
        .inner
        .shards
        .iter()
        .map(|shard| {
            let shard = shard.lock().unwrap();
            shard.values().map(|entry| entry.lock().unwrap().weight().all).sum::<usize>()
        })
        .sum();
    assert_eq!(broker.bytes(), bytes, "nothing was counted twice or not at all");
}
