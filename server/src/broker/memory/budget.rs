//! [`Budget`]: what all topics hold together, and what goes first where that is too much.
//!
//! Topics wait in a heap by the age of their oldest event *as it was when they were put there*: since then it may have gone of itself.
//! Whoever makes room takes the first, drops what is older than the next one's, and puts it back by what is oldest then. So events go in
//! the order of their age over all topics, and nothing but the heap is touched while there is room.
//!
//! Lock order: a topic, then the heap. While room is made a topic is only tried: whoever holds it may wait for the one that makes room,
//! as a sink may that publishes.

use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use tidewire_protocol::Millis;

use super::entry::Entry;

/// Topics that are gone may be in the heap, but not more than there are others, or so many.
const GONE_TOPICS: usize = 1024;

#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
    kept: AtomicUsize,
    queue: Mutex<Queue>,
    /// Held by the one that makes room; others wait, or would publish on meanwhile.
    making_room: Mutex<()>,
}

/// What a topic holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) all: usize,
    /// Of these, what is not dropped.
    pub(super) kept: usize,
}

#[derive(Debug, Default)]
struct Queue {
    heap: BinaryHeap<Queued>,
    /// The heap is rid of topics that are gone when it has so many.
    clean_at: usize,
}

/// A topic, first those whose oldest event is oldest.
#[derive(Debug)]
struct Queued {
    oldest: Millis,
    entry: Weak<Mutex<Entry>>,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            queue: Mutex::new(Queue { clean_at: GONE_TOPICS, ..Queue::default() }),
            making_room: Mutex::default(),
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether so many bytes more can be kept: all else could go.
    pub(super) fn can_keep(&self, bytes: usize) -> bool {
        self.kept.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }

    /// Counts what a topic holds now, after something was done to it.
    pub(super) fn settle(&self, shared: &Arc<Mutex<Entry>>, entry: &mut Entry) {
        let weight = entry.weight();
        let before = std::mem::replace(&mut entry.counted, weight);
        count(&self.used, before.all, weight.all);
        count(&self.kept, before.kept, weight.kept);
        if !entry.is_queued
            && let Some(oldest) = entry.oldest()
        {
            entry.is_queued = true;
            self.queue().push(Queued { oldest, entry: Arc::downgrade(shared) });
        }
    }

    /// Drops what is oldest, if all topics hold too much. The caller holds no topic.
    pub(super) fn make_room(&self) {
        if self.used() <= self.limit {
            return;
        }
        let _one_at_a_time = self.making_room.lock().expect("no panic while room is made");
        // A little more than needed, so that it is not for each publish.
        let enough = self.limit - self.limit / 128;
        let mut in_use = Vec::new();
        while self.used() > enough {
            let (first, until) = self.queue().pop();
            let Some(first) = first else { break };
            let Some(shared) = first.entry.upgrade() else { continue };
            let Ok(mut entry) = shared.try_lock() else {
                in_use.push(first);
                continue;
            };
            let too_much = self.used().saturating_sub(enough);
            let least = entry.counted.all.saturating_sub(too_much);
            entry.drop_until(until, least);
            entry.is_queued = false;
            self.settle(&shared, &mut entry);
        }
        let mut queue = self.queue();
        in_use.into_iter().for_each(|queued| queue.push(queued));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no panic while the queue is locked")
    }
}

fn count(total: &AtomicUsize, before: usize, now: usize) {
    match now.cmp(&before) {
        Order::Greater => drop(total.fetch_add(now - before, Ordering::Relaxed)),
        Order::Less => drop(total.fetch_sub(before - now, Ordering::Relaxed)),
        Order::Equal => {}
    }
}

impl Queue {
    fn push(&mut self, queued: Queued) {
        if self.heap.len() >= self.clean_at {
            self.heap.retain(|queued| queued.entry.strong_count() > 0);
            self.clean_at = 2 * self.heap.len() + GONE_TOPICS;
        }
        self.heap.push(queued);
    }

    /// The first topic, and the age of the next one's oldest event.
    fn pop(&mut self) -> (Option<Queued>, Millis) {
        let first = self.heap.pop();
        (first, self.heap.peek().map_or(Millis::MAX, |next| next.oldest))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.oldest == other.oldest
    }
}

impl Eq for Queued {}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Order {
        // The heap gives its greatest first.
        other.oldest.cmp(&self.oldest)
    }
}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests;
