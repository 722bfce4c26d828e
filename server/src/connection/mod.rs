//! One connection's driver: a future that owns the socket's reading side and everything that a session does.
//!
//! It moves bytes and runs hooks; what to do it asks the session core. Reading order: this file polls, [`input`] turns bytes into
//! frames, [`hello`], [`requests`], [`subscribe`] and [`calls`] answer them, [`ending`] closes.
//!
//! Invariant: at most one hook runs, and nothing else waits for it: bytes are read, pings answered, and what waits is written beside it.

mod calls;
mod ending;
mod hello;
mod input;
mod requests;
mod streams;
mod subscribe;

use std::{
    collections::VecDeque,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
    frame::server::PING,
    session,
};

use crate::{
    admission::{Admitted, Place},
    close::CloseReason,
    error::Refusal,
    hooks::BoxFuture,
    hub::{CatchUp, CaughtUp, gather},
    io::Io,
    live::Live,
    outbox::{Flushed, Outbox},
    session::Session,
    shutdown::Entered,
    ws::{Decoder, encode},
};

use calls::Calls;
use ending::Ending;
use hello::Greeting;
use requests::{Frame, Refused};

/// Turns of the loop before other tasks get theirs.
const TURNS: usize = 32;

/// A hook that runs; `Err` is its panic.
type RunningHook = BoxFuture<Result<(), Panic>>;

/// A hook panicked; the panic hook has printed what there is to say.
pub(crate) struct Panic;

/// Drops what is the application's, and may panic in it. Each on its own: a second panic while one unwinds would end the process.
fn end<T>(value: T) -> Result<(), Panic> {
    std::panic::catch_unwind(AssertUnwindSafe(|| drop(value))).map_err(|_| Panic)
}

pub(crate) struct Connection<V: Send + Sync + 'static> {
    live: Live<V>,
    outbox: Arc<Outbox>,
    core: session::Session,
    decoder: Decoder,
    /// What was read and not yet decoded, as too many frames wait.
    unread: Box<[u8]>,
    /// Its place among all sessions.
    _place: Place,
    session: Option<Session<V>>,
    greeting: Option<Box<Greeting<V>>>,
    hook: Option<RunningHook>,
    later: Option<Box<Later>>,
    calls: Option<Box<Calls>>,
    refused: Refused,
    /// When the task is woken at the latest, if that is still to come.
    alarm: Millis,
    ending: Option<Box<Ending>>,
    /// The time, read once in each turn.
    now: Millis,
    /// Its entry among the connections that a shutdown waits for.
    entered: Entered,
}

/// What waits for its turn. Most connections have nothing that does.
#[derive(Default)]
struct Later {
    frames: VecDeque<Frame>,
    behind: VecDeque<CatchUp>,
    reading_on: Option<BoxFuture<Option<CatchUp>>>,
}

/// Runs until its socket is gone and its hooks have ended.
impl<V: Send + Sync + 'static> Future for Connection<V> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let outbox = Arc::clone(&self.outbox);
        let _corked = outbox.cork();
        gather(|| self.turn(cx))
    }
}

/// Tells a client that was not let in why: a close frame, and a second to read it.
pub(crate) async fn refuse<V: Send + Sync + 'static>(live: &Live<V>, io: Io, code: CloseCode) {
    const READ_FOR: Duration = Duration::from_secs(1);
    let outbox = Outbox::new(io, None, live.options().queue, Arc::clone(live.counters()));
    outbox.close(CloseReason::Refused(code));
    let end = std::future::poll_fn(|cx| match outbox.poll_flush(cx) {
        Ok(Flushed::All) => outbox.poll_shutdown(cx).map(|_| ()),
        Ok(_) => Poll::Pending,
        Err(_) => Poll::Ready(()),
    });
    let _ = tokio::time::timeout(READ_FOR, end).await;
    let drained = std::future::poll_fn(|cx| ending::poll_drained(&outbox, cx));
    let _ = tokio::time::timeout(READ_FOR, drained).await;
}

