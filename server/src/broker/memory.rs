//! [`MemoryBroker`]: topics of one process, or of several `Live`s in it that share one.
//!
//! Each topic's log and its sinks stand under one lock, held from append to hand-over: that is the order of the topic. Topics are
//! spread over shards, which whoever comes by sweeps one after the other, and whoever publishes makes room where all topics together
//! hold too much: there is no task in the background.

mod budget;
mod entry;

use std::{
    collections::{HashMap, hash_map},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidewire_protocol::{
    Millis,
    name::Topic,
    topic::{self as log, Missing, PageLimits, Reading, Start},
};

use super::{
    Broker, BrokerError, BrokerFuture, Event, Held, Hold, Page, Place, Publish, Range, Record,
    Sink, Slice,
};
use crate::clock::{Clock, millis};
use budget::Budget;
use entry::Entry;

const SHARDS: usize = 64;

/// How often the next shard is looked over for topics that nobody needs: all of them within 5 s.
const SWEEP_EVERY_MS: Millis = 5_000 / SHARDS as Millis;

/// How often all are looked over at once, where there is no room for another topic.
const SWEEP_ALL_EVERY_MS: Millis = 1_000;

/// The bounds of a [`MemoryBroker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryLimits {
    /// Topics that may exist at once; 100,000 by default, so that invented names cannot fill the memory.
    pub topics: usize,
    /// Bytes that all topics may hold together; 256 MiB by default. What was published first goes first, whatever its topic: a client that
    /// would go on from there is told that it is gone. The state of keyed topics counts but never goes; an event that it would grow by is refused
    /// where nothing else is left to go. Each event counts its data, its key and 160 bytes more, which is what it costs.
    pub bytes: usize,
    /// An unused topic whose history is empty, which has no keys, and of whose publishes none could come again, is forgotten after this
    /// long, and has a new epoch when it comes again; 60 s by default, so that a page which reloads finds its topic.
    pub idle: Duration,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { topics: 100_000, bytes: 256 << 20, idle: Duration::from_secs(60) }
    }
}

/// The broker within a process. Cheap to clone; clones share their topics.
///
/// A restart of the process is a new epoch for every topic: clients are told that what they missed is gone.
#[derive(Clone)]
pub struct MemoryBroker {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    limits: MemoryLimits,
    budget: Budget,
    clock: Clock,
    /// The shard to be swept next, and when one, and all of them, were swept last.
    next_sweep: AtomicUsize,
    swept: AtomicU64,
    swept_all: AtomicU64,
}

type Shard = HashMap<Topic, Arc<Mutex<Entry>>>;

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl MemoryBroker {
    /// A broker without topics.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            inner: Arc::new(Inner {
                shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
                hasher: RandomState::new(),
                count: AtomicUsize::new(0),
                limits,
                budget: Budget::new(limits.bytes),
                clock: Clock::start(),
                next_sweep: AtomicUsize::new(0),
                swept: AtomicU64::new(0),
                swept_all: AtomicU64::new(0),
            }),
        }
    }

    /// How many topics exist.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.inner.count.load(Ordering::Relaxed)
    }

    /// How many bytes all topics hold together, as [`MemoryLimits::bytes`] counts them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.budget.used()
    }
}

impl Inner {
    /// Does `work` on a topic that exists then.
    fn with<T>(
        &self,
        topic: &Topic,
        work: impl FnOnce(&mut Entry, Millis) -> T,
    ) -> Result<T, BrokerError> {
        let now = self.clock.now();
        let done = loop {
            let shared = self.entry(topic, now)?;
            let mut entry = shared.lock().expect("no panic while a topic is locked");
            if !entry.forgotten {
                entry.used = now;
                let done = work(&mut entry, now);
                self.budget.settle(&shared, &mut entry);
                break done;
            }
        };
        self.budget.make_room();
        Ok(done)
    }

