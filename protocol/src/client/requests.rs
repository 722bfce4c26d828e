//! What the user asks: publishes, calls and reads, from the call to the outcome. Each has one.

use super::{
    Client, Frame, Kind, MOST_OPEN_REQUESTS, Output,
    connection::Stage,
    numeric::{Outputs, address},
    output::Position,
    table::{Ask, Request, WAITING},
    time::NEVER,
};
use crate::{Millis, code::ErrorCode};

impl Client {
    /// Publishes; the driver keeps what, under the number that this gives, until it is acknowledged or rejected.
    ///
    /// It is sent at once where there is a connection, else it waits for one. `topic` is the topic's number, 0 if it has none: an
    /// answer that is lost with the connection is asked for again if the topic's epoch is known, else the outcome is unknown.
    pub fn publish(&mut self, topic: u32, now: Millis) -> u32 {
        let Position { epoch, offset } =
            self.topics.find(topic).map_or(Position::default(), |s| s.position());
        self.epochs.hold(epoch);
        self.begin(Ask::Publish { epoch }, offset, now)
    }

    /// Asks something that the server does at most once; the driver keeps the frame, under the number that this gives, until it
    /// is replied or rejected. It is rejected `timeout_ms` from now, 0 for never.
    ///
    /// It is sent at once where there is a connection, else it waits for one; never twice.
    pub fn call(&mut self, timeout_ms: Millis, now: Millis) -> u32 {
        self.begin(Ask::Call, timeout_ms, now)
    }

    /// As [`call`](Self::call), for a call that streams: its items come to the driver as frames of kind 12, until it is replied or
    /// rejected.
    pub fn stream(&mut self, timeout_ms: Millis, now: Millis) -> u32 {
        self.begin(Ask::Stream, timeout_ms, now)
    }

    /// As [`call`](Self::call), for what changes nothing: asked again by itself after a lost connection.
    pub fn read(&mut self, timeout_ms: Millis, now: Millis) -> u32 {
        self.begin(Ask::Read, timeout_ms, now)
    }

    /// Nobody wants the outcome of a publish, call, stream or read: it is rejected with [`ErrorCode::CANCELLED`], if it has none yet.
    pub fn cancel(&mut self, id: u32, now: Millis) {
        self.clock.advance(now);
        let Some(request) = self.requests.take(id.into(), WAITING) else { return };
        if request.on != WAITING && request.ask.is_call() {
            self.turn(request.on);
            self.speak().push(Output::Cancel { id });
        }
        self.outputs.push(Output::Rejected { id, code: ErrorCode::CANCELLED });
        self.forget(request.ask);
        self.end_drain();
    }

    /// `limit` is the time that it has, 0 for any; of a publish an offset.
    fn begin(&mut self, ask: Ask, limit: u64, now: Millis) -> u32 {
        self.clock.advance(now);
        let (mut until, mut due_at) = (limit, NEVER);
        if !ask.is_publish() {
            due_at = if limit == 0 { NEVER } else { self.clock.after(limit) };
            until = due_at;
        }
        // What waits goes first, also where nothing has said yet that it may go.
        self.end_drain();
        self.turn(self.main);
        let on = self.sending();
        let sends = on != WAITING;
        let code = match self.link.stage {
            Stage::Closed => ErrorCode::CLOSED,
            Stage::Stopped => ErrorCode::NOT_SENT,
            _ if sends && self.requests.open() >= MOST_OPEN_REQUESTS => ErrorCode::LIMIT,
            _ if !sends && self.requests.waiting() >= self.config.waiting_requests => {
                ErrorCode::OFFLINE_QUEUE_FULL
            }
            _ => {
                self.due_at = self.due_at.min(due_at);
                let id = self.requests.push(ask, on, until);
                if sends {
                    self.turn(on);
                    send(self.speak(), id, ask, None);
                }
                return id;
            }
        };
        let id = self.requests.number();
        self.outputs.push(Output::Rejected { id, code });
        self.forget(ask);
        id
    }

