//! The relay of an outbox: nothing lost and nothing doubled wherever it dies, one at a time, and no delay where it is woken.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tidewire::{
    Live, PublishError, Topic,
    broker::{
        Broker, BrokerFuture, Held, Hold, MemoryBroker, Page, Place, Publish, Range, Sink, Slice,
    },
    relay::{Lease, OutboxEvent, OutboxRow, OutboxStore, Relay},
    test::{Client, eventually},
};
use tidewire_protocol::topic::{Reading, Start};
use tokio::{sync::Notify, time::Instant};

tidewire_protocol::schema! {
    pub(crate) schema Shop {
        topic Orders = "orders" { event: String }
    }
}

/// Where a relay can die: before or after its part of the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Lease,
    Read,
    Publish,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// Lets everything pass but one step, once, which hangs there for ever.
#[derive(Default)]
struct Trap {
    at: Mutex<Option<(Step, Side)>>,
    caught: Notify,
}

impl Trap {
    async fn pass(&self, step: Step, side: Side) {
        let is_caught = self.at.lock().unwrap().take_if(|at| *at == (step, side)).is_some();
        if is_caught {
            self.caught.notify_one();
            std::future::pending().await
        }
    }
}

/// A database in memory.
#[derive(Clone, Default)]
struct Database {
    tables: Arc<Mutex<Tables>>,
    trap: Arc<Trap>,
}

#[derive(Default)]
struct Tables {
    outbox: BTreeMap<u64, String>,
    last_id: u64,
    lease: Option<(String, Instant)>,
    failures: usize,
}

impl Database {
    fn commit(&self, order: &str) {
        let mut tables = self.tables.lock().unwrap();
        tables.last_id += 1;
        let id = tables.last_id;
        tables.outbox.insert(id, order.into());
    }

    fn is_empty(&self) -> bool {
        self.tables.lock().unwrap().outbox.is_empty()
    }
}

impl OutboxStore for Database {
    type Error = std::io::Error;

    async fn lease(&self, holder: &str, time: Duration) -> Result<Lease, Self::Error> {
        self.trap.pass(Step::Lease, Side::Before).await;
        let lease = {
            let mut tables = self.tables.lock().unwrap();
            let now = Instant::now();
            let is_free =
                tables.lease.as_ref().is_none_or(|(by, until)| by == holder || *until <= now);
            if is_free {
                tables.lease = Some((holder.into(), now + time));
            }
            if is_free { Lease::Held } else { Lease::Taken }
        };
        self.trap.pass(Step::Lease, Side::After).await;
        Ok(lease)
    }

    async fn release(&self, holder: &str) -> Result<(), Self::Error> {
        self.tables.lock().unwrap().lease.take_if(|(by, _)| by == holder);
        Ok(())
    }

    async fn read(&self, most: usize) -> Result<Vec<OutboxRow>, Self::Error> {
        self.trap.pass(Step::Read, Side::Before).await;
        let rows = {
            let mut tables = self.tables.lock().unwrap();
            if tables.failures > 0 {
                tables.failures -= 1;
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            let rows = tables.outbox.iter().take(most);
            let row = |(&id, order): (&u64, &String)| {
                let event = OutboxEvent::new(&Orders, order).unwrap();
                OutboxRow { id, event }
            };
            rows.map(row).collect()
        };
        self.trap.pass(Step::Read, Side::After).await;
        Ok(rows)
    }

    async fn done(&self, ids: &[u64]) -> Result<(), Self::Error> {
        self.trap.pass(Step::Done, Side::Before).await;
        self.tables.lock().unwrap().outbox.retain(|id, _| !ids.contains(id));
        self.trap.pass(Step::Done, Side::After).await;
        Ok(())
    }
}

/// A memory broker that notes what it is asked to publish, and has a trap.
#[derive(Clone, Default)]
struct Watched {
    broker: MemoryBroker,
    trap: Arc<Trap>,
    /// The versions, in order.
    asked: Arc<Mutex<Vec<Option<u64>>>>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.broker.fmt(f)
    }
}

