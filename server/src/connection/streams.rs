//! Calls that stream: each is asked for items while the socket has nothing to write, so that it goes at the pace of whoever reads it.
//! Whose turn it is, and who has room, the core says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use serde_json::value::RawValue;
use tidewire_protocol::{
    Millis,
    code::ErrorCode,
    frame::{client, server},
    session,
};

use super::{
    Connection, Panic, end,
    requests::{decode, refuse},
};
use crate::{calls::Items, close::CloseReason, error::Refusal, outbox::Outbox};

/// A session's calls that stream.
pub(super) type Streams = session::Streams<Items>;

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

    /// Lets it begin, unless there are as many as there may be.
    pub(super) fn begin(self, streams: &mut Streams, outbox: &Outbox) -> Result<(), Panic> {
        let Self { id, items, until, room } = self;
        let Err((code, items)) = streams.begin(id, room, until, items) else { return Ok(()) };
        end(items)?;
        let refusal = Refusal::new(code).message("the session has as many streams as it may");
        refuse(outbox, true, Some(id), "$call", &refusal);
        Ok(())
    }
}

/// Takes a page of what the streams have and sends it. Whether anything changed.
fn fill_page(streams: &mut Streams, cx: &mut Context<'_>, outbox: &Outbox) -> bool {
    let (mut page, mut moved) = (Page::default(), false);
    while let Some((id, items)) = streams.turn() {
        match catch_unwind(AssertUnwindSafe(|| items.as_mut().poll_next(cx))) {
            Ok(Poll::Pending) => streams.handle_idle(),
            Ok(Poll::Ready(Some(Ok(item)))) => {
                let frame = outbox.text(&server::write_item(id, &item));
                page.push(&frame);
                streams.handle_item(frame.len());
            }
            step => {
                moved = true;
                page.send(outbox);
                match (step, end(streams.handle_end())) {
                    (Ok(Poll::Ready(Some(Err(refusal)))), Ok(())) => {
                        refuse(outbox, true, Some(id), "$call", &refusal);
                    }
                    (Ok(_), Ok(())) => outbox.answer_text(&server::write_reply(id, &())),
                    (Err(_), _) | (_, Err(Panic)) => {
                        outbox.close(CloseReason::Panic);
                        return true;
                    }
                }
            }
        }
    }
    page.send(outbox) | moved
}

/// Items that are written at once.
#[derive(Default)]
struct Page {
    frames: Vec<u8>,
    items: usize,
}

impl Page {
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
            && calls.streams.handle_more(id, items)
        {
            self.core.handle_caused();
        }
    }

    /// Goes on with the session's streams. Whether anything changed.
    pub(super) fn poll_streams(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(calls) = self.calls.as_mut().filter(|calls| !calls.streams.is_empty()) else {
            return false;
        };
        let (streams, mut moved) = (&mut calls.streams, false);
        while let Some((id, items)) = streams.handle_timeout(self.now) {
            match end(items) {
                Ok(()) => {
                    let refusal = Refusal::new(ErrorCode::TIMEOUT);
                    refuse(&self.outbox, true, Some(id), "$call", &refusal);
                }
                Err(Panic) => self.outbox.close(CloseReason::Panic),
            }
            moved = true;
        }
        let others_wait = self.later.as_ref().is_some_and(|later| later.reads_history());
        if self.outbox.is_empty() && streams.begin_page(others_wait) {
            moved |= fill_page(streams, cx, &self.outbox);
        }
        moved
    }
}
