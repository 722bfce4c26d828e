//! What is read out of a load's report: the figures that are shown, and what they shall be.

use serde_json::Value;

/// One number that a run gives.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) workload: &'static str,
    /// The load generator's name of it.
    pub(super) measure: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
    /// The peer that is as near to nothing as this work can be.
    pub(super) limit: &'static str,
    pub(super) targets: &'static [Target],
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// CPU time of the server for each delivery, answer or handshake, in nanoseconds.
    Cpu,
    /// Memory of the server for each connection, in bytes.
    Memory,
    /// The time from sending to receipt that so many of a hundred deliveries do not exceed, in nanoseconds.
    Latency(u8),
}

/// A ratio that shall not be exceeded.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) of: &'static str,
    pub(super) to: &'static str,
    pub(super) at_most: f64,
}

const fn target(of: &'static str, to: &'static str, at_most: f64) -> Target {
    Target { of, to, at_most }
}

const LOW_RATE: &[Target] = &[
    target("tidewire", "limit", 1.2),
    target("tidewire", "bun", 1.0),
    target("tidewire-plain", "limit", 1.2),
    target("tidewire-plain", "bun", 1.0),
];
const BURSTS: &[Target] = &[
    target("tidewire", "limit-coalesced", 1.5),
    target("tidewire", "bun", 1.0),
    target("tidewire-plain", "limit-coalesced", 1.5),
    target("tidewire-plain", "bun", 1.0),
];
const ROOMS: &[Target] = &[
    target("tidewire", "limit", 1.1),
    target("tidewire", "bun", 0.95),
    target("tidewire-plain", "limit", 1.1),
    target("tidewire-plain", "bun", 0.95),
];
const REQUEST: &[Target] = &[
    target("tidewire", "limit", 1.4),
    target("tidewire", "bun", 1.0),
    target("tidewire-plain", "limit", 1.4),
    target("tidewire-plain", "bun", 1.0),
];
const CALL: &[Target] = &[target("tidewire", "limit", 1.4), target("tidewire", "bun", 1.0)];
const HANDSHAKE: &[Target] =
    &[target("tidewire-plain", "bun", 1.8), target("tidewire", "bun", 1.8)];
const CONNECTED: &[Target] = &[target("tidewire-plain", "bun", 1.0)];
const SUBSCRIBED: &[Target] = &[target("tidewire", "bun", 1.5)];

const P99: &[Target] = &[target("tidewire", "bun", 1.0), target("tidewire-plain", "bun", 1.0)];

const fn cpu(
    workload: &'static str,
    measure: &'static str,
    title: &'static str,
    limit: &'static str,
    targets: &'static [Target],
) -> Figure {
    Figure { workload, measure, title, kind: Kind::Cpu, limit, targets }
}

const fn memory(measure: &'static str, title: &'static str, targets: &'static [Target]) -> Figure {
    Figure { workload: "idle", measure, title, kind: Kind::Memory, limit: "limit", targets }
}

const fn latency(
    workload: &'static str,
    measure: &'static str,
    percentile: u8,
    title: &'static str,
    targets: &'static [Target],
) -> Figure {
    let kind = Kind::Latency(percentile);
    Figure { workload, measure, title, kind, limit: "limit", targets }
}

pub(super) const FIGURES: &[Figure] = &[
    cpu("fanout-1000", "rate", "1 → 1,000, 20 publishes a second", "limit", LOW_RATE),
    cpu("fanout-1000", "burst-1", "1 → 1,000, one publish in flight", "limit", LOW_RATE),
    cpu("fanout-1000", "burst-16", "1 → 1,000, 16 publishes in flight", "limit-coalesced", BURSTS),
    cpu("fanout-10000", "rate", "1 → 10,000, 2 publishes a second", "limit", LOW_RATE),
    cpu("fanout-10000", "burst-1", "1 → 10,000, one publish in flight", "limit", LOW_RATE),
    cpu(
        "fanout-10000",
        "burst-16",
        "1 → 10,000, 16 publishes in flight",
        "limit-coalesced",
        BURSTS,
    ),
    cpu("rooms", "rooms", "1,000 rooms of 10, 64 publishes in flight", "limit", ROOMS),
    cpu("request", "request", "100 connections: publish, event, acknowledgement", "limit", REQUEST),
    cpu("request", "message", "100 connections: a message comes back", "limit", REQUEST),
    cpu("request", "call", "100 connections: a call and its reply", "limit", CALL),
    cpu("idle", "handshake", "a connection is made", "limit", HANDSHAKE),
    latency("fanout-1000", "rate", 50, "1 → 1,000, 20 publishes a second, p50", &[]),
    latency("fanout-1000", "rate", 99, "1 → 1,000, 20 publishes a second, p99", P99),
    latency("fanout-10000", "rate", 50, "1 → 10,000, 2 publishes a second, p50", &[]),
    latency("fanout-10000", "rate", 99, "1 → 10,000, 2 publishes a second, p99", P99),
    latency("slow", "reading", 50, "1 → 1,000, all read, p50", &[]),
    latency("slow", "stalled", 50, "1 → 1,000, one has stopped reading, p50 of the others", &[]),
    latency("slow", "reading", 99, "1 → 1,000, all read, p99", &[]),
    latency("slow", "stalled", 99, "1 → 1,000, one has stopped reading, p99 of the others", &[]),
    latency("timer", "idle", 50, "a timer of 1 ms wakes late, nothing happens, p50", &[]),
    latency("timer", "idle", 99, "a timer of 1 ms wakes late, nothing happens, p99", &[]),
    latency("timer", "burst-1", 50, "a timer wakes late, publishes to 10,000, p50", &[]),
    latency("timer", "burst-1", 99, "a timer wakes late, publishes to 10,000, p99", &[]),
    latency("timer", "burst-16", 50, "a timer wakes late, 16 publishes to 10,000, p50", &[]),
    latency("timer", "burst-16", 99, "a timer wakes late, 16 publishes to 10,000, p99", &[]),
    memory("connected", "10,000 connections, nothing subscribed", CONNECTED),
    memory("subscribed", "10,000 connections with one subscription", SUBSCRIBED),
    memory("active", "10,000 connections after a message and an event", &[]),
];