impl Broker for Watched {
    fn publish<'a>(&'a self, topic: &'a Topic, publish: Publish) -> BrokerFuture<'a, Place> {
        Box::pin(async move {
            self.asked.lock().unwrap().push(publish.event.version);
            self.trap.pass(Step::Publish, Side::Before).await;
            let place = self.broker.publish(topic, publish).await;
            self.trap.pass(Step::Publish, Side::After).await;
            place
        })
    }

    fn attach<'a>(&'a self, topic: &'a Topic, sink: Arc<dyn Sink>) -> BrokerFuture<'a, Place> {
        self.broker.attach(topic, sink)
    }

    fn detach(&self, topic: &Topic, sink: &Arc<dyn Sink>) {
        self.broker.detach(topic, sink);
    }

    fn start<'a>(
        &'a self,
        topic: &'a Topic,
        since: Option<(&'a str, u64)>,
    ) -> BrokerFuture<'a, (Start, Place)> {
        self.broker.start(topic, since)
    }

    fn read<'a>(
        &'a self,
        topic: &'a Topic,
        after: &'a Place,
        reading: Reading,
        most: usize,
    ) -> BrokerFuture<'a, Page> {
        self.broker.read(topic, after, reading, most)
    }

    fn history<'a>(&'a self, topic: &'a Topic, range: Range) -> BrokerFuture<'a, Slice> {
        self.broker.history(topic, range)
    }

    fn state<'a>(&'a self, topic: &'a Topic) -> BrokerFuture<'a, Slice> {
        self.broker.state(topic)
    }

    fn hold<'a>(&'a self, topic: &'a Topic, hold: Hold) -> BrokerFuture<'a, Held> {
        self.broker.hold(topic, hold)
    }
}

fn live(broker: &Watched) -> Live<()> {
    Live::<()>::builder().broker(broker.clone()).topic::<Orders>(|topic| topic.public()).build()
}

fn relay(live: &Live<()>, shop: &Database) -> Relay {
    live.relay("orders", shop.clone()).poll_every(Duration::from_secs(3_600)).start()
}

/// Somebody who hears all orders.
async fn listener(live: &Live<()>) -> Client {
    let mut client = Client::connect(live).hello().await.unwrap();
    client.subscribe(&Orders).await.unwrap();
    client
}

