//! [`Counters`]: the totals, counted where things happen.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    frame::server::GapCause,
};

use super::{HookMetrics, Metrics};

/// A hook, as a label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hook {
    Auth,
    Token,
    Connect,
    Subscribe,
    Snapshot,
    Publish,
    Message,
    Call,
    Close,
    Presence,
}

const HOOKS: [&str; 10] = [
    "on_auth",
    "on_token",
    "on_connect",
    "on_subscribe",
    "snapshot",
    "on_publish",
    "on_message",
    "call",
    "on_close",
    "presence",
];

/// Causes of a refused upgrade that have no code of their own.
const REFUSALS: [&str; 7] = ["handshake", "origin", "auth", "room", "stopping", "panic", "other"];

/// Why a subscriber was not given some events, as [`Counters::gap`] numbers them.
const GAPS: [&str; 3] = ["dropped", "conflated", "lost"];

#[derive(Debug)]
pub(crate) struct Counters {
    sessions: Count,
    received_messages: Count,
    received_bytes: Count,
    sent_messages: Count,
    sent_bytes: Count,
    untyped: Count,
    lags: Count,
    relayed: Count,
    relay_failures: Count,
    gaps: [Count; GAPS.len()],
    /// One more than the table has: the last is for all others.
    closed: Vec<Count>,
    errors: Vec<Count>,
    refused: [Count; REFUSALS.len()],
    hooks: [Histogram; HOOKS.len()],
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Histogram {
    calls: Count,
    nanos: Count,
    /// Calls by the first bound that they keep; those that keep none are in `calls` only.
    buckets: [Count; HookMetrics::BOUNDS.len()],
}

impl Default for Counters {
    fn default() -> Self {
        let counts = |len: usize| (0..len).map(|_| Count::default()).collect();
        Self {
            sessions: Count::default(),
            received_messages: Count::default(),
            received_bytes: Count::default(),
            sent_messages: Count::default(),
            sent_bytes: Count::default(),
            untyped: Count::default(),
            lags: Count::default(),
            relayed: Count::default(),
            relay_failures: Count::default(),
            gaps: Default::default(),
            closed: counts(CloseCode::ALL.len() + 1),
            errors: counts(ErrorCode::ALL.len() + 1),
            refused: Default::default(),
            hooks: Default::default(),
        }
    }
}

impl Counters {
    pub(crate) fn session_began(&self) {
        self.sessions.add(1);
    }

    pub(crate) fn session_ended(&self, code: CloseCode) {
        let at = CloseCode::ALL.partition_point(|(known, ..)| known.0 < code.0);
        let is_known = CloseCode::ALL.get(at).is_some_and(|(known, ..)| *known == code);
        self.closed[if is_known { at } else { CloseCode::ALL.len() }].add(1);
    }

    pub(crate) fn error_sent(&self, code: ErrorCode) {
        let at = ErrorCode::ALL.partition_point(|(known, ..)| known.0 < code.0);
        let is_known = ErrorCode::ALL.get(at).is_some_and(|(known, ..)| *known == code);
        self.errors[if is_known { at } else { ErrorCode::ALL.len() }].add(1);
    }

