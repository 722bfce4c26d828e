//! [`Entry`]: one topic of the memory broker, under its lock.

use std::sync::Arc;

use tidewire_protocol::{
    Millis,
    topic::{Epoch, Key, Log, mids::Mids},
};

use super::{
    super::{BrokerError, Event, Held, Hold, Once, Place, Present, Publish, Record, Sink},
    budget::{Budget, Weight},
};

/// What an event costs beside its data and its key: its places in a log and an allocation, and its own allocations.
const EVENT_BYTES: usize = 160;

/// What a key's last event costs more: its place in two maps, and its name.
const KEY_BYTES: usize = 160;

pub(super) struct Entry {
    pub(super) log: Log<Arc<Event>>,
    /// The publishes that may come again.
    pub(super) mids: Mids,
    /// The members that the topic is about.
    pub(super) present: Option<Box<Present>>,
    pub(super) sinks: Vec<Arc<dyn Sink>>,
    pub(super) age_ms: Millis,
    pub(super) used: Millis,
    /// Taken out of its shard: whoever still holds it looks the topic up again.
    pub(super) forgotten: bool,
    /// What the budget counts for it.
    pub(super) counted: Weight,
    /// The budget has it among the topics that something can be dropped from.
    pub(super) is_queued: bool,
}

impl Entry {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            log: Log::new(Epoch::from_bits(crate::random::bits())),
            mids: Mids::default(),
            present: None,
            sinks: Vec::new(),
            age_ms: 0,
            used: now,
            forgotten: false,
            counted: Weight::default(),
            is_queued: false,
        }
    }

    pub(super) fn publish(
        &mut self,
        publish: Publish,
        budget: &Budget,
        now: Millis,
    ) -> Result<Place, BrokerError> {
        let Publish { event, keep, once, epoch, after } = publish;
        if epoch.is_some_and(|epoch| *epoch != *self.log.epoch().as_str()) {
            return Err(BrokerError::OtherEpoch);
        }
        if let Some(Once { scope, name }) = &once {
            if let Some(first) = self.mids.find(scope, name, now) {
                return Ok(self.place(first));
            }
            if after.is_some_and(|after| !self.mids.reaches(scope, after)) {
                return Err(BrokerError::Forgotten);
            }
        }
        let bytes = event.bytes();
        let (shared, retention) = (Arc::clone(&event), keep.retention);
        let (offset, prev) = match event.key.as_deref().filter(|_| keep.is_keyed) {
            None => self.log.append(shared, bytes, retention, now),
            Some(name) => {
                let key = Key { name, removed: event.removed };
                let growth = self.log.growth(key, bytes);
                if growth > 0 && !budget.can_keep(growth + EVENT_BYTES + KEY_BYTES) {
                    return Err(BrokerError::TooManyKeys);
                }
                let appended = self.log.append_keyed(key, shared, bytes, retention, now);
                appended.map_err(|_| BrokerError::TooManyKeys)?
            }
        };
        self.age_ms = retention.age_ms;
        if let Some(Once { scope, name }) = &once {
            self.mids.remember(scope, name, offset, now);
        }
        self.tell(&Record { offset, prev, event });
        Ok(self.place(offset))
    }

    pub(super) fn hold(&mut self, hold: Hold, now: Millis) -> Held {
        let Hold { node, changes, shows, keep } = hold;
        let present = self.present.get_or_insert_with(|| Box::new(Present::new(shows)));
        let (held, seen) = present.handle_hold(node, changes, now);
        if present.is_empty() {
            self.present = None;
        }
        if let Some(data) = seen {
            let event = Arc::new(Event::new(data));
            let (shared, bytes) = (Arc::clone(&event), event.bytes());
            let (offset, prev) = self.log.append(shared, bytes, keep.retention, now);
            self.age_ms = keep.retention.age_ms;
            self.tell(&Record { offset, prev, event });
        }
        held
    }

    fn tell(&self, record: &Record) {
        for sink in &self.sinks {
            Arc::clone(sink).deliver(record);
        }
    }

    pub(super) fn place(&self, offset: u64) -> Place {
        Place { epoch: self.log.epoch().clone(), offset }
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Millis) {
        self.log.expire(self.age_ms, now);
        self.mids.expire(now);
    }

    /// Whether nobody is told of its events, and nothing of it could be asked for.
    pub(super) fn is_empty(&self) -> bool {
        let has_keys = self.log.state().is_some_and(|state| !state.is_empty());
        let has_content = has_keys || self.present.is_some() || !self.mids.is_empty();
        self.sinks.is_empty() && self.log.is_empty() && !has_content
    }

    /// It is taken out of its shard.
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
        self.log = Log::new(self.log.epoch().clone());
    }

    /// What it holds.
    pub(super) fn weight(&self) -> Weight {
        let kept = self.log.state().map_or(0, |state| {
            let events = state.len() + state.tombstones();
            state.bytes() + state.tombstone_bytes() + events * (EVENT_BYTES + KEY_BYTES)
        });
        let members = self.present.as_ref();
        let kept = kept + members.map_or(0, |present| present.bytes() + present.len() * KEY_BYTES);
        let all = kept + self.log.bytes() + self.log.len() * EVENT_BYTES + self.mids.bytes();
        Weight { all, kept }
    }

    /// When the oldest of what can be dropped came.
    pub(super) fn oldest(&self) -> Option<Millis> {
        self.log.oldest().into_iter().chain(self.mids.oldest()).min()
    }

    /// Drops what came at `until` or before, oldest first, as long as it holds more than `least` bytes.
    pub(super) fn drop_until(&mut self, until: Millis, least: usize) {
        while self.weight().all > least
            && let Some(oldest) = self.oldest().filter(|oldest| *oldest <= until)
        {
            if self.log.oldest() == Some(oldest) {
                self.log.drop_oldest();
            } else {
                self.mids.drop_oldest();
            }
        }
    }
}
