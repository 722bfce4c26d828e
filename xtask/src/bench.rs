//! The benchmark: ours and its peers, one after the other under the same load, round after round.
//!
//! Every figure is CPU time or memory of the server's process, so that a busy machine blurs it less than a clock would; and
//! what is said of two servers is the median of their ratios within each round, because what disturbs one then mostly disturbs
//! the other. docs/bench/README.md says how each workload is measured.

mod chart;
mod client;
mod figures;
mod peers;
mod results;
mod table;
mod workloads;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lexopt::{Arg, Parser, ValueExt};
use serde_json::Value;

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell;
use figures::Kind;
use peers::{PEERS, Peer, Ready};
use results::{Results, Run};
use workloads::{WORKLOADS, Workload};

/// The rounds after which a median of ratios counts.
const ROUNDS: usize = 9;

/// A peer that no target is about is measured in every third round: what is said of it needs no more.
const OTHERS_EVERY: usize = 3;

/// How long each measure takes: thousands of deliveries, and the whole within half an hour.
const SECONDS: f64 = 0.3;
const QUICK_SECONDS: f64 = 0.2;

/// What is run and where its results go.
#[derive(Debug)]
struct Plan {
    peers: Vec<&'static Peer>,
    workloads: Vec<&'static Workload>,
    rounds: usize,
    seconds: f64,
    quick: bool,
    /// Whether the peers were named: then all are in every round.
    chosen: bool,
    /// Whether it is the whole benchmark, whose results are kept in the checkout.
    whole: bool,
    /// Whether it is the npm package that is measured, and no server.
    client: bool,
}

/// Runs what the arguments ask for.
pub(crate) fn run(project: &Project, arguments: Parser) -> Result {
    let Some(plan) = Plan::read(arguments)? else { return Ok(()) };
    if plan.client {
        return client::run(project, plan.quick);
    }
    let load = peers::load(project)?;
    let (ready, skipped) = peers::prepare(project, &plan.peers)?;
    let mut results = Results::new(project, &ready, &skipped, &plan);
    let logs = project.target.join("bench");
    fs::create_dir_all(&logs).or_mend(logs.display(), "make it writable")?;
    let folder = if plan.whole { project.root.join("docs/bench") } else { logs.clone() };
    for round in 0..plan.rounds {
        for workload in &plan.workloads {
            let takes_part = |peer: &&Ready| {
                let is_for_it = peer.only.is_none_or(|only| only == workload.name);
                is_for_it && plan.has(round, peer.is_judged)
            };
            let mut peers: Vec<_> = ready.iter().filter(takes_part).collect();
            // Each round begins with another peer, so that nobody is always the first.
            let first = round % peers.len().max(1);
            peers.rotate_left(first);
            for peer in peers {
                results.runs.push(measure(&plan, &load, peer, workload, round, &logs)?);
            }
        }
        // A run of so long that ends early has not been for nothing.
        write(&results, &folder)?;
    }
    println!("\n{}", table::write(&results));
    results.check_ours()
}

/// Writes all that there is until now.
fn write(results: &Results, folder: &Path) -> Result {
    results.save(folder)?;
    let text = table::write(results);
    save(folder.join("results.md"), &format!("{}\n{text}", table::HEAD))?;
    save(folder.join("chart.svg"), &chart::draw(results))
}

fn save(file: PathBuf, text: &str) -> Result {
    println!("  wrote {}", file.display());
    fs::write(&file, text).or_mend(file.display(), "make it writable")
}

/// One server, one load.
fn measure(
    plan: &Plan,
    load: &Path,
    peer: &Ready,
    workload: &'static Workload,
    round: usize,
    logs: &Path,
) -> Result<Run> {
    let start = Instant::now();
    let server = match peer.start(logs) {
        Ok(server) => server,
        Err(failure) => {
            println!(
                "  {:>2}  {:<13} {:<20} FAILED: {}",
                round + 1,
                workload.name,
                peer.name,
                failure.what
            );
            let (peer, workload) = (peer.name, workload.name);
            return Ok(Run { round, peer, workload, outcome: Err(failure.what) });
        }
    };
    let mut command = limited(load);
    command.args(["--address", &server.address, "--pid", &server.id().to_string()]);
    command.args(["--dialect", peer.dialect, "--workload", workload.load]);
    command.args(["--connections", &workload.connections(plan.quick).to_string()]);
    command.args(["--seconds", &plan.seconds.to_string()]);
    let mut run =
        Run { round, peer: peer.name, workload: workload.name, outcome: Err(String::new()) };
    run.outcome = match shell::read(&mut command, "") {
        Ok(text) => Ok(serde_json::from_str(&text).or_mend("the load's report", "mend bench/src")?),
        Err(failure) => Err(failure.what.lines().last().unwrap_or_default().to_owned()),
    };
    drop(server);
    let (name, load, seconds) = (peer.name, workload.name, start.elapsed().as_secs_f64());
    let said = match &run.outcome {
        Ok(report) => brief(load, report),
        Err(failure) => format!("FAILED: {failure}"),
    };
    println!("  {:>2}  {load:<13} {name:<20} {seconds:>5.1} s  {said}", round + 1);
    Ok(run)
}

