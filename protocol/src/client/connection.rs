//! The life of the connection: opening, hello, silence, and coming back.

use super::{
    Client, Output, State,
    frame::{Frame, Kind, Verdict},
    table::Ask,
    time::NEVER,
};
use crate::{
    Millis,
    code::{CloseCode, ErrorCode, Retry},
};

/// A close code that says "come back now" is obeyed once in this time; then it backs off like any other.
const RETURN_SPACING_MS: Millis = 10_000;
/// A page that wakes tries at once, but not more often than this.
const WAKE_SPACING_MS: Millis = 1_000;
/// A token is renewed this long before it ends, or in the last fifth of a shorter life.
const MOST_RENEW_MARGIN_MS: Millis = 30_000;
/// No server makes a client fetch tokens more often than this.
const LEAST_RENEW_MS: Millis = 1_000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Idle,
    Waiting { until: Millis, code: CloseCode },
    Opening { until: Millis },
    Greeting { hello: u32, until: Millis },
    Connected { since: Millis },
    Stopped { code: CloseCode },
    Closed,
}

impl Client {
    /// The user wants a connection. Nothing happens where one stands or is being tried.
    pub fn connect(&mut self, now: Millis) {
        self.clock.advance(now);
        if matches!(self.link, Link::Idle | Link::Stopped { .. } | Link::Closed) {
            self.tries = 0;
            self.open();
        }
    }

    /// The user wants none. What waited to be sent is rejected with [`ErrorCode::CLOSED`], what was sent and not answered with
    /// [`ErrorCode::UNKNOWN`]; subscriptions stay, for a later [`connect`](Self::connect).
    pub fn close(&mut self, now: Millis) {
        self.clock.advance(now);
        if matches!(self.link, Link::Closed) {
            return;
        }
        if self.has_socket() {
            self.outputs.push(Output::Shut { code: CloseCode::NORMAL });
        }
        self.detach(Some(ErrorCode::CLOSED));
        self.enter(Link::Closed);
    }

    /// The socket is open.
    pub fn handle_opened(&mut self, now: Millis) {
        let now = self.clock.advance(now);
        if matches!(self.link, Link::Opening { .. }) {
            self.heard_at = now;
            let hello = self.requests.number();
            let until = now.saturating_add(self.config.hello_ms);
            self.link = Link::Greeting { hello, until };
            self.outputs.push(Output::Hello { id: hello });
        }
    }

    /// The socket is gone; 1006 where it gave no code.
    pub fn handle_closed(&mut self, code: CloseCode, now: Millis) {
        self.clock.advance(now);
        if self.has_socket() {
            self.lose(code, code.retry());
        }
    }

    /// The page is visible again or the network came back: a reconnect that waits is tried now.
    pub fn handle_wake(&mut self, now: Millis) {
        self.handle_timeout(now);
        let spaced = self.clock.now().saturating_sub(self.opened_at) >= WAKE_SPACING_MS;
        if matches!(self.link, Link::Waiting { .. }) && spaced {
            self.open();
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Millis) {
        let now = self.clock.advance(now);
        if now >= self.deadline() {
            match self.link {
                Link::Waiting { .. } => self.open(),
                Link::Opening { .. } => self.shut(CloseCode::NORMAL, CloseCode::ABNORMAL),
                _ if self.has_socket() => self.shut(CloseCode::DEAD_PEER, CloseCode::DEAD_PEER),
                _ => {}
            }
        }
        if now >= self.renew_at {
            self.renew_at = NEVER;
            let id = self.requests.push(Ask::Token, true, NEVER);
            self.outputs.push(Output::Token { id });
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
        let at = self.deadline().min(self.retry_at).min(self.due_at).min(self.renew_at);
        (at != NEVER).then(|| self.clock.for_driver(at))
    }

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.link {
            Link::Idle => State::Idle,
            Link::Opening { .. } | Link::Greeting { .. } => State::Connecting,
            Link::Connected { .. } => State::Connected,
            Link::Waiting { until, code } => {
                State::Waiting { code, retry_at: self.clock.for_driver(until) }
            }
            Link::Stopped { code } => State::Stopped { code },
            Link::Closed => State::Closed,
        }
    }

    /// A frame while the hello has no answer. Only a peer that is no Tidewire server answers with something else.
    pub(super) fn greet(&mut self, frame: Frame, hello: u32) -> Verdict {
        match frame.kind {
            Kind::Hello if frame.re == u64::from(hello) => {
                self.silence_ms = frame.ms.saturating_add(frame.to);
                self.enter(Link::Connected { since: self.clock.now() });
                self.renew_after(frame.prev);
                self.ask_all();
                self.send_waiting();
            }
            Kind::Ping => self.outputs.push(Output::Pong),
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
        self.renew_at = if token_ms == 0 { NEVER } else { self.clock.now().saturating_add(wait) };
    }

    /// The moment at which the connection's phase has lasted too long.
    fn deadline(&self) -> Millis {
        match self.link {
            Link::Waiting { until, .. }
            | Link::Opening { until }
            | Link::Greeting { until, .. } => until,
            // A server that names no times does not ping, so its silence says nothing.
            Link::Connected { .. } if self.silence_ms > 0 => {
                self.heard_at.saturating_add(self.silence_ms)
            }
            _ => NEVER,
        }
    }

    fn has_socket(&self) -> bool {
        matches!(self.link, Link::Opening { .. } | Link::Greeting { .. } | Link::Connected { .. })
    }

    fn enter(&mut self, link: Link) {
        self.link = link;
        self.outputs.push(Output::State(self.state()));
    }

    fn open(&mut self) {
        let now = self.clock.now();
        self.opened_at = now;
        self.enter(Link::Opening { until: now.saturating_add(self.config.open_ms) });
        self.outputs.push(Output::Open);
    }

    /// Gives up the socket and comes back later, whatever the code says to those who receive it.
    fn shut(&mut self, sent: CloseCode, reason: CloseCode) {
        self.outputs.push(Output::Shut { code: sent });
        self.lose(reason, Retry::BackOff);
    }

    fn lose(&mut self, code: CloseCode, retry: Retry) {
        let now = self.clock.now();
        if let Link::Connected { since } = self.link
            && now.saturating_sub(since) >= self.config.stable_ms
        {
            self.tries = 0;
        }
        self.detach((retry == Retry::Stop).then_some(ErrorCode::NOT_SENT));
        match retry {
            Retry::Stop => self.enter(Link::Stopped { code }),
            Retry::Now if self.returned_at.is_none_or(|at| now - at >= RETURN_SPACING_MS) => {
                self.returned_at = Some(now);
                self.open();
            }
            _ => {
                let until = now.saturating_add(self.backoff.delay(self.tries));
                self.tries = self.tries.saturating_add(1);
                self.enter(Link::Waiting { until, code });
            }
        }
    }

    /// Ends what hung on the connection; `unsent` also ends what waited for one.
    fn detach(&mut self, unsent: Option<ErrorCode>) {
        self.end_requests(unsent);
        self.renew_at = NEVER;
        self.detach_topics();
    }
}
