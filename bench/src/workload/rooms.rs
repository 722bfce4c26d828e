//! Rooms of ten, in which every member publishes: many topics, small fan-outs, publishes from everywhere.

use std::time::{Duration, Instant};

use super::{Load, WARM_UP, wait_for};
use crate::{
    dialect::Incoming,
    failure::{Failure, Result},
    frame,
    ledger::Ledger,
    payload::Stamp,
    swarm::Swarm,
};

const MEMBERS: usize = 10;

/// Publishes that may be under way at once, by what they still have to bring.
const IN_FLIGHT: u64 = 64;

const WAIT: Duration = Duration::from_secs(10);

struct Rooms<'a> {
    load: &'a mut Load,
    ledger: Ledger,
    rooms: usize,
    /// How many each connection has published.
    seqs: Vec<u64>,
    published: u64,
}

pub(super) fn run(load: &mut Load, connections: usize) -> Result<()> {
    if connections == 0 || !connections.is_multiple_of(MEMBERS) {
        return Err(Failure::Usage(format!("rooms have {MEMBERS} members each")));
    }
    load.swarm.connect(connections)?;
    for connection in 0..connections {
        load.swarm.assign(connection, format!("feed:room-{}", connection / MEMBERS));
    }
    load.subscribe(0..connections)?;
    load.target(0..connections)?;
    let mut rooms = Rooms {
        ledger: Ledger::new(connections, MEMBERS),
        rooms: connections / MEMBERS,
        seqs: vec![0; connections],
        published: 0,
        load,
    };
    let duration = rooms.load.duration;
    rooms.publish_for(duration / WARM_UP)?;
    let mark = rooms.load.mark(Some(&rooms.ledger))?;
    let count = rooms.publish_for(duration)?;
    rooms.load.measure("rooms", count, &mark, Some(&mut rooms.ledger))?;
    rooms.load.report.disordered += rooms.ledger.disordered;
    Ok(())
}

impl Rooms<'_> {
    /// Publishes for so long, and waits for all. Returns how many deliveries there were.
    fn publish_for(&mut self, duration: Duration) -> Result<u64> {
        let (start, before) = (Instant::now(), self.ledger.deliveries);
        while start.elapsed() < duration {
            while (self.published + 1) * self.brings() - self.got() <= IN_FLIGHT * self.brings() {
                self.publish()?;
            }
            self.turn()?;
        }
        let wanted = self.published * self.brings();
        wait_for("deliveries and acknowledgements", wanted, self.got(), || {
            self.turn()?;
            Ok(self.got())
        })?;
        Ok(self.ledger.deliveries - before)
    }

    /// What one publish brings: a delivery to each member and perhaps an acknowledgement.
    fn brings(&self) -> u64 {
        MEMBERS as u64 + u64::from(self.load.swarm.dialect.acknowledges())
    }

    fn got(&self) -> u64 {
        self.ledger.deliveries + self.ledger.acknowledged
    }

    /// The next publish: each is another room's, and in each room the members take turns.
    fn publish(&mut self) -> Result<()> {
        let number = usize::try_from(self.published).unwrap_or(0);
        let (room, member) = (number % self.rooms, number / self.rooms % MEMBERS);
        let from = room * MEMBERS + member;
        let stamp = Stamp { from, seq: self.seqs[from], at_ns: self.load.now_ns() };
        self.seqs[from] += 1;
        self.published += 1;
        let swarm = &mut self.load.swarm;
        let mut bytes = Vec::new();
        frame::write_text(&mut bytes, &swarm.dialect.publish(swarm.topic(from), &stamp));
        swarm.send(from, &bytes)
    }

    fn turn(&mut self) -> Result<()> {
        let Self { load, ledger, .. } = self;
        load.swarm.turn(WAIT, |connection, incoming, _| {
            match incoming {
                Incoming::Payload { stamp, chain }
                    if stamp.from / MEMBERS == connection / MEMBERS =>
                {
                    ledger.handle(connection, stamp.from % MEMBERS, &stamp, chain, 0);
                }
                Incoming::Acknowledged => ledger.acknowledged += 1,
                other => return Err(Swarm::unexpected(connection, &other)),
            }
            Ok(())
        })
    }
}
