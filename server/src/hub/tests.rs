mod lag;

use futures_util::FutureExt;
use tidewire_protocol::{delivery::QueueLimits, topic::Retention};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;
use crate::{
    broker::{self, Keep, MemoryBroker, Publish},
    io::Io,
    ws::{Decoder, Event},
};

const ROOM: usize = 1 << 20;

struct Reader {
    outbox: Arc<Outbox>,
    far: DuplexStream,
    decoder: Decoder,
}

impl Reader {
    fn new() -> Self {
        Self::with_queue(1000)
    }

    fn with_queue(messages: usize) -> Self {
        let (near, far) = duplex(ROOM);
        let limits = QueueLimits { messages, bytes: ROOM };
        let outbox = Arc::new(Outbox::new(Io::stream(near), None, limits, Arc::default()));
        Self { outbox, far, decoder: Decoder::client(ROOM) }
    }

    /// The offsets of all events that have been sent to it.
    async fn offsets(&mut self) -> Vec<u64> {
        self.frames().await.iter().map(|event| event["offset"].as_u64().unwrap()).collect()
    }

    /// All frames that have been sent to it.
    async fn frames(&mut self) -> Vec<serde_json::Value> {
        std::future::poll_fn(|cx| std::task::Poll::Ready(self.outbox.poll_flush(cx)))
            .await
            .unwrap();
        let mut bytes = vec![0; ROOM];
        let Some(Ok(read)) = self.far.read(&mut bytes).now_or_never() else { return Vec::new() };
        let (mut input, mut frames) = (&mut bytes[..read], Vec::new());
        while let Some(Event::Text(text)) = self.decoder.decode(&mut input).unwrap() {
            frames.push(serde_json::from_str(&text).unwrap());
        }
        frames
    }
}

fn hub() -> (Arc<Hub>, Topic) {
    (Hub::new(Arc::new(MemoryBroker::default()), Arc::default()), Topic::parse("t").unwrap())
}

async fn subscribe(
    hub: &Arc<Hub>,
    topic: &Topic,
    reader: &Reader,
    since: Option<&Position>,
) -> (Subscription, Began) {
    subscribe_with(hub, topic, reader, since, Overflow::Close).await
}

async fn subscribe_with(
    hub: &Arc<Hub>,
    topic: &Topic,
    reader: &Reader,
    since: Option<&Position>,
    overflow: Overflow,
) -> (Subscription, Began) {
    let session = "s".into();
    let reader = super::Reader {
        session: &session,
        outbox: &reader.outbox,
        is_full: true,
        overflow,
        leaves_out: true,
    };
    let beginning = since.map_or(Beginning::Head, |since| Beginning::Since(since, None));
    hub.subscribe(topic, reader, beginning, |_| {}).await.unwrap().unwrap()
}

async fn publish(hub: &Hub, topic: &Topic) -> Position {
    let data = serde_json::value::to_raw_value(&1).unwrap();
    let retention = Retention { events: 100, age_ms: 60_000, bytes: ROOM };
    let keep = Keep { retention, is_keyed: false };
    let place = hub
        .broker()
        .publish(topic, Publish::new(Arc::new(broker::Event::new(data)), keep))
        .await
        .unwrap();
    Position { epoch: place.epoch.as_str().into(), offset: place.offset }
}

#[tokio::test]
async fn what_one_turn_publishes_goes_out_as_one_write() {
    let (hub, topic) = hub();
    let mut reader = Reader::new();
    let _subscription = subscribe(&hub, &topic, &reader, None).await;
    gather(|| {
        for _ in 0..16 {
            // As each publish of a hook does, within its connection's turn.
            gather(|| publish(&hub, &topic).now_or_never().unwrap());
        }
        assert!(reader.outbox.is_empty(), "delivered at the end");
    });
    assert_eq!((reader.outbox.waiting(), reader.outbox.queued().0), (1, 16));
    assert_eq!(reader.offsets().await, (1..=16).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_large_topic_is_served_in_slices_between_which_others_run() {
    let (hub, topic) = hub();
    let mut readers = Vec::new();
    let mut subscriptions = Vec::new();
    for _ in 0..200 {
        let reader = Reader::new();
        subscriptions.push(subscribe(&hub, &topic, &reader, None).await);
        readers.push(reader);
    }
    publish(&hub, &topic).await;
    let mut turns = 0;
    while readers[0].outbox.is_empty() {
        tokio::task::yield_now().await;
        turns += 1;
        if turns == 1 {
            assert!(
                !readers[199].outbox.is_empty() && readers[0].outbox.is_empty(),
                "a slice at a time"
            );
            // Meanwhile another comes: it has what this pass brings, by the position it is told.
            let late = Reader::new();
            let (subscription, began) = subscribe(&hub, &topic, &late, None).await;
            assert_eq!(began.position.offset, 1);
            // And one who has it goes: another takes its place in the table.
            drop(subscriptions.swap_remove(180));
            subscriptions.push((subscription, began));
            readers.push(late);
        }
    }
    assert!(turns >= 3, "{turns}");
    publish(&hub, &topic).await;
    while readers[7].outbox.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(readers[200].offsets().await, [2]);
    assert_eq!(readers[7].offsets().await, [1, 2]);
    assert_eq!(readers[180].offsets().await, [1]);
    assert_eq!(readers[199].offsets().await, [1, 2], "each once, wherever its place is");
}

#[tokio::test]
async fn catching_up_ends_live_with_every_event_once() {
    let (hub, topic) = hub();
    let mut first = Reader::new();
    let (_keeps_the_topic, began) = subscribe(&hub, &topic, &first, None).await;
    for _ in 0..90 {
        publish(&hub, &topic).await;
    }
    let mut reader = Reader::new();
    let (subscription, began) = subscribe(&hub, &topic, &reader, Some(&began.position)).await;
    assert_eq!((began.recovered, began.head, began.is_catching_up), (Some(true), 90, true));
    let catch_up = subscription.catch_up();
    assert_eq!(catch_up.step(&reader.outbox).await, Ok(CaughtUp::No));
    publish(&hub, &topic).await;
    assert_eq!(catch_up.step(&reader.outbox).await, Ok(CaughtUp::Yes));
    publish(&hub, &topic).await;
    assert_eq!(reader.offsets().await, (1..=92).collect::<Vec<_>>());
    assert_eq!(first.offsets().await, (1..=92).collect::<Vec<_>>());
    drop(subscription);
    assert_eq!(catch_up.step(&reader.outbox).await, Ok(CaughtUp::Yes), "ended meanwhile");
    assert_eq!(hub.count(&topic), 1);
}

#[tokio::test]
async fn publishers_wait_while_too_much_is_pending() {
    let (hub, topic) = hub();
    let mut subscriptions = Vec::new();
    for _ in 0..100 {
        let reader = Reader::new();
        subscriptions.push((subscribe(&hub, &topic, &reader, None).await, reader));
    }
    for _ in 0..1024 {
        publish(&hub, &topic).now_or_never().unwrap();
    }
    assert!(hub.wait_for_room(&topic).now_or_never().is_none());
    hub.wait_for_room(&topic).await;
}
