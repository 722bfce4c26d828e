//! One connection publishes to many: one by one, in bursts, and at a fixed low rate.

use std::time::{Duration, Instant};

use super::{Load, WARM_UP, wait_for};
use crate::{
    dialect::Incoming, failure::Result, frame, ledger::Ledger, payload::Stamp, swarm::Swarm,
};

const TOPIC: &str = "feed:all";

/// The publishes that are sent at once, and not followed by others before all are delivered.
const BURSTS: [u64; 2] = [1, 16];

/// Bursts that a measure has at least, however long they take.
const LEAST_BURSTS: u64 = 3;

/// The low rate, in deliveries: 20 publishes a second to a thousand. Every server here can do ten times as much.
const DELIVERIES_PER_SECOND: usize = 20_000;

/// Publishes before the measure at the fixed rate.
const WARM_UP_PUBLISHES: u64 = 2;

const WAIT: Duration = Duration::from_secs(10);

struct Fanout<'a> {
    load: &'a mut Load,
    ledger: Ledger,
    subscribers: usize,
    published: u64,
}

pub(super) fn run(load: &mut Load, subscribers: usize) -> Result<()> {
    load.swarm.connect(subscribers + 1)?;
    for connection in 0..=subscribers {
        load.swarm.assign(connection, TOPIC.to_owned());
    }
    load.subscribe(0..subscribers)?;
    load.target(subscribers..subscribers + 1)?;
    let ledger = Ledger::new(subscribers, 1);
    let mut fanout = Fanout { load, ledger, subscribers, published: 0 };
    for size in BURSTS {
        let duration = fanout.load.duration;
        fanout.bursts(size, duration / WARM_UP)?;
        let mark = fanout.load.mark(Some(&fanout.ledger))?;
        let count = fanout.bursts(size, duration)?;
        fanout.load.measure(format!("burst-{size}"), count, &mark, Some(&mut fanout.ledger))?;
    }
    fanout.at_rate(WARM_UP_PUBLISHES)?;
    let mark = fanout.load.mark(Some(&fanout.ledger))?;
    fanout.ledger.latencies = Some(Vec::new());
    let per_second = fanout.per_second();
    let publishes = (fanout.load.duration.as_secs_f64() * per_second).ceil() as u64;
    let count = fanout.at_rate(publishes)?;
    fanout.load.measure("rate", count, &mark, Some(&mut fanout.ledger))
}

impl Fanout<'_> {
    fn per_second(&self) -> f64 {
        DELIVERIES_PER_SECOND as f64 / self.subscribers as f64
    }

    /// Sends bursts for so long, each when the one before it is delivered. Returns how many deliveries there were.
    fn bursts(&mut self, size: u64, duration: Duration) -> Result<u64> {
        let (start, before) = (Instant::now(), self.ledger.deliveries);
        let mut bursts = 0;
        while bursts < LEAST_BURSTS || start.elapsed() < duration {
            self.publish(size)?;
            self.wait()?;
            bursts += 1;
        }
        Ok(self.ledger.deliveries - before)
    }

    /// Publishes so often at the fixed rate. Returns how many deliveries there were.
    fn at_rate(&mut self, publishes: u64) -> Result<u64> {
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

    fn publish(&mut self, count: u64) -> Result<()> {
        let from = self.subscribers;
        let mut bytes = Vec::new();
        for _ in 0..count {
            let stamp = Stamp { from, seq: self.published, at_ns: self.load.now_ns() };
            frame::write_text(&mut bytes, &self.load.swarm.dialect.publish(TOPIC, &stamp));
            self.published += 1;
        }
        self.load.swarm.send(from, &bytes)
    }

    /// Waits until all that was published is delivered, and acknowledged where that is the custom.
    fn wait(&mut self) -> Result<()> {
        let wanted = self.published * self.subscribers as u64;
        wait_for("deliveries", wanted, self.ledger.deliveries, || {
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
