//! The end of a server: nobody is let in any more, the clients are sent away at moments that are spread out, and what is left at a
//! deadline is ended.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use slab::Slab;
use tokio::{sync::Notify, time::Instant};

use crate::{
    clock::millis, close::CloseReason, live::Live, outbox::Outbox, random, session::Session,
};

/// The spread where none is set: what each session adds, and the most. A hundred clients a second harm no server.
const SPREAD_PER_SESSION: Duration = Duration::from_millis(10);
const MOST_SPREAD: Duration = Duration::from_secs(5);

impl<V: Send + Sync + 'static> Live<V> {
    /// Stops the server, when it is awaited.
    ///
    /// From then on upgrades are answered with 503. Each session is closed at a random moment within a
    /// [`spread`](Shutdown::spread): what is queued for it is delivered, then comes close code 4000 (`drain`), upon which our
    /// clients connect again at once; a client in plain mode gets 1001. It resolves when all sessions have ended and their
    /// `on_close` is done, or at the [`deadline`](Shutdown::deadline), when what is left is ended: without waiting for
    /// hooks, and without `on_close` where that has not begun.
    ///
    /// It works under any host; [`serve`](crate::serve) also stops accepting. It may be called more than once.
    ///
    /// # Cancel safety
    /// Dropped before it resolves, it leaves a server that lets nobody in and keeps the sessions it has not closed yet. Call it
    /// again to go on.
    ///
    /// ```
    /// # async fn stop(live: tidewire::Live<()>) {
    /// use std::time::Duration;
    /// live.shutdown().spread(Duration::from_secs(20)).deadline(Duration::from_secs(60)).await;
    /// # }
    /// ```
    pub fn shutdown(&self) -> Shutdown<V> {
        Shutdown { live: self.clone(), spread: None, deadline: Duration::from_secs(30) }
    }
}

/// The end of a [`Live`], which comes when it is awaited: see [`Live::shutdown`].
#[must_use = "nothing stops until it is awaited"]
pub struct Shutdown<V> {
    live: Live<V>,
    spread: Option<Duration>,
    deadline: Duration,
}

impl<V: Send + Sync + 'static> Shutdown<V> {
    /// Sets the time over which the sessions are closed, so that the servers that take them over are not asked for all of them at
    /// once. By default 10 ms for each session, and 5 s at most: one session is closed at once.
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = Some(spread);
        self
    }

    /// Sets after how long what is left is ended; 30 s by default, as long as a hook may run, and what most supervisors
    /// grant a process that they stop.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn deadline_after(&self) -> Duration {
        self.deadline
    }

    async fn run(self) {
        let Self { live, spread, deadline } = self;
        let stop = &live.shared().stop;
        stop.begin();
        let end = async {
            tokio::select! {
                () = send_away(&live, spread) => stop.all_gone().await,
                () = stop.all_gone() => {}
            }
        };
        if tokio::time::timeout(deadline, end).await.is_err() {
            live.sessions().iter().for_each(close);
            stop.end_all();
        }
    }
}

impl<V: Send + Sync + 'static> IntoFuture for Shutdown<V> {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<V> fmt::Debug for Shutdown<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("spread", &self.spread)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

async fn send_away<V: Send + Sync + 'static>(live: &Live<V>, spread: Option<Duration>) {
    let now = Instant::now();
    let sessions = live.sessions();
    let spread = spread.unwrap_or_else(|| {
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        MOST_SPREAD.min(SPREAD_PER_SESSION * count)
    });
    let spread_ms = millis(spread).max(1);
    let mut sessions: Vec<(Duration, Session<V>)> = sessions
        .into_iter()
        .map(|session| (Duration::from_millis(random::bits() % spread_ms), session))
        .collect();
    sessions.sort_unstable_by_key(|(delay, _)| *delay);
    for (delay, session) in sessions {
        tokio::time::sleep_until(now + delay).await;
        close(&session);
    }
}

fn close<V: Send + Sync + 'static>(session: &Session<V>) {
    session.outbox().close(CloseReason::shutdown(session.is_full()));
}

/// How far the end of a server has come, and which connections have not ended.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: AtomicBool,
    over: AtomicBool,
    connections: Mutex<Slab<Weak<Outbox>>>,
    none_left: Notify,
}

impl Stop {
    /// Whether no client is let in any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
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

    fn begin(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    async fn all_gone(&self) {
        loop {
            let mut none_left = pin!(self.none_left.notified());
            none_left.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            none_left.await;
        }
    }

    fn end_all(&self) {
        self.over.store(true, Ordering::SeqCst);
        let left: Vec<_> = self.lock().iter().filter_map(|(_, outbox)| outbox.upgrade()).collect();
        for outbox in left {
            // Sessions are closed by now; who still owes a hello speaks the full protocol.
            outbox.close(CloseReason::shutdown(true));
            outbox.wake();
        }
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
