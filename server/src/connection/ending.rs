//! The end of a connection: its socket is closed in order, and its hooks run to their end.
//!
//! Both go on beside each other. The socket: what waits is written, then the close frame; the sending side ends, and what still comes is
//! thrown away until the peer ends too (a socket that is dropped with unread bytes would reset, and take the close frame with
//! it). The hooks: the one that runs, what waits behind it if the client closed on purpose, and at last `on_close`.

use std::task::{Context, Poll, ready};

use tidewire_protocol::Millis;

use super::{Connection, end, input::with_scratch};
use crate::{
    clock::millis,
    close::CloseReason,
    metrics::{Hook, Hooked},
    outbox::{Flushed, Outbox},
};

pub(super) struct Ending {
    reason: CloseReason,
    socket: Socket,
    /// When the socket is dropped at the latest.
    give_up: Millis,
    on_close: OnClose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Socket {
    Flushing,
    /// The sending side has ended.
    Draining,
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OnClose {
    Due,
    Running,
    Done,
}

impl<V: Send + Sync + 'static> Connection<V> {
    pub(super) fn begin_ending(&mut self, reason: &CloseReason) {
        if let Some(session) = &self.session {
            self.live.counters().session_ended(reason.code());
            tracing::debug!(session = session.id(), ?reason, "a session ended");
            session.end_subscriptions();
            self.live.shared().sessions.remove(session);
        }
        if let Some(later) = &mut self.later {
            later.behind.clear();
            later.reading_on = None;
        }
        // From here on a panic in what is dropped changes nothing any more.
        let _ = end(self.greeting.take());
        self.drop_calls();
        self.unread = Box::default();
        if !matches!(reason, CloseReason::Client { .. }) {
            self.drop_waiting();
        }
        if matches!(reason, CloseReason::Timeout(_)) && self.hook.is_some() {
            let _ = end(self.hook.take());
            self.core.handle_hook_ended();
        }
        let socket = if *reason == CloseReason::Lost { Socket::Gone } else { Socket::Flushing };
        if socket == Socket::Gone {
            self.outbox.release();
        }
        let give_up = self.now().saturating_add(millis(self.live.options().close_timeout));
        let reason = reason.clone();
        self.ending = Some(Box::new(Ending { reason, socket, give_up, on_close: OnClose::Due }));
    }

    fn drop_waiting(&mut self) {
        let now = self.now();
        while let Some(frame) = self.next_frame() {
            self.core.handle_taken(frame.bytes, now);
        }
    }

    /// Goes on with the end: whether anything changed, or `None` when all is done.
    pub(super) fn poll_ending(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        let socket_moved = self.poll_socket_end(cx);
        let hooks_moved = self.poll_on_close();
        match self.ending.as_deref() {
            Some(Ending { socket: Socket::Gone, on_close: OnClose::Done, .. }) => None,
            _ => Some(socket_moved | hooks_moved),
        }
    }

    fn poll_on_close(&mut self) -> bool {
        let now = self.now();
        if self.hook.is_some() {
            // A hook that runs too long is dropped, `on_close` too.
            let Some(at) = self.core.hook_deadline() else { return false };
            if at > now {
                return self.poll_until(at);
            }
            let _ = end(self.hook.take());
            self.core.handle_hook_ended();
            self.drop_waiting();
            return true;
        }
        let Some(ending) = &mut self.ending else { return false };
        match ending.on_close {
            OnClose::Done => return false,
            OnClose::Running => {
                ending.on_close = OnClose::Done;
                return true;
            }
            OnClose::Due => ending.on_close = OnClose::Running,
        }
        let reason = ending.reason.clone();
        if let Some(session) = self.session.take()
            && self.live.shared().hooks.on_close.is_some()
        {
            let live = self.live.clone();
            self.run_hook(async move {
                if let Some(on_close) = &live.shared().hooks.on_close {
                    on_close(session, reason).timed(live.counters(), Hook::Close).await;
                }
            });
        }
        true
    }

    fn poll_socket_end(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Ending { socket, give_up, .. }) = self.ending.as_deref() else { return false };
        let (before, give_up) = (*socket, *give_up);
        let after = match before {
            Socket::Gone => return false,
            _ if self.poll_until(give_up) => Socket::Gone,
            Socket::Flushing => self.flush_and_end(cx),
            Socket::Draining => self.drain(cx),
        };
        if let Some(ending) = &mut self.ending {
            ending.socket = after;
        }
        if after == Socket::Gone {
            self.outbox.release();
        }
        before != after
    }

    fn flush_and_end(&self, cx: &mut Context<'_>) -> Socket {
        match self.outbox.poll_flush(cx) {
            Ok(Flushed::All) => match self.outbox.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => Socket::Draining,
                Poll::Ready(Err(_)) => Socket::Gone,
                Poll::Pending => Socket::Flushing,
            },
            Ok(_) => Socket::Flushing,
            Err(_) => Socket::Gone,
        }
    }

    fn drain(&self, cx: &mut Context<'_>) -> Socket {
        if poll_drained(&self.outbox, cx).is_ready() { Socket::Gone } else { Socket::Draining }
    }
}

/// Throws away what comes until the peer has ended.
pub(super) fn poll_drained(outbox: &Outbox, cx: &mut Context<'_>) -> Poll<()> {
    // Other tasks get their turn between reads that never end.
    for _ in 0..8 {
        match ready!(with_scratch(|scratch| outbox.poll_read(cx, scratch))) {
            Ok(read) if read > 0 => {}
            _ => return Poll::Ready(()),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
