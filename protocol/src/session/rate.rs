//! How fast a session may send: a token bucket for messages and one for bytes.

use crate::Millis;

/// How much may come, on average and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Per second, on average. 0 sets no limit.
    pub per_second: u64,
    /// At once, after a pause.
    pub burst: u64,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self { per_second: 0, burst: 0 };
}

/// A bucket that fills with time and is emptied by what comes. It counts in thousandths, so that a millisecond of a slow rate
/// is not lost.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Rate,
    /// Thousandths that are left.
    left: u64,
    filled: Millis,
}

impl Bucket {
    const fn new(rate: Rate, now: Millis) -> Self {
        Self { rate, left: rate.burst.saturating_mul(1000), filled: now }
    }

    fn fill(&mut self, now: Millis) {
        let gained = now.saturating_sub(self.filled).saturating_mul(self.rate.per_second);
        self.left = self.left.saturating_add(gained).min(self.rate.burst.saturating_mul(1000));
        self.filled = now;
    }

    const fn has(&self, amount: u64) -> bool {
        // What is larger than a whole burst passes when the bucket is full: other limits bound it.
        self.rate.per_second == 0
            || self.left >= amount.saturating_mul(1000)
            || self.left == self.rate.burst.saturating_mul(1000)
    }

    const fn take(&mut self, amount: u64) {
        self.left = self.left.saturating_sub(amount.saturating_mul(1000));
    }

    const fn is_half_full(&self) -> bool {
        self.rate.per_second == 0 || self.left >= self.rate.burst.saturating_mul(500)
    }
}

/// What a session has sent of what it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    messages: Bucket,
    bytes: Bucket,
    warned: bool,
}

/// Whether a message may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may.
    Fine,
    /// It is too much: answer with an error, and take it not.
    Warn,
    /// It is too much again, before the allowance has half recovered: end the session.
    Close,
}

impl Allowance {
    pub(super) const fn new(messages: Rate, bytes: Rate, now: Millis) -> Self {
        Self { messages: Bucket::new(messages, now), bytes: Bucket::new(bytes, now), warned: false }
    }

    pub(super) fn handle_message(&mut self, bytes: usize, now: Millis) -> Pace {
        let bytes = bytes as u64;
        self.messages.fill(now);
        self.bytes.fill(now);
        if self.messages.has(1) && self.bytes.has(bytes) {
            self.messages.take(1);
            self.bytes.take(bytes);
            self.warned &= !(self.messages.is_half_full() && self.bytes.is_half_full());
            return Pace::Fine;
        }
        if core::mem::replace(&mut self.warned, true) { Pace::Close } else { Pace::Warn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 10 bytes at the given times.
    fn check(messages: Rate, bytes: Rate, expected: &[(Millis, Pace)]) {
        let mut allowance = Allowance::new(messages, bytes, 0);
        for (at, &(now, pace)) in expected.iter().enumerate() {
            assert_eq!(allowance.handle_message(10, now), pace, "message {at} at {now}");
        }
    }

    const TWO: Rate = Rate { per_second: 1, burst: 2 };

    #[test]
    fn a_burst_passes_then_a_warning_then_the_end() {
        check(
            TWO,
            Rate::UNLIMITED,
            &[(0, Pace::Fine), (0, Pace::Fine), (0, Pace::Warn), (0, Pace::Close)],
        );
        check(
            Rate::UNLIMITED,
            Rate { per_second: 10, burst: 20 },
            &[(0, Pace::Fine), (0, Pace::Fine), (999, Pace::Warn)],
        );
        check(Rate::UNLIMITED, Rate::UNLIMITED, &[(0, Pace::Fine); 100]);
    }

    #[test]
    fn a_client_that_slows_down_after_the_warning_stays() {
        let fine = Pace::Fine;
        check(
            TWO,
            Rate::UNLIMITED,
            &[
                (0, fine),
                (0, fine),
                (0, Pace::Warn),
                (2000, fine),
                (2000, fine),
                (2000, Pace::Warn),
            ],
        );
    }

    #[test]
    fn the_average_holds_whatever_the_steps() {
        let mut allowance = Allowance::new(Rate { per_second: 3, burst: 3 }, Rate::UNLIMITED, 0);
        let taken =
            (0..10_000).filter(|&now| allowance.handle_message(1, now) == Pace::Fine).count();
        assert_eq!(taken, 3 + 29);
    }

    #[test]
    fn one_message_above_the_burst_passes_a_full_bucket_only() {
        check(
            Rate::UNLIMITED,
            Rate { per_second: 1, burst: 5 },
            &[(0, Pace::Fine), (4000, Pace::Warn), (5000, Pace::Fine)],
        );
    }
}