impl<V: Send + Sync + 'static> Connection<V> {
    /// A connection whose socket has just opened. `early` is what came with the handshake.
    pub(crate) fn new(live: Live<V>, io: Io, admitted: Admitted<V>, early: Vec<u8>) -> Self {
        let shared = live.shared();
        let outbox = Arc::new(Outbox::new(
            io,
            admitted.deflate,
            shared.options.queue,
            Arc::clone(live.counters()),
        ));
        let entered = shared.stop.enter(&outbox);
        let now = shared.clock.now();
        let mut connection = Self {
            core: session::Session::new(Arc::clone(&shared.session), now),
            decoder: Decoder::server(shared.options.read_limit)
                .with_deflate(admitted.deflate.is_some()),
            outbox,
            unread: early.into(),
            _place: admitted.place,
            session: None,
            greeting: None,
            hook: None,
            later: None,
            calls: None,
            refused: Refused::default(),
            alarm: 0,
            ending: None,
            now,
            entered,
            live,
        };
        // With a hello to wait for, its token says who it is.
        if let Some(identity) = admitted.identity
            && !connection.live.shared().session.hello_required
        {
            connection.begin_session(identity);
        }
        connection
    }

    const fn now(&self) -> Millis {
        self.now
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.outbox.register(cx);
        for _ in 0..TURNS {
            self.now = self.live.shared().clock.now();
            if self.ending.is_none()
                && let Some(reason) = self.outbox.closed()
            {
                self.begin_ending(&reason);
            }
            let moved = if self.ending.is_some() {
                let moved = self.poll_hooks(cx);
                if self.entered.is_over() {
                    return Poll::Ready(());
                }
                match self.poll_ending(cx) {
                    Some(also) => moved | also,
                    None => return Poll::Ready(()),
                }
            } else {
                self.poll_open(cx) || self.outbox.is_closed()
            };
            if !moved {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// A turn of an open session: in this order, so that a frame that comes and is answered takes no second one. Whether another
    /// turn may find something to do.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> bool {
        let was_held = !self.core.may_read();
        let mut moved = self.poll_input(cx);
        if self.outbox.is_closed() {
            return true;
        }
        moved |= self.poll_greeting(cx);
        moved |= self.poll_calls(cx);
        // Frames that have been taken make room to read.
        moved |= self.poll_hooks(cx) && was_held;
        // First the socket takes what waits: only then is there room to read history on.
        self.flush(cx);
        moved |= self.poll_streams(cx);
        moved |= self.poll_behind(cx);
        moved | self.poll_timer()
    }

    /// Polls the hook that runs and gives the next waiting frame its turn. Whether anything changed.
    fn poll_hooks(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        loop {
            if let Some(hook) = &mut self.hook {
                let Poll::Ready(result) = hook.as_mut().poll(cx) else { return moved };
                self.hook = None;
                self.core.handle_hook_ended();
                moved = true;
                if let Some(renewed) = self.session.as_ref().and_then(Session::end_hook) {
                    self.handle_expiry(renewed);
                }
                if let Err(Panic) = result {
                    self.later = None;
                    self.outbox.close(CloseReason::Panic);
                }
            }
            if let Some(job) = self.next_job() {
                self.run_hook(job);
                moved = true;
                continue;
            }
            if !self.core.poll_backlog() {
                return moved;
            }
            let Some(frame) = self.next_frame() else { return moved };
            self.core.handle_taken(frame.bytes, self.now());
            self.take(frame);
            moved = true;
        }
    }

    /// Keeps a frame until its turn.
    fn keep(&mut self, frame: Frame) {
        self.later.get_or_insert_default().frames.push_back(frame);
    }

    fn next_frame(&mut self) -> Option<Frame> {
        let frame = self.later.as_mut()?.frames.pop_front();
        self.free_later();
        frame
    }

    fn free_later(&mut self) {
        if self.later.as_ref().is_some_and(|later| later.is_empty()) {
            self.later = None;
        }
    }

    /// What the application has asked for out of turn, such as a look at the session's rights.
    fn next_job(&self) -> Option<BoxFuture<()>> {
        if self.greeting.is_some() || self.outbox.is_closed() {
            return None;
        }
        self.session.as_ref()?.next_job()
    }

    /// Begins to run `hook`. The caller has seen that none runs.
    fn run_hook(&mut self, hook: impl Future<Output = ()> + Send + 'static) {
        debug_assert!(self.hook.is_none());
        self.core.handle_hook_started(self.now());
        self.hook = Some(Box::pin(
            AssertUnwindSafe(hook).catch_unwind().map(|result| result.map_err(|_| Panic)),
        ));
    }

    /// Lets the next subscription that catches up read a page while the socket has nothing to write: one a turn, so that
    /// everything else gets its own. Whether anything changed.
    fn poll_behind(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(session) = &self.session else { return false };
        let (begun, has_room) = self.outbox.take_behind();
        for cursor in begun {
            let behind = &mut self.later.get_or_insert_default().behind;
            // Those that are no longer needed go now: a peer that reads nothing does not pile them up.
            behind.retain(|other| !other.is_of(&cursor) && other.is_needed(&self.outbox));
            behind.push_back(cursor);
        }
        let Some(later) = &mut self.later else { return false };
        if later.reading_on.is_none()
            && has_room
            && let Some(catch_up) = later.behind.pop_front()
        {
            later.reading_on = Some(Box::pin(read_on(session.clone(), catch_up)));
        }
        let Some(reading) = &mut later.reading_on else { return false };
        let Poll::Ready(more) = reading.as_mut().poll(cx) else { return false };
        later.reading_on = None;
        later.behind.extend(more);
        self.free_later();
        true
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        match self.outbox.poll_flush(cx) {
            Ok(Flushed::All) => self.core.handle_write_progress(),
            Ok(Flushed::Some) => {
                self.core.handle_write_progress();
                self.core.handle_write_blocked(self.now());
            }
            Ok(Flushed::Nothing) => self.core.handle_write_blocked(self.now()),
            Err(_) => self.outbox.close(CloseReason::Lost),
        }
    }

    /// Does what is due and sets the timer for what comes next. Whether anything changed.
    fn poll_timer(&mut self) -> bool {
        let due = self.core.handle_timeout(self.now());
        match due.map(|due| (due, due.close_code())) {
            Some((_, None)) => self.ping(),
            Some((session::Due::HookTimeout, _))
                if self.session.as_ref().is_some_and(Session::has_more_time) =>
            {
                self.core.handle_hook_started(self.now());
            }
            Some((session::Due::HelloTimeout, Some(code))) => {
                self.outbox.close(CloseReason::Refused(code))
            }
            Some((session::Due::TokenExpired, _)) => self.outbox.close(CloseReason::TokenExpired),
            Some((_, Some(code))) => self.outbox.close(CloseReason::Timeout(code)),
            None => {}
        }
        let streams = self.calls.as_ref().and_then(|calls| calls.streams.poll_timeout());
        let next = self.core.poll_timeout().into_iter().chain(streams).min();
        due.is_some() | next.is_some_and(|at| self.poll_until(at))
    }

    /// Whether `at` has come; if not, the task is woken then, or earlier.
    fn poll_until(&mut self, at: Millis) -> bool {
        if at <= self.now {
            return true;
        }
        // An alarm that comes too early costs one turn; another one for each frame would cost more.
        if self.alarm <= self.now || self.alarm > at {
            self.alarm = self.live.shared().alarms.set(self.entered.key(), self.now, at);
        }
        false
    }

    fn ping(&mut self) {
        self.free_calls();
        let frame = match self.core.mode() {
            session::Mode::Full => encode::text(PING),
            _ => encode::ping(b""),
        };
        self.outbox.answer(frame);
    }

    fn refuse(&self, id: Option<u64>, topic: &str, refusal: &Refusal) {
        let is_full = self.core.mode() == session::Mode::Full;
        requests::refuse(&self.outbox, is_full, id, topic, refusal);
    }
}

impl Later {
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.reads_history()
    }

    /// Whether a subscription catches up.
    fn reads_history(&self) -> bool {
        !self.behind.is_empty() || self.reading_on.is_some()
    }
}

