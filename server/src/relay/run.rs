//! A relay's task: takes the lease, reads, publishes, notes; waits where there is nothing to do.
//!
//! Every step may be the last. What is published and not noted is published again under the same key; nothing is noted that was not
//! acknowledged. A publish is not begun with less than half of the lease left, and not waited for beyond its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Lease, OutboxRow, OutboxStore};
use crate::{error::PublishError, live::Live, publishing::Publishing, random};

/// Rows read at once: what is published again at most after a relay has died, far below the names that a broker remembers.
const ROWS: usize = 64;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MOST_BACKOFF: Duration = Duration::from_secs(10);

/// What a relay's owner tells its task.
#[derive(Debug, Default)]
pub(super) struct Signals {
    stopping: AtomicBool,
    woken: Notify,
}

impl Signals {
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.woken.notify_one();
    }
}

pub(super) struct Runner<V, S> {
    live: Live<V>,
    store: S,
    /// The outbox's scope of names.
    scope: Arc<str>,
    /// Who this is, among all relays.
    holder: String,
    lease: Duration,
    poll: Duration,
    signals: Arc<Signals>,
    /// When the lease was asked for that it has.
    held_since: Option<Instant>,
}

/// What a turn came to.
enum Turn {
    /// There may be more.
    Worked,
    /// The outbox is empty.
    Empty,
    /// Another relay works.
    Standby,
}

#[derive(Debug, thiserror::Error)]
enum TurnError<E> {
    #[error("the outbox failed")]
    Store(#[source] E),
    #[error("row {0} was not published")]
    Publish(u64, #[source] PublishError),
    #[error("row {0} was not acknowledged while the lease lasted")]
    Late(u64),
}

impl<V: Send + Sync + 'static, S: OutboxStore> Runner<V, S> {
    pub(super) fn new(
        live: Live<V>,
        name: &str,
        store: S,
        lease: Duration,
        poll: Duration,
        signals: Arc<Signals>,
    ) -> Self {
        let (scope, holder) = (format!("outbox:{name}").into(), random::id());
        Self { live, store, scope, holder, lease, poll, signals, held_since: None }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = FIRST_BACKOFF;
        while !self.is_stopping() {
            match self.turn().await {
                Ok(turn) => {
                    backoff = FIRST_BACKOFF;
                    match turn {
                        // Others get their turn between pages.
                        Turn::Worked => tokio::task::yield_now().await,
                        Turn::Empty => self.wait(self.poll, Wake::Heeded).await,
                        Turn::Standby => self.wait(self.poll, Wake::Ignored).await,
                    }
                }
                Err(error) => {
                    self.live.counters().relay_failed();
                    let relay = &*self.scope;
                    tracing::warn!(error = &error as &dyn std::error::Error, relay, "not relayed");
                    self.wait(backoff, Wake::Ignored).await;
                    backoff = MOST_BACKOFF.min(backoff * 2);
                }
            }
        }
        if let Err(error) = self.store.release(&self.holder).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a lease was not given back");
        }
    }

    fn is_stopping(&self) -> bool {
        self.signals.stopping.load(Ordering::SeqCst) || self.live.shared().stop.is_stopping()
    }

    /// One page of rows, with the lease.
    async fn turn(&mut self) -> Result<Turn, TurnError<S::Error>> {
        let Some(until) = self.hold().await.map_err(TurnError::Store)? else {
            return Ok(Turn::Standby);
        };
        let rows = self.store.read(ROWS).await.map_err(TurnError::Store)?;
        if rows.is_empty() {
            return Ok(Turn::Empty);
        }
        let mut done = Vec::with_capacity(rows.len());
        let mut published = Ok(());
        for row in rows {
            if self.is_stopping() || Instant::now() >= until - self.lease / 2 {
                break;
            }
            let id = row.id;
            published = self.publish(row, until).await;
            if published.is_err() {
                break;
            }
            done.push(id);
        }
        if !done.is_empty() {
            self.store.done(&done).await.map_err(TurnError::Store)?;
            self.live.counters().relayed(done.len());
        }
        published.map(|()| Turn::Worked)
    }

    /// Takes the lease, or renews one that is half over. Returns its end, or `None` where another has it.
    async fn hold(&mut self) -> Result<Option<Instant>, S::Error> {
        if let Some(since) = self.held_since
            && since.elapsed() < self.lease / 2
        {
            return Ok(Some(since + self.lease));
        }
        // Counted from before the question, it ends here no later than in the database.
        let asked = Instant::now();
        self.held_since = None;
        let lease = self.store.lease(&self.holder, self.lease).await?;
        self.held_since = (lease == Lease::Held).then_some(asked);
        Ok(self.held_since.map(|since| since + self.lease))
    }

    async fn publish(&self, row: OutboxRow, until: Instant) -> Result<(), TurnError<S::Error>> {
        let OutboxRow { id, event } = row;
        let (topic, event) = event.into_event();
        let publish = Publishing::new(&self.live, Ok(topic), Ok(event))
            .once_in(self.scope.clone(), &id.to_string())
            .version(id);
        match tokio::time::timeout_at(until, publish.into_future()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(TurnError::Publish(id, error)),
            Err(_) => Err(TurnError::Late(id)),
        }
    }

    /// Waits so long, or until it is to stop, or until it is woken, if that is heeded.
    async fn wait(&self, time: Duration, wake: Wake) {
        let woken = async {
            loop {
                self.signals.woken.notified().await;
                if wake == Wake::Heeded || self.is_stopping() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(time, woken).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wake {
    Heeded,
    Ignored,
}
