//! Ordering, interest and acknowledgement.

use std::sync::Arc;

use super::{Fresh, KEEP, check_chain, event, offsets};
use crate::broker::{Broker, Publish, Sink};

/// "A topic's events have one order, that of their offsets; each sink gets them in that order, each once."
pub(super) async fn sinks_get_every_event_once_in_order(broker: &Arc<dyn Broker>) {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 20;
    let fresh = Fresh::new(broker);
    let ((one, place), (other, _)) = (fresh.attach().await, fresh.attach().await);
    let publish = async |publisher: usize| {
        let mut last = 0;
        for _ in 0..EACH {
            let event = event(10 + publisher).into();
            let place = fresh.publish(Publish::new(event, KEEP)).await.expect("appended");
            assert!(place.offset > last, "per publisher, in the order published");
            last = place.offset;
        }
    };
    futures_util::future::join_all((0..PUBLISHERS).map(publish)).await;
    let seen = one.after(place.offset, PUBLISHERS * EACH).await;
    check_chain(&seen, place.offset);
    assert_eq!(seen.len(), PUBLISHERS * EACH, "each once");
    assert_eq!(offsets(&other.after(place.offset, PUBLISHERS * EACH).await), offsets(&seen));
}

/// "A sink gets every event after the position that `attach` gave", and none once it is detached.
pub(super) async fn a_sink_gets_what_follows_the_place_it_was_given(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let before = fresh.append(KEEP, 10).await;
    let (seen, place) = fresh.attach().await;
    assert_eq!(place, before, "the head");
    let first = fresh.append(KEEP, 10).await;
    assert_eq!(offsets(&seen.after(before.offset, 1).await), [first.offset]);
    let sink: Arc<dyn Sink> = Arc::clone(&seen) as Arc<dyn Sink>;
    broker.detach(&fresh.topic, &sink);
    // The next sink has its event: whatever was under way to the first has come.
    let (next, place) = fresh.attach().await;
    fresh.append(KEEP, 10).await;
    next.after(place.offset, 1).await;
    let (last, place) = fresh.attach().await;
    let unheard = fresh.append(KEEP, 10).await;
    last.after(place.offset, 1).await;
    assert!(!offsets(&seen.lock()).contains(&unheard.offset), "it was detached");
}

/// "`publish` resolves when the event is appended", with its place.
pub(super) async fn a_publish_resolves_with_its_place(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let head = fresh.head().await;
    let mut event = event(10);
    event.mid = Some("mid".into());
    event.version = Some(7);
    let place = fresh.publish(Publish::new(event.into(), KEEP)).await.expect("appended");
    assert_eq!(place.epoch, head.epoch, "a topic that is used keeps its epoch");
    assert_eq!(fresh.head().await, place, "it is the newest");
    let slice = broker.state(&fresh.topic).await.expect("read");
    let record = slice.records.first().expect("history has it");
    assert_eq!((record.offset, record.prev), (place.offset, head.offset));
    let event = &record.event;
    assert_eq!((event.mid.as_deref(), event.version), (Some("mid"), Some(7)), "all of it is kept");
}
