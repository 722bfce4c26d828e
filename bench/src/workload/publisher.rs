//! One connection that publishes to many: in bursts, and at a fixed low rate.

use std::time::{Duration, Instant};

use super::{Load, wait_for};
use crate::{
    dialect::Incoming, failure::Result, frame, ledger::Ledger, payload::Stamp, swarm::Swarm,
};

const TOPIC: &str = "feed:all";

/// The low rate, in deliveries: 20 publishes a second to a thousand. Every server here can do ten times as much.
const DELIVERIES_PER_SECOND: usize = 20_000;

const WAIT: Duration = Duration::from_secs(10);

/// The subscribers are connections 0 to `subscribers`, and the publisher is the one after them.
pub(super) struct Publisher<'a> {
    pub(super) load: &'a mut Load,
    pub(super) ledger: Ledger,
    pub(super) subscribers: usize,
    /// The subscribers that read.
    readers: usize,
    pub(super) published: u64,
    /// The deliveries that all publishes until now shall have brought.
    wanted: u64,
}

impl Drop for Publisher<'_> {
    /// The report has all that came out of order, also between measures.
    fn drop(&mut self) {
        self.load.report.disordered += self.ledger.disordered;
    }
}

impl<'a> Publisher<'a> {
    /// Connects and subscribes.
    pub(super) fn start(load: &'a mut Load, subscribers: usize) -> Result<Self> {
        let missing = (subscribers + 1).saturating_sub(load.swarm.len());
        load.swarm.connect(missing)?;
        for connection in 0..=subscribers {
            load.swarm.assign(connection, TOPIC.to_owned());
        }
        load.subscribe(0..subscribers)?;
        load.target(subscribers..subscribers + 1)?;
        let ledger = Ledger::new(subscribers, 1);
        Ok(Self { load, ledger, subscribers, readers: subscribers, published: 0, wanted: 0 })
    }

    /// Lets a subscriber stop reading.
    pub(super) fn stall(&mut self, subscriber: usize) -> Result<()> {
        self.readers -= 1;
        self.load.swarm.stall(subscriber)
    }

    /// Sends bursts until `is_enough` of their number, each when the one before it is delivered. Returns how many deliveries there
    /// were.
    pub(super) fn bursts(&mut self, size: u64, is_enough: impl Fn(u64) -> bool) -> Result<u64> {
        let before = self.ledger.deliveries;
        let mut bursts = 0;
        while !is_enough(bursts) {
            self.publish(size)?;
            self.wait()?;
            bursts += 1;
        }
        Ok(self.ledger.deliveries - before)
    }

    /// Sends bursts for so long, but one at least, however long it takes.
    pub(super) fn bursts_for(&mut self, size: u64, duration: Duration) -> Result<u64> {
        let start = Instant::now();
        self.bursts(size, |bursts| bursts > 0 && start.elapsed() >= duration)
    }

    /// The publishes of the fixed rate in so long.
    pub(super) fn publishes_in(&self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * self.per_second()).ceil() as u64
    }

    fn per_second(&self) -> f64 {
        DELIVERIES_PER_SECOND as f64 / self.subscribers as f64
    }

    /// Publishes so often at the fixed rate. Returns how many deliveries there were.
    pub(super) fn at_rate(&mut self, publishes: u64) -> Result<u64> {
        let (start, before) = (Instant::now(), self.ledger.deliveries);
        let interval = Duration::from_secs_f64(1.0 / self.per_second());
        for number in 0..publishes {
            let due = start + interval.mul_f64(number as f64);
            while let Some(wait) =
                due.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            {
                self.turn(wait)?;
            }
            self.publish(1)?;
        }
        self.wait()?;
        Ok(self.ledger.deliveries - before)
    }

    /// Measures so many publishes at the fixed rate, with the latency of each delivery.
    pub(super) fn measure_rate(&mut self, name: &'static str, publishes: u64) -> Result<()> {
        let mark = self.load.mark(Some(&self.ledger))?;
        self.ledger.latencies = Some(Vec::new());
        let count = self.at_rate(publishes)?;
        self.load.measure(name, count, &mark, Some(&mut self.ledger))
    }

    fn publish(&mut self, count: u64) -> Result<()> {
        let from = self.subscribers;
        let mut bytes = Vec::new();
        for _ in 0..count {
            let stamp = Stamp { from, seq: self.published, at_ns: self.load.now_ns() };
            frame::write_text(&mut bytes, &self.load.swarm.dialect.publish(TOPIC, &stamp));
            self.published += 1;
            self.wanted += self.readers as u64;
        }
        self.load.swarm.send(from, &bytes)
    }

    /// Waits until all that was published is delivered, and acknowledged where that is the custom.
    fn wait(&mut self) -> Result<()> {
        wait_for("deliveries", self.wanted, self.ledger.deliveries, || {
            self.turn(WAIT)?;
            Ok(self.ledger.deliveries)
        })?;
        if !self.load.swarm.dialect.acknowledges() {
            return Ok(());
        }
        wait_for("acknowledgements", self.published, self.ledger.acknowledged, || {
            self.turn(WAIT)?;
            Ok(self.ledger.acknowledged)
        })
    }

    fn turn(&mut self, wait: Duration) -> Result<()> {
        let Self { load, ledger, subscribers, .. } = self;
        let Load { swarm, epoch, .. } = &mut **load;
        let epoch = *epoch;
        swarm.turn(wait, |connection, incoming, _| {
            match incoming {
                Incoming::Payload { stamp, chain } if connection < *subscribers => {
                    let now_ns = super::nanos(epoch.elapsed());
                    ledger.handle(connection, 0, &stamp, chain, now_ns);
                }
                Incoming::Acknowledged => ledger.acknowledged += 1,
                other => return Err(Swarm::unexpected(connection, &other)),
            }
            Ok(())
        })
    }
}
