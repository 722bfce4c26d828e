//! Calls: they run beside the hooks, several at once, and can be cancelled. What they stream is the business of [`streams`](super::streams).

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt, Stream,
    future::{AbortHandle, abortable},
    stream::FuturesUnordered,
};
use serde_json::value::RawValue;
use tidewire_protocol::{
    code::ErrorCode,
    frame::{client, server},
};

use super::{
    Connection, Panic, end,
    requests::{Frame, decode, refuse},
    streams::{Begun, Streams},
};
use crate::{
    calls::{Answer, time_of},
    close::CloseReason,
    error::Refusal,
    hooks::BoxFuture,
    metrics::{Hook, Hooked},
    session::Session,
};

/// What a session's calls are doing.
#[derive(Default)]
pub(super) struct Calls {
    waiting: VecDeque<Frame>,
    running: FuturesUnordered<BoxFuture<Ended>>,
    handles: Vec<Running>,
    begun: u64,
    pub(super) streams: Streams,
}

struct Running {
    /// Which of the session's calls it is, by the order of their beginnings.
    number: u64,
    /// What its client calls it.
    id: Option<u64>,
    handle: AbortHandle,
}

/// A call that has ended: its number, and by what: nothing more to do, the stream that it gave, or a panic.
type Ended = (u64, Result<Option<Box<Begun>>, Panic>);

impl<V: Send + Sync + 'static> Connection<V> {
    pub(super) fn keep_call(&mut self, frame: Frame) {
        self.calls.get_or_insert_default().waiting.push_back(frame);
    }

    /// Begins a call, which the core has counted.
    pub(super) fn begin_call(&mut self, frame: Frame) {
        let Some(session) = self.session.clone() else { return self.core.handle_call_ended() };
        let (id, refused) = (frame.id, self.refused.clone());
        let begun_at = self.now();
        let call = async move {
            let result = run(&session, &frame.data, |entry| refused.contains(entry)).await;
            let refusal = match (result, id) {
                (Ok(Answer::Reply(reply)), Some(id)) => {
                    session.answer(&server::write_reply(id, &reply));
                    return None;
                }
                (Ok(Answer::Reply(_)), None) => return None,
                (Ok(Answer::Items(items)), Some(id)) => {
                    return Some(Begun::new(id, items, &frame.data, begun_at));
                }
                (Ok(Answer::Items(_)), None) => {
                    Refusal::invalid_data().message("a call that streams has an `id`")
                }
                (Err(refusal), _) => refusal,
            };
            refuse(session.outbox(), true, id, "$call", &refusal);
            None
        };
        let (call, handle) = abortable(call);
        // `map` drops what was aborted, which may panic like any other end of it; an aborted call has ended as much as any other.
        let call = AssertUnwindSafe(call.map(|ended| ended.unwrap_or(None))).catch_unwind();
        let calls = self.calls.get_or_insert_default();
        let number = calls.begun;
        calls.begun += 1;
        calls.handles.push(Running { number, id, handle });
        calls.running.push(Box::pin(call.map(move |ended| (number, ended.map_err(|_| Panic)))));
    }

    /// Cancels the call that a frame names, wherever it is. One that has ended, or never was, is no error.
    pub(super) fn cancel_call(&mut self, data: &RawValue) {
        let Ok(client::Cancel { id }) = decode(data) else {
            return self.refuse(None, "$cancel", &Refusal::invalid_data());
        };
        let Some(calls) = &mut self.calls else { return };
        if let Some(at) = calls.waiting.iter().position(|frame| frame.id == Some(id)) {
            let bytes = calls.waiting.remove(at).map_or(0, |frame| frame.bytes);
            self.core.handle_call_dropped(bytes, self.now());
        } else if let Some(at) = calls.handles.iter().position(|running| running.id == Some(id)) {
            calls.handles.remove(at).handle.abort();
        } else if let Some(items) = calls.streams.cancel(id) {
            if end(items).is_err() {
                return self.outbox.close(CloseReason::Panic);
            }
        } else {
            return;
        }
        self.refuse(Some(id), "$call", &Refusal::new(ErrorCode::CANCELLED));
    }

    /// Goes on with the calls that run and gives waiting ones their turn. Whether anything changed.
    pub(super) fn poll_calls(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        while self.core.poll_calls() {
            let next = self.calls.as_mut().and_then(|calls| calls.waiting.pop_front());
            let Some(frame) = next else { break };
            self.core.handle_call_begun(frame.bytes, self.now());
            self.begin_call(frame);
            moved = true;
        }
        let Some(calls) = &mut self.calls else { return moved };
        while let Poll::Ready(Some((number, ended))) =
            std::pin::Pin::new(&mut calls.running).poll_next(cx)
        {
            calls.handles.retain(|running| running.number != number);
            self.core.handle_call_ended();
            moved = true;
            let begun = match ended {
                Ok(Some(begun)) => begun.begin(&mut calls.streams, &self.outbox),
                Ok(None) => Ok(()),
                Err(Panic) => Err(Panic),
            };
            if begun.is_err() {
                self.outbox.close(CloseReason::Panic);
            }
        }
        moved
    }

    /// Drops every call: their client is gone.
    pub(super) fn drop_calls(&mut self) {
        let Some(calls) = self.calls.take() else { return };
        let Calls { running, streams, .. } = *calls;
        let _ = running.into_iter().map(end).chain(streams.into_sources().map(end)).count();
    }

    /// Gives back the memory of earlier calls, if none is under way.
    pub(super) fn free_calls(&mut self) {
        let is_idle = |calls: &mut Box<Calls>| calls.waiting.is_empty() && calls.handles.is_empty();
        // An aborted call may still have to be polled.
        let has_ended =
            |calls: &mut Box<Calls>| calls.running.is_empty() && calls.streams.is_empty();
        drop(self.calls.take_if(|calls| is_idle(calls) && has_ended(calls)));
    }
}

async fn run<V: Send + Sync + 'static>(
    session: &Session<V>,
    data: &RawValue,
    is_refused: impl Fn(&str) -> bool,
) -> Result<Answer, Refusal> {
    let client::Call { call, args, timeout_ms, .. } = decode(data)?;
    if is_refused(&call) {
        let message = format!(
            "client and server were built with different schemas of `{}`",
            server::shorten(&call, server::NAME_BYTES)
        );
        return Err(Refusal::new(ErrorCode::INCOMPATIBLE).message(message));
    }
    let live = session.live();
    let rule = live.shared().calls.iter().find(|rule| rule.name == call);
    let rule = rule.ok_or_else(|| Refusal::new(ErrorCode::UNKNOWN_CALL))?;
    let answer = (rule.hook)(session.clone(), args.unwrap_or(RawValue::NULL))?;
    let time = time_of(live.options().hook_timeout, timeout_ms);
    let answer = tokio::time::timeout(time, answer.timed(live.counters(), Hook::Call)).await;
    answer.unwrap_or(Err(Refusal::new(ErrorCode::TIMEOUT)))
}
