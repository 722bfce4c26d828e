//! Subscriptions whose sockets do not keep up, by their topics' policies.

use serde_json::{Value, json};

use super::*;

/// Events that a queue takes here.
const QUEUE: usize = 4;

/// A topic with so much history, and one reader whose socket takes nothing until it is asked for its frames.
struct World {
    hub: Arc<Hub>,
    topic: Topic,
    keep: Keep,
    published: u64,
    reader: Reader,
    _subscription: Subscription,
}

impl World {
    async fn new(overflow: Overflow, history: usize) -> Self {
        let (hub, topic) = hub();
        let reader = Reader::with_queue(QUEUE);
        let (_subscription, _) = subscribe_with(&hub, &topic, &reader, None, overflow).await;
        let retention = Retention { events: history, age_ms: 60_000, bytes: ROOM };
        let keep = Keep { retention, is_keyed: true };
        Self { hub, topic, keep, published: 0, reader, _subscription }
    }

    /// Publishes so many events, of three keys in turn, with so many bytes of data.
    async fn publish(&mut self, count: u64, bytes: usize) {
        for _ in 0..count {
            self.published += 1;
            let data = serde_json::value::to_raw_value(&"x".repeat(bytes)).unwrap();
            let mut event = broker::Event::new(data);
            event.key = Some(format!("k{}", self.published % 3).into());
            let publish = Publish::new(Arc::new(event), self.keep);
            self.hub.broker().publish(&self.topic, publish).await.unwrap();
        }
    }

    /// The cursors that the connection's task is told of, and whether there is room for what they read.
    fn lagging(&self) -> (Vec<CatchUp>, bool) {
        self.reader.outbox.take_behind()
    }

    /// The offsets of what has come; of a gap its ends and cause.
    async fn received(&mut self) -> Vec<Value> {
        let frames = self.reader.frames().await;
        let short = |frame: Value| match &frame["data"] {
            gap if frame["topic"] == "$gap" => json!([gap["after"], gap["to"], gap["cause"]]),
            _ => frame["offset"].clone(),
        };
        frames.into_iter().map(short).collect()
    }

    /// Reads on until the subscription is live. Returns what came.
    async fn catch_up(&mut self, cursor: &CatchUp) -> Vec<Value> {
        let mut received = Vec::new();
        loop {
            let step = cursor.step(&self.reader.outbox).await.unwrap();
            received.append(&mut self.received().await);
            if step == CaughtUp::Yes {
                return received;
            }
        }
    }
}

fn offsets(range: std::ops::RangeInclusive<u64>) -> Vec<Value> {
    range.map(Value::from).collect()
}

/// Publishes 200 events to a reader that takes nothing, and reads on: `expected` comes after what its queue took.
async fn check(overflow: Overflow, history: usize, expected: Vec<Value>) {
    let mut world = World::new(overflow, history).await;
    world.publish(200, 10).await;
    let (cursors, has_room) = world.lagging();
    assert!(cursors.len() == 1 && !has_room, "{overflow:?}: once, and not yet");
    assert_eq!(world.received().await, offsets(1..=QUEUE as u64));
    assert!(world.lagging().1, "now");
    assert_eq!(world.catch_up(&cursors[0]).await, expected, "{overflow:?}");
    world.publish(1, 10).await;
    assert_eq!(world.received().await, [201], "{overflow:?}: it is live");
}

#[tokio::test]
async fn each_policy_reads_on_in_its_own_way() {
    let dropped = [vec![json!([4, 136, "dropped"])], offsets(137..=200)].concat();
    check(Overflow::DropOldest, 1000, dropped.clone()).await;
    check(Overflow::DropOldest, 64, dropped).await;
    let dropped = [vec![json!([4, 190, "dropped"])], offsets(191..=200)].concat();
    check(Overflow::DropOldest, 10, dropped).await;
    check(Overflow::DropOldest, 0, vec![json!([4, 200, "dropped"])]).await;
    let conflated = [vec![json!([4, 200, "conflated"])], offsets(198..=200)].concat();
    check(Overflow::Conflate, 0, conflated).await;
    check(Overflow::Resync, 1000, offsets(5..=200)).await;
    check(Overflow::Resync, 195, vec![json!([4, 200, "lost"])]).await;
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    let mut world = World::new(Overflow::DropOldest, 1000).await;
    // The first is taken into an empty queue, whatever its size.
    world.publish(1, 70_000).await;
    world.publish(2, 10).await;
    assert_eq!(world.reader.outbox.queued().0, 1);
    let (cursors, _) = world.lagging();
    assert_eq!(world.received().await, [1]);
    // A page counts for nothing, but nothing is put behind it that can wait in history.
    world.publish(3, 30_000).await;
    assert_eq!(cursors[0].step(&world.reader.outbox).await, Ok(CaughtUp::Yes));
    world.publish(1, 30_000).await;
    assert_eq!(world.reader.outbox.queued(), (0, 0));
    assert_eq!(world.received().await, [json!([1, 5, "dropped"]), json!(6)]);
    let (cursors, _) = world.lagging();
    assert_eq!(world.catch_up(&cursors[0]).await, [7]);
}

