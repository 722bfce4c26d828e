//! The contract of a [`Broker`] as tests: every clause of the trait's documentation, in a form that any broker can be held to.
//!
//! Whoever writes a broker calls [`keeps_its_contract`] from a test of its own. Topics have names that no other run uses, so that a
//! broker may be one that other tests talk to as well. Nothing is waited for but what the contract promises.

mod history;
mod members;
mod once;
mod order;
mod state;

use std::sync::{Arc, Mutex};

use tidewire_protocol::{name::Topic, topic::Retention};

use super::eventually;
use crate::broker::{Broker, BrokerError, Event, Keep, Place, Publish, Record, Sink};

/// Holds a broker to its contract.
///
/// ```
/// use std::sync::Arc;
/// use tidewire::{broker::MemoryBroker, test::broker::keeps_its_contract};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// keeps_its_contract(Arc::new(MemoryBroker::default())).await;
/// # }
/// ```
///
/// # Panics
/// If it does not keep it; the message says what it did.
pub async fn keeps_its_contract(broker: Arc<dyn Broker>) {
    order::sinks_get_every_event_once_in_order(&broker).await;
    order::a_sink_gets_what_follows_the_place_it_was_given(&broker).await;
    order::a_publish_resolves_with_its_place(&broker).await;
    once::a_repeat_resolves_with_the_first_place(&broker).await;
    once::another_epoch_is_refused(&broker).await;
    once::what_may_be_forgotten_is_not_appended_again(&broker).await;
    history::a_position_is_recovered_or_lost(&broker).await;
    history::history_keeps_its_bounds(&broker).await;
    history::a_page_misses_nothing_in_silence(&broker).await;
    history::a_page_has_its_bounds(&broker).await;
    history::a_range_is_cut_at_its_far_end(&broker).await;
    history::cursors_come_to_the_head(&broker).await;
    state::the_last_event_of_each_key_is_kept(&broker).await;
    state::a_reader_of_keys_learns_of_removals(&broker).await;
    state::a_refused_event_changes_nothing(&broker).await;
    state::without_keys_it_is_the_history(&broker).await;
    members::a_member_is_there_as_long_as_a_node_holds_it(&broker).await;
    members::a_member_is_shown_by_its_latest_wish(&broker).await;
    members::members_are_counted_where_they_are_not_shown(&broker).await;
}

const RETENTION: Retention = Retention { events: 100, age_ms: 600_000, bytes: 1 << 20 };
const KEEP: Keep = Keep { retention: RETENTION, is_keyed: false };
const KEYED: Keep = Keep { retention: RETENTION, is_keyed: true };
/// State without history.
const STATE_ONLY: Keep = Keep { retention: Retention::NONE, is_keyed: true };

/// A topic that nobody uses.
struct Fresh<'a> {
    broker: &'a Arc<dyn Broker>,
    topic: Topic,
}

impl<'a> Fresh<'a> {
    fn new(broker: &'a Arc<dyn Broker>) -> Self {
        let name = format!("contract:{:016x}", crate::random::bits());
        Self { broker, topic: Topic::parse(&name).expect("it is a name") }
    }

    async fn publish(&self, publish: Publish) -> Result<Place, BrokerError> {
        self.broker.publish(&self.topic, publish).await
    }

    /// Appends an event of so many bytes.
    async fn append(&self, keep: Keep, bytes: usize) -> Place {
        self.publish(Publish::new(event(bytes).into(), keep)).await.expect("appended")
    }

    /// Makes an event of so many bytes a key's last.
    async fn set(&self, keep: Keep, key: &str, bytes: usize) -> Result<Place, BrokerError> {
        let event = Event { key: Some(key.into()), ..event(bytes) };
        self.publish(Publish::new(event.into(), keep)).await
    }

    async fn remove(&self, keep: Keep, key: &str) -> Place {
        let data = serde_json::value::RawValue::NULL.to_owned();
        let event = Event { key: Some(key.into()), removed: true, ..Event::new(data) };
        self.publish(Publish::new(event.into(), keep)).await.expect("a removal is always taken")
    }

    async fn attach(&self) -> (Arc<Seen>, Place) {
        let seen = Arc::<Seen>::default();
        let sink: Arc<dyn Sink> = Arc::clone(&seen) as Arc<dyn Sink>;
        let place = self.broker.attach(&self.topic, sink).await.expect("attached");
        (seen, place)
    }

    /// The epoch, and the head.
    async fn head(&self) -> Place {
        self.broker.start(&self.topic, None).await.expect("started").1
    }

    async fn state(&self) -> Vec<(String, u64)> {
        let slice = self.broker.state(&self.topic).await.expect("read");
        let key = |record: &Record| record.event.key.as_deref().unwrap_or_default().to_owned();
        slice.records.iter().map(|record| (key(record), record.offset)).collect()
    }
}

/// An event whose data is so many bytes of JSON.
fn event(bytes: usize) -> Event {
    let text = "x".repeat(bytes.saturating_sub(2));
    Event::new(serde_json::value::to_raw_value(&text).expect("text is JSON"))
}

fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.offset).collect()
}

/// Checks that each record follows the one before it, the first one `after`. Returns the last one's offset.
fn check_chain(records: &[Record], after: u64) -> u64 {
    records.iter().fold(after, |at, record| {
        assert_eq!(record.prev, at, "`prev` is the offset before: {:?}", offsets(records));
        assert!(record.offset > at, "offsets grow");
        record.offset
    })
}

/// A sink that remembers what it got.
#[derive(Default)]
struct Seen(Mutex<Vec<Record>>);

impl Sink for Seen {
    fn deliver(self: Arc<Self>, record: &Record) {
        self.lock().push(record.clone());
    }
}

impl Seen {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Record>> {
        self.0.lock().expect("no panic while it is locked")
    }

    /// What it has got, once there are so many after `after`.
    async fn after(&self, after: u64, count: usize) -> Vec<Record> {
        let later = || {
            let records = self.lock();
            records.iter().filter(|record| record.offset > after).cloned().collect::<Vec<_>>()
        };
        let came = eventually("the sink has every event", || later().len() >= count).await;
        came.expect("what was published comes");
        later()
    }
}
