//! The session core: the server side of one connection.
//!
//! It decides whether a connection is plain or full, when a frame's turn comes, when the socket may be read, when to ping and
//! when to give up. The driver owns the socket, runs the hooks and keeps the frames that wait; it asks here what to do.
//!
//! Invariant: frames that may run a hook are taken one at a time in order of arrival; nothing else waits behind them.

mod deadline;
mod heartbeat;
mod rate;
mod streams;
mod subscriptions;

pub use heartbeat::Due;
pub use rate::{Pace, Rate};
pub use streams::{StreamLimits, Streams};
pub use subscriptions::{Owner, SubscribeError, Subscriptions};

use deadline::Deadline;
use heartbeat::Heartbeat;
use rate::Allowance;

use alloc::sync::Arc;

use crate::{Millis, code::ErrorCode};

/// What a session is told about its limits of time and waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Nothing but a hello is taken until it has been answered.
    pub hello_required: bool,
    /// How long a required hello may take to come.
    pub hello_timeout_ms: Millis,
    /// A ping is sent after this long without a frame.
    pub ping_ms: Millis,
    /// The peer is dead this long after an unanswered ping.
    pub pong_ms: Millis,
    /// A hook that runs longer ends the session.
    pub hook_timeout_ms: Millis,
    /// A socket that takes no byte for this long ends the session.
    pub write_timeout_ms: Millis,
    /// Calls that may run at once, beside the hooks; more wait.
    pub calls: usize,
    /// Frames that may wait for their turn, calls included; beyond, the socket is not read.
    pub backlog_frames: usize,
    /// Bytes of frames that may wait for their turn.
    pub backlog_bytes: usize,
    /// Messages that may come, control frames included.
    pub messages: Rate,
    /// Bytes of messages that may come.
    pub bytes: Rate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hello_required: false,
            hello_timeout_ms: 10_000,
            ping_ms: 25_000,
            pong_ms: 10_000,
            hook_timeout_ms: 30_000,
            write_timeout_ms: 10_000,
            calls: 8,
            backlog_frames: 64,
            backlog_bytes: 256 * 1024,
            messages: Rate { per_second: 1_000, burst: 2_000 },
            bytes: Rate { per_second: 4 << 20, burst: 8 << 20 },
        }
    }
}

/// How a connection talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No frame has come yet.
    Undecided,
    /// `{topic, data}` only.
    Plain,
    /// After a hello.
    Full,
}

/// What a frame is to the session, by its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// `$hello`
    Hello,
    /// `$ping`
    Ping,
    /// `$pong`
    Pong,
    /// A request that only full mode knows, such as `$subscribe`.
    Request,
    /// `$call`
    Call,
    /// `$cancel`
    Cancel,
    /// `$more`
    More,
    /// A reserved topic that this version does not know.
    Reserved,
    /// A publish or a message.
    Other,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Answer the hello; call [`Session::handle_welcomed`] when that is done. What looks at its token is a hook, and as such begun.
    Hello,
    /// Its turn is now.
    Take,
    /// Keep it until [`Session::poll_backlog`] gives it its turn.
    Wait,
    /// Begin the call, which has been counted.
    Call,
    /// Keep the call until [`Session::poll_calls`] gives it its turn.
    WaitCall,
    /// Cancel the call that the frame names.
    Cancel,
    /// The client has room for more items of the stream that the frame names.
    More,
    /// Answer it with `null` now: it asks for a sign of life.
    Answer,
    /// It has done its work.
    Ignore,
    /// Answer with an error.
    Refuse(ErrorCode),
}

/// One connection's server side.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    mode: Mode,
    greeting: bool,
    /// When the hook that runs must have ended.
    hook: Deadline,
    hello_by: Deadline,
    write_by: Deadline,
    /// When the identity that the token gave ends.
    expires: Deadline,
    heartbeat: Heartbeat,
    allowance: Allowance,
    calls: u32,
    /// Of the frames that wait, how many are calls.
    waiting_calls: u32,
    waiting_frames: u32,
    waiting_bytes: usize,
}

