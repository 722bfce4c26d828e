use tidewire_protocol::topic::Retention;

use super::{super::Keep, *};

const KEEP: Keep =
    Keep { retention: Retention { events: 3, age_ms: 1000, bytes: 1000 }, is_keyed: false };

#[derive(Default)]
struct Seen(Mutex<Vec<(u64, u64)>>);

impl Sink for Seen {
    fn deliver(self: Arc<Self>, record: &Record) {
        self.0.lock().unwrap().push((record.offset, record.prev));
    }
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

async fn publish(broker: &MemoryBroker, name: &str) -> Result<Place, BrokerError> {
    let data = serde_json::value::to_raw_value(&1).unwrap();
    broker.publish(&topic(name), Publish::new(Arc::new(Event::new(data)), KEEP)).await
}

#[tokio::test]
async fn a_sink_gets_every_event_after_it_was_attached_in_order() {
    let broker = MemoryBroker::default();
    publish(&broker, "a").await.unwrap();
    let seen = Arc::new(Seen::default());
    let sink: Arc<dyn Sink> = Arc::clone(&seen) as Arc<dyn Sink>;
    let place = broker.attach(&topic("a"), Arc::clone(&sink)).await.unwrap();
    assert_eq!(place.offset, 1);
    for offset in 2..4 {
        assert_eq!(publish(&broker.clone(), "a").await.unwrap(), Place { offset, ..place.clone() });
    }
    broker.detach(&topic("a"), &sink);
    publish(&broker, "a").await.unwrap();
    assert_eq!(*seen.0.lock().unwrap(), [(2, 1), (3, 2)]);
}

#[tokio::test]
async fn history_is_read_whole_or_said_to_be_lost() {
    let broker = MemoryBroker::default();
    let first = publish(&broker, "a").await.unwrap();
    for _ in 0..4 {
        publish(&broker, "a").await.unwrap();
    }
    let page = |after: Place, most| {
        let broker = broker.clone();
        async move {
            let page = broker.read(&topic("a"), &after, Reading::All, most).await.unwrap();
            (
                page.records.iter().map(|record| record.offset).collect::<Vec<_>>(),
                page.missing,
                page.head,
            )
        }
    };
    let at = |offset| Place { offset, ..first.clone() };
    assert_eq!(page(at(2), 2).await, (vec![3, 4], None, 5));
    assert_eq!(page(at(5), 2).await, (vec![], None, 5));
    assert_eq!(page(at(1), 9).await, (vec![], Some(GapCause::Lost), 5));
    assert_eq!(
        page(Place { epoch: "other".into(), offset: 4 }, 9).await,
        (vec![], Some(GapCause::Lost), 5)
    );
    let (start, place) = broker.start(&topic("a"), Some((first.epoch.as_str(), 3))).await.unwrap();
    assert_eq!((start, place.offset), (Start::Recovered(3), 5));
}

#[tokio::test]
async fn a_range_of_history_is_bounded_at_its_far_end() {
    let broker = MemoryBroker::default();
    for _ in 0..4 {
        publish(&broker, "a").await.unwrap();
    }
    // Of four events history holds the offsets 2 to 4, one byte each.
    for (after, before, limit, bytes, expected) in [
        (None, None, 9, 9, vec![2, 3, 4]),
        (None, None, 2, 9, vec![3, 4]),
        (None, Some(4), 1, 9, vec![3]),
        (Some(1), None, 2, 9, vec![2, 3]),
        (Some(2), Some(4), 9, 9, vec![3]),
        (Some(0), None, 9, 2, vec![2, 3]),
        (None, None, 9, 0, vec![4]),
        (Some(4), None, 9, 9, vec![]),
    ] {
        let range = Range { after, before, limit, bytes };
        let slice = broker.history(&topic("a"), range).await.unwrap();
        let offsets: Vec<_> = slice.records.iter().map(|record| record.offset).collect();
        assert_eq!((offsets, slice.place.offset), (expected, 4), "{range:?}");
    }
}

#[tokio::test]
async fn there_are_no_more_topics_than_there_may_be() {
    let broker = MemoryBroker::new(MemoryLimits { topics: 2, ..MemoryLimits::default() });
    publish(&broker, "a").await.unwrap();
    publish(&broker, "b").await.unwrap();
    assert_eq!(publish(&broker, "c").await, Err(BrokerError::TooManyTopics));
    publish(&broker, "a").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_topic_is_forgotten_and_comes_again_in_a_new_epoch() {
    let broker = MemoryBroker::default();
    let before = publish(&broker, "idle").await.unwrap();
    let sink: Arc<dyn Sink> = Arc::new(Seen::default());
    broker.attach(&topic("used"), sink).await.unwrap();
    for n in 0..1000 {
        broker.start(&topic(&format!("n{n}")), None).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(61)).await;
    // Whoever comes by sweeps a shard, wherever its own topic is.
    for _ in 0..SHARDS {
        tokio::time::advance(Duration::from_millis(SWEEP_EVERY_MS)).await;
        broker.start(&topic("used"), None).await.unwrap();
    }
    assert_eq!(broker.topics(), 1, "`used` alone");
    let after = publish(&broker, "idle").await.unwrap();
    assert_eq!(after.offset, 1);
    assert_ne!(after.epoch, before.epoch);
}

#[tokio::test(start_paused = true)]
async fn idle_topics_make_room_wherever_they_are() {
    let broker = MemoryBroker::new(MemoryLimits { topics: 200, ..MemoryLimits::default() });
    for n in 0..200 {
        publish(&broker, &format!("old-{n}")).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(120)).await;
    for n in 0..200 {
        publish(&broker, &format!("new-{n}")).await.unwrap();
    }
    assert_eq!(publish(&broker, "one more").await, Err(BrokerError::TooManyTopics));
}

#[tokio::test(start_paused = true)]
async fn where_room_is_needed_names_that_were_never_published_to_go_first() {
    let broker = MemoryBroker::new(MemoryLimits { topics: 10, ..MemoryLimits::default() });
    let kept = publish(&broker, "kept").await.unwrap();
    for n in 0..9 {
        broker.start(&topic(&format!("invented{n}")), None).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    publish(&broker, "new").await.unwrap();
    assert_eq!(publish(&broker, "kept").await.unwrap(), Place { offset: 2, ..kept });
}
