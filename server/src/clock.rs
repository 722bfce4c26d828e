//! [`Clock`]: the time that the cores are told. Tokio's, so that tests can pause and move it.

use std::time::Duration;

use tidewire_protocol::Millis;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Millis {
        millis(self.origin.elapsed())
    }

    /// The moment at which [`now`](Self::now) will be `at`.
    pub(crate) fn instant(&self, at: Millis) -> Instant {
        // Far enough away for any time-out, and short of what an `Instant` can hold.
        const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
        self.origin + Duration::from_millis(at).min(self.origin.elapsed() + FAR)
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
