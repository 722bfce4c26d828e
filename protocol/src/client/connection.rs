//! The life of a connection: opening, hello, silence, and coming back.
//!
//! There are two links, of which but for a move one is used. All that concerns one works on the link at hand, to which
//! [`turn`](Client::turn) turns.

use super::{
    Client, Output, State,
    frame::{Frame, Kind, Verdict},
    numeric::{Numbers, Outputs, STATE, address},
    table::Ask,
    time::NEVER,
};
use crate::{
    Millis,
    code::{CloseCode, ErrorCode, Retry},
};

/// A close code that says "come back now" is obeyed once in this time; then it backs off like any other.
const RETURN_SPACING_MS: Millis = 10_000;
/// A token is renewed this long before it ends, or in the last fifth of a shorter life.
const MOST_RENEW_MARGIN_MS: Millis = 30_000;
/// No server makes a client fetch tokens more often than this.
const LEAST_RENEW_MS: Millis = 1_000;

/// What one link has of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stage: Stage,
    /// When the stage has lasted too long; of a connection that stands, when it began.
    pub(super) moment: Millis,
    /// Why the last connection ended.
    code: CloseCode,
    /// The number of the `$hello`.
    pub(super) hello: u32,
    /// When the server was last heard.
    pub(super) heard_at: Millis,
    /// It is dead after this long without a frame.
    silence_ms: Millis,
    /// When a fresh token is due.
    renew_at: Millis,
}

/// Where a link stands; the first six are the numbers of [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    Opening,
    Connected,
    Waiting,
    Stopped,
    Closed,
    Greeting,
}

impl Link {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Idle,
            moment: 0,
            code: CloseCode(0),
            hello: 0,
            heard_at: 0,
            silence_ms: 0,
            renew_at: NEVER,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.stage == Stage::Connected
    }

    pub(super) fn has_socket(&self) -> bool {
        matches!(self.stage, Stage::Opening | Stage::Greeting | Stage::Connected)
    }

    /// The moment at which the stage has lasted too long.
    fn deadline(&self) -> Millis {
        match self.stage {
            Stage::Waiting | Stage::Opening | Stage::Greeting => self.moment,
            // A server that names no times does not ping, so its silence says nothing.
            Stage::Connected if self.silence_ms > 0 => {
                self.heard_at.saturating_add(self.silence_ms)
            }
            _ => NEVER,
        }
    }

    /// The moment at which something is due.
    fn next_moment(&self) -> Millis {
        self.deadline().min(self.renew_at)
    }
}

impl Client {
    /// The user wants a connection. Nothing happens where one stands or is being tried.
    pub fn connect(&mut self, now: Millis) {
        self.clock.advance(now);
        self.turn(self.main);
        if matches!(self.link.stage, Stage::Idle | Stage::Stopped | Stage::Closed) {
            self.tries = 0;
            self.open();
        }
    }

    /// The user wants none. What waited to be sent is rejected with [`ErrorCode::CLOSED`], what was sent and not answered with
    /// [`ErrorCode::UNKNOWN`]; subscriptions stay, for a later [`connect`](Self::connect).
    pub fn close(&mut self, now: Millis) {
        self.clock.advance(now);
        self.stay();
        if self.link.stage == Stage::Closed {
            return;
        }
        self.hang_up();
        self.detach(Some(ErrorCode::CLOSED));
        self.enter(Stage::Closed, 0);
    }

    /// The socket of this link is open.
    pub fn handle_opened(&mut self, link: u8, now: Millis) {
        let now = self.clock.advance(now);
        self.turn(link);
        if self.is_answered() {
            self.stay();
        } else if self.link.stage == Stage::Opening {
            self.link.heard_at = now;
            let hello = self.requests.number();
            self.link.hello = hello;
            self.link.stage = Stage::Greeting;
            self.link.moment = self.clock.after(self.config.hello_ms);
            self.speak().push(Output::Hello { id: hello });
        }
    }

