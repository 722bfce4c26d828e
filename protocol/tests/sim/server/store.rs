//! What the application stores, and how it makes a snapshot of it. It outlives every process.

use std::rc::Rc;

use tidewire_protocol::Millis;

use crate::frames::{At, Snapshot};

/// In the order of the commits: a payload's version is its place, from 1.
#[derive(Debug, Default)]
pub(crate) struct Store {
    commits: Vec<(Millis, u64)>,
}

/// A snapshot that is taken: the topic's place is known, and the application's handler runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) place: At,
    /// When its transaction reads.
    read_at: Millis,
    pub(crate) done_at: Millis,
}

impl Run {
    pub(crate) fn new(place: At, now: Millis, until: Millis, then: Millis) -> Self {
        Self { place, read_at: now + until, done_at: now + until + then }
    }
}

impl Store {
    /// Stores a payload and gives its version.
    pub(crate) fn commit(&mut self, payload: u64, now: Millis) -> u64 {
        self.commits.push((now, payload));
        self.commits.len() as u64
    }

    /// What a run has read, and its version.
    pub(crate) fn read(&self, run: Run) -> (Snapshot, u64) {
        let count = self.commits.partition_point(|&(at, _)| at <= run.read_at);
        let payloads = self.commits[..count].iter().map(|&(_, payload)| payload).collect();
        (Snapshot::Store(Rc::new(payloads)), count as u64)
    }
}
