//! Every connection asks and waits for its answer before it asks again: by a publish to a topic of its own, by a message that
//! comes back, and by a call. A server that has but one of these is measured by that alone.

use std::time::{Duration, Instant};

use super::{Load, WARM_UP, wait_for};
use crate::{
    dialect::{Dialect, Incoming},
    failure::Result,
    frame,
    ledger::Ledger,
    payload::Stamp,
    swarm::{Reply, Swarm},
};

const WAIT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Publish,
    Message,
    Call,
}

/// What is asked of Tidewire, and how the measures are called.
const ALL: &[(How, &str)] =
    &[(How::Publish, "request"), (How::Message, "message"), (How::Call, "call")];
/// There are no calls in plain mode.
const PLAIN: &[(How, &str)] = &[(How::Publish, "request"), (How::Message, "message")];
/// What the peers do with whatever they get.
const ECHO: &[(How, &str)] = &[(How::Message, "echo")];

struct Requests<'a> {
    load: &'a mut Load,
    ledger: Ledger,
    how: How,
    callers: Vec<Caller>,
}

#[derive(Clone, Copy, Default)]
struct Caller {
    seq: u64,
    /// What is still to come for its request.
    awaits: u64,
}

pub(super) fn run(load: &mut Load, connections: usize) -> Result<()> {
    load.swarm.connect(connections)?;
    let asked = match load.swarm.dialect {
        Dialect::Full => ALL,
        Dialect::Plain => PLAIN,
        Dialect::Raw | Dialect::SocketIo => ECHO,
    };
    if asked != ECHO {
        for connection in 0..connections {
            load.swarm.assign(connection, topic_of(connection));
        }
        load.subscribe(0..connections)?;
    }
    let ledger = Ledger::new(connections, 1);
    let callers = vec![Caller::default(); connections];
    let mut requests = Requests { load, ledger, how: How::Publish, callers };
    for &(how, name) in asked {
        requests.how = how;
        let duration = requests.load.duration;
        requests.ask_for(duration / WARM_UP)?;
        let mark = requests.load.mark(Some(&requests.ledger))?;
        requests.ledger.latencies = Some(Vec::new());
        let count = requests.ask_for(duration)?;
        requests.load.measure(name, count, &mark, Some(&mut requests.ledger))?;
    }
    requests.load.report.disordered += requests.ledger.disordered;
    Ok(())
}

/// A connection's own topic.
fn topic_of(connection: usize) -> String {
    format!("feed:own-{connection}")
}

impl Requests<'_> {
    /// Asks for so long, and waits for the last answers. Returns how many there were.
    fn ask_for(&mut self, duration: Duration) -> Result<u64> {
        let before = self.ledger.deliveries;
        let end = Instant::now() + duration;
        for connection in 0..self.callers.len() {
            let (dialect, at_ns) = (self.load.swarm.dialect, self.load.now_ns());
            let text = self.callers[connection].ask(self.how, dialect, connection, at_ns);
            let mut bytes = Vec::new();
            frame::write_text(&mut bytes, &text);
            self.load.swarm.send(connection, &bytes)?;
        }
        while Instant::now() < end {
            self.turn(true)?;
        }
        let callers = self.callers.len() as u64;
        wait_for("callers that have their answer", callers, 0, || {
            self.turn(false)?;
            Ok(self.callers.iter().filter(|caller| caller.awaits == 0).count() as u64)
        })?;
        Ok(self.ledger.deliveries - before)
    }

    fn turn(&mut self, again: bool) -> Result<()> {
        let Self { load, ledger, how, callers } = self;
        let Load { swarm, epoch, .. } = &mut **load;
        let (dialect, how) = (swarm.dialect, *how);
        swarm.turn(WAIT, |connection, incoming, reply: &mut Reply| {
            let now_ns = super::nanos(epoch.elapsed());
            match incoming {
                Incoming::Payload { stamp, chain } if stamp.from == connection => {
                    ledger.handle(connection, 0, &stamp, chain, now_ns);
                }
                Incoming::Acknowledged => {}
                other => return Err(Swarm::unexpected(connection, &other)),
            }
            let caller = &mut callers[connection];
            caller.awaits = caller.awaits.saturating_sub(1);
            if again && caller.awaits == 0 {
                reply.text(&caller.ask(how, dialect, connection, now_ns));
            }
            Ok(())
        })
    }
}

impl Caller {
    /// The text of its next request.
    fn ask(&mut self, how: How, dialect: Dialect, from: usize, at_ns: u64) -> String {
        let stamp = Stamp { from, seq: self.seq, at_ns };
        self.seq += 1;
        match how {
            How::Publish => {
                self.awaits = 1 + u64::from(dialect.acknowledges());
                dialect.publish(&topic_of(from), &stamp)
            }
            How::Message => {
                self.awaits = 1;
                dialect.echo(&stamp)
            }
            How::Call => {
                self.awaits = 1;
                dialect.call(&stamp)
            }
        }
    }
}
