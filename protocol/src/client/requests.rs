//! What the user asks: publishes, calls and reads, from the call to the outcome. Each has one.

use super::{
    Client, Frame, Kind, MOST_OPEN_REQUESTS, Output,
    connection::Link,
    output::Position,
    table::{Ask, Request},
    time::NEVER,
};
use crate::{Millis, code::ErrorCode};

impl Client {
    /// Publishes; the driver keeps what, under the number that this gives, until it is acknowledged or rejected.
    ///
    /// It is sent at once where there is a connection, else it waits for one. `topic` is the topic's number, 0 if it has none: an
    /// answer that is lost with the connection is asked for again if the topic's epoch is known, else the outcome is unknown.
    pub fn publish(&mut self, topic: u32, now: Millis) -> u32 {
        let epoch = self.topics.find(topic).map_or(0, |subscription| subscription.epoch);
        self.epochs.hold(epoch);
        self.begin(Ask::Publish { epoch }, 0, now)
    }

    /// Asks something that the server does at most once; the driver keeps the frame, under the number that this gives, until it
    /// is replied or rejected. It is rejected `timeout_ms` from now, 0 for never.
    ///
    /// It is sent at once where there is a connection, else it waits for one; never twice.
    pub fn call(&mut self, timeout_ms: Millis, now: Millis) -> u32 {
        self.begin(Ask::Call, timeout_ms, now)
    }

    /// As [`call`](Self::call), for what changes nothing: asked again by itself after a lost connection.
    pub fn read(&mut self, timeout_ms: Millis, now: Millis) -> u32 {
        self.begin(Ask::Read, timeout_ms, now)
    }

    /// Nobody wants the outcome of a publish, call or read: it is rejected with [`ErrorCode::CANCELLED`], if it has none yet.
    pub fn cancel(&mut self, id: u32, now: Millis) {
        self.clock.advance(now);
        let Some(request) = self.requests.take(id.into(), |r| r.ask.is_users()) else { return };
        if request.sent && request.ask == Ask::Call {
            self.outputs.push(Output::Cancel { id });
        }
        self.outputs.push(Output::Rejected { id, code: ErrorCode::CANCELLED });
        self.forget(request.ask);
    }

    fn begin(&mut self, ask: Ask, timeout_ms: Millis, now: Millis) -> u32 {
        let now = self.clock.advance(now);
        let until = if timeout_ms == 0 { NEVER } else { now.saturating_add(timeout_ms) };
        let code = match self.link {
            Link::Connected { .. } if self.requests.open() < MOST_OPEN_REQUESTS => {
                self.due_at = self.due_at.min(until);
                let id = self.requests.push(ask, true, until);
                self.outputs.push(first(id, ask));
                return id;
            }
            Link::Connected { .. } => ErrorCode::LIMIT,
            Link::Closed => ErrorCode::CLOSED,
            Link::Stopped { .. } => ErrorCode::NOT_SENT,
            _ if self.requests.waiting() < self.config.waiting_requests => {
                self.due_at = self.due_at.min(until);
                return self.requests.push(ask, false, until);
            }
            _ => ErrorCode::OFFLINE_QUEUE_FULL,
        };
        let id = self.requests.number();
        self.outputs.push(Output::Rejected { id, code });
        self.forget(ask);
        id
    }

    /// Sends all that waits, in order.
    pub(super) fn send_waiting(&mut self) {
        let outputs = &mut self.outputs;
        self.requests.retain(&mut |request| {
            if !request.sent {
                request.sent = true;
                outputs.push(match request.ask {
                    Ask::Publish { epoch } if request.again => {
                        Output::Publish { id: request.id, epoch: Some(epoch) }
                    }
                    ask => first(request.id, ask),
                });
            }
            true
        });
    }

    /// A reply or an error.
    pub(super) fn answer(&mut self, frame: Frame) {
        let Some(request) = self.requests.take(frame.re, |request| request.sent) else { return };
        let Request { id, ask, again, .. } = request;
        let done = frame.kind == Kind::Reply;
        match ask {
            Ask::Subscribe { topic } => self.subscribe_answered(topic, id, frame),
            Ask::Token if done => self.renew_after(frame.ms),
            Ask::Publish { .. } if done => {
                let at = Position { epoch: frame.epoch, offset: frame.offset };
                self.outputs.push(Output::Acked { id, at });
            }
            Ask::Call | Ask::Read if done => self.outputs.push(Output::Replied { id }),
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

    /// Ends what hung on the connection; `unsent` also ends what waits for one.
    pub(super) fn end_requests(&mut self, unsent: Option<ErrorCode>) {
        let Self { requests, outputs, epochs, .. } = self;
        requests.retain(&mut |request| {
            let Request { id, ask, sent, .. } = *request;
            let code = match (ask, unsent) {
                _ if !ask.is_users() => return false,
                (_, None) if !sent => return true,
                (Ask::Publish { epoch: 1.. } | Ask::Read, None) => {
                    (request.sent, request.again) = (false, true);
                    return true;
                }
                (Ask::Read, Some(code)) => code,
                (_, Some(code)) if !sent && !request.again => code,
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
        let Self { requests, outputs, due_at, .. } = self;
        requests.retain(&mut |&mut Request { id, ask, sent, until, .. }| {
            if until > now {
                *due_at = until.min(*due_at);
                return true;
            }
            if sent && ask == Ask::Call {
                outputs.push(Output::Cancel { id });
            }
            let code = if sent { ErrorCode::TIMEOUT } else { ErrorCode::NOT_SENT };
            outputs.push(Output::Rejected { id, code });
            false
        });
    }

    /// A request has its outcome.
    fn forget(&mut self, ask: Ask) {
        if let Ask::Publish { epoch } = ask {
            self.let_go(epoch);
        }
    }
}

/// What sends a request for the first time, or one that is the same each time.
fn first(id: u32, ask: Ask) -> Output {
    match ask {
        Ask::Publish { .. } => Output::Publish { id, epoch: None },
        _ => Output::Request { id },
    }
}