/// Hears orders `from..=to` and nothing else.
async fn hears(client: &mut Client, orders: std::ops::RangeInclusive<u64>) {
    for n in orders {
        let event = client.next_event::<Orders>().await.unwrap();
        assert_eq!((event.data, event.offset), (n.to_string(), Some(n)));
    }
    client.ping().await.unwrap();
    assert!(client.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn wherever_a_relay_dies_nothing_is_lost_or_doubled() {
    let steps = [Step::Lease, Step::Read, Step::Publish, Step::Done];
    for (step, side) in
        steps.into_iter().flat_map(|step| [(step, Side::Before), (step, Side::After)])
    {
        let (broker, shop) = (Watched::default(), Database::default());
        let live = live(&broker);
        let mut heard = listener(&live).await;
        (1..=5).for_each(|n| shop.commit(&n.to_string()));
        let trap = if step == Step::Publish { &broker.trap } else { &shop.trap };
        *trap.at.lock().unwrap() = Some((step, side));
        let dies = relay(&live, &shop);
        trap.caught.notified().await;
        drop(dies);
        (6..=7).for_each(|n| shop.commit(&n.to_string()));
        let next = live.relay("orders", shop.clone()).start();
        hears(&mut heard, 1..=7).await;
        eventually("all is noted", || shop.is_empty()).await.unwrap();
        next.stop().await;
        let again = broker.asked.lock().unwrap().len() - 7;
        let expected = match (step, side) {
            // Of what it published, all that was not noted is published again, under the same key.
            (Step::Publish, _) => 1,
            (Step::Done, Side::Before) => 5,
            _ => 0,
        };
        assert_eq!(again, expected, "{side:?} {step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_relayed_when_it_is_told_and_else_at_the_next_look() {
    let (broker, shop) = (Watched::default(), Database::default());
    let live = live(&broker);
    let mut heard = listener(&live).await;
    let relay = relay(&live, &shop);
    let start = Instant::now();
    for n in 1..=200 {
        shop.commit(&n.to_string());
        relay.wake();
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
    }
    hears(&mut heard, 1..=200).await;
    assert!(start.elapsed() < Duration::from_secs(1), "without a look: {:?}", start.elapsed());
    shop.commit("201");
    hears(&mut heard, 201..=201).await;
    assert!((3_590..3_610).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let versions: Vec<_> = (1..=201).map(Some).collect();
    assert_eq!(*broker.asked.lock().unwrap(), versions, "each once, its id is its version");
}

#[tokio::test(start_paused = true)]
async fn of_two_relays_one_works_until_it_stops_or_dies() {
    let (first_broker, shop) = (Watched::default(), Database::default());
    let second_broker = Watched { broker: first_broker.broker.clone(), ..Watched::default() };
    let (first_live, second_live) = (live(&first_broker), live(&second_broker));
    let mut heard = listener(&second_live).await;
    let asked = || [&first_broker, &second_broker].map(|broker| broker.asked.lock().unwrap().len());
    shop.commit("1");
    let first = first_live.relay("orders", shop.clone()).start();
    hears(&mut heard, 1..=1).await;
    let second = second_live.relay("orders", shop.clone()).start();
    for n in 2..=20 {
        shop.commit(&n.to_string());
        second.wake();
        hears(&mut heard, n..=n).await;
        // Long enough for many leases.
        tokio::time::advance(Duration::from_secs(7)).await;
    }
    assert_eq!(asked(), [20, 0]);
    first.stop().await;
    let start = Instant::now();
    shop.commit("21");
    hears(&mut heard, 21..=21).await;
    assert!(start.elapsed() <= Duration::from_secs(1), "given back: {:?}", start.elapsed());
    assert_eq!(asked(), [20, 1]);

    let third = first_live.relay("orders", shop.clone()).start();
    drop(second);
    let start = Instant::now();
    shop.commit("22");
    hears(&mut heard, 22..=22).await;
    assert!(start.elapsed() <= Duration::from_secs(11), "run out: {:?}", start.elapsed());
    assert_eq!(asked(), [21, 1]);
    drop(third);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_is_asked_again_and_a_broker_that_hangs_is_left() {
    let (broker, shop) = (Watched::default(), Database::default());
    let live = live(&broker);
    let mut heard = listener(&live).await;
    shop.commit("1");
    shop.tables.lock().unwrap().failures = 9;
    let start = Instant::now();
    let relay = relay(&live, &shop);
    hears(&mut heard, 1..=1).await;
    let waited = start.elapsed().as_secs();
    assert!((30..40).contains(&waited), "0.1 s, 0.2 s … 10 s: {waited} s");
    for (n, side) in [(2, Side::Before), (3, Side::After)] {
        *broker.trap.at.lock().unwrap() = Some((Step::Publish, side));
        shop.commit(&n.to_string());
        relay.wake();
        hears(&mut heard, n..=n).await;
    }
    eventually("all is noted", || shop.is_empty()).await.unwrap();
    let metrics = live.metrics();
    assert_eq!((metrics.relayed_total, metrics.relay_failures_total), (3, 11));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_relays_no_more() {
    let (broker, shop) = (Watched::default(), Database::default());
    let live = live(&broker);
    let relay = live.relay("orders", shop.clone()).start();
    live.shutdown().await;
    shop.commit("1");
    relay.wake();
    eventually("the lease is given back", || shop.tables.lock().unwrap().lease.is_none())
        .await
        .unwrap();
    assert!(broker.asked.lock().unwrap().is_empty());
}

#[test]
fn columns_that_are_no_event_are_said_to_be_so() {
    let parse = |topic: &str, data: &str| OutboxEvent::from_columns(topic, None, Some(data)).err();
    assert_eq!(parse("$orders", "1"), Some(PublishError::InvalidTopic));
    assert_eq!(parse("orders", "{"), Some(PublishError::InvalidData));
    assert_eq!(parse("orders", "{}"), None);
}