#[tokio::test]
async fn a_plain_reader_is_told_of_no_gap() {
    let mut world = World::new(Overflow::DropOldest, 1000).await;
    let reader = Reader::with_queue(QUEUE);
    let plain = super::super::Reader {
        session: &"plain".into(),
        outbox: &reader.outbox,
        is_full: false,
        overflow: Overflow::DropOldest,
        leaves_out: true,
    };
    let _subscription =
        world.hub.subscribe(&world.topic, plain, Beginning::Head, |_| {}).await.unwrap();
    world.reader = reader;
    world.publish(200, 10).await;
    let (cursors, _) = world.lagging();
    assert_eq!(world.reader.frames().await.len(), QUEUE);
    assert_eq!(cursors[0].step(&world.reader.outbox).await, Ok(CaughtUp::Yes));
    let frames = world.reader.frames().await;
    assert!(frames.len() == 64 && frames.iter().all(|frame| frame["topic"] == "t"), "{frames:?}");
}

#[tokio::test]
async fn a_closed_outbox_holds_no_cursor() {
    let mut world = World::new(Overflow::Resync, 1000).await;
    world.publish(10, 10).await;
    world.reader.outbox.release();
    assert!(world.lagging().0.is_empty());
    let local = world.hub.find(&world.topic).unwrap();
    world.reader.outbox.close(crate::close::CloseReason::Lost);
    world.reader.outbox.read_on(CatchUp { local, key: 0 });
    assert!(world.lagging().0.is_empty());
}

/// Subscribes behind a snapshot of the beginning, made while 200 events came, of a topic that keeps ten.
async fn check_late_snapshot(overflow: Overflow, expected: Option<Vec<Value>>) {
    let mut world = World::new(Overflow::Close, 10).await;
    let (_, place) = world.hub.broker().start(&world.topic, None).await.unwrap();
    let passage = world.hub.hold(&world.topic).share("{}");
    let taken = Taken { place, passage, version: None };
    world.publish(200, 10).await;
    let reader = Reader::with_queue(QUEUE);
    let session = "late".into();
    let late = super::super::Reader {
        session: &session,
        outbox: &reader.outbox,
        is_full: true,
        overflow,
        leaves_out: true,
    };
    let beginning = Beginning::Snapshot(&taken);
    let hub = Arc::clone(&world.hub);
    let can_begin = hub.can_begin(&world.topic, beginning, overflow).await;
    assert_eq!(can_begin, Ok(expected.is_some()), "{overflow:?}");
    let subscribed = hub.subscribe(&world.topic, late, beginning, |_| {}).await.unwrap();
    assert_eq!(subscribed.is_some(), expected.is_some(), "{overflow:?}");
    let (Some(expected), Some((subscription, began))) = (expected, subscribed) else { return };
    assert_eq!((began.position.offset, began.head, began.is_catching_up), (0, 200, true));
    world.reader = reader;
    assert_eq!(world.catch_up(&subscription.catch_up()).await, expected, "{overflow:?}");
}

#[tokio::test]
async fn a_late_snapshot_is_followed_by_what_its_policy_gives() {
    check_late_snapshot(Overflow::Close, None).await;
    check_late_snapshot(Overflow::Resync, None).await;
    let dropped = [vec![json!([0, 190, "dropped"])], offsets(191..=200)].concat();
    check_late_snapshot(Overflow::DropOldest, Some(dropped)).await;
    let conflated = [vec![json!([0, 200, "conflated"])], offsets(198..=200)].concat();
    check_late_snapshot(Overflow::Conflate, Some(conflated)).await;
}
