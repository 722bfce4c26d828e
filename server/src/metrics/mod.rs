//! What a server counts, as plain data ([`Metrics`]) and as Prometheus text.
//!
//! Labels come from fixed sets (schema entry, hook, cause, code), never from a topic's name or a user, so that a peer cannot make
//! the metrics grow. Mounting the text is the application's act.

mod counters;
mod text;

use std::time::Duration;

pub(crate) use counters::{Count, Counters, Hook, Hooked};

/// A server's numbers at one moment. Totals count since the server was built.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Sessions that are open.
    pub sessions: u64,
    /// Connections that a server which stops or drains still waits for: those whose clients have not gone, or whose hooks run. 0 while it serves.
    pub connections_left: u64,
    /// Sessions that have begun.
    pub sessions_total: u64,
    /// Topics that sessions here are subscribed to.
    pub topics: u64,
    /// Subscriptions of all sessions here.
    pub subscriptions: u64,
    /// Messages and control frames that came.
    pub received_messages_total: u64,
    /// Bytes of their payloads.
    pub received_bytes_total: u64,
    /// Frames that were handed to sockets or their queues.
    pub sent_messages_total: u64,
    /// Bytes of those frames, WebSocket headers included.
    pub sent_bytes_total: u64,
    /// Events that were appended, by schema entry; `untyped` for all other topics.
    pub published_total: Vec<(String, u64)>,
    /// Frames that wait in the queues of all sessions.
    pub queued_messages: u64,
    /// Bytes of those frames.
    pub queued_bytes: u64,
    /// Frames in the fullest queue.
    pub fullest_queue_messages: u64,
    /// Subscriptions that did not keep up and began to read by their topic's overflow policy; those that were closed are in `closed_total`.
    pub lags_total: u64,
    /// Ranges of events that a subscriber was not given, by cause: `dropped`, `conflated`, `lost`.
    pub gaps_total: Vec<(&'static str, u64)>,
    /// Rows of outboxes whose events relays here have published.
    pub relayed_total: u64,
    /// Turns of relays that failed and are tried again: by the database, the broker, or a row that cannot be published. One that goes on growing says
    /// that nothing is relayed.
    pub relay_failures_total: u64,
    /// Sessions that have ended, by the name of their close code; `other` for a code that is not in the table.
    pub closed_total: Vec<(&'static str, u64)>,
    /// Error frames that were sent, by the name of their code; `other` for the application's.
    pub errors_total: Vec<(&'static str, u64)>,
    /// Upgrades that were refused, by cause.
    pub refused_total: Vec<(&'static str, u64)>,
    /// How long hooks ran, by hook.
    pub hooks: Vec<HookMetrics>,
}

/// How long the calls of one hook took.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HookMetrics {
    /// The hook's name: `on_auth`, `on_token`, `on_connect`, `on_subscribe`, `snapshot`, `on_publish`, `on_message`,
    /// `call`, `on_close`.
    pub hook: &'static str,
    /// Calls that have ended.
    pub calls_total: u64,
    /// The time of all of them together.
    pub time_total: Duration,
    /// How many took at most as long as each of [`HookMetrics::BOUNDS`].
    pub at_most: [u64; Self::BOUNDS.len()],
}

impl HookMetrics {
    /// The upper bounds of the buckets, from a look-up in memory to a hook that is timed out.
    pub const BOUNDS: [Duration; 9] = [
        Duration::from_micros(100),
        Duration::from_millis(1),
        Duration::from_millis(5),
        Duration::from_millis(25),
        Duration::from_millis(100),
        Duration::from_millis(500),
        Duration::from_secs(2),
        Duration::from_secs(10),
        Duration::from_secs(30),
    ];
}