impl Session {
    /// A session whose socket has just opened. All of a server share one `config`.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, now: Millis) -> Self {
        let config = config.into();
        let hello_by = if config.hello_required {
            Deadline::after(now, config.hello_timeout_ms)
        } else {
            Deadline::NEVER
        };
        Self {
            mode: Mode::Undecided,
            greeting: false,
            hook: Deadline::NEVER,
            hello_by,
            write_by: Deadline::NEVER,
            expires: Deadline::NEVER,
            heartbeat: Heartbeat::new(now),
            allowance: Allowance::new(&config, now),
            calls: 0,
            waiting_calls: 0,
            waiting_frames: 0,
            waiting_bytes: 0,
            config,
        }
    }

    /// How the connection talks.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// A message or control frame came that is `bytes` long, readable or not. What is too much must not be handled.
    pub fn handle_received(&mut self, bytes: usize, now: Millis) -> Pace {
        self.heartbeat.handle_heard(now);
        self.allowance.handle_message(&self.config, bytes, now)
    }

    /// Who it is has become known, or known anew, until `expires`.
    pub fn handle_identity(&mut self, expires: Option<Millis>) {
        self.expires = expires.into();
    }

    /// When the identity ends, if it does.
    #[must_use]
    pub const fn expires(&self) -> Option<Millis> {
        self.expires.get()
    }

    /// A frame was read from a message that is `bytes` long.
    pub fn handle_frame(&mut self, kind: Kind, bytes: usize) -> Verdict {
        match (self.mode, kind) {
            (Mode::Undecided, Kind::Hello) => {
                self.mode = Mode::Full;
                self.greeting = true;
                self.hello_by = Deadline::NEVER;
                Verdict::Hello
            }
            (Mode::Undecided, _) if self.config.hello_required => {
                Verdict::Refuse(ErrorCode::NOT_READY)
            }
            (Mode::Undecided, _) => {
                self.mode = Mode::Plain;
                self.handle_frame(kind, bytes)
            }
            (Mode::Full, Kind::Hello) => Verdict::Refuse(ErrorCode::NOT_READY),
            (Mode::Full, Kind::Ping) => Verdict::Answer,
            (Mode::Full, Kind::Pong) => Verdict::Ignore,
            (Mode::Full, Kind::Call) => self.queue_call(bytes),
            (Mode::Full, Kind::Cancel) => Verdict::Cancel,
            (Mode::Full, Kind::More) => Verdict::More,
            (Mode::Full, Kind::Request | Kind::Other) | (Mode::Plain, Kind::Other) => {
                self.queue(bytes)
            }
            (Mode::Full, Kind::Reserved) | (Mode::Plain, _) => {
                Verdict::Refuse(ErrorCode::RESERVED_TOPIC)
            }
        }
    }

    fn queue(&mut self, bytes: usize) -> Verdict {
        if !self.is_busy() && self.waiting_frames == self.waiting_calls {
            return Verdict::Take;
        }
        self.waiting_frames += 1;
        self.waiting_bytes += bytes;
        Verdict::Wait
    }

    fn queue_call(&mut self, bytes: usize) -> Verdict {
        if self.has_room_for_call() && self.waiting_calls == 0 {
            self.calls += 1;
            return Verdict::Call;
        }
        self.waiting_calls += 1;
        self.waiting_frames += 1;
        self.waiting_bytes += bytes;
        Verdict::WaitCall
    }

    fn has_room_for_call(&self) -> bool {
        !self.greeting && (self.calls as usize) < self.config.calls
    }

    /// Whether the oldest waiting call's turn is now.
    #[must_use]
    pub fn poll_calls(&self) -> bool {
        self.waiting_calls > 0 && self.has_room_for_call()
    }

    /// The oldest waiting call, `bytes` long, was begun.
    pub fn handle_call_begun(&mut self, bytes: usize, now: Millis) {
        self.waiting_calls = self.waiting_calls.saturating_sub(1);
        self.calls += 1;
        self.handle_taken(bytes, now);
    }

    /// A waiting call, `bytes` long, was cancelled.
    pub fn handle_call_dropped(&mut self, bytes: usize, now: Millis) {
        self.waiting_calls = self.waiting_calls.saturating_sub(1);
        self.handle_taken(bytes, now);
    }

    /// A message that was taken answers what the server has sent: that it came says nothing of its sender's pace.
    pub fn handle_caused(&mut self) {
        self.allowance.forgive(&self.config);
    }

    /// A call that ran has ended, or streams from now on.
    pub fn handle_call_ended(&mut self) {
        self.calls = self.calls.saturating_sub(1);
    }

    fn is_busy(&self) -> bool {
        self.greeting || self.hook.is_set()
    }

    /// The hello has been answered.
    pub fn handle_welcomed(&mut self) {
        self.greeting = false;
    }

    /// A hook has begun.
    pub fn handle_hook_started(&mut self, now: Millis) {
        self.hook = Deadline::after(now, self.config.hook_timeout_ms);
    }

    /// The hook has ended.
    pub fn handle_hook_ended(&mut self) {
        self.hook = Deadline::NEVER;
    }

    /// When the hook that runs must have ended.
    #[must_use]
    pub const fn hook_deadline(&self) -> Option<Millis> {
        self.hook.get()
    }

    /// Whether the oldest waiting frame's turn is now.
    #[must_use]
    pub fn poll_backlog(&self) -> bool {
        self.waiting_frames > self.waiting_calls && !self.is_busy()
    }

    /// The oldest waiting frame, `bytes` long, was taken.
    pub fn handle_taken(&mut self, bytes: usize, now: Millis) {
        let paused = !self.may_read();
        self.waiting_frames = self.waiting_frames.saturating_sub(1);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        if paused && self.may_read() {
            // What the peer sent meanwhile was not read: its silence says nothing.
            self.heartbeat.handle_heard(now);
        }
    }

    /// Whether the socket may be read.
    #[must_use]
    pub fn may_read(&self) -> bool {
        (self.waiting_frames as usize) < self.config.backlog_frames
            && self.waiting_bytes < self.config.backlog_bytes
    }

    /// The socket takes no more bytes, while some wait.
    pub fn handle_write_blocked(&mut self, now: Millis) {
        if !self.write_by.is_set() {
            self.write_by = Deadline::after(now, self.config.write_timeout_ms);
        }
    }

    /// The socket took bytes.
    pub fn handle_write_progress(&mut self) {
        self.write_by = Deadline::NEVER;
    }

    /// The next time at which [`handle_timeout`](Self::handle_timeout) has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        let heartbeat = if self.may_read() {
            self.heartbeat.poll_timeout(&self.config)
        } else {
            Deadline::NEVER
        };
        [self.hello_by, self.hook, self.write_by, self.expires]
            .into_iter()
            .fold(heartbeat, Deadline::or_earlier)
            .get()
    }

    /// What is due at `now`, if anything.
    pub fn handle_timeout(&mut self, now: Millis) -> Option<Due> {
        if self.hello_by.is_due(now) {
            return Some(Due::HelloTimeout);
        }
        if self.hook.is_due(now) {
            return Some(Due::HookTimeout);
        }
        if self.write_by.is_due(now) {
            return Some(Due::WriteTimeout);
        }
        if self.expires.is_due(now) {
            return Some(Due::TokenExpired);
        }
        if self.may_read() { self.heartbeat.handle_timeout(&self.config, now) } else { None }
    }
}

#[cfg(test)]
mod tests;