impl Figure {
    /// Its value in a report of its workload.
    pub(super) fn of(&self, report: &Value) -> Option<f64> {
        match self.kind {
            Kind::Cpu => {
                let measure = self.measure(report)?;
                Some(measure["server_ns"].as_f64()? / measure["count"].as_f64()?)
            }
            Kind::Latency(percentile) => {
                self.measure(report)?["latency"][format!("p{percentile}_ns")].as_f64()
            }
            Kind::Memory => {
                let mut all = report["memory"].as_array()?.iter();
                all.find(|one| one["name"] == self.measure)?["bytes_per_connection"].as_f64()
            }
        }
    }

    /// What was measured beside it.
    pub(super) fn measure<'a>(&self, report: &'a Value) -> Option<&'a Value> {
        let named =
            |name: &str| report["measures"].as_array()?.iter().find(|one| one["name"] == name);
        // A peer has one measure for whatever is asked of it: it sends back what it got.
        named(self.measure).or_else(|| named("echo").filter(|_| self.workload == "request"))
    }

    /// Its name in a line about its workload.
    pub(super) fn short(&self) -> String {
        match self.kind {
            Kind::Latency(percentile) => format!("{} p{percentile}", self.measure),
            Kind::Cpu | Kind::Memory => self.measure.to_owned(),
        }
    }

    pub(super) fn unit(&self) -> &'static str {
        match self.kind {
            Kind::Cpu => "CPU µs each",
            Kind::Memory => "bytes each",
            Kind::Latency(_) => "ms",
        }
    }

    /// A value in its unit.
    pub(super) fn show(&self, value: f64) -> String {
        match self.kind {
            Kind::Cpu if value < 1_000.0 => format!("{:.3}", value / 1e3),
            Kind::Cpu => format!("{:.2}", value / 1e3),
            Kind::Memory => grouped(value),
            Kind::Latency(_) => format!("{:.2}", value / 1e6),
        }
    }
}

/// A whole number, in groups of three digits.
fn grouped(value: f64) -> String {
    let mut text = format!("{value:.0}");
    let mut at = text.len();
    while at > 3 && text.as_bytes()[at - 4].is_ascii_digit() {
        at -= 3;
        text.insert(at, ',');
    }
    text
}

/// The middle, and the ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    /// Of how many values.
    pub(super) count: usize,
}

impl Spread {
    /// Of these values; `None` if there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max, count: values.len() })
    }

    /// As a ratio.
    pub(super) fn show(&self) -> String {
        let Self { median, min, max, .. } = self;
        format!("{median:.2} ({min:.2} – {max:.2})")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::{peers::PEERS, workloads::WORKLOADS};

    #[test]
    fn a_spread_has_the_middle_of_its_values() {
        let check = |values: &[f64], median, min, max| {
            let spread = Spread { median, min, max, count: values.len() };
            assert_eq!(Spread::of(values.iter().copied()), Some(spread));
        };
        check(&[3.0, 1.0, 2.0], 2.0, 1.0, 3.0);
        check(&[4.0, 1.0, 2.0, 3.0], 2.5, 1.0, 4.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn digits_are_grouped() {
        let check = |value, expected| assert_eq!(grouped(value), expected);
        check(86.4, "86");
        check(-137.0, "-137");
        check(1_743.0, "1,743");
        check(-1_234_567.0, "-1,234,567");
    }

    #[test]
    fn figures_are_read_by_their_names() {
        let report = json!({
            "measures": [{ "name": "burst-1", "count": 1000, "server_ns": 3_000_000 }],
            "memory": [{ "name": "subscribed", "bytes_per_connection": 2290 }],
        });
        let value = |measure: &str| {
            let figure = FIGURES.iter().find(|figure| figure.measure == measure).unwrap();
            figure.of(&report).map(|value| figure.show(value))
        };
        assert_eq!(value("burst-1").as_deref(), Some("3.00"));
        assert_eq!(value("subscribed").as_deref(), Some("2,290"));
        assert_eq!(value("rate"), None);
    }

    #[test]
    fn a_peers_echo_stands_for_every_request() {
        let measures =
            |name: &str| json!({ "measures": [{ "name": name, "count": 1, "server_ns": 5 }] });
        let all = FIGURES.iter().filter(|figure| figure.workload == "request");
        let values =
            |report: &Value| all.clone().map(|figure| figure.of(report)).collect::<Vec<_>>();
        assert_eq!(values(&measures("echo")), [Some(5.0); 3]);
        assert_eq!(values(&measures("message")), [None, Some(5.0), None], "no calls in plain mode");
    }

    #[test]
    fn figures_name_peers_and_workloads_that_exist() {
        let is_peer = |name: &str| PEERS.iter().any(|peer| peer.name == name);
        for figure in FIGURES {
            assert!(WORKLOADS.iter().any(|load| load.name == figure.workload), "{}", figure.title);
            assert!(is_peer(figure.limit), "{}", figure.title);
            assert!(figure.targets.iter().all(|target| is_peer(target.of) && is_peer(target.to)));
        }
    }
}
