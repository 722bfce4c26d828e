//! The client core: one connection's client side.
//!
//! It decides when to connect and when to come back, what to subscribe and from where, what is a gap, what becomes of a
//! publish, and when a server is dead. It sees the tuple of docs/wire.md section 6 and the time; payloads and names stay with
//! the driver, which owns the socket, the timer and the tables that give names numbers.
//!
//! # Driving it
//! After every call the driver polls until nothing comes and does what it is told, in order; then it delivers the frame if it is
//! to (a gap is told before the event that follows it) and sets its timer by [`Client::poll_timeout`]. An event only ever moves
//! that moment away, so an early timer is harmless: [`Client::handle_timeout`] does what is due, which may be nothing. After
//! [`Output::Shut`] and [`Output::Open`] the driver drops what an earlier socket of the link still reports. The client may be
//! called from within the handling of an output.
//!
//! A socket is that of a link, 0 or 1. Both are used only while the client moves, because its server goes or is silent when it wakes;
//! else the one that [`Output::Link`] named last, which is 0 at first.
//!
//! Topics and epochs are two sets of small numbers from 1 that the driver gives to names: to a topic when it is subscribed or
//! `$subscribed`, to an epoch whenever it comes; any other frame's topic without a number is 0. A number that was passed in
//! belongs to its name until its release is polled.
//!
//! # Invariants
//! - Within an epoch a topic's events are delivered in order and none twice; each hole is recovered or reported.
//! - No server makes it allocate without bound or work without being sent something.

mod connection;
mod drain;
mod frame;
mod numbers;
mod numeric;
mod output;
mod requests;
mod room;
mod subscription;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod topics;
mod wake;

pub use frame::{Frame, Kind, Verdict};
pub use numeric::Numbers;
pub use output::{Cause, Continuity, Output, Position, State};
pub use room::Room;

use crate::Millis;
use connection::Link;
use numbers::{Epochs, Topics};
use numeric::{Outputs, RELEASE_EPOCH, RELEASE_TOPIC};
use subscription::Phase;
use table::Requests;
use time::{Backoff, Clock, NEVER};

/// Requests that may be without an answer at one time; a server that answers none must not fill the client's memory.
const MOST_OPEN_REQUESTS: usize = 65_536;

/// How long a client waits and how much it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The limit of the first delay before a reconnect; it doubles with each failed try. 500 ms: a page whose server was
    /// restarted is back within a second.
    pub backoff_base_ms: Millis,
    /// The highest limit of that delay. 20 s: what a person will wait for a page to come back.
    pub backoff_cap_ms: Millis,
    /// A connection that held this long starts the delays anew. 10 s.
    pub stable_ms: Millis,
    /// How long a socket may take to open. 10 s.
    pub open_ms: Millis,
    /// How long the answer to the hello may take. 10 s.
    pub hello_ms: Millis,
    /// How many publishes and requests wait for a connection. 1,000.
    pub waiting_requests: usize,
}

impl Config {
    const DEFAULT: Self = Self {
        backoff_base_ms: 500,
        backoff_cap_ms: 20_000,
        stable_ms: 10_000,
        open_ms: 10_000,
        hello_ms: 10_000,
        waiting_requests: 1_000,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The client side of one connection and of those that replace it.
///
/// A socket has a link, 0 or 1, by which the driver names it; a call with any other number is none of a driver.
#[derive(Debug)]
pub struct Client {
    config: Config,
    clock: Clock,
    backoff: Backoff,
    /// The link at hand, its number, and the other one.
    link: Link,
    at: u8,
    other: Link,
    /// The number of the link that counts; the other is idle but for a move.
    main: u8,
    /// The link that the driver was told of last.
    told: u8,
    /// When a drain ends, or the server has had the time to answer a `$ping`.
    drain_until: Millis,
    /// When the main link's server was sent a `$ping`, until that is answered or the client has moved; [`NEVER`] but for that.
    asked_at: Millis,
    /// Tries to connect since a connection last held.
    tries: u8,
    opened_at: Millis,
    /// When the client last came back at once because a close code said so.
    returned_at: Option<Millis>,
    requests: Requests,
    /// Not later than the first `until` of a request.
    due_at: Millis,
    topics: Topics,
    /// Not later than the first `retry_at` of a topic.
    retry_at: Millis,
    epochs: Epochs,
    outputs: Outputs,
    malformed: u32,
}

impl Client {
    /// A client that is not connected. Clients with different seeds come back at different moments.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        // A constant is copied; field by field it would be three times the code.
        let mut client = const { Self::idle() };
        let Config { backoff_base_ms: base_ms, backoff_cap_ms: cap_ms, .. } = config;
        client.backoff = Backoff { base_ms, cap_ms, seed };
        client.config = config;
        client
    }

    const fn idle() -> Self {
        Self {
            config: Config::DEFAULT,
            clock: Clock::new(),
            backoff: Backoff { base_ms: 0, cap_ms: 0, seed: 0 },
            link: Link::new(),
            at: 0,
            other: Link::new(),
            main: 0,
            told: 0,
            drain_until: NEVER,
            asked_at: NEVER,
            tries: 0,
            opened_at: 0,
            returned_at: None,
            requests: Requests::new(),
            due_at: NEVER,
            topics: Topics::new(),
            retry_at: NEVER,
            epochs: Epochs::new(),
            outputs: Outputs::new(),
            malformed: 0,
        }
    }

    /// An event: kind 9. The hot path of [`handle_frame`](Self::handle_frame), which takes events too.
    pub fn handle_event(
        &mut self,
        link: u8,
        topic: u32,
        offset: u64,
        prev: u64,
        now: Millis,
    ) -> Verdict {
        self.turn(link);
        self.link.heard_at = self.clock.advance(now);
        match self.topics.slot(topic) {
            Some(s)
                if s.phase == Phase::Live
                    && s.link == link
                    && prev == s.offset
                    && offset > prev =>
            {
                s.offset = offset;
                Verdict::Deliver
            }
            Some(_) => self.odd_event(topic, offset, prev),
            None => Verdict::Ignore,
        }
    }

    /// A frame of the server, which came on this link.
    pub fn handle_frame(&mut self, link: u8, frame: Frame, now: Millis) -> Verdict {
        if frame.kind == Kind::Event {
            return self.handle_event(link, frame.topic, frame.offset, frame.prev, now);
        }
        self.turn(link);
        self.link.heard_at = self.clock.advance(now);
        let verdict = self.take(frame);
        // The driver gave these names numbers for this frame; nothing may have come of them.
        if self.epochs.drop_unused(frame.epoch) {
            self.outputs.push(Output::ReleaseEpoch { epoch: frame.epoch });
        }
        if frame.kind == Kind::Subscribed && self.topics.find(frame.topic).is_none() {
            self.end_topic(frame.topic);
        }
        self.end_drain();
        verdict
    }

    /// The next thing to do or to pass on.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.poll_numbers()?.output()
    }

    /// [`poll_output`](Self::poll_output) in numbers.
    pub fn poll_numbers(&mut self) -> Option<&Numbers> {
        while let Some(&Numbers { op, a, .. }) = self.outputs.pop() {
            let stands = match op {
                RELEASE_TOPIC => self.topics.release(a),
                RELEASE_EPOCH => self.epochs.release(a),
                _ => true,
            };
            if stands {
                break;
            }
        }
        self.outputs.last()
    }

    /// What was polled last; `None` after the end.
    #[must_use]
    pub fn polled(&self) -> Option<&Numbers> {
        self.outputs.last()
    }

    /// Whether [`poll_output`](Self::poll_output) may have something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }
}
