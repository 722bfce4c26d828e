//! [`CatchUp`]: a subscription that reads its topic's history, a page at a time, until it is live.

use std::{fmt, sync::Arc};

use tidewire_protocol::{
    delivery::{Hole, Span},
    frame::server::{self, Gap, GapCause},
    name::Topic,
    topic::{Missing, Reading},
};

use super::{
    batch::Batch,
    local::{Local, State},
    subscribers::Subscriber,
};
use crate::{
    broker::{BrokerError, Page, Place},
    outbox::Outbox,
    ws::encode,
};

/// Events read at once.
const PAGE_EVENTS: usize = 64;

/// What a step of catching up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaughtUp {
    /// There is more to read.
    No,
    /// The subscription is live.
    Yes,
}

/// A subscription's cursor into its topic's history.
pub(crate) struct CatchUp {
    pub(super) local: Arc<Local>,
    pub(super) key: u32,
}

impl CatchUp {
    pub(crate) fn topic(&self) -> &Topic {
        &self.local.topic
    }

    /// Reads one page and hands it to the socket. A subscription that has ended meanwhile counts as caught up.
    pub(crate) async fn step(&self, outbox: &Arc<Outbox>) -> Result<CaughtUp, BrokerError> {
        let Some((after, reading)) = self.place(outbox) else { return Ok(CaughtUp::Yes) };
        let broker = self.local.broker();
        let page = broker.read(&self.local.topic, &after, reading, PAGE_EVENTS).await?;
        let mut state = self.local.lock();
        let head = state.position;
        let Some(subscriber) = find(&mut state, self.key, outbox) else { return Ok(CaughtUp::Yes) };
        let delivery = &mut subscriber.delivery;
        if (delivery.position(), delivery.reading()) != (after.offset, Some(reading)) {
            // Another subscription of the session took its place meanwhile: this page is not for it.
            return Ok(CaughtUp::No);
        }
        if let Some(hole) = delivery.handle_page(span(&page)) {
            self.tell(hole, subscriber.is_full, outbox);
        }
        if !page.records.is_empty() {
            let (begins, events) = (page.records[0].prev, page.records.len());
            let batch = Batch::new(self.local.topic.clone(), page.records);
            let left_out = subscriber.leave_out(&batch, begins);
            let frames = left_out.as_ref().unwrap_or_else(|| batch.frames(subscriber.variant()));
            outbox.send_uncounted(frames.share(frames.from(0)), events);
        }
        let is_live = subscriber.delivery.handle_head(head);
        Ok(if is_live { CaughtUp::Yes } else { CaughtUp::No })
    }

    /// Tells the client what it is not given.
    fn tell(&self, hole: Hole, is_full: bool, outbox: &Outbox) {
        let Hole { after, to, cause } = hole;
        let cause = match cause {
            Missing::Dropped => GapCause::Dropped,
            Missing::Conflated => GapCause::Conflated,
            Missing::Lost => GapCause::Lost,
        };
        self.local.counters().gap(cause);
        if is_full {
            let gap = Gap { after, to, cause };
            outbox.send_uncounted(encode::text(&server::write_gap(&self.local.topic, gap)), 1);
        }
    }

    fn place(&self, outbox: &Arc<Outbox>) -> Option<(Place, Reading)> {
        let mut state = self.local.lock();
        let epoch = state.epoch.clone()?;
        let delivery = find(&mut state, self.key, outbox)?.delivery;
        Some((Place { epoch, offset: delivery.position() }, delivery.reading()?))
    }

    /// Whether the subscription still catches up.
    pub(crate) fn is_needed(&self, outbox: &Arc<Outbox>) -> bool {
        self.place(outbox).is_some()
    }

    /// Whether another cursor reads for the same subscription.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.key == other.key && Arc::ptr_eq(&self.local, &other.local)
    }
}

impl fmt::Debug for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CatchUp").field(self.topic()).finish()
    }
}

fn span(page: &Page) -> Span {
    let ends = page.records.first().zip(page.records.last());
    let events = ends.map(|(first, last)| (first.prev, last.offset));
    Span { events, missing: page.missing, head: page.head }
}

/// The subscriber under `key`, if it is still this outbox's: keys are used again.
fn find<'a>(state: &'a mut State, key: u32, outbox: &Arc<Outbox>) -> Option<&'a mut Subscriber> {
    state.subscribers.get_mut(key).filter(|subscriber| Arc::ptr_eq(&subscriber.outbox, outbox))
}