    /// Sends all that waits, in order.
    pub(super) fn send_waiting(&mut self) {
        self.speak();
        let Self { requests, outputs, at, .. } = self;
        requests.retain(&mut |request| {
            if request.on == WAITING {
                request.on = *at;
                let again = request.again.then_some(request.until);
                send(outputs, request.id, request.ask, again);
            }
            true
        });
    }

    /// A reply or an error.
    pub(super) fn answer(&mut self, frame: Frame) {
        let Some(request) = self.requests.take(frame.re, self.at) else { return };
        let Request { id, ask, again, .. } = request;
        let done = frame.kind == Kind::Reply;
        match ask {
            Ask::Subscribe { topic } => self.subscribe_answered(topic, id, frame),
            Ask::Token if done => self.renew_after(frame.ms),
            Ask::Publish { .. } if done => {
                let at = Position { epoch: frame.epoch, offset: frame.offset };
                self.outputs.push(Output::Acked { id, at });
            }
            Ask::Call | Ask::Stream | Ask::Read if done => {
                self.outputs.push(Output::Replied { id })
            }
            _ if ask.is_users() => {
                let mut code = ErrorCode(frame.code);
                // The server had no chance to look whether the first one was done.
                if again && code.may_retry() && ask != Ask::Read {
                    code = ErrorCode::UNKNOWN;
                }
                self.outputs.push(Output::Rejected { id, code });
            }
            _ => {}
        }
        self.forget(ask);
    }

    /// Ends what hung on the connection of a link; `unsent` also ends what waits for one.
    pub(super) fn end_requests(&mut self, link: u8, unsent: Option<ErrorCode>) {
        let Self { requests, outputs, epochs, .. } = self;
        requests.retain(&mut |request| {
            let Request { id, ask, on, again, .. } = *request;
            let waits = on == WAITING;
            let code = match (ask, unsent) {
                (_, None) if waits => return true,
                _ if !waits && on != link => return true,
                _ if !ask.is_users() => return false,
                (Ask::Publish { epoch: 1.. } | Ask::Read, None) => {
                    (request.on, request.again) = (WAITING, true);
                    return true;
                }
                (Ask::Read, Some(code)) => code,
                (_, Some(code)) if waits && !again => code,
                _ => ErrorCode::UNKNOWN,
            };
            outputs.push(Output::Rejected { id, code });
            if let Ask::Publish { epoch } = ask
                && epochs.let_go(epoch)
            {
                outputs.push(Output::ReleaseEpoch { epoch });
            }
            false
        });
    }

    /// Ends the requests whose time is over.
    pub(super) fn end_due(&mut self, now: Millis) {
        self.due_at = NEVER;
        let Self { requests, outputs, due_at, told, .. } = self;
        requests.retain(&mut |&mut Request { id, ask, on, until, .. }| {
            let sent = on != WAITING;
            if ask.is_publish() {
                return true;
            }
            if until > now {
                *due_at = until.min(*due_at);
                return true;
            }
            if sent && ask.is_call() {
                address(outputs, told, on);
                outputs.push(Output::Cancel { id });
            }
            let code = if sent { ErrorCode::TIMEOUT } else { ErrorCode::NOT_SENT };
            outputs.push(Output::Rejected { id, code });
            false
        });
        self.end_drain();
    }

    /// A request has its outcome.
    fn forget(&mut self, ask: Ask) {
        if let Ask::Publish { epoch } = ask {
            self.let_go(epoch);
        }
    }
}

/// Sends a request for the first time, or, a publish from after an offset, `again`.
fn send(outputs: &mut Outputs, id: u32, ask: Ask, again: Option<u64>) {
    match ask {
        Ask::Publish { epoch } => {
            let again = again.map(|offset| Position { epoch, offset });
            outputs.push(Output::Publish { id, again });
        }
        _ => outputs.push(Output::Request { id }),
    }
}
