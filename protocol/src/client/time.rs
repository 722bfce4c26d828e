//! Time and chance: a clock that never steps back and a delay that is never the same.

use crate::Millis;

/// No deadline.
pub(super) const NEVER: Millis = Millis::MAX;

/// The time that has passed, by a clock that may be set back.
///
/// A page's clock must count while the machine sleeps, so it is the wall clock, which people change. Only its steps forward
/// count; a step back delays nothing.
#[derive(Debug)]
pub(super) struct Clock {
    told: Millis,
    passed: Millis,
}

impl Clock {
    pub(super) const fn new() -> Self {
        Self { told: 0, passed: 0 }
    }

    /// Takes the driver's time and gives the core's.
    // Called by every input, so inlined it would be much of the WASM module; the same below.
    #[inline(never)]
    pub(super) fn advance(&mut self, now: Millis) -> Millis {
        self.passed = self.passed.saturating_add(now.saturating_sub(self.told));
        self.told = now;
        self.passed
    }

    pub(super) fn now(&self) -> Millis {
        self.passed
    }

    /// The moment that comes this much later.
    #[inline(never)]
    pub(super) fn after(&self, ms: Millis) -> Millis {
        self.passed.saturating_add(ms)
    }

    /// A moment of the core's as the driver's clock will show it.
    pub(super) fn for_driver(&self, at: Millis) -> Millis {
        self.told.saturating_add(at.saturating_sub(self.passed))
    }
}

/// Full jitter: a random delay between nothing and a limit that doubles up to a cap.
///
/// Random down to nothing, so that clients which lost one server do not come back in waves.
#[derive(Debug)]
pub(super) struct Backoff {
    pub(super) base_ms: Millis,
    pub(super) cap_ms: Millis,
    pub(super) seed: u64,
}

impl Backoff {
    /// The delay before the try that follows `tries` failed ones.
    pub(super) fn delay(&mut self, tries: u8) -> Millis {
        let doublings = tries.min(31);
        let limit = if self.base_ms > self.cap_ms >> doublings {
            self.cap_ms
        } else {
            self.base_ms << doublings
        };
        // Never nothing: a deadline that is set lies ahead.
        self.random().checked_rem(limit).unwrap_or(0).saturating_add(1)
    }

    /// SplitMix64: a few instructions, and any seed will do.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
