//! [`Runs`]: handlers that run, so that whoever asks for the same meanwhile joins them.
//!
//! A run is polled by those who wait for it: if the one who began it goes, another drives it on, and without any it is dropped. Its
//! panic or its time-out is an error for all of them.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Shared, WeakShared},
};
use tidewire_protocol::code::ErrorCode;

use super::Outcome;
use crate::{error::Refusal, hooks::BoxFuture};

type Run = Shared<BoxFuture<Outcome>>;

pub(super) struct Runs<K> {
    state: Mutex<State<K>>,
}

struct State<K> {
    running: HashMap<K, (u64, WeakShared<BoxFuture<Outcome>>)>,
    begun: u64,
}

impl<K> Default for Runs<K> {
    fn default() -> Self {
        Self { state: Mutex::new(State { running: HashMap::new(), begun: 0 }) }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Runs<K> {
    /// The run that is under way for a key, else `run`, which may take so long.
    pub(super) fn join(
        self: &Arc<Self>,
        key: K,
        run: impl Future<Output = Outcome> + Send + 'static,
        timeout: Duration,
    ) -> Run {
        let mut state = self.state.lock().expect("no panic while a table is locked");
        if let Some((_, running)) = state.running.get(&key)
            && let Some(running) = running.upgrade()
            && running.peek().is_none()
        {
            return running;
        }
        state.begun += 1;
        let number = state.begun;
        let entry = Entry { runs: Arc::clone(self), key: key.clone(), number };
        let run: BoxFuture<Outcome> = Box::pin(async move {
            let _entry = entry;
            let run = AssertUnwindSafe(tokio::time::timeout(timeout, run)).catch_unwind().await;
            match run {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Refusal::new(ErrorCode::TIMEOUT)),
                Err(_) => Err(Refusal::new(ErrorCode::INTERNAL)),
            }
        });
        let run = run.shared();
        if let Some(weak) = run.downgrade() {
            state.running.insert(key, (number, weak));
        }
        run
    }
}

/// A run's place in the table, until it has ended or nobody waits for it.
struct Entry<K: Eq + Hash> {
    runs: Arc<Runs<K>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash> Drop for Entry<K> {
    fn drop(&mut self) {
        let mut state = self.runs.state.lock().expect("no panic while a table is locked");
        if state.running.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.running.remove(&self.key);
        }
    }
}
