//! [`Alarms`]: wakes connections at their deadlines, all by one timer.
//!
//! Every connection always has a deadline, mostly its next ping, and hardly ever reaches it before another takes its place. A timer of
//! Tokio's for each takes 128 bytes; here it is four, in the list of those who are woken at one moment. Distant moments are
//! shared by many, and rounded down: who is woken too early asks again, for the exact one.
//!
//! An alarm is never taken back. A connection asks for an earlier one only, or when its own has come, so that few are in vain.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard, Weak},
};

use tidewire_protocol::Millis;
use tokio::sync::Notify;

use crate::{clock::Clock, shutdown::Stop};

/// Moments that are further away are shared.
const NEAR_MS: Millis = 2_000;

/// The distance of moments that are shared.
const SHARED_MS: Millis = 512;

/// The longest that anybody waits: what is in vain goes by then, and a server that was dropped is seen.
const LONGEST_MS: Millis = 60_000;

/// Connections woken without giving other tasks a turn.
const SLICE: usize = 256;

#[derive(Debug)]
pub(crate) struct Alarms {
    clock: Clock,
    /// Who the keys are.
    connections: Arc<Stop>,
    state: Mutex<State>,
    /// Told when there is an earlier alarm than the first.
    earlier: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// The keys of the connections that are woken at a moment.
    due: BTreeMap<Millis, Vec<u32>>,
    /// A task waits for the first.
    is_running: bool,
}

impl Alarms {
    pub(crate) fn new(clock: Clock, connections: Arc<Stop>) -> Arc<Self> {
        let earlier = Arc::default();
        Arc::new(Self { clock, connections, state: Mutex::default(), earlier })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while alarms are locked")
    }

    /// The task of the connection that is entered under `key` is woken at `at` or earlier: at the moment that is returned, which
    /// is after `now`. To be called within a runtime.
    pub(crate) fn set(self: &Arc<Self>, key: u32, now: Millis, at: Millis) -> Millis {
        let at = moment(now, at);
        let mut state = self.lock();
        let is_first = state.due.first_key_value().is_none_or(|(first, _)| at < *first);
        match state.due.entry(at) {
            Entry::Occupied(mut keys) => keys.get_mut().push(key),
            Entry::Vacant(entry) => drop(entry.insert(vec![key])),
        }
        // The runtime of an earlier task may have ended.
        if !std::mem::replace(&mut state.is_running, true) {
            drop(state);
            tokio::spawn(run(Running(Arc::downgrade(self)), self.clock, Arc::clone(&self.earlier)));
        } else if is_first {
            drop(state);
            self.earlier.notify_one();
        }
        at
    }

    /// Those whose moment has come, or the next moment; `None`, and the task is to end, if there is none.
    fn next(&self) -> Option<Result<Vec<u32>, Millis>> {
        let mut state = self.lock();
        let Some(first) = state.due.first_entry() else {
            state.is_running = false;
            return None;
        };
        Some(if *first.key() <= self.clock.now() { Ok(first.remove()) } else { Err(*first.key()) })
    }
}

/// When somebody is woken who waits for `at`.
fn moment(now: Millis, at: Millis) -> Millis {
    let at = at.min(now.saturating_add(LONGEST_MS));
    if at.saturating_sub(now) < NEAR_MS { at.max(now + 1) } else { at - at % SHARED_MS }
}

/// The task that wakes. Dropped before its end, with a runtime that stops, it leaves the rest to another.
struct Running(Weak<Alarms>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(alarms) = self.0.upgrade() {
            alarms.lock().is_running = false;
        }
    }
}

async fn run(mut running: Running, clock: Clock, earlier: Arc<Notify>) {
    // A server that was dropped is not held until its alarms have come.
    while let Some(alarms) = running.0.upgrade() {
        match alarms.next() {
            // From here on the next alarm has a task of its own.
            None => return running.0 = Weak::new(),
            Some(Ok(keys)) => {
                for keys in keys.chunks(SLICE) {
                    alarms.connections.wake(keys);
                    tokio::task::yield_now().await;
                }
            }
            Some(Err(at)) => {
                drop(alarms);
                tokio::select! {
                    () = tokio::time::sleep_until(clock.instant(at)) => {}
                    () = earlier.notified() => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::{io::Io, outbox::Outbox, shutdown::Entered};

    struct World {
        clock: Clock,
        stop: Arc<Stop>,
        alarms: Arc<Alarms>,
    }

    impl World {
        fn new() -> Self {
            let (clock, stop) = (Clock::start(), Arc::<Stop>::default());
            let alarms = Alarms::new(clock, Arc::clone(&stop));
            Self { clock, stop, alarms }
        }

        fn connection(&self) -> (Arc<Outbox>, Entered) {
            let (near, _far) = tokio::io::duplex(1);
            let limits = crate::options::Options::default().queue;
            let outbox = Arc::new(Outbox::new(Io::stream(near), None, limits, Arc::default()));
            let entered = self.stop.enter(&outbox);
            (outbox, entered)
        }

        /// When a connection that waits for `at` is woken at last, and how many alarms that took.
        async fn wait(&self, at: Millis) -> (Millis, u32) {
            let (outbox, entered) = self.connection();
            let (mut alarm, mut alarms) = (0, 0);
            std::future::poll_fn(|cx| {
                outbox.register(cx);
                let now = self.clock.now();
                if at <= now {
                    return Poll::Ready(());
                }
                if alarm <= now {
                    alarm = self.alarms.set(entered.key(), now, at);
                    alarms += 1;
                }
                Poll::Pending
            })
            .await;
            (self.clock.now(), alarms)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_is_woken_at_their_moment() {
        let world = World::new();
        let (far, near, next, long) =
            tokio::join!(world.wait(25_100), world.wait(300), world.wait(1), world.wait(150_000));
        assert_eq!((next, near), ((1, 1), (300, 1)));
        assert_eq!(far, (25_100, 2), "early by what distant moments are rounded, then exactly");
        assert_eq!(long.0, 150_000);
        assert!(long.1 <= 5, "{}", long.1);
        tokio::task::yield_now().await;
        assert!(!world.alarms.lock().is_running, "the task has ended with the last alarm");
        assert_eq!(world.wait(150_010).await, (150_010, 1), "another begins");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_not_missed() {
        let world = World::new();
        let (_, entered) = world.connection();
        world.alarms.set(entered.key(), 0, 100);
        drop(entered);
        assert_eq!(world.wait(200).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_dropped_leaves_no_task() {
        let World { alarms, stop, clock } = World::new();
        alarms.set(0, 0, 30_000);
        drop(alarms);
        tokio::time::sleep_until(clock.instant(LONGEST_MS + 1)).await;
        assert_eq!(Arc::strong_count(&stop), 1);
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    }

    #[test]
    fn a_runtime_that_stops_leaves_its_alarms_to_the_next() {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let world = World::new();
        let (outbox, entered) = world.connection();
        runtime().block_on(async { world.alarms.set(entered.key(), 0, 20) });
        assert!(!world.alarms.lock().is_running);
        runtime().block_on(async {
            let woken = std::future::poll_fn(|cx| {
                outbox.register(cx);
                if world.clock.now() < 20 { Poll::Pending } else { Poll::Ready(()) }
            });
            tokio::join!(woken, world.wait(40));
        });
    }
}