impl<V: Send + Sync + 'static> Drop for Connection<V> {
    /// A task that is dropped before its end, as a runtime does that stops, leaves no session behind.
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            self.outbox.close(CloseReason::Lost);
            session.end_subscriptions();
            self.live.shared().sessions.remove(session);
        }
        self.outbox.release();
    }
}

/// One page of history; gives the cursor back if there is more.
async fn read_on<V: Send + Sync + 'static>(
    session: Session<V>,
    catch_up: CatchUp,
) -> Option<CatchUp> {
    match catch_up.step(session.outbox()).await {
        Ok(CaughtUp::Yes) => None,
        Ok(CaughtUp::No) => Some(catch_up),
        Err(error) => {
            tracing::warn!(%error, topic = catch_up.topic().as_str(), "history cannot be read");
            // Unless another subscription of the session took its place meanwhile.
            if catch_up.is_needed(session.outbox()) {
                session.revoke(catch_up.topic(), ErrorCode::UNAVAILABLE);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every idle connection holds. Tokio adds 104 bytes to a task's future and rounds up to 128: beyond that number an idle
    /// connection costs 128 bytes more. The allocator rounds the rest up to 16, a count and its own eight bytes included.
    #[test]
    fn an_idle_connection_is_small() {
        let check = |what, size: usize, most: usize| {
            assert!(size <= most, "{what} has {size} bytes: can what is rare be boxed?");
        };
        check("a connection", size_of::<Connection<[u64; 100]>>(), 384 - 104);
        check("an outbox", size_of::<Outbox>(), 224 - 24);
        check("a session", Session::<[u64; 100]>::SIZE, 208 - 24);
    }
}
