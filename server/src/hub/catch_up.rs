//! [`CatchUp`]: a subscription that reads its topic's history, a page at a time, until it is live.

use std::sync::Arc;

use tidewire_protocol::{
    frame::server::{self, Gap, GapCause},
    name::Topic,
    topic::Reading,
};

use super::{
    batch::Batch,
    local::{Local, State, Subscriber},
};
use crate::{
    broker::{Broker, BrokerError, Place},
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
    pub(super) broker: Arc<dyn Broker>,
    pub(super) local: Arc<Local>,
    pub(super) key: usize,
}

impl CatchUp {
    pub(crate) fn topic(&self) -> &Topic {
        &self.local.topic
    }

    /// Reads one page and hands it to the socket. A subscription that has ended meanwhile counts as caught up.
    pub(crate) async fn step(&self, outbox: &Arc<Outbox>) -> Result<CaughtUp, BrokerError> {
        let Some(after) = self.place(outbox) else { return Ok(CaughtUp::Yes) };
        let page = self.broker.read(&self.local.topic, &after, Reading::All, PAGE_EVENTS).await?;
        let mut state = self.local.lock();
        let head = state.position;
        let Some(subscriber) = find(&mut state, self.key, outbox) else { return Ok(CaughtUp::Yes) };
        if !subscriber.delivery.is_catching_up() || subscriber.delivery.position() != after.offset {
            // Another subscription of the session took its place meanwhile: this page is not for it.
            return Ok(CaughtUp::No);
        }
        if page.missing == Some(GapCause::Lost) {
            let after = subscriber.delivery.position();
            subscriber.delivery.handle_lost(head);
            if subscriber.is_full {
                let gap = Gap { after, to: head, cause: GapCause::Lost };
                outbox.send_uncounted(encode::text(&server::write_gap(&self.local.topic, gap)));
            }
        }
        let from = page
            .records
            .iter()
            .position(|record| subscriber.delivery.handle_history(record.offset));
        if let Some(from) = from {
            if let Some(last) = page.records.last() {
                subscriber.delivery.handle_history(last.offset);
            }
            let batch = Batch::new(self.local.topic.clone(), page.records);
            let frames = batch.frames(subscriber.variant());
            outbox.send_uncounted(frames.share(frames.from(from)));
        }
        Ok(if subscriber.delivery.handle_head(head) { CaughtUp::Yes } else { CaughtUp::No })
    }

    fn place(&self, outbox: &Arc<Outbox>) -> Option<Place> {
        let mut state = self.local.lock();
        let epoch = state.epoch.clone()?;
        let subscriber = find(&mut state, self.key, outbox)?;
        subscriber
            .delivery
            .is_catching_up()
            .then(|| Place { epoch, offset: subscriber.delivery.position() })
    }
}

/// The subscriber under `key`, if it is still this outbox's: keys are used again.
fn find<'a>(state: &'a mut State, key: usize, outbox: &Arc<Outbox>) -> Option<&'a mut Subscriber> {
    state.subscribers.get_mut(key).filter(|subscriber| Arc::ptr_eq(&subscriber.outbox, outbox))
}
