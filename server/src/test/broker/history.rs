//! History: where a subscription begins, and what cursors read.

use std::{sync::Arc, time::Duration};

use tidewire_protocol::topic::{Missing, Reading, Retention, Start};

use super::{Fresh, KEEP, KEYED, check_chain, offsets};
use crate::broker::{Broker, Keep, Page, Place, Range};

const FEW: Keep =
    Keep { retention: Retention { events: 3, age_ms: 600_000, bytes: 1000 }, is_keyed: false };

impl Fresh<'_> {
    async fn start(&self, epoch: &str, offset: u64) -> Start {
        let started = self.broker.start(&self.topic, Some((epoch, offset))).await;
        started.expect("started").0
    }

    pub(super) async fn read(&self, after: &Place, reading: Reading, most: usize) -> Page {
        self.broker.read(&self.topic, after, reading, most).await.expect("read")
    }

    async fn range(&self, range: Range) -> Vec<u64> {
        offsets(&self.broker.history(&self.topic, range).await.expect("read").records)
    }

    /// The offsets of so many events of 10 bytes, after the head.
    async fn fill(&self, keep: Keep, count: usize) -> Vec<Place> {
        let mut places = vec![self.head().await];
        for _ in 0..count {
            places.push(self.append(keep, 10).await);
        }
        places
    }
}

/// "Where a subscription begins that asks to go on": recovered only if nothing is missing.
pub(super) async fn a_position_is_recovered_or_lost(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let places = fresh.fill(FEW, 5).await;
    let epoch = places[0].epoch.as_str();
    let (start, head) = broker.start(&fresh.topic, None).await.expect("started");
    assert_eq!((start, &head), (Start::Fresh, &places[5]));
    for (at, place) in places.iter().enumerate() {
        let expected = if at < 2 { Start::Lost } else { Start::Recovered(place.offset) };
        assert_eq!(fresh.start(epoch, place.offset).await, expected, "three of five are kept");
        assert_eq!(fresh.start("another", place.offset).await, Start::Lost, "another epoch");
    }
    assert_eq!(fresh.start(epoch, places[5].offset + 1).await, Start::Lost, "the future");
}

