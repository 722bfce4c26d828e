//! The loads: what `tidewire-bench` is told.

/// One load, and the sizes it has.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The load generator's name for it.
    pub(super) load: &'static str,
    connections: usize,
    /// The connections of a quick run, if it has this load.
    pub(super) quick: Option<usize>,
}

pub(super) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "fanout-1000",
        about: "one publishes to 1,000: one by one, in bursts of 16, at a fixed low rate",
        load: "fanout",
        connections: 1_000,
        quick: Some(1_000),
    },
    Workload {
        name: "fanout-10000",
        about: "one publishes to 10,000, as above",
        load: "fanout",
        connections: 10_000,
        quick: None,
    },
    Workload {
        name: "rooms",
        about: "1,000 rooms of 10, every member publishes, 64 publishes in flight",
        load: "rooms",
        connections: 10_000,
        quick: Some(1_000),
    },
    Workload {
        name: "idle",
        about: "10,000 connections are made and kept: CPU per handshake, memory per connection",
        load: "idle",
        connections: 10_000,
        quick: Some(1_000),
    },
    Workload {
        name: "request",
        about: "100 connections ask and wait: an acknowledged publish, a message that comes back, a call",
        load: "request",
        connections: 100,
        quick: Some(100),
    },
    Workload {
        name: "slow",
        about: "one publishes to 1,000, of whom one stops reading: the latency of the others",
        load: "slow",
        connections: 1_000,
        quick: Some(1_000),
    },
    Workload {
        name: "timer",
        about: "how late a timer of the server wakes while one publishes to 10,000: ours and axum",
        load: "timer",
        connections: 10_000,
        quick: Some(1_000),
    },
];

impl Workload {
    pub(super) fn connections(&self, quick: bool) -> usize {
        self.quick.filter(|_| quick).unwrap_or(self.connections)
    }
}
