//! [`Stop`]: how far the end of a server has come, and which connections have not ended.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use slab::Slab;
use tokio::sync::Notify;

use crate::{close::CloseReason, outbox::Outbox};

#[derive(Debug, Default)]
pub(crate) struct Stop {
    stage: AtomicU8,
    over: AtomicBool,
    connections: Mutex<Slab<Weak<Outbox>>>,
    none_left: Notify,
}

/// How a server ends. What comes later here is not taken back by what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its clients are asked to move to another server.
    Draining = 1,
    /// They are sent away.
    Closing = 2,
}

impl Stop {
    /// Whether no client is let in any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stage() > 0
    }

    /// Whether the clients are to come back at once, as another server takes them.
    pub(crate) fn is_draining(&self) -> bool {
        self.stage() == Stage::Draining as u8
    }

    fn stage(&self) -> u8 {
        self.stage.load(Ordering::SeqCst)
    }

    /// How many connections a server that stops still waits for.
    pub(crate) fn left(&self) -> usize {
        if self.is_stopping() { self.lock().len() } else { 0 }
    }

    /// Wakes the tasks of connections, as far as they have not ended.
    pub(crate) fn wake(&self, keys: &[u32]) {
        let connections = self.lock();
        let outboxes = keys.iter().filter_map(|key| connections.get(*key as usize)?.upgrade());
        let outboxes: Vec<_> = outboxes.collect();
        drop(connections);
        outboxes.iter().for_each(|outbox| outbox.wake());
    }

    /// Enters a connection, until what is returned is dropped.
    pub(crate) fn enter(self: &Arc<Self>, outbox: &Arc<Outbox>) -> Entered {
        let key = self.lock().insert(Arc::downgrade(outbox));
        let key = u32::try_from(key).expect("no machine has memory for so many");
        Entered { stop: Arc::clone(self), key }
    }

    pub(super) fn begin(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::SeqCst);
    }

    pub(super) async fn all_gone(&self) {
        loop {
            let mut none_left = pin!(self.none_left.notified());
            none_left.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            none_left.await;
        }
    }

    /// Closes the connections that are no sessions, when the sessions are closed: who still owes a hello speaks the full protocol.
    pub(super) fn close_rest(&self) {
        for outbox in self.open() {
            outbox.close(CloseReason::shutdown(true));
        }
    }

    /// What is closed ends at once, whatever it still has to do.
    pub(super) fn end_all(&self) {
        self.over.store(true, Ordering::SeqCst);
        for outbox in self.open() {
            outbox.wake();
        }
    }

    fn open(&self) -> Vec<Arc<Outbox>> {
        self.lock().iter().filter_map(|(_, outbox)| outbox.upgrade()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Weak<Outbox>>> {
        self.connections.lock().expect("no panic while connections are counted")
    }
}

/// A connection that has not ended.
#[derive(Debug)]
pub(crate) struct Entered {
    stop: Arc<Stop>,
    key: u32,
}

impl Entered {
    /// What it is entered under. Another has the key after it.
    pub(crate) const fn key(&self) -> u32 {
        self.key
    }

    /// Whether connections that are closed end at once, whatever they still have to do.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.over.load(Ordering::SeqCst)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut connections = self.stop.lock();
        connections.remove(self.key as usize);
        if connections.is_empty() {
            self.stop.none_left.notify_waiters();
        }
    }
}
