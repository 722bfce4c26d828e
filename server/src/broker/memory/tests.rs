use tidewire_protocol::topic::Retention;

use super::{
    super::{Keep, Once},
    *,
};

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

fn one() -> Publish {
    let data = serde_json::value::to_raw_value(&1).unwrap();
    Publish::new(Arc::new(Event::new(data)), KEEP)
}

async fn publish(broker: &MemoryBroker, name: &str) -> Result<Place, BrokerError> {
    broker.publish(&topic(name), one()).await
}

async fn publish_once(
    broker: &MemoryBroker,
    scope: &str,
    name: &str,
    epoch: Option<&str>,
) -> Result<u64, BrokerError> {
    let once = Some(Once { scope: scope.into(), name: name.into() });
    let publish = Publish { once, epoch: epoch.map(Into::into), ..one() };
    broker.publish(&topic("a"), publish).await.map(|place| place.offset)
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
    assert_eq!(page(at(1), 9).await, (vec![], Some(Missing::Lost), 5));
    assert_eq!(
        page(Place { epoch: "other".into(), offset: 4 }, 9).await,
        (vec![], Some(Missing::Lost), 5)
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

#[tokio::test(start_paused = true)]
async fn a_range_of_history_has_nothing_that_is_too_old() {
    let broker = MemoryBroker::default();
    publish(&broker, "a").await.unwrap();
    let read = async || broker.history(&topic("a"), Range::last(9)).await.unwrap().records.len();
    assert_eq!(read().await, 1);
    tokio::time::advance(Duration::from_millis(KEEP.retention.age_ms)).await;
    assert_eq!(read().await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_once_is_appended_once() {
    let broker = MemoryBroker::default();
    let epoch = publish(&broker, "a").await.unwrap().epoch;
    let seen = Arc::new(Seen::default());
    broker.attach(&topic("a"), Arc::clone(&seen) as Arc<dyn Sink>).await.unwrap();
    for (scope, name, offset) in
        [("ann", "1", 2), ("ann", "1", 2), ("bob", "1", 3), ("ann", "2", 4), ("ann", "1", 2)]
    {
        assert_eq!(publish_once(&broker, scope, name, None).await, Ok(offset), "{scope} {name}");
    }
    assert_eq!(publish_once(&broker, "ann", "1", Some(epoch.as_str())).await, Ok(2));
    let other = publish_once(&broker, "ann", "1", Some("other")).await;
    assert_eq!(other, Err(BrokerError::OtherEpoch), "the offset would be of another epoch");
    assert_eq!(publish_once(&broker, "ann", "3", Some("other")).await, other);
    assert_eq!(*seen.0.lock().unwrap(), [(2, 1), (3, 2), (4, 3)], "a repeat reaches nobody");
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(publish_once(&broker, "ann", "1", None).await, Ok(5), "remembered for 10 minutes");
}

#[tokio::test(start_paused = true)]
async fn a_topic_is_not_forgotten_while_a_publish_of_it_may_come_again() {
    let broker = MemoryBroker::default();
    let epoch = broker.start(&topic("a"), None).await.unwrap().1.epoch;
    publish_once(&broker, "ann", "1", None).await.unwrap();
    let sweep_after = async |wait| {
        tokio::time::advance(wait).await;
        for _ in 0..SHARDS {
            tokio::time::advance(Duration::from_millis(SWEEP_EVERY_MS)).await;
            broker.start(&topic("other"), None).await.unwrap();
        }
    };
    sweep_after(Duration::from_secs(500)).await;
    assert_eq!(publish_once(&broker, "ann", "1", Some(epoch.as_str())).await, Ok(1));
    sweep_after(Duration::from_secs(700)).await;
    assert_eq!(
        publish_once(&broker, "ann", "1", Some(epoch.as_str())).await,
        Err(BrokerError::OtherEpoch)
    );
}
