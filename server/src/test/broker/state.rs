//! State: the last event of each key.

use std::sync::Arc;

use tidewire_protocol::topic::{Missing, Reading, StateLimits};

use super::{Fresh, KEEP, KEYED, STATE_ONLY, offsets};
use crate::broker::{Broker, BrokerError};

/// "Of a keyed topic the last event of each key is kept beyond its history, until the key is removed."
pub(super) async fn the_last_event_of_each_key_is_kept(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    fresh.set(STATE_ONLY, "a", 10).await.expect("appended");
    let b = fresh.set(STATE_ONLY, "b", 10).await.expect("appended").offset;
    let c = fresh.set(STATE_ONLY, "c", 10).await.expect("appended").offset;
    let a = fresh.set(STATE_ONLY, "a", 20).await.expect("appended").offset;
    let of = |key: &str, offset| (key.to_owned(), offset);
    assert_eq!(fresh.state().await, [of("b", b), of("c", c), of("a", a)], "in order of offsets");
    let removed = fresh.remove(STATE_ONLY, "c").await;
    assert_eq!(fresh.state().await, [of("b", b), of("a", a)]);
    let slice = broker.state(&fresh.topic).await.expect("read");
    assert_eq!(slice.place, removed, "it is as of the head, the removal included");
    let again = fresh.set(STATE_ONLY, "c", 10).await.expect("appended").offset;
    assert_eq!(fresh.state().await, [of("b", b), of("a", a), of("c", again)]);
}

/// A reader of keys gets the last event of each key, removals too, and is told if something was left out.
pub(super) async fn a_reader_of_keys_learns_of_removals(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let start = fresh.head().await;
    fresh.set(STATE_ONLY, "a", 10).await.expect("appended");
    let b = fresh.set(STATE_ONLY, "b", 10).await.expect("appended");
    let a = fresh.remove(STATE_ONLY, "a").await;
    let c = fresh.set(STATE_ONLY, "c", 10).await.expect("appended");
    let page = fresh.read(&start, Reading::Keys, 10).await;
    assert_eq!(offsets(&page.records), [b.offset, a.offset, c.offset]);
    assert_eq!((page.missing, page.head), (Some(Missing::Conflated), c.offset));
    assert_eq!(
        page.records.iter().map(|one| one.event.removed).collect::<Vec<_>>(),
        [false, true, false]
    );
    let page = fresh.read(&b, Reading::Keys, 1).await;
    assert_eq!(
        (offsets(&page.records), page.missing),
        (vec![a.offset], None),
        "nothing is between"
    );
    let page = fresh.read(&c, Reading::Keys, 10).await;
    assert_eq!((page.records.len(), page.missing), (0, None));
}

/// "It is bounded: an event that it has no room for is refused, and nothing changes."
pub(super) async fn a_refused_event_changes_nothing(broker: &Arc<dyn Broker>) {
    let limits = StateLimits::default();
    let fresh = Fresh::new(broker);
    let (seen, start) = fresh.attach().await;
    let large = limits.bytes / 4;
    for key in ["a", "b", "c"] {
        fresh.set(KEYED, key, large).await.expect("there is room");
    }
    let before = (fresh.state().await, fresh.head().await);
    let refused = Err(BrokerError::TooManyKeys);
    assert_eq!(fresh.set(KEYED, "d", large).await, refused, "its key counts too");
    assert_eq!(fresh.set(KEYED, "a", 2 * large).await, refused, "it would grow");
    assert_eq!((fresh.state().await, fresh.head().await), before);
    let next = fresh.set(KEYED, "a", large).await.expect("it does not grow");
    let seen = seen.after(start.offset, 4).await;
    assert_eq!(seen.last().map(|record| record.offset), Some(next.offset));
    assert_eq!(seen.len(), 4, "what was refused reached nobody");

    let keys = Fresh::new(broker);
    for key in 0..limits.keys {
        keys.set(STATE_ONLY, &key.to_string(), 2).await.expect("there is room");
    }
    assert_eq!(keys.set(STATE_ONLY, "new", 2).await, refused, "a key too many");
    keys.set(STATE_ONLY, "7", 2).await.expect("it is there");
    keys.remove(STATE_ONLY, "7").await;
    keys.set(STATE_ONLY, "new", 2).await.expect("there is room");
}

/// "Without keys, all that history holds."
pub(super) async fn without_keys_it_is_the_history(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    assert_eq!(fresh.state().await, []);
    let places = [fresh.append(KEEP, 10).await, fresh.append(KEEP, 10).await];
    let slice = broker.state(&fresh.topic).await.expect("read");
    assert_eq!(offsets(&slice.records), places.clone().map(|place| place.offset));
    assert_eq!(slice.place, places[1]);
}
