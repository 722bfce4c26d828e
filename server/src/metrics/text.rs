//! The text form: Prometheus' exposition format, version 0.0.4.

use std::fmt::Write;

use super::{HookMetrics, Metrics};

impl Metrics {
    /// The numbers as Prometheus text, to be served as `text/plain; version=0.0.4`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Text(String::with_capacity(8 * 1024));
        text.gauge("sessions", "Open sessions.", self.sessions);
        text.gauge(
            "connections_left",
            "Connections that a server which stops still waits for.",
            self.connections_left,
        );
        text.counter("sessions_total", "Sessions that have begun.", self.sessions_total);
        text.gauge("topics", "Topics with a subscriber here.", self.topics);
        text.gauge("subscriptions", "Subscriptions of all sessions.", self.subscriptions);
        text.counter(
            "received_messages_total",
            "Messages and control frames received.",
            self.received_messages_total,
        );
        text.counter("received_bytes_total", "Bytes of their payloads.", self.received_bytes_total);
        text.counter("sent_messages_total", "Frames sent or queued.", self.sent_messages_total);
        text.counter("sent_bytes_total", "Bytes of those frames.", self.sent_bytes_total);
        text.gauge(
            "queued_messages",
            "Frames that wait in the sessions' queues.",
            self.queued_messages,
        );
        text.gauge("queued_bytes", "Bytes of those frames.", self.queued_bytes);
        text.gauge(
            "fullest_queue_messages",
            "Frames in the fullest queue.",
            self.fullest_queue_messages,
        );
        text.labelled("published_total", "Events appended.", "entry", &self.published_total);
        text.counter("lags_total", "Subscriptions that did not keep up.", self.lags_total);
        text.labelled("gaps_total", "Ranges of events not delivered.", "cause", &self.gaps_total);
        text.counter("relayed_total", "Rows of outboxes published.", self.relayed_total);
        text.counter(
            "relay_failures_total",
            "Turns of relays that failed.",
            self.relay_failures_total,
        );
        text.labelled("closed_total", "Sessions that have ended.", "code", &self.closed_total);
        text.labelled("errors_total", "Error frames sent.", "code", &self.errors_total);
        text.labelled("refused_total", "Upgrades refused.", "cause", &self.refused_total);
        text.histograms("hook_seconds", "How long hooks ran.", &self.hooks);
        text.0
    }
}

struct Text(String);

// Writing to a `String` cannot fail.
impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP tidewire_{name} {help}\n# TYPE tidewire_{name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.0, "tidewire_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "counter");
        let _ = writeln!(self.0, "tidewire_{name} {value}");
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, values: &[(impl AsRef<str>, u64)]) {
        self.head(name, help, "counter");
        for (value, count) in values {
            let value = value.as_ref().replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(self.0, "tidewire_{name}{{{label}=\"{value}\"}} {count}");
        }
    }

    fn histograms(&mut self, name: &str, help: &str, hooks: &[HookMetrics]) {
        self.head(name, help, "histogram");
        for HookMetrics { hook, calls_total, time_total, at_most } in hooks {
            for (bound, count) in HookMetrics::BOUNDS.iter().zip(at_most) {
                let bound = bound.as_secs_f64();
                let _ = writeln!(
                    self.0,
                    "tidewire_{name}_bucket{{hook=\"{hook}\",le=\"{bound}\"}} {count}"
                );
            }
            let _ = writeln!(
                self.0,
                "tidewire_{name}_bucket{{hook=\"{hook}\",le=\"+Inf\"}} {calls_total}"
            );
            let _ = writeln!(
                self.0,
                "tidewire_{name}_sum{{hook=\"{hook}\"}} {}",
                time_total.as_secs_f64()
            );
            let _ = writeln!(self.0, "tidewire_{name}_count{{hook=\"{hook}\"}} {calls_total}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_kind_of_number_is_written() {
        let metrics = Metrics {
            sessions: 3,
            published_total: vec![("chat:{room}".into(), 7)],
            hooks: vec![HookMetrics {
                hook: "on_auth",
                calls_total: 2,
                time_total: Duration::from_millis(1500),
                at_most: [0, 1, 1, 1, 1, 1, 2, 2, 2],
            }],
            ..Metrics::default()
        };
        let text = metrics.to_text();
        for line in [
            "# HELP tidewire_sessions Open sessions.",
            "# TYPE tidewire_sessions gauge",
            "tidewire_sessions 3",
            "# TYPE tidewire_published_total counter",
            "tidewire_published_total{entry=\"chat:{room}\"} 7",
            "# TYPE tidewire_hook_seconds histogram",
            "tidewire_hook_seconds_bucket{hook=\"on_auth\",le=\"0.0001\"} 0",
            "tidewire_hook_seconds_bucket{hook=\"on_auth\",le=\"2\"} 2",
            "tidewire_hook_seconds_bucket{hook=\"on_auth\",le=\"+Inf\"} 2",
            "tidewire_hook_seconds_sum{hook=\"on_auth\"} 1.5",
            "tidewire_hook_seconds_count{hook=\"on_auth\"} 2",
        ] {
            assert!(text.lines().any(|written| written == line), "{line}\n{text}");
        }
        assert!(text.ends_with('\n'));
    }
}