/// A run in a line.
fn brief(workload: &str, report: &Value) -> String {
    let lines = figures::FIGURES.iter().filter_map(|figure| {
        let is_shown = figure.workload == workload && figure.kind != Kind::Latency(50);
        let value = figure.of(report).filter(|_| is_shown)?;
        Some(format!("{} {}", figure.short(), figure.show(value)))
    });
    lines.collect::<Vec<_>>().join(", ")
}

/// A program that may open as many sockets as the system lets it.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""]).arg(program);
    command
}

impl Plan {
    /// Reads the arguments; `None` if they only asked what there is.
    fn read(mut arguments: Parser) -> Result<Option<Self>> {
        let (mut peers, mut loads, mut rounds, mut seconds) = (Vec::new(), Vec::new(), None, None);
        let (mut quick, mut client) = (false, false);
        while let Some(argument) = arguments.next().map_err(usage)? {
            match argument {
                Arg::Long("list") => {
                    list();
                    return Ok(None);
                }
                Arg::Long("quick") => quick = true,
                Arg::Long("client") => client = true,
                Arg::Long("peers") => peers = names(&mut arguments, PEERS, |peer| peer.name)?,
                Arg::Long("workloads") => {
                    loads = names(&mut arguments, WORKLOADS, |workload| workload.name)?;
                }
                Arg::Long("rounds") => rounds = Some(number(&mut arguments)?),
                Arg::Long("seconds") => seconds = Some(number(&mut arguments)?),
                other => return Err(usage(other.unexpected())),
            }
        }
        let chosen = !peers.is_empty();
        let enough = rounds.is_none_or(|rounds| rounds >= ROUNDS)
            && seconds.is_none_or(|seconds| seconds >= SECONDS);
        let whole = !quick && !chosen && loads.is_empty() && enough;
        if !chosen {
            peers = PEERS.iter().filter(|peer| peer.is_judged || !quick).collect();
        }
        if loads.is_empty() {
            loads = WORKLOADS.iter().filter(|load| load.quick.is_some() || !quick).collect();
        }
        Ok(Some(Self {
            peers,
            workloads: loads,
            rounds: rounds.unwrap_or(if quick { 1 } else { ROUNDS }).max(1),
            seconds: seconds.unwrap_or(if quick { QUICK_SECONDS } else { SECONDS }),
            quick,
            chosen,
            whole,
            client,
        }))
    }

    /// Whether a round has a peer.
    fn has(&self, round: usize, is_judged: bool) -> bool {
        is_judged || self.chosen || round.is_multiple_of(OTHERS_EVERY)
    }
}

fn list() {
    println!("peers");
    for peer in PEERS {
        println!("  {:<20} {}", peer.name, peer.about);
    }
    println!("workloads");
    for workload in WORKLOADS {
        println!("  {:<20} {}", workload.name, workload.about);
    }
}

/// Those of `all` that a list with commas names.
fn names<T>(
    arguments: &mut Parser,
    all: &'static [T],
    name: fn(&T) -> &'static str,
) -> Result<Vec<&'static T>> {
    let list: String = arguments.value().and_then(|value| value.parse()).map_err(usage)?;
    let find = |wanted: &str| {
        let found = all.iter().find(|one| name(one) == wanted);
        found.ok_or_else(|| {
            Failure::new(format!("there is no {wanted}"), "cargo xtask bench --list")
        })
    };
    list.split(',').map(find).collect()
}

fn number<T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>>(
    arguments: &mut Parser,
) -> Result<T> {
    arguments.value().and_then(|value| value.parse()).map_err(usage)
}

fn usage(what: impl ToString) -> Failure {
    Failure::new(what.to_string(), "cargo xtask --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Result<Plan> {
        Ok(Plan::read(Parser::from_args(arguments))?.expect("no list was asked for"))
    }

    #[test]
    fn only_the_whole_benchmark_is_kept() {
        let whole = plan(&[]).unwrap();
        assert!(whole.whole);
        assert_eq!((whole.peers.len(), whole.workloads.len()), (PEERS.len(), WORKLOADS.len()));
        assert!(plan(&["--rounds", "11"]).unwrap().whole);
        for partial in [&["--quick"][..], &["--peers", "bun"], &["--workloads", "rooms"]] {
            assert!(!plan(partial).unwrap().whole, "{partial:?}");
        }
    }

    #[test]
    fn peers_without_a_target_are_in_every_third_round_unless_they_are_named() {
        let rounds = |plan: &Plan, is_judged| {
            (0..plan.rounds).filter(|round| plan.has(*round, is_judged)).count()
        };
        let whole = plan(&[]).unwrap();
        assert_eq!((rounds(&whole, true), rounds(&whole, false)), (9, 3));
        let named = plan(&["--peers", "axum", "--rounds", "4"]).unwrap();
        assert_eq!(rounds(&named, false), 4);
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(plan(&["--peers", "bun,nothing"]).unwrap_err().what, "there is no nothing");
        let chosen = plan(&["--peers", "limit,bun"]).unwrap();
        assert_eq!(chosen.peers.iter().map(|peer| peer.name).collect::<Vec<_>>(), ["limit", "bun"]);
    }
}
