//! [`Outbox`]: all that goes out to one socket.
//!
//! Whoever has a frame writes it to the socket at once where that is possible; what the socket does not take waits here, counted by
//! the delivery core's [`Queue`], and the connection's task writes it when the socket is ready.
//!
//! During a turn of the connection's task the outbox is *corked*: what that task sends goes out by one call at the turn's end. Whoever
//! else has a frame meanwhile sends what is corked along with it.
//!
//! Invariants: frames go out in the order in which they came; nothing follows a close frame; the lock is never held across an await
//! or a hook.

mod cork;

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tidewire_protocol::delivery::{Delivery, Queue, QueueLimits, Verdict};

use crate::{
    close::CloseReason,
    error::SendError,
    hub::{CatchUp, Frames},
    io::Io,
    metrics::Counters,
    ws::{Opcode, deflate::Deflate, encode},
};

use cork::Cork;

/// Frames written by one call.
const MOST_SLICES: usize = 64;

#[derive(Debug)]
pub(crate) struct Outbox {
    deflate: Option<Deflate>,
    counters: Arc<Counters>,
    /// The connection's task.
    task: AtomicWaker,
    /// Set once `state` says why, so that it can be asked without the lock.
    is_closed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once the connection has ended: whoever still holds the outbox holds no socket.
    io: Option<Io>,
    frames: VecDeque<Frame>,
    /// Bytes of the first frame that are written.
    written: usize,
    /// During a turn of the connection's task. Nothing is in it while frames wait: they would be older.
    cork: Option<Box<Cork>>,
    queue: Queue,
    /// Subscriptions that have begun to catch up, for the connection's task.
    behind: Option<Box<Behind>>,
    closed: Option<Box<CloseReason>>,
    failed: Option<io::ErrorKind>,
    /// The connection's task is to be woken when nothing waits any more.
    is_awaited: bool,
}

/// In a box, as hardly any connection has one.
#[derive(Debug, Default)]
struct Behind(Vec<CatchUp>);

#[derive(Debug)]
struct Frame {
    bytes: Bytes,
    /// How many messages it counts for in the queue; 0 if it does not count.
    messages: usize,
}

/// What [`Outbox::deliver`] did with a batch of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// So many of them were sent; the caller counts them.
    Sent { messages: usize, bytes: usize },
    /// None were sent.
    Nothing,
    /// The subscription lags from now on: the caller hands its cursor to [`Outbox::read_on`].
    Lags,
}

/// What [`Outbox::poll_flush`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing waits.
    All,
    /// The socket took some, and takes no more now.
    Some,
    /// The socket takes nothing now.
    Nothing,
}

impl Outbox {
    pub(crate) fn new(
        io: Io,
        deflate: Option<Deflate>,
        limits: QueueLimits,
        counters: Arc<Counters>,
    ) -> Self {
        let state = State {
            io: Some(io),
            frames: VecDeque::new(),
            written: 0,
            cork: None,
            queue: Queue::new(limits),
            behind: None,
            closed: None,
            failed: None,
            is_awaited: false,
        };
        Self {
            deflate,
            counters,
            task: AtomicWaker::new(),
            is_closed: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// Reads what is there; nothing once the connection has ended. For the connection's task.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        state.io.as_mut().map_or(Poll::Ready(Ok(0)), |io| io.poll_read(cx, buffer))
    }

    /// Whether there is something to read; if not, the task is woken then. For the connection's task.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.lock().io.as_ref().map_or(Poll::Ready(()), |io| io.poll_readable(cx))
    }

