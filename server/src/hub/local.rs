//! [`Local`]: one topic's subscribers on this node, and the passes that bring them its events.
//!
//! The broker hands over events in order; they wait as *pending* until a pass takes them, as one batch, to every subscriber. One
//! pass runs at a time, so that all subscribers see one order. A small topic's pass is run by whoever published, at once; a large one's by a task of
//! its own, in slices between which other tasks get their turn.

use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tidewire_protocol::{name::Topic, topic::Epoch};
use tokio::{runtime::Handle, sync::Notify};

use super::{batch::Batch, catch_up::CatchUp, gather, subscribers::Subscribers};
use crate::{
    broker::{Broker, BrokerError, Record, Sink},
    metrics::Counters,
    outbox::Delivered,
    ws::Passage,
};

/// Subscribers served without giving other tasks a turn: some 0.2 ms of writes. Up to so many, a hop to a task costs more than
/// the writes that it would move.
const SLICE: usize = 64;

/// The bounds of one batch, which is also what a pass may add to a queue at once.
const BATCH_EVENTS: usize = 64;
const BATCH_BYTES: usize = 64 * 1024;

/// Events that may wait for their pass before publishers have to.
const PENDING_EVENTS: usize = 1024;

pub(crate) struct Local {
    pub(super) topic: Topic,
    pub(super) attached: tokio::sync::OnceCell<()>,
    broker: Arc<dyn Broker>,
    counters: Arc<Counters>,
    state: Mutex<State>,
    /// The last snapshot, while it is still being sent to somebody.
    snapshot: Mutex<Weak<Passage>>,
    /// Told when pending events have been taken.
    taken: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) epoch: Option<Epoch>,
    /// The newest offset that a pass has begun to hand to the subscribers.
    pub(super) position: u64,
    pub(super) subscribers: Subscribers,
    pending: Vec<Record>,
    /// Somebody is to deliver what is pending, or does.
    is_delivering: bool,
}

impl Local {
    pub(super) fn new(topic: Topic, broker: Arc<dyn Broker>, counters: Arc<Counters>) -> Self {
        Self {
            topic,
            attached: tokio::sync::OnceCell::new(),
            broker,
            counters,
            state: Mutex::default(),
            snapshot: Mutex::default(),
            taken: Notify::new(),
        }
    }

    pub(super) fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A snapshot's text for all who are sent it: clients that do not read hold one between them.
    pub(super) fn share(&self, text: &str) -> Arc<Passage> {
        let mut last = self.snapshot.lock().expect("no panic while a reference is replaced");
        if let Some(passage) = last.upgrade().filter(|last| last.text() == text.as_bytes()) {
            return passage;
        }
        let passage = Arc::new(Passage::new(text));
        *last = Arc::downgrade(&passage);
        passage
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while a topic is locked")
    }

    pub(super) async fn attach(self: &Arc<Self>) -> Result<(), BrokerError> {
        let attach = || async {
            let place = self.broker.attach(&self.topic, Arc::clone(self) as Arc<dyn Sink>).await?;
            let mut state = self.lock();
            // A pass of later events may have begun already.
            state.position = state.position.max(place.offset);
            state.epoch = Some(place.epoch);
            Ok(())
        };
        self.attached.get_or_try_init(attach).await.copied()
    }

    /// Waits while more events are pending than should: publishers are held to the pace of the passes, not of any socket.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.has_room() {
                return;
            }
            taken.await;
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.lock().pending.len() < PENDING_EVENTS
    }

    /// Delivers what is pending: here, if that is one slice of subscribers, else by a task.
    pub(super) fn deliver_now(self: Arc<Self>) {
        let is_large = self.lock().subscribers.len() > SLICE;
        if is_large && let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(self.deliver_in_slices()));
            return;
        }
        while let Some(batch) = self.next_batch() {
            self.serve(&batch, usize::MAX, usize::MAX);
        }
    }

    async fn deliver_in_slices(self: Arc<Self>) {
        while let Some(batch) = self.next_batch() {
            let mut below = self.serve(&batch, usize::MAX, SLICE);
            while below > 0 {
                tokio::task::yield_now().await;
                below = self.serve(&batch, below, SLICE);
            }
        }
    }

    /// Begins a pass with the events that are pending. With `None` there are none, and the next event begins a new delivery.
    fn next_batch(&self) -> Option<Batch> {
        let mut state = self.lock();
        let mut bytes = 0;
        let fits = |record: &&Record| {
            bytes += record.event.bytes();
            bytes <= BATCH_BYTES
        };
        let count = state.pending.iter().take(BATCH_EVENTS).take_while(fits).count().max(1);
        let records: Vec<Record> = if count < state.pending.len() {
            state.pending.drain(..count).collect()
        } else {
            std::mem::take(&mut state.pending)
        };
        let Some(last) = records.last() else {
            state.is_delivering = false;
            return None;
        };
        state.position = last.offset;
        drop(state);
        self.taken.notify_waiters();
        Some(Batch::new(self.topic.clone(), records))
    }

    /// Hands a batch to at most `most` subscribers, the next ones below a place. Returns the place where it stopped.
    fn serve(self: &Arc<Self>, batch: &Batch, below: usize, most: usize) -> usize {
        let mut state = self.lock();
        let (mut sent, mut bytes) = (0, 0);
        let to = below.min(state.subscribers.len());
        let from = to.saturating_sub(most);
        for place in (from..to).rev() {
            let (key, subscriber) = state.subscribers.at(place);
            let left_out = subscriber.leave_out(batch, subscriber.delivery.position());
            let frames = left_out.as_ref().unwrap_or_else(|| batch.frames(subscriber.variant()));
            match subscriber.outbox.deliver(&mut subscriber.delivery, batch.offsets(), frames) {
                Delivered::Sent { messages, bytes: length } => {
                    sent += messages;
                    bytes += length;
                }
                Delivered::Lags => {
                    self.counters.lag_began();
                    subscriber.outbox.read_on(CatchUp { local: Arc::clone(self), key });
                }
                Delivered::Nothing => {}
            }
        }
        // Once for all: a counter that all cores share costs more than the rest of a delivery.
        self.counters.sent(sent, bytes);
        from
    }
}

impl Sink for Local {
    fn deliver(self: Arc<Self>, record: &Record) {
        let mut state = self.lock();
        state.pending.push(record.clone());
        if std::mem::replace(&mut state.is_delivering, true) {
            return;
        }
        drop(state);
        if !gather::leave(&self) {
            self.deliver_now();
        }
    }
}
