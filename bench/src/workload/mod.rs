//! The loads, and what they share: the swarm, the clocks, and how work is measured.
//!
//! A measure begins and ends while the server has nothing to do: all that was asked for has come. What it costs is the CPU time
//! that the server's process has used in between, whatever thread of it and whoever's turn it was.

mod fanout;
mod idle;
mod publisher;
mod request;
mod rooms;
mod slow;
mod timer;

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    failure::{Failure, Result},
    ledger::Ledger,
    process::Process,
    report::{Latency, Measure, Report},
    swarm::{Swarm, Watch},
};

/// How long a server is left alone before its CPU time is read: longer than a tick, and long enough to end what it owes nobody.
const QUIET: Duration = Duration::from_millis(20);

/// The work before a measure, so that compilers and allocators have seen it: a part of the measured time.
const WARM_UP: u32 = 3;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// One connection publishes to many.
    Fanout,
    /// Rooms of ten, in which everybody publishes.
    Rooms,
    /// Connections that are made and kept.
    Idle,
    /// Every connection asks and waits for its answer.
    Request,
    /// One connection publishes to many, of whom one stops reading.
    Slow,
    /// A timer of the server, while one connection publishes to many.
    Timer,
}

impl Workload {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "fanout" => Some(Self::Fanout),
            "rooms" => Some(Self::Rooms),
            "idle" => Some(Self::Idle),
            "request" => Some(Self::Request),
            "slow" => Some(Self::Slow),
            "timer" => Some(Self::Timer),
            _ => None,
        }
    }
}

/// A load on one server.
pub(crate) struct Load {
    pub(crate) swarm: Swarm,
    pub(crate) server: Process,
    pub(crate) own: Process,
    /// What the times in payloads count from.
    pub(crate) epoch: Instant,
    /// How long each measure takes.
    pub(crate) duration: Duration,
    pub(crate) report: Report,
}

/// Where the clocks stood when a measure began.
struct Mark {
    server: Duration,
    own: Duration,
    time: Instant,
    disordered: u64,
}

impl Load {
    pub(crate) fn run(&mut self, workload: Workload, connections: usize) -> Result<()> {
        match workload {
            Workload::Fanout => fanout::run(self, connections),
            Workload::Rooms => rooms::run(self, connections),
            Workload::Idle => idle::run(self, connections),
            Workload::Request => request::run(self, connections),
            Workload::Slow => slow::run(self, connections),
            Workload::Timer => timer::run(self, connections),
        }
    }

    fn now_ns(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    fn mark(&mut self, ledger: Option<&Ledger>) -> Result<Mark> {
        thread::sleep(QUIET);
        let (server, own) = (self.server.cpu()?, self.own.cpu()?);
        let disordered = ledger.map_or(0, |ledger| ledger.disordered);
        Ok(Mark { server, own, time: Instant::now(), disordered })
    }

    /// Ends a measure of `count` deliveries.
    fn measure(
        &mut self,
        name: impl Into<String>,
        count: u64,
        mark: &Mark,
        ledger: Option<&mut Ledger>,
    ) -> Result<()> {
        let elapsed = mark.time.elapsed();
        thread::sleep(QUIET);
        let (server, own) = (self.server.cpu()?, self.own.cpu()?);
        let (disordered, latencies) = ledger.map_or((0, None), |ledger| {
            (ledger.disordered - mark.disordered, ledger.latencies.take())
        });
        self.report.measures.push(Measure {
            name: name.into(),
            count,
            server_ns: nanos(server.saturating_sub(mark.server)),
            load_ns: nanos(own.saturating_sub(mark.own)),
            elapsed_ns: nanos(elapsed),
            disordered,
            latency: latencies.and_then(Latency::of),
        });
        Ok(())
    }

    /// Subscribes connections to the topics that they are assigned.
    fn subscribe(&mut self, connections: std::ops::Range<usize>) -> Result<()> {
        self.swarm.request(connections, |dialect, topic| dialect.subscribe(topic))
    }

    /// Lets connections publish to the topics that they are assigned.
    fn target(&mut self, connections: std::ops::Range<usize>) -> Result<()> {
        if self.swarm.dialect.target("").is_none() {
            return Ok(());
        }
        self.swarm
            .request(connections, |dialect, topic| dialect.target(topic).into_iter().collect())
    }
}

/// Handles what comes until there are `wanted` of something, of which `turn` says how many came after each.
fn wait_for(
    what: &'static str,
    wanted: u64,
    mut got: u64,
    mut turn: impl FnMut() -> Result<u64>,
) -> Result<()> {
    let mut watch = Watch::start(what, wanted);
    while got < wanted {
        watch.seen(got)?;
        got = turn()?;
    }
    if got > wanted {
        let what = format!("{got} {what} instead of {wanted}");
        return Err(Failure::Unexpected { connection: 0, what });
    }
    Ok(())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
