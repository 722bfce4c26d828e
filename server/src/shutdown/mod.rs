//! The end of a server: nobody is let in any more, the clients are asked to move or sent away at moments that are spread out, and what
//! is left at a deadline is ended.

mod stop;

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use tidewire_protocol::frame::server;
use tokio::time::{Instant, sleep_until};

use self::stop::Stage;
pub(crate) use self::stop::{Entered, Stop};
use crate::{clock::millis, close::CloseReason, live::Live, random, session::Session};

/// The spread where none is set: what each session adds, and the most. A hundred clients a second harm no server.
const SPREAD_PER_SESSION: Duration = Duration::from_millis(10);
const MOST_SPREAD: Duration = Duration::from_secs(5);

/// Longer than any deadline, and short of what an `Instant` can hold.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

impl<V: Send + Sync + 'static> Live<V> {
    /// Stops the server, when it is awaited: for one whose clients have nowhere else to go. Where another takes over,
    /// [`drain`](Self::drain).
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
        let deadline = Duration::from_secs(30);
        Shutdown { live: self.clone(), spread: None, deadline, stage: Stage::Closing }
    }

    /// Hands the clients over to another server, when it is awaited: one that shares the broker, so that nobody notices.
    ///
    /// From then on upgrades are refused: by 503, or, to our clients, by close code 4000 (`drain`), upon which they come back at
    /// once. Each session in full mode is asked to move (`$drain`) at a random moment within a [`spread`](Shutdown::spread) at the
    /// deadline's begin: its client connects anew, goes on with every topic there, waits here for what it is owed, and leaves.
    /// Until then all goes on as before, publishes, calls and new subscriptions too. A client in plain mode cannot move, and is closed
    /// with 1001 at a moment within as long a spread before the deadline, when the load balancer knows for sure where to send it.
    ///
    /// At the deadline what is left is closed, with 4000 or 1001; its hooks, `on_close` too, have the
    /// [`close_timeout`](crate::LiveBuilder::close_timeout) (5 s) to end. It resolves when all are gone, that much later at most:
    /// grant the process more than both.
    ///
    /// It works under any host; [`serve`](crate::serve) also goes on answering requests meanwhile, and then stops accepting. During
    /// it [`is_stopping`](Self::is_stopping) tells a load balancer, and [`metrics`](Self::metrics) how many are left. A
    /// [`shutdown`](Self::shutdown) beside it closes at once what has not moved yet.
    ///
    /// # Cancel safety
    /// As [`shutdown`](Self::shutdown).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// # async fn run(live: tidewire::Live<()>, app: axum::Router) -> std::io::Result<()> {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    /// let replaced = async { drop(tokio::signal::ctrl_c().await) };
    /// tidewire::serve(listener, app).shutdown(live.drain(Duration::from_secs(20)), replaced).await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self, deadline: Duration) -> Shutdown<V> {
        let deadline = deadline.min(FAR);
        Shutdown { live: self.clone(), spread: None, deadline, stage: Stage::Draining }
    }

    /// Whether the server stops or drains, and lets nobody in: what a load balancer is to be told by a route of the application's.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared().stop.is_stopping()
    }
}

/// The end of a [`Live`], which comes when it is awaited: see [`Live::shutdown`] and [`Live::drain`].
#[must_use = "nothing stops until it is awaited"]
pub struct Shutdown<V> {
    live: Live<V>,
    spread: Option<Duration>,
    deadline: Duration,
    stage: Stage,
}

impl<V: Send + Sync + 'static> Shutdown<V> {
    /// Sets the time over which the sessions are closed, or asked to move, so that the servers that take them over are not asked for
    /// all of them at once. By default 10 ms for each session, and 5 s at most: one session is closed at once. Of a drain it is at
    /// most half of the deadline, also by default.
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = Some(spread);
        self
    }

    /// Sets after how long what is left is ended, or, of a drain, closed; 30 s by default, as long as a hook may run, and what most
    /// supervisors grant a process that they stop.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(FAR);
        self
    }

    /// After how long nothing is left.
    pub(crate) fn ends_after(&self) -> Duration {
        match self.stage {
            Stage::Closing => self.deadline,
            Stage::Draining => {
                (self.deadline + self.live.options().close_timeout.min(FAR)).min(FAR)
            }
        }
    }

    /// For how long upgrades are still answered, by a refusal that says where to go.
    pub(crate) fn refuses_for(&self) -> Option<Duration> {
        (self.stage == Stage::Draining).then_some(self.deadline / 2)
    }

    async fn run(self) {
        let ends_after = self.ends_after();
        let stop = &self.live.shared().stop;
        stop.begin(self.stage);
        let send_away = async {
            match self.stage {
                Stage::Closing => self.close_all_in_turn().await,
                Stage::Draining => self.hand_over().await,
            }
        };
        let end = async {
            tokio::select! {
                () = send_away => stop.all_gone().await,
                () = stop.all_gone() => {}
            }
        };
        if tokio::time::timeout(ends_after, end).await.is_err() {
            close_all(&self.live);
            stop.end_all();
        }
    }

    async fn close_all_in_turn(&self) {
        let sessions = self.live.sessions();
        let spread = self.spread.unwrap_or_else(|| spread_of(&sessions, MOST_SPREAD));
        in_turn(sessions, Instant::now(), spread, close).await;
    }

    async fn hand_over(&self) {
        let (begin, half) = (Instant::now(), self.deadline / 2);
        let sessions = self.live.sessions();
        let spread = self.spread.unwrap_or_else(|| spread_of(&sessions, half)).min(half);
        let ask = |session: &Session<V>| {
            if session.is_full() {
                let left = self.deadline.saturating_sub(begin.elapsed());
                session.answer(&server::write_drain(millis(left)));
            }
        };
        in_turn(sessions, begin, spread, ask).await;
        let last = begin + (self.deadline - spread);
        sleep_until(last).await;
        let mut plain = self.live.sessions();
        plain.retain(|session| !session.is_full());
        in_turn(plain, last, spread, close).await;
        sleep_until(begin + self.deadline).await;
        close_all(&self.live);
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
            .field("stage", &self.stage)
            .field("spread", &self.spread)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

fn spread_of<V>(sessions: &[Session<V>], most: Duration) -> Duration {
    let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
    most.min(SPREAD_PER_SESSION * count)
}

/// Does something with each session, at random moments within a spread.
async fn in_turn<V>(
    sessions: Vec<Session<V>>,
    begin: Instant,
    spread: Duration,
    act: impl Fn(&Session<V>),
) {
    let spread_ms = millis(spread).max(1);
    let mut sessions: Vec<(Duration, Session<V>)> = sessions
        .into_iter()
        .map(|session| (Duration::from_millis(random::bits() % spread_ms), session))
        .collect();
    sessions.sort_unstable_by_key(|(delay, _)| *delay);
    for (delay, session) in sessions {
        sleep_until(begin + delay).await;
        act(&session);
    }
}

fn close<V: Send + Sync + 'static>(session: &Session<V>) {
    session.outbox().close(CloseReason::shutdown(session.is_full()));
}

fn close_all<V: Send + Sync + 'static>(live: &Live<V>) {
    live.sessions().iter().for_each(close);
    live.shared().stop.close_rest();
}
