//! What a load found, as it is printed: JSON that `cargo xtask bench` reads.

use serde::Serialize;

/// All that was measured of one server in one run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) measures: Vec<Measure>,
    pub(crate) memory: Vec<Memory>,
    /// How many of all deliveries came out of order, warm-ups included.
    pub(crate) disordered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stalled: Option<Stalled>,
}

/// What became of the subscriber that stopped reading and then read on.
#[derive(Debug, Serialize)]
pub(crate) struct Stalled {
    /// How many events were published since it stopped.
    pub(crate) published: u64,
    /// How many of them it found when it read on.
    pub(crate) got: u64,
    /// How often it was told that events were left out.
    pub(crate) gaps: u64,
    /// How the server had closed it, if it had.
    pub(crate) closed: Option<String>,
}

/// Work of one kind, and what it cost.
#[derive(Debug, Serialize)]
pub(crate) struct Measure {
    pub(crate) name: String,
    /// How many deliveries, answers or handshakes.
    pub(crate) count: u64,
    /// CPU time of the server's process for all of them.
    pub(crate) server_ns: u64,
    /// CPU time of the load generator.
    pub(crate) load_ns: u64,
    pub(crate) elapsed_ns: u64,
    /// How many came out of order.
    pub(crate) disordered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
}

/// Percentiles of the time from the sending of a payload to its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
}

/// What each connection added to the server's memory.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) name: &'static str,
    pub(crate) bytes_per_connection: i64,
}

impl Latency {
    /// The percentiles of these times; `None` if there are none.
    pub(crate) fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        // The smallest time that so many per cent do not exceed.
        let percentile = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.checked_sub(1)?).copied()
        };
        Some(Self { p50_ns: percentile(50)?, p99_ns: percentile(99)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let check = |times: Vec<u64>, p50_ns, p99_ns| {
            assert_eq!(Latency::of(times), Some(Latency { p50_ns, p99_ns }));
        };
        check((1..=100).rev().collect(), 50, 99);
        check((1..=1000).collect(), 500, 990);
        check(vec![7], 7, 7);
        check(vec![2, 1], 1, 2);
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
