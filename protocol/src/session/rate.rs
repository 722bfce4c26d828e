//! How fast a session may send: a token bucket for messages and one for bytes.

use super::Config;
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

/// A bucket that fills with time and is emptied by what comes, in thousandths, so that a millisecond of a slow rate is not lost.
/// Its rate is the server's, and is told each time: every session has two buckets.
#[derive(Clone, Copy, Debug)]
struct Bucket(u64);

impl Bucket {
    const fn full(rate: Rate) -> Self {
        Self(rate.burst.saturating_mul(1000))
    }

    fn fill(&mut self, rate: Rate, elapsed: Millis) {
        let gained = elapsed.saturating_mul(rate.per_second);
        self.0 = self.0.saturating_add(gained).min(Self::full(rate).0);
    }

    const fn has(self, amount: u64, rate: Rate) -> bool {
        // What is larger than a whole burst passes when the bucket is full: other limits bound it.
        rate.per_second == 0
            || self.0 >= amount.saturating_mul(1000)
            || self.0 == Self::full(rate).0
    }

    const fn take(&mut self, amount: u64) {
        self.0 = self.0.saturating_sub(amount.saturating_mul(1000));
    }

    const fn is_half_full(self, rate: Rate) -> bool {
        rate.per_second == 0 || self.0 >= rate.burst.saturating_mul(500)
    }
}

/// What a session has sent of what it may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    messages: Bucket,
    bytes: Bucket,
    /// When both were filled.
    filled: Millis,
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
    pub(super) const fn new(config: &Config, now: Millis) -> Self {
        let (messages, bytes) = (Bucket::full(config.messages), Bucket::full(config.bytes));
        Self { messages, bytes, filled: now, warned: false }
    }

    /// A message that is `bytes` long came.
    pub(super) fn handle_message(&mut self, config: &Config, bytes: usize, now: Millis) -> Pace {
        let (message_rate, byte_rate) = (config.messages, config.bytes);
        let bytes = bytes as u64;
        let elapsed = now.saturating_sub(self.filled);
        self.filled = now;
        self.messages.fill(message_rate, elapsed);
        self.bytes.fill(byte_rate, elapsed);
        if self.messages.has(1, message_rate) && self.bytes.has(bytes, byte_rate) {
            self.messages.take(1);
            self.bytes.take(bytes);
            self.warned &=
                !(self.messages.is_half_full(message_rate) && self.bytes.is_half_full(byte_rate));
            return Pace::Fine;
        }
        if core::mem::replace(&mut self.warned, true) { Pace::Close } else { Pace::Warn }
    }

    /// A message that was taken does not count as one: the server has caused it itself. How long it is its sender has chosen, so that
    /// its bytes count.
    pub(super) fn forgive(&mut self, config: &Config) {
        let full = Bucket::full(config.messages).0;
        self.messages.0 = self.messages.0.saturating_add(1000).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 10 bytes at the given times.
    fn check(messages: Rate, bytes: Rate, expected: &[(Millis, Pace)]) {
        let config = Config { messages, bytes, ..Config::default() };
        let mut allowance = Allowance::new(&config, 0);
        for (at, &(now, pace)) in expected.iter().enumerate() {
            assert_eq!(allowance.handle_message(&config, 10, now), pace, "message {at} at {now}");
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
        let messages = Rate { per_second: 3, burst: 3 };
        let config = Config { messages, bytes: Rate::UNLIMITED, ..Config::default() };
        let mut allowance = Allowance::new(&config, 0);
        let mut pace = |now| allowance.handle_message(&config, 1, now);
        let taken = (0..10_000).filter(|&now| pace(now) == Pace::Fine).count();
        assert_eq!(taken, 3 + 29);
    }

    #[test]
    fn what_is_forgiven_does_not_count() {
        let config = Config { messages: TWO, bytes: Rate::UNLIMITED, ..Config::default() };
        let mut allowance = Allowance::new(&config, 0);
        for _ in 0..10 {
            assert_eq!(allowance.handle_message(&config, 1, 0), Pace::Fine);
            allowance.forgive(&config);
        }
        // A long one is no way around the rate of bytes.
        let long = Config { messages: TWO, bytes: Rate { per_second: 1, burst: 200 }, ..config };
        let mut sender = Allowance::new(&long, 0);
        let paces = [Pace::Fine, Pace::Fine, Pace::Warn];
        assert_eq!(
            paces.map(|_| {
                let pace = sender.handle_message(&long, 100, 0);
                sender.forgive(&long);
                pace
            }),
            paces
        );
        // And makes no burst larger.
        allowance.forgive(&config);
        let paces = [Pace::Fine, Pace::Fine, Pace::Warn];
        assert_eq!(paces.map(|_| allowance.handle_message(&config, 1, 0)), paces);
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