    /// An upgrade was refused; a cause that is not among the known ones counts as `other`.
    pub(crate) fn refused(&self, cause: &str) {
        let at = REFUSALS.iter().position(|known| *known == cause).unwrap_or(REFUSALS.len() - 1);
        self.refused[at].add(1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_messages.add(1);
        self.received_bytes.add(bytes as u64);
    }

    pub(crate) fn sent(&self, messages: usize, bytes: usize) {
        self.sent_messages.add(messages as u64);
        self.sent_bytes.add(bytes as u64);
    }

    pub(crate) fn published_untyped(&self) {
        self.untyped.add(1);
    }

    /// A subscription does not keep up, and reads on by a cursor.
    pub(crate) fn lag_began(&self) {
        self.lags.add(1);
    }

    pub(crate) fn relayed(&self, rows: usize) {
        self.relayed.add(rows as u64);
    }

    pub(crate) fn relay_failed(&self) {
        self.relay_failures.add(1);
    }

    /// A subscriber was not given some events.
    pub(crate) fn gap(&self, cause: GapCause) {
        self.gaps[match cause {
            GapCause::Dropped => 0,
            GapCause::Conflated => 1,
            GapCause::Lost => 2,
            // Its snapshot has them.
            _ => return,
        }]
        .add(1);
    }

    fn hook_ended(&self, hook: Hook, took: Duration) {
        let histogram = &self.hooks[hook as usize];
        histogram.calls.add(1);
        histogram.nanos.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        if let Some(at) = HookMetrics::BOUNDS.iter().position(|bound| took <= *bound) {
            histogram.buckets[at].add(1);
        }
    }

    /// Fills in the totals.
    pub(crate) fn read(&self, metrics: &mut Metrics) {
        metrics.sessions_total = self.sessions.total();
        metrics.received_messages_total = self.received_messages.total();
        metrics.received_bytes_total = self.received_bytes.total();
        metrics.sent_messages_total = self.sent_messages.total();
        metrics.sent_bytes_total = self.sent_bytes.total();
        metrics.published_total.push(("untyped".into(), self.untyped.total()));
        metrics.lags_total = self.lags.total();
        metrics.relayed_total = self.relayed.total();
        metrics.relay_failures_total = self.relay_failures.total();
        metrics.gaps_total = GAPS.into_iter().zip(self.gaps.iter().map(Count::total)).collect();
        let closes = CloseCode::ALL.iter().map(|(_, name, _)| *name).chain(["other"]);
        metrics.closed_total = closes.zip(self.closed.iter().map(Count::total)).collect();
        let errors = ErrorCode::ALL.iter().map(|(_, name, _)| *name).chain(["other"]);
        metrics.errors_total = errors.zip(self.errors.iter().map(Count::total)).collect();
        metrics.refused_total =
            REFUSALS.into_iter().zip(self.refused.iter().map(Count::total)).collect();
        metrics.hooks = HOOKS
            .into_iter()
            .zip(&self.hooks)
            .map(|(hook, histogram)| histogram.read(hook))
            .collect();
    }
}

impl Histogram {
    fn read(&self, hook: &'static str) -> HookMetrics {
        let mut sum = 0;
        let at_most = self.buckets.each_ref().map(|bucket| {
            sum += bucket.total();
            sum
        });
        let time_total = Duration::from_nanos(self.nanos.total());
        HookMetrics { hook, calls_total: self.calls.total(), time_total, at_most }
    }
}

/// Measures a hook's call, also one that is dropped before it ends.
pub(crate) trait Hooked: Future + Sized {
    async fn timed(self, counters: &Counters, hook: Hook) -> Self::Output {
        let _timer = Timer { counters, hook, began: Instant::now() };
        self.await
    }
}

impl<F: Future> Hooked for F {}

struct Timer<'a> {
    counters: &'a Counters,
    hook: Hook,
    began: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.counters.hook_ended(self.hook, self.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(counters: &Counters) -> Metrics {
        let mut metrics = Metrics::default();
        counters.read(&mut metrics);
        metrics
    }

    fn check(counts: &[(&'static str, u64)], name: &str, expected: u64) {
        let count = counts.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
        assert_eq!(count, Some(expected), "{name}");
    }

    #[test]
    fn codes_are_counted_by_name_and_unknown_ones_together() {
        let counters = Counters::default();
        for code in [CloseCode::DRAIN, CloseCode(4999), CloseCode(4998), CloseCode::NORMAL] {
            counters.session_ended(code);
        }
        counters.error_sent(ErrorCode::FORBIDDEN);
        counters.error_sent(ErrorCode(1234));
        counters.refused("origin");
        counters.refused("elsewhere");
        for cause in [GapCause::Lost, GapCause::Dropped, GapCause::Lost, GapCause::Included] {
            counters.gap(cause);
        }
        let metrics = read(&counters);
        check(&metrics.closed_total, "drain", 1);
        check(&metrics.closed_total, "normal", 1);
        check(&metrics.closed_total, "other", 2);
        check(&metrics.errors_total, "forbidden", 1);
        check(&metrics.errors_total, "other", 1);
        check(&metrics.gaps_total, "dropped", 1);
        check(&metrics.gaps_total, "conflated", 0);
        check(&metrics.gaps_total, "lost", 2);
        check(&metrics.refused_total, "origin", 1);
        check(&metrics.refused_total, "other", 1);
    }

    #[test]
    fn hook_times_fall_into_buckets_that_add_up() {
        let counters = Counters::default();
        for millis in [0, 3, 60_000] {
            counters.hook_ended(Hook::Publish, Duration::from_millis(millis));
        }
        let metrics = read(&counters);
        let publish = metrics.hooks.iter().find(|hook| hook.hook == "on_publish").unwrap();
        assert_eq!(publish.at_most, [1, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!((publish.calls_total, publish.time_total), (3, Duration::from_millis(60_003)));
    }
}
