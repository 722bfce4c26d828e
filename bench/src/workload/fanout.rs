//! One connection publishes to many: one by one, in bursts, and at a fixed low rate.

use super::{Load, WARM_UP, publisher::Publisher};
use crate::failure::Result;

/// The publishes that are sent at once, and not followed by others before all are delivered.
const BURSTS: [u64; 2] = [1, 16];

/// Publishes before the measure at the fixed rate.
const WARM_UP_PUBLISHES: u64 = 2;

/// Publishes that a measure at the fixed rate has at least: the latencies of one publish are no sample.
const LEAST_PUBLISHES: u64 = 4;

pub(super) fn run(load: &mut Load, subscribers: usize) -> Result<()> {
    let duration = load.duration;
    let mut publisher = Publisher::start(load, subscribers)?;
    for size in BURSTS {
        publisher.bursts_for(size, duration / WARM_UP)?;
        let mark = publisher.load.mark(Some(&publisher.ledger))?;
        let count = publisher.bursts_for(size, duration)?;
        let Publisher { load, ledger, .. } = &mut publisher;
        load.measure(format!("burst-{size}"), count, &mark, Some(ledger))?;
    }
    publisher.at_rate(WARM_UP_PUBLISHES)?;
    publisher.measure_rate("rate", publisher.publishes_in(duration).max(LEAST_PUBLISHES))
}
