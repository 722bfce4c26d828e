//! Calls that stream: each is asked for items while the socket has nothing to write and the client has room, so that it goes at the
//! pace of whoever reads it.

use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use serde_json::value::RawValue;
use tidewire_protocol::{
    Millis,
    code::ErrorCode,
    frame::{client, server},
};
use tokio::time::{Sleep, sleep};

use super::{
    Connection,
    requests::{decode, refuse},
};
use crate::{calls::Items, close::CloseReason, error::Refusal, outbox::Outbox};

/// Streams that a session may have at once. Every page that a client shares among its tabs may have some.
const MOST: usize = 32;

/// What is written at once: with what waits of other subscriptions it keeps what stands before the latest event as low as a
/// page of history does.
const PAGE_ITEMS: usize = 64;
const PAGE_BYTES: usize = 32 * 1024;

/// A session's calls that stream.
#[derive(Default)]
pub(super) struct Streams {
    running: VecDeque<Streaming>,
    /// They were the last to use the socket: subscriptions that catch up have a turn first.
    went: bool,
}

/// A stream that its hook has given.
pub(super) struct Begun {
    pub(super) id: u64,
    items: Items,
    /// Its client waits for all of it no longer than until then.
    until: Option<Millis>,
    /// For how many items its client has room; `None` for any number.
    room: Option<u64>,
}

impl Begun {
    /// What answers the call whose frame had this data. That is read again here, so that a call which does not stream keeps nothing of it.
    pub(super) fn new(id: u64, items: Items, data: &RawValue, begun_at: Millis) -> Box<Self> {
        let call = serde_json::from_str(data.get());
        let client::Call { timeout_ms, items: room, .. } =
            call.unwrap_or(client::Call::of("", data));
        let until = timeout_ms.map(|ms| begun_at.saturating_add(ms));
        Box::new(Self { id, items, until, room })
    }
}

struct Streaming {
    id: u64,
    items: Items,
    until: Option<Pin<Box<Sleep>>>,
    room: Option<u64>,
    /// Items went out since the client last had room for more.
    sent: bool,
}

/// What a stream comes to.
enum Step {
    Item(Box<RawValue>),
    End(Result<(), Refusal>),
    Panic,
}

impl Streaming {
    fn poll(&mut self, cx: &mut Context<'_>, has_room: bool) -> Poll<Step> {
        if let Some(until) = &mut self.until
            && until.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Step::End(Err(Refusal::new(ErrorCode::TIMEOUT))));
        }
        if !has_room || self.room == Some(0) {
            return Poll::Pending;
        }
        let next = catch_unwind(AssertUnwindSafe(|| self.items.as_mut().poll_next(cx)));
        Poll::Ready(match next {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Some(Ok(item)))) => {
                self.room = self.room.map(|room| room - 1);
                self.sent = true;
                Step::Item(item)
            }
            Ok(Poll::Ready(Some(Err(refusal)))) => Step::End(Err(refusal)),
            Ok(Poll::Ready(None)) => Step::End(Ok(())),
            Err(_) => Step::Panic,
        })
    }
}

impl Streams {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Lets a stream begin, unless there are as many as there may be.
    pub(super) fn begin(&mut self, begun: Begun, now: Millis) -> Result<(), Refusal> {
        if self.running.len() >= MOST {
            let message = format!("a session has at most {MOST} streams");
            return Err(Refusal::new(ErrorCode::LIMIT).message(message));
        }
        let Begun { id, items, until, room } = begun;
        let left = |until: Millis| Duration::from_millis(until.saturating_sub(now));
        let until = until.map(|until| Box::pin(sleep(left(until))));
        self.running.push_back(Streaming { id, items, until, room, sent: false });
        Ok(())
    }

    /// Ends the stream that its client calls so. Whether there was one.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        let at = self.running.iter().position(|stream| stream.id == id);
        at.and_then(|at| self.running.remove(at)).is_some()
    }

    /// The client has room for more items of a stream. Whether it says so because some were sent.
    fn grant(&mut self, id: u64, items: u64) -> bool {
        let Some(stream) = self.running.iter_mut().find(|stream| stream.id == id) else {
            return false;
        };
        stream.room = stream.room.map(|room| room.saturating_add(items));
        std::mem::take(&mut stream.sent)
    }

    /// Takes a page of what the streams have, an item of each in turn, and sends it. Whether anything changed.
    fn poll(&mut self, cx: &mut Context<'_>, outbox: &Outbox) -> bool {
        let has_room = outbox.is_empty();
        let (mut page, mut idle, mut moved) = (Page::default(), 0, false);
        while idle < self.running.len() && !page.is_full() {
            let Some(mut stream) = self.running.pop_front() else { break };
            let id = stream.id;
            match stream.poll(cx, has_room) {
                Poll::Pending => {
                    idle += 1;
                    self.running.push_back(stream);
                }
                Poll::Ready(Step::Item(item)) => {
                    (idle, self.went) = (0, true);
                    page.push(&outbox.text(&server::write_item(id, &item)));
                    self.running.push_back(stream);
                }
                Poll::Ready(Step::End(end)) => {
                    moved = true;
                    page.send(outbox);
                    match end {
                        Ok(()) => outbox.answer_text(&server::write_reply(id, &())),
                        Err(refusal) => refuse(outbox, true, Some(id), "$call", &refusal),
                    }
                }
                Poll::Ready(Step::Panic) => {
                    outbox.close(CloseReason::Panic);
                    return true;
                }
            }
        }
        page.send(outbox) | moved
    }
}

/// Items that are written at once.
#[derive(Default)]
struct Page {
    frames: Vec<u8>,
    items: usize,
}

impl Page {
    fn is_full(&self) -> bool {
        self.items >= PAGE_ITEMS || self.frames.len() >= PAGE_BYTES
    }

    fn push(&mut self, frame: &[u8]) {
        self.items += 1;
        self.frames.extend_from_slice(frame);
    }

    /// Sends what there is, if anything.
    fn send(&mut self, outbox: &Outbox) -> bool {
        let Self { frames, items } = std::mem::take(self);
        if items > 0 {
            outbox.send_uncounted(frames.into(), items);
        }
        items > 0
    }
}

impl<V: Send + Sync + 'static> Connection<V> {
    /// The client of a stream has room for more.
    pub(super) fn handle_more(&mut self, data: &RawValue) {
        let Ok(client::More { id, items }) = decode(data) else {
            return self.refuse(None, "$more", &Refusal::invalid_data());
        };
        // One that has ended is no error.
        if let Some(calls) = &mut self.calls
            && calls.streams.grant(id, items)
        {
            self.core.handle_caused();
        }
    }

    /// Goes on with the session's streams. Whether anything changed.
    pub(super) fn poll_streams(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(calls) = self.calls.as_mut().filter(|calls| !calls.streams.is_empty()) else {
            return false;
        };
        let went = std::mem::take(&mut calls.streams.went);
        if went && self.later.as_ref().is_some_and(|later| later.reads_history()) {
            return false;
        }
        calls.streams.poll(cx, &self.outbox)
    }
}
