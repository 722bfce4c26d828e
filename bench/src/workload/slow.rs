//! One connection publishes to many, of whom one stops reading: what the others notice of it.
//!
//! First all read, at the fixed rate. Then one stops, and the server is given more than that one's socket takes, so that the second
//! measure at the same rate begins when the server has met its limit, whatever it does then. In the end the stalled one reads
//! on, to see what was kept for it.

use std::time::Duration;

use super::{Load, publisher::Publisher};
use crate::{dialect::Incoming, failure::Result, report::Stalled};

/// The subscriber that stops.
const SLOW: usize = 0;

/// Publishes after it has stopped and before the second measure, in bursts of `BURST`: some 80 kB. What the kernels take for it
/// is half of that, and our server's limit for the rest is 256 messages.
const FILL: u64 = 512;
const BURST: u64 = 16;

/// Publishes before the first measure.
const WARM_UP: u64 = 32;

/// The stalled subscriber has all that it will get when nothing came for so long.
const QUIET: Duration = Duration::from_millis(300);

pub(super) fn run(load: &mut Load, subscribers: usize) -> Result<()> {
    let duration = load.duration;
    load.swarm.connect_narrow()?;
    let mut publisher = Publisher::start(load, subscribers)?;
    let publishes = publisher.publishes_in(duration);
    publisher.bursts(BURST, |bursts| bursts == WARM_UP / BURST)?;
    publisher.measure_rate("reading", publishes)?;

    let before = publisher.published;
    publisher.stall(SLOW)?;
    publisher.bursts(BURST, |bursts| bursts == FILL / BURST)?;
    publisher.measure_rate("stalled", publishes)?;

    let published = publisher.published - before;
    let (mut got, mut gaps) = (0, 0);
    let closed = publisher.load.swarm.read_on(SLOW, QUIET, |incoming| {
        got += u64::from(matches!(incoming, Incoming::Payload { .. }));
        gaps += u64::from(incoming == Incoming::Gap);
    })?;
    publisher.load.report.stalled = Some(Stalled { published, got, gaps, closed });
    Ok(())
}