    /// Ends the sending side. For the connection's task.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        state.io.as_mut().map_or(Poll::Ready(Ok(())), |io| io.poll_shutdown(cx))
    }

    /// Drops the socket and what waits for it.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        self.pull(&mut state);
        state.written = 0;
        state.drop_waiting();
        let (io, behind) = (state.io.take(), state.behind.take());
        drop(state);
        drop((io, behind));
    }

    /// Whether the connection takes the compressed frames that all connections share.
    pub(crate) fn compresses(&self) -> bool {
        self.deflate.is_some_and(Deflate::is_shared)
    }

    /// A text frame for this connection alone.
    pub(crate) fn text(&self, text: &str) -> Bytes {
        match self.deflate {
            Some(deflate) => deflate.frame(Opcode::Text, text.as_bytes()),
            None => encode::text(text),
        }
    }

    /// What the connection agreed to.
    pub(crate) fn deflate(&self) -> Option<Deflate> {
        self.deflate
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The connection's task is to be woken by this context's waker.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    /// Wakes the connection's task.
    pub(crate) fn wake(&self) {
        self.task.wake();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while an outbox is locked")
    }

    /// Sends a frame that counts against the queue.
    pub(crate) fn send(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.lock();
        self.admit(&mut state, frame.len())?;
        self.write(&mut state, &frame, 1, Bytes::clone);
        Ok(())
    }

    /// Sends a text frame for this connection alone, that counts against the queue.
    pub(crate) fn send_text(&self, text: &str) -> Result<(), SendError> {
        if let Some(deflate) = self.deflate {
            return self.send(deflate.frame(Opcode::Text, text.as_bytes()));
        }
        let head = encode::head(Opcode::Text, text.len());
        let length = head.len() + text.len();
        let mut state = self.lock();
        self.admit(&mut state, length)?;
        match state.open_cork(length) {
            // The usual case, in which no frame has to be made.
            Some(cork) if cork.is_here() => cork.push(1, &[&head, text.as_bytes()]),
            _ => self.write(&mut state, &encode::text(text), 1, Bytes::clone),
        }
        Ok(())
    }

    /// Counts a message of so many bytes, if it may be sent.
    fn admit(&self, state: &mut State, bytes: usize) -> Result<(), SendError> {
        if state.closed.is_some() {
            return Err(SendError::Closed);
        }
        self.make_room(state, 1, bytes);
        if !state.queue.push(1, bytes) {
            return Err(SendError::QueueFull);
        }
        self.counters.sent(1, bytes);
        Ok(())
    }

    /// Sends an answer that the session owes its peer. A peer that does not read its answers is closed as a slow consumer.
    pub(crate) fn answer(&self, frame: Bytes) {
        self.owed(self.send(frame));
    }

    /// The same of a text.
    pub(crate) fn answer_text(&self, text: &str) {
        self.owed(self.send_text(text));
    }

    fn owed(&self, sent: Result<(), SendError>) {
        if sent == Err(SendError::QueueFull) {
            self.close(CloseReason::SlowConsumer);
        }
    }

    /// Sends frames of a subscription that catches up, or of a stream; their pace is the reader's, so that they do not count.
    pub(crate) fn send_uncounted(&self, frames: Bytes, messages: usize) {
        let mut state = self.lock();
        if state.closed.is_none() {
            self.counters.sent(messages, frames.len());
            self.write(&mut state, &frames, 0, Bytes::clone);
        }
    }

    /// Sends a message in fragments, of which some may be shared with other connections. It does not count: whoever sends it has
    /// waited until the outbox was [drained](Self::drained).
    pub(crate) fn send_fragments(&self, fragments: &[Bytes]) {
        let mut state = self.lock();
        if state.closed.is_none() {
            self.counters.sent(1, fragments.iter().map(Bytes::len).sum());
            for fragment in fragments {
                self.write(&mut state, fragment, 0, Bytes::clone);
            }
        }
    }

    /// Resolves when the socket has taken all that was sent to it, or the connection is closed. For hooks, which the connection's
    /// task polls: large answers go out at the pace of whoever reads them.
    pub(crate) async fn drained(&self) {
        std::future::poll_fn(|_| {
            let mut state = self.lock();
            state.is_awaited = !state.frames.is_empty() && state.closed.is_none();
            if state.is_awaited { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    /// Gives a batch of events to a subscription and does what the verdict says.
    pub(crate) fn deliver(
        &self,
        delivery: &mut Delivery,
        offsets: &[u64],
        frames: &Frames,
    ) -> Delivered {
        let mut state = self.lock();
        if state.closed.is_some() {
            return Delivered::Nothing;
        }
        self.make_room(&mut state, offsets.len(), frames.from(0).len());
        match delivery.handle_events(offsets, |from| frames.from(from).len(), &mut state.queue) {
            Verdict::Send(from) => {
                let (bytes, messages) = (frames.from(from), offsets.len() - from);
                self.write(&mut state, bytes, messages, |bytes| frames.share(bytes));
                Delivered::Sent { messages, bytes: bytes.len() }
            }
            Verdict::Close => {
                self.close_locked(&mut state, CloseReason::SlowConsumer);
                Delivered::Nothing
            }
            Verdict::Lag => Delivered::Lags,
            _ => Delivered::Nothing,
        }
    }

    /// A subscription has begun to catch up: the connection's task reads on for it when the socket has taken what waits.
    pub(crate) fn read_on(&self, cursor: CatchUp) {
        let mut state = self.lock();
        // Whoever has closed it gives nothing more to its subscriptions.
        if state.closed.is_none() {
            state.behind.get_or_insert_default().0.push(cursor);
            drop(state);
            self.task.wake();
        }
    }

    /// Takes the subscriptions that have begun to catch up. Also whether there is room to read on: the socket has taken all.
    pub(crate) fn take_behind(&self) -> (Vec<CatchUp>, bool) {
        let mut state = self.lock();
        let behind = state.behind.take().map_or_else(Vec::new, |behind| behind.0);
        (behind, state.frames.is_empty())
    }

    /// Writes bytes that count for `messages`; `share` gives what the socket does not take as a part to keep.
    fn write<B: AsRef<[u8]> + ?Sized>(
        &self,
        state: &mut State,
        bytes: &B,
        messages: usize,
        share: impl FnOnce(&B) -> Bytes,
    ) {
        let all = bytes.as_ref();
        if all.is_empty() {
            // A plain client was left out of all that was published.
            return state.sent(messages, 0);
        }
        if messages == 0 {
            state.queue.push_uncounted(all.len());
        } else if let Some(cork) = state.open_cork(all.len()) {
            cork.push(messages, &[all]);
            if !cork.is_here() {
                self.pull(state);
            }
            return;
        }
        self.pull(state);
        if state.takes_writes() && self.write_now(state, all) {
            return state.sent(messages, all.len());
        }
        state.frames.push_back(Frame { bytes: share(bytes), messages });
    }

    /// Gives the socket all that it takes. `false` if something is left over, which is to become the first frame that waits.
    fn write_now(&self, state: &mut State, bytes: &[u8]) -> bool {
        match state.io.as_ref().and_then(|io| io.try_write(bytes)) {
            Some(Ok(written)) if written == bytes.len() => return true,
            Some(Ok(written)) => state.written = written,
            Some(Err(error)) => state.failed = Some(error.kind()),
            None => {}
        }
        self.task.wake();
        false
    }

    /// Ends the connection: what waits is still sent, then a close frame. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.close_locked(&mut self.lock(), reason);
    }

    fn close_locked(&self, state: &mut State, reason: CloseReason) {
        if state.closed.is_some() {
            return;
        }
        self.pull(state);
        if !reason.delivers_queued() {
            state.drop_waiting();
        }
        if let Some((code, text)) = reason.close_frame() {
            let bytes = encode::close(code.0, &text);
            self.write(state, &bytes, 0, Bytes::clone);
        }
        state.closed = Some(Box::new(reason));
        self.is_closed.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Why it was closed.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        if self.is_closed() { self.lock().closed.as_deref().cloned() } else { None }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Messages and bytes that wait and count.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let state = self.lock();
        (state.queue.messages(), state.queue.bytes())
    }

    /// How many writes wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lock().frames.len()
    }

    /// Whether nothing waits: the socket has taken all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// Writes what waits. For the connection's task.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> io::Result<Flushed> {
        let mut state = self.lock();
        let mut wrote = false;
        loop {
            if let Some(kind) = state.failed {
                return Err(kind.into());
            }
            let State { io: Some(io), frames, written, is_awaited, .. } = &mut *state else {
                return Ok(Flushed::All);
            };
            if frames.is_empty() {
                if std::mem::take(is_awaited) {
                    self.task.wake();
                }
                // A stream that buffers wakes the task itself when its flush can go on.
                return match io.poll_flush(cx) {
                    Poll::Ready(Err(error)) => Err(error),
                    _ => Ok(Flushed::All),
                };
            }
            let mut slices = [IoSlice::new(&[]); MOST_SLICES];
            let mut skip = *written;
            for (slice, frame) in slices.iter_mut().zip(&*frames) {
                *slice = IoSlice::new(&frame.bytes[std::mem::take(&mut skip)..]);
            }
            let count = frames.len().min(MOST_SLICES);
            match io.poll_write(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => state.handle_written(written),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(if wrote { Flushed::Some } else { Flushed::Nothing }),
            }
            wrote = true;
        }
    }
}

impl State {
    /// Whether what is written now comes after all that was sent before.
    fn takes_writes(&self) -> bool {
        self.frames.is_empty() && self.failed.is_none()
    }

    fn sent(&mut self, messages: usize, bytes: usize) {
        match messages {
            0 => self.queue.pop_uncounted(bytes),
            _ => self.queue.pop(messages, bytes),
        }
    }

    fn handle_written(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(first) = self.frames.front() {
            if self.written < first.bytes.len() {
                return;
            }
            self.written -= first.bytes.len();
            if let Some(frame) = self.frames.pop_front() {
                self.sent(frame.messages, frame.bytes.len());
            }
        }
        if self.frames.capacity() > 2 * MOST_SLICES {
            // An idle connection holds no memory of an earlier burst.
            self.frames = VecDeque::new();
        }
    }

    /// Drops all frames but the one that is partly written.
    fn drop_waiting(&mut self) {
        let keep = usize::from(self.written > 0);
        for frame in self.frames.split_off(keep.min(self.frames.len())) {
            self.sent(frame.messages, frame.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests;
