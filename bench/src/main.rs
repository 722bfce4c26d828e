//! Puts one load on one server and prints what it cost as JSON. `cargo xtask bench` runs it beside each server in turn; how
//! and why it measures as it does is in docs/bench/README.md.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the result is printed")]

mod dialect;
mod failure;
mod frame;
mod ledger;
mod payload;
mod process;
mod report;
mod swarm;
mod workload;

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use lexopt::{Arg, Parser, ValueExt};

use dialect::Dialect;
use failure::{Failure, Result};
use process::Process;
use report::Report;
use swarm::Swarm;
use workload::{Load, Workload};

const USAGE: &str = "\
usage: tidewire-bench --address IP:PORT --pid PID --dialect raw|full|plain|socket.io
                      --workload fanout|rooms|idle|request|slow|timer --connections N [--seconds S]
The address is a loopback one; PID is the server's process, whose CPU time and memory are read.";

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{}", serde_json::json!(report));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Report> {
    let Arguments { address, pid, dialect, workload, connections, seconds } = Arguments::read()?;
    let mut load = Load {
        swarm: Swarm::new(dialect, address)?,
        server: Process::new(Some(pid)),
        own: Process::new(None),
        epoch: Instant::now(),
        duration: seconds,
        report: Report::default(),
    };
    load.run(workload, connections)?;
    Ok(load.report)
}

struct Arguments {
    address: SocketAddr,
    pid: u32,
    dialect: Dialect,
    workload: Workload,
    connections: usize,
    seconds: Duration,
}

impl Arguments {
    fn read() -> Result<Self> {
        let (mut address, mut pid, mut dialect, mut workload) = (None, None, None, None);
        let (mut connections, mut seconds) = (None, Duration::from_secs(1));
        let mut parser = Parser::from_env();
        while let Some(argument) = parser.next().map_err(usage)? {
            match argument {
                Arg::Long("address") => address = Some(value(&mut parser)?),
                Arg::Long("pid") => pid = Some(value(&mut parser)?),
                Arg::Long("dialect") => dialect = Dialect::named(&value::<String>(&mut parser)?),
                Arg::Long("workload") => workload = Workload::named(&value::<String>(&mut parser)?),
                Arg::Long("connections") => connections = Some(value(&mut parser)?),
                Arg::Long("seconds") => {
                    let given = Duration::try_from_secs_f64(value(&mut parser)?);
                    seconds = given.map_err(usage)?.min(Duration::from_secs(60));
                }
                other => return Err(usage(other.unexpected())),
            }
        }
        let address: SocketAddr = address.ok_or_else(|| usage("no --address"))?;
        // A load is never to reach a machine that is not this one.
        if !address.ip().is_loopback() {
            return Err(usage("the address is not a loopback one"));
        }
        Ok(Self {
            address,
            pid: pid.ok_or_else(|| usage("no --pid"))?,
            dialect: dialect.ok_or_else(|| usage("no such --dialect"))?,
            workload: workload.ok_or_else(|| usage("no such --workload"))?,
            connections: connections.ok_or_else(|| usage("no --connections"))?,
            seconds,
        })
    }
}

fn value<T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    parser: &mut Parser,
) -> Result<T> {
    parser.value().and_then(|value| value.parse()).map_err(usage)
}

fn usage(what: impl ToString) -> Failure {
    Failure::Usage(format!("{}\n{USAGE}", what.to_string()))
}