    /// The socket of this link is gone; 1006 where it gave no code.
    pub fn handle_closed(&mut self, link: u8, code: CloseCode, now: Millis) {
        self.clock.advance(now);
        self.turn(link);
        if self.link.has_socket() {
            self.lose(code, code.retry());
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Millis) {
        let now = self.clock.advance(now);
        for link in 0..2 {
            self.turn(link);
            if now >= self.link.deadline() {
                match self.link.stage {
                    Stage::Waiting if self.is_answered() => self.stay(),
                    Stage::Waiting => self.open(),
                    Stage::Opening => self.shut(CloseCode::NORMAL, CloseCode::ABNORMAL),
                    _ => self.shut(CloseCode::DEAD_PEER, CloseCode::DEAD_PEER),
                }
            }
            if now >= self.link.renew_at {
                self.link.renew_at = NEVER;
                let id = self.requests.push(Ask::Token, self.at, NEVER);
                self.speak().push(Output::Token { id });
            }
        }
        if now >= self.drain_until {
            self.end_wait();
        }
        if now >= self.retry_at {
            self.ask_due(now);
        }
        if now >= self.due_at {
            self.end_due(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, on the driver's clock; `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        let (link, other) = (self.link.next_moment(), self.other.next_moment());
        let at = link.min(other).min(self.drain_until).min(self.retry_at).min(self.due_at);
        (at != NEVER).then(|| self.clock.for_driver(at))
    }

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.state_numbers().output() {
            Some(Output::State(state)) => state,
            _ => State::Idle,
        }
    }

    fn state_numbers(&self) -> Numbers {
        let link = self.main_link();
        let waits = link.stage == Stage::Waiting;
        let stage = if link.stage == Stage::Greeting { Stage::Opening } else { link.stage };
        let code = if waits || stage == Stage::Stopped { link.code.0 } else { 0 };
        let retry_at = if waits { self.clock.for_driver(link.moment) } else { 0 };
        Numbers { op: STATE, a: stage as u32, b: code.into(), c: retry_at, d: 0 }
    }

    /// A frame while the hello has no answer. Only a peer that is no Tidewire server answers with something else.
    pub(super) fn greet(&mut self, frame: Frame) -> Verdict {
        match frame.kind {
            Kind::Hello if frame.re == u64::from(self.link.hello) => {
                self.link.silence_ms = frame.ms.saturating_add(frame.to);
                self.enter(Stage::Connected, self.clock.now());
                self.renew_after(frame.prev);
                self.leave_silent();
                self.ask_all();
                if self.at == self.main {
                    self.send_waiting();
                }
            }
            Kind::Ping => self.speak().push(Output::Pong),
            Kind::Hello | Kind::Malformed => self.shut(CloseCode::BAD_HELLO, CloseCode::BAD_HELLO),
            Kind::Error if frame.re == 0 => return Verdict::Deliver,
            // A refusal of the hello is followed by a close, whose code says whether to come back.
            _ => {}
        }
        Verdict::Ignore
    }

    /// The identity ends after this long, 0 for never: a fresh token is due a little earlier, so that it comes in time.
    pub(super) fn renew_after(&mut self, token_ms: Millis) {
        let margin = (token_ms / 5).min(MOST_RENEW_MARGIN_MS);
        let wait = (token_ms - margin).max(LEAST_RENEW_MS);
        self.link.renew_at = if token_ms == 0 { NEVER } else { self.clock.after(wait) };
    }

    /// Turns to a link: what follows is about it.
    pub(super) fn turn(&mut self, link: u8) {
        if link != self.at {
            core::mem::swap(&mut self.link, &mut self.other);
            self.at = link;
        }
    }

    pub(super) fn main_link(&self) -> &Link {
        if self.at == self.main { &self.link } else { &self.other }
    }

    /// The outputs, for one that is for the link at hand.
    pub(super) fn speak(&mut self) -> &mut Outputs {
        address(&mut self.outputs, &mut self.told, self.at);
        &mut self.outputs
    }

    pub(super) fn enter(&mut self, stage: Stage, moment: Millis) {
        self.link.stage = stage;
        self.link.moment = moment;
        // A new connection within a move is told too, because it is another session.
        if self.at == self.main || stage == Stage::Connected {
            self.tell_state();
        }
    }

    pub(super) fn tell_state(&mut self) {
        self.outputs.push_numbers(self.state_numbers());
    }

    pub(super) fn open(&mut self) {
        self.opened_at = self.clock.now();
        self.enter(Stage::Opening, self.clock.after(self.config.open_ms));
        self.speak().push(Output::Open);
    }

    pub(super) fn hang_up(&mut self) {
        if self.link.has_socket() {
            self.speak().push(Output::Shut { code: CloseCode::NORMAL });
        }
    }

    /// Gives up the socket and comes back later, whatever the code says to those who receive it.
    fn shut(&mut self, sent: CloseCode, reason: CloseCode) {
        self.speak().push(Output::Shut { code: sent });
        self.lose(reason, Retry::BackOff);
    }

    pub(super) fn lose(&mut self, code: CloseCode, retry: Retry) {
        let now = self.clock.now();
        if self.link.is_connected() && now - self.link.moment >= self.config.stable_ms {
            self.tries = 0;
        }
        if self.at != self.main {
            return self.fail_to_move(retry);
        }
        if retry != Retry::Stop && self.other.has_socket() {
            return self.move_over();
        }
        self.stay();
        self.detach((retry == Retry::Stop).then_some(ErrorCode::NOT_SENT));
        self.link.code = code;
        match retry {
            Retry::Stop => self.enter(Stage::Stopped, 0),
            Retry::Now if self.may_return() => {
                self.returned_at = Some(now);
                self.open();
            }
            _ => {
                let until = self.back_off();
                self.enter(Stage::Waiting, until);
            }
        }
    }

    /// Whether it is long enough ago that the client came back at once.
    pub(super) fn may_return(&self) -> bool {
        self.returned_at.is_none_or(|at| self.clock.now() - at >= RETURN_SPACING_MS)
    }

    /// The time of the next try.
    pub(super) fn back_off(&mut self) -> Millis {
        let delay = self.backoff.delay(self.tries);
        self.tries = self.tries.saturating_add(1);
        self.clock.after(delay)
    }

    /// Ends what hung on the connection; `unsent` also ends what waited for one.
    fn detach(&mut self, unsent: Option<ErrorCode>) {
        self.link.renew_at = NEVER;
        self.end_requests(self.at, unsent);
        self.detach_topics(self.at);
    }
}