/// "The first bound that is reached drops the oldest event": count, bytes, age.
pub(super) async fn history_keeps_its_bounds(broker: &Arc<dyn Broker>) {
    let all = Range { after: Some(0), before: None, limit: 1000, bytes: 1 << 20 };
    let by_count = Fresh::new(broker);
    let places = by_count.fill(FEW, 5).await;
    let newest: Vec<u64> = places[3..].iter().map(|place| place.offset).collect();
    assert_eq!(by_count.range(all).await, newest);

    let by_bytes = Fresh::new(broker);
    by_bytes.append(FEW, 400).await;
    let kept = [by_bytes.append(FEW, 400).await, by_bytes.append(FEW, 400).await];
    assert_eq!(by_bytes.range(all).await, kept.map(|place| place.offset));

    let by_age = Fresh::new(broker);
    let short = Keep { retention: Retention { age_ms: 50, ..FEW.retention }, ..FEW };
    let place = by_age.append(short, 10).await;
    by_age.append(short, 10).await;
    let epoch = place.epoch.as_str();
    assert_eq!(by_age.start(epoch, place.offset).await, Start::Recovered(place.offset));
    while by_age.start(epoch, place.offset).await != Start::Lost {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// "`read` gives the events after a position, or says what of them is gone; never a part of them in silence."
pub(super) async fn a_page_misses_nothing_in_silence(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let places = fresh.fill(FEW, 5).await;
    let head = places[5].offset;
    for place in &places[2..] {
        for reading in [Reading::All, Reading::Newest] {
            let page = fresh.read(place, reading, 10).await;
            assert_eq!((page.missing, page.head), (None, head), "{reading:?}");
            assert_eq!(check_chain(&page.records, place.offset), head);
        }
    }
    for place in &places[..2] {
        let lost = fresh.read(place, Reading::All, 10).await;
        assert_eq!((lost.missing, lost.records.len(), lost.head), (Some(Missing::Lost), 0, head));
        let newest = fresh.read(place, Reading::Newest, 10).await;
        assert_eq!(newest.missing, Some(Missing::Dropped));
        assert_eq!(check_chain(&newest.records, places[2].offset), head);
    }
    let other = Place { epoch: "another".into(), ..places[4].clone() };
    for reading in [Reading::All, Reading::Newest, Reading::Keys] {
        let lost = fresh.read(&other, reading, 10).await;
        assert_eq!((lost.missing, lost.records.len()), (Some(Missing::Lost), 0), "{reading:?}");
    }
}

/// "At most `most` events and [`Page::BYTES`]", but at least one.
pub(super) async fn a_page_has_its_bounds(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let start = fresh.head().await;
    let mut sizes = vec![10; 5];
    sizes.extend([Page::BYTES * 2, Page::BYTES / 2, Page::BYTES / 2 + 1]);
    let mut places = Vec::new();
    for bytes in sizes {
        places.push(fresh.append(KEEP, bytes).await);
    }
    for (after, most, count) in [
        (&start, 3, 3),
        (&places[1], 100, 3),
        (&places[4], 100, 1),
        (&places[5], 100, 1),
        (&places[6], 100, 1),
    ] {
        let page = fresh.read(after, Reading::All, most).await;
        assert_eq!((page.records.len(), page.missing), (count, None), "after {}", after.offset);
        check_chain(&page.records, after.offset);
    }
    let newest = fresh.read(&start, Reading::Newest, 100).await;
    assert_eq!(
        (offsets(&newest.records), newest.missing),
        (vec![places[7].offset], Some(Missing::Dropped))
    );
}

/// "With `after` they are the first `limit`, else the last"; bytes cut the far end, but leave one.
pub(super) async fn a_range_is_cut_at_its_far_end(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let at: Vec<u64> = fresh.fill(KEEP, 6).await.iter().map(|place| place.offset).collect();
    for (after, before, limit, bytes, expected) in [
        (None, None, 10, 1000, &at[1..]),
        (None, None, 2, 1000, &at[5..]),
        (None, Some(at[5]), 2, 1000, &at[3..5]),
        (Some(at[1]), None, 2, 1000, &at[2..4]),
        (Some(at[1]), Some(at[4]), 10, 1000, &at[2..4]),
        (Some(at[1]), None, 10, 25, &at[2..4]),
        (None, None, 10, 25, &at[5..]),
        (None, None, 10, 0, &at[6..]),
        (Some(at[6]), None, 10, 1000, &[]),
    ] {
        let range = Range { after, before, limit, bytes };
        assert_eq!(fresh.range(range).await, expected, "{range:?}");
    }
}

/// "A cursor that reads on from the end of each page comes to the head, whatever is published meanwhile."
pub(super) async fn cursors_come_to_the_head(broker: &Arc<dyn Broker>) {
    for reading in [Reading::All, Reading::Newest, Reading::Keys] {
        let fresh = Fresh::new(broker);
        let mut at = fresh.head().await;
        for round in 0_u32..40 {
            // Ten rounds with more than a page, then ever less.
            for number in 0..10_u32.saturating_sub(round / 3) {
                let key = format!("k{}", number % 3);
                fresh.set(KEYED, &key, 10).await.expect("appended");
            }
            let page = fresh.read(&at, reading, 4).await;
            match page.missing {
                None => drop(check_chain(&page.records, at.offset)),
                Some(Missing::Lost) => assert_eq!(reading, Reading::All, "history has dropped it"),
                Some(_) => assert_ne!(reading, Reading::All, "it is given all, or told"),
            }
            let last = page.records.last().map(|record| record.offset);
            at.offset = last.unwrap_or(if page.missing.is_some() { page.head } else { at.offset });
        }
        let mut pages = 0;
        while at.offset < fresh.head().await.offset {
            let page = fresh.read(&at, reading, 4).await;
            at.offset = page.records.last().map_or(page.head, |record| record.offset);
            pages += 1;
            assert!(pages < 100, "{reading:?} does not come to the head");
        }
        assert!(fresh.read(&at, reading, 4).await.records.is_empty());
    }
}