    fn shard(&self, topic: &Topic) -> MutexGuard<'_, Shard> {
        self.lock(usize::try_from(self.hasher.hash_one(topic) % SHARDS as u64).unwrap_or(0))
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().expect("no panic while a shard is locked")
    }

    fn entry(&self, topic: &Topic, now: Millis) -> Result<Arc<Mutex<Entry>>, BrokerError> {
        if is_due(&self.swept, SWEEP_EVERY_MS, now) {
            let idle_ms = millis(self.limits.idle);
            self.sweep(self.next_sweep.fetch_add(1, Ordering::Relaxed) % SHARDS, now, idle_ms);
        }
        if let Some(entry) = self.shard(topic).get(topic) {
            return Ok(Arc::clone(entry));
        }
        if self.is_full() && is_due(&self.swept_all, SWEEP_ALL_EVERY_MS, now) {
            // Where room is needed, names that were never published to go first: nothing of them can be recovered.
            (0..SHARDS).for_each(|shard| self.sweep(shard, now, 0));
        }
        match self.shard(topic).entry(topic.clone()) {
            // It came meanwhile.
            hash_map::Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            hash_map::Entry::Vacant(_) if self.is_full() => Err(BrokerError::TooManyTopics),
            hash_map::Entry::Vacant(place) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                Ok(Arc::clone(place.insert(Arc::new(Mutex::new(Entry::new(now))))))
            }
        }
    }

    fn is_full(&self) -> bool {
        self.count.load(Ordering::Relaxed) >= self.limits.topics
    }

    /// Forgets the topics of a shard that nobody needs: those that were published to after their idle time, those that never
    /// were after `unused_ms`.
    fn sweep(&self, shard: usize, now: Millis, unused_ms: Millis) {
        let idle_ms = millis(self.limits.idle);
        self.lock(shard).retain(|_, shared| {
            // One that is locked is in use.
            let Ok(mut entry) = shared.try_lock() else { return true };
            entry.expire(now);
            let unused_for = now.saturating_sub(entry.used);
            let is_idle = entry.is_empty()
                && unused_for >= if entry.log.head() == 0 { unused_ms } else { idle_ms };
            if is_idle {
                entry.forget();
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            self.budget.settle(shared, &mut entry);
            !is_idle
        });
    }
}

/// Whether so much time has passed since it was last due; of several that ask at once, one is told so.
fn is_due(last: &AtomicU64, every_ms: Millis, now: Millis) -> bool {
    let then = last.load(Ordering::Relaxed);
    now.saturating_sub(then) >= every_ms
        && last.compare_exchange(then, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

fn ready<'a, T: Send + 'a>(value: Result<T, BrokerError>) -> BrokerFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Broker for MemoryBroker {
    fn publish<'a>(&'a self, topic: &'a Topic, publish: Publish) -> BrokerFuture<'a, Place> {
        ready(
            self.inner
                .with(topic, |entry, now| entry.publish(publish, &self.inner.budget, now))
                .and_then(|place| place),
        )
    }

    fn attach<'a>(&'a self, topic: &'a Topic, sink: Arc<dyn Sink>) -> BrokerFuture<'a, Place> {
        ready(self.inner.with(topic, |entry, _| {
            entry.sinks.push(sink);
            entry.place(entry.log.head())
        }))
    }

    fn detach(&self, topic: &Topic, sink: &Arc<dyn Sink>) {
        // A topic that is there only because of this look-up is swept like any other.
        let _ = self
            .inner
            .with(topic, |entry, _| entry.sinks.retain(|other| !Arc::ptr_eq(other, sink)));
    }

    fn start<'a>(
        &'a self,
        topic: &'a Topic,
        since: Option<(&'a str, u64)>,
    ) -> BrokerFuture<'a, (Start, Place)> {
        ready(self.inner.with(topic, |entry, now| {
            entry.expire(now);
            let start = entry.log.start(since);
            (start, entry.place(entry.log.head()))
        }))
    }

    fn read<'a>(
        &'a self,
        topic: &'a Topic,
        after: &'a Place,
        reading: Reading,
        most: usize,
    ) -> BrokerFuture<'a, Page> {
        ready(self.inner.with(topic, |entry, _| {
            let head = entry.log.head();
            if entry.log.epoch() != &after.epoch {
                return Page { records: Vec::new(), missing: Some(Missing::Lost), head };
            }
            let most = PageLimits { events: most, bytes: Page::BYTES };
            let log::Page { entries, missing } = entry.log.read(after.offset, reading, most);
            Page { records: entries.into_iter().map(record).collect(), missing, head }
        }))
    }

    fn history<'a>(&'a self, topic: &'a Topic, range: Range) -> BrokerFuture<'a, Slice> {
        ready(self.inner.with(topic, |entry, now| {
            entry.expire(now);
            let Range { after, before, limit, bytes } = range;
            let range = entry.log.range(after, before, PageLimits { events: limit, bytes });
            Slice {
                place: entry.place(entry.log.head()),
                records: range.into_iter().map(record).collect(),
            }
        }))
    }

    fn state<'a>(&'a self, topic: &'a Topic) -> BrokerFuture<'a, Slice> {
        ready(self.inner.with(topic, |entry, now| {
            entry.expire(now);
            let head = entry.log.head();
            let records = match (entry.log.state(), &entry.present) {
                (_, Some(present)) => present.records(head),
                (Some(state), None) => state.current().map(record).collect(),
                (None, None) => entry.log.after(0).map(record).collect(),
            };
            Slice { place: entry.place(head), records }
        }))
    }

    fn hold<'a>(&'a self, topic: &'a Topic, hold: Hold) -> BrokerFuture<'a, Held> {
        ready(self.inner.with(topic, |entry, now| entry.hold(hold, now)))
    }
}

fn record(entry: &log::Entry<Arc<Event>>) -> Record {
    Record { offset: entry.offset, prev: entry.prev, event: Arc::clone(&entry.event) }
}

impl fmt::Debug for MemoryBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBroker").field("topics", &self.topics()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
