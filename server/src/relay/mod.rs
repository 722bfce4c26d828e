//! [`Relay`]: publishes what an application's database holds in an *outbox*, a table that a transaction writes its events to beside its
//! own rows: what is committed is published, and nothing else.
//!
//! The database is the application's ([`OutboxStore`]). The relay reads the rows in order, publishes each under its id as key and version,
//! and says which are done when the broker has appended them. Of several relays one works at a time, by a lease in the same database; a
//! relay that dies between a publish and its note is followed by one that publishes the row again, which the key makes harmless.

mod run;
mod store;

use std::{fmt, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

pub use store::{Lease, OutboxEvent, OutboxRow, OutboxStore};

use crate::live::Live;
use run::{Runner, Signals};

impl<V: Send + Sync + 'static> Live<V> {
    /// Relays what `store` holds, when it is [started](RelayBuilder::start). `name` is the outbox's own: rows of two outboxes may have the same
    /// ids.
    pub fn relay<S: OutboxStore>(&self, name: &str, store: S) -> RelayBuilder<V, S> {
        let (lease, poll) = (Duration::from_secs(10), Duration::from_secs(1));
        RelayBuilder { live: self.clone(), name: name.into(), store, lease, poll }
    }
}

/// A [`Relay`] that has not been started: see [`Live::relay`].
#[must_use = "nothing is relayed until it is started"]
pub struct RelayBuilder<V, S> {
    live: Live<V>,
    name: Box<str>,
    store: S,
    lease: Duration,
    poll: Duration,
}

impl<V: Send + Sync + 'static, S: OutboxStore> RelayBuilder<V, S> {
    /// Sets how long a lease lasts, which is how long nothing is relayed after a relay has died; 10 s by default, which a pause of its
    /// machine seldom reaches, and 1 s at least. It is renewed at half of that.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Sets how often an outbox that was empty is looked at again without [`wake`](Relay::wake), and a lease that another has; 1 s by default.
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Starts a task that relays until what is returned is dropped or stopped, or the server is shut down or
    /// drained: then a relay of another node goes on.
    ///
    /// # Panics
    /// If it is not called within a tokio runtime.
    #[must_use = "it stops when it is dropped"]
    pub fn start(self) -> Relay {
        let Self { live, name, store, lease, poll } = self;
        let signals = Arc::<Signals>::default();
        let runner = Runner::new(live, &name, store, lease, poll, Arc::clone(&signals));
        Relay { signals, task: tokio::spawn(runner.run()) }
    }
}

/// A task that publishes an outbox. It ends when this is dropped, wherever it is: another relay takes over when its lease has run out.
pub struct Relay {
    signals: Arc<Signals>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Says that something was committed: it is relayed at once. A call is cheap, and needless ones do no harm.
    pub fn wake(&self) {
        self.signals.wake();
    }

    /// Ends the relay after the row that is under way, and gives its lease back, so that another takes over at once.
    pub async fn stop(mut self) {
        self.signals.stop();
        // It has ended also if the store has panicked.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<V, S> fmt::Debug for RelayBuilder<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}
