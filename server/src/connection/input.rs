//! From bytes to frames: reads the socket into a buffer that all connections of a thread share, decodes, and asks the session
//! core what to do with each frame.

use std::{
    cell::Cell,
    task::{Context, Poll},
};

use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    frame::{
        client::{ClientFrame, Kind},
        server::write_reply,
    },
    session::{self, Pace, Verdict},
};

use super::{Connection, requests::Frame};
use crate::{
    close::CloseReason,
    error::Refusal,
    ws::{DecodeError, Event, encode},
};

/// Large enough to take what a burst of small frames brings in one read; one such buffer per thread.
const SCRATCH_BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends the thread's buffer. A loan within a loan gets a buffer of its own.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut scratch = SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
    let result = work(&mut scratch);
    SCRATCH.set(Some(scratch));
    result
}

impl<V: Send + Sync + 'static> Connection<V> {
    /// Reads and handles what the socket has, if the session may read. Whether there may be more to read now.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.core.may_read() || self.outbox.is_closed() {
            return false;
        }
        if !self.unread.is_empty() {
            let mut unread = std::mem::take(&mut self.unread);
            self.handle_bytes(&mut unread);
            return true;
        }
        with_scratch(|scratch| match self.outbox.poll_read(cx, scratch) {
            Poll::Pending => false,
            Poll::Ready(Ok(read)) if read > 0 => {
                self.handle_bytes(&mut scratch[..read]);
                // Asking at once saves a turn that would find nothing.
                !self.core.may_read()
                    || read == scratch.len()
                    || self.outbox.poll_readable(cx).is_ready()
            }
            Poll::Ready(_) => {
                self.outbox.close(CloseReason::Lost);
                true
            }
        })
    }

    fn handle_bytes(&mut self, mut bytes: &mut [u8]) {
        // The decoder is lent out, so that what it gives may be handled while it is borrowed.
        let mut decoder = std::mem::replace(&mut self.decoder, crate::ws::Decoder::server(0));
        loop {
            if !self.core.may_read() {
                self.unread = (&*bytes).into();
                break;
            }
            match decoder.decode(&mut bytes) {
                Ok(Some(event)) => self.handle_event(event),
                Ok(None) => break,
                Err(DecodeError::TooLarge) => self.outbox.close(CloseReason::TooLarge),
                Err(error) => {
                    self.outbox.close(CloseReason::Protocol(CloseCode(error.close_code())))
                }
            }
            if self.outbox.is_closed() {
                break;
            }
        }
        self.decoder = decoder;
    }

    fn handle_event(&mut self, event: Event<'_>) {
        let bytes = match &event {
            Event::Text(text) => text.len(),
            Event::Binary(payload) | Event::Ping(payload) | Event::Pong(payload) => payload.len(),
            Event::Close(_) => 0,
        };
        self.live.counters().received(bytes);
        match self.core.handle_received(bytes, self.now()) {
            Pace::Fine => {}
            _ if matches!(event, Event::Close(_)) => {}
            Pace::Warn => return self.refuse_for_pace(&event),
            Pace::Close => return self.outbox.close(CloseReason::RateLimited),
        }
        match event {
            Event::Text(text) => self.handle_text(&text),
            Event::Binary(_) => self.outbox.close(CloseReason::Protocol(CloseCode::UNSUPPORTED)),
            Event::Ping(payload) => self.outbox.answer(encode::pong(&payload)),
            Event::Pong(_) => {}
            Event::Close(frame) => {
                let (code, reason) = frame.map_or((None, String::new()), |frame| {
                    (Some(CloseCode(frame.code)), frame.reason.into_owned())
                });
                self.outbox.close(CloseReason::Client { code, reason });
            }
        }
    }

    /// Answers what came too fast, once: by its `id`, if it is a request.
    fn refuse_for_pace(&self, event: &Event<'_>) {
        let refusal = Refusal::new(ErrorCode::RATE_LIMITED);
        let depth = self.live.options().json_depth;
        match event {
            Event::Text(text) => match ClientFrame::parse(text, depth) {
                Ok(frame) => self.refuse(frame.id, &frame.topic, &refusal),
                Err(error) => self.refuse(error.id, "", &refusal),
            },
            _ => self.refuse(None, "", &refusal),
        }
    }

    fn handle_text(&mut self, text: &str) {
        let frame = match ClientFrame::parse(text, self.live.options().json_depth) {
            Ok(frame) => frame,
            Err(error) => {
                self.refuse(error.id, "", &Refusal::new(error.code).message(error.message));
                return;
            }
        };
        let kind = match frame.kind {
            Kind::Hello => session::Kind::Hello,
            Kind::Ping => session::Kind::Ping,
            Kind::Pong => session::Kind::Pong,
            Kind::Subscribe | Kind::Unsubscribe | Kind::Token | Kind::History => {
                session::Kind::Request
            }
            Kind::Call => session::Kind::Call,
            Kind::Cancel => session::Kind::Cancel,
            Kind::More => session::Kind::More,
            Kind::Other => session::Kind::Other,
            _ => session::Kind::Reserved,
        };
        match self.core.handle_frame(kind, text.len()) {
            Verdict::Hello => self.handle_hello(&frame),
            Verdict::Take => self.take(Frame::new(&frame, text.len())),
            Verdict::Wait => self.keep(Frame::new(&frame, text.len())),
            Verdict::Call => self.begin_call(Frame::new(&frame, text.len())),
            Verdict::WaitCall => self.keep_call(Frame::new(&frame, text.len())),
            Verdict::Cancel => self.cancel_call(frame.data),
            Verdict::More => self.handle_more(frame.data),
            Verdict::Answer => {
                if let Some(id) = frame.id {
                    self.outbox.answer(encode::text(&write_reply(id, &())));
                }
            }
            Verdict::Refuse(code) => self.refuse(frame.id, &frame.topic, &refusal(code)),
            _ => {}
        }
    }
}

fn refusal(code: ErrorCode) -> Refusal {
    let refusal = Refusal::new(code);
    match code {
        ErrorCode::NOT_READY => refusal.message("one `$hello` comes first, with the token"),
        ErrorCode::RESERVED_TOPIC => refusal.message("names that begin with `$` are reserved"),
        _ => refusal,
    }
}
