//! All runs of a benchmark, as they are kept: `results.json` has every report of the load generator unchanged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Plan;
use super::figures::{FIGURES, Figure, Spread};
use super::peers::{Ready, Skipped};
use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell;

/// One server under one load.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) round: usize,
    pub(super) peer: &'static str,
    pub(super) workload: &'static str,
    /// The load generator's report, or why there is none.
    pub(super) outcome: std::result::Result<Value, String>,
}

#[derive(Debug)]
pub(super) struct Results {
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    /// With fewer connections.
    pub(super) quick: bool,
    /// With peers that were named, which are in every round.
    pub(super) chosen: bool,
    commit: String,
    machine: Value,
    /// Those that were measured, with their versions.
    pub(super) peers: Vec<(&'static str, String)>,
    pub(super) skipped: Vec<(&'static str, String)>,
    pub(super) runs: Vec<Run>,
}

impl Results {
    pub(super) fn new(
        project: &Project,
        ready: &[Ready],
        skipped: &[Skipped],
        plan: &Plan,
    ) -> Self {
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty"]).current_dir(&project.root);
        // A copy of the sources without git can be measured too.
        let commit =
            shell::read(&mut git, "").map_or_else(|_| String::new(), |text| text.trim().to_owned());
        Self {
            rounds: plan.rounds,
            seconds: plan.seconds,
            quick: plan.quick,
            chosen: plan.chosen,
            commit,
            machine: machine(),
            peers: ready.iter().map(|peer| (peer.name, peer.version.clone())).collect(),
            skipped: skipped.to_vec(),
            runs: Vec::new(),
        }
    }

    /// A figure of a peer, by round.
    pub(super) fn values(&self, figure: &Figure, peer: &str) -> BTreeMap<usize, f64> {
        let runs = self.reports(figure, peer);
        runs.filter_map(|(round, report)| Some((round, figure.of(report)?))).collect()
    }

    /// The ratio of two peers' figures: the spread of the ratios within each round.
    pub(super) fn ratio(&self, figure: &Figure, of: &str, to: &str) -> Option<Spread> {
        let to = self.values(figure, to);
        let of = self.values(figure, of);
        Spread::of(of.iter().filter_map(|(round, value)| Some(value / to.get(round)?)))
    }

    /// How many of a peer's deliveries came out of order.
    pub(super) fn disordered(&self, figure: &Figure, peer: &str) -> u64 {
        let measures = self.reports(figure, peer).filter_map(|(_, report)| figure.measure(report));
        measures.filter_map(|measure| measure["disordered"].as_u64()).sum()
    }

    /// What became of the subscriber that stalled, in a peer's first run.
    pub(super) fn stalled(&self, figure: &Figure, peer: &str) -> Option<String> {
        let (_, report) = self.reports(figure, peer).next()?;
        let stalled = report.get("stalled").filter(|_| figure.measure == "stalled")?;
        let (got, published) = (stalled["got"].as_u64()?, stalled["published"].as_u64()?);
        let closed = stalled["closed"].as_str().map(|how| format!(", then closed: {how}"));
        let told = stalled["gaps"].as_u64().filter(|gaps| *gaps > 0).map(|_| ", told of a gap");
        let (told, closed) = (told.unwrap_or_default(), closed.unwrap_or_default());
        Some(format!("it got {got} of {published}{told}{closed}"))
    }

    /// Why a peer's runs of a workload failed, if any did.
    pub(super) fn failure(&self, workload: &str, peer: &str) -> Option<&str> {
        let mut runs = self.runs.iter().filter(|run| run.peer == peer && run.workload == workload);
        runs.find_map(|run| run.outcome.as_ref().err()).map(String::as_str)
    }

    fn reports<'a>(
        &'a self,
        figure: &'a Figure,
        peer: &'a str,
    ) -> impl Iterator<Item = (usize, &'a Value)> {
        let runs = self.runs.iter().filter(move |run| run.peer == peer);
        let runs = runs.filter(|run| run.workload == figure.workload);
        runs.filter_map(|run| Some((run.round, run.outcome.as_ref().ok()?)))
    }

    /// Writes everything into `folder`.
    pub(super) fn save(&self, folder: &Path) -> Result {
        let runs = self.runs.iter().map(|run| {
            let Run { round, peer, workload, outcome } = run;
            let outcome = outcome.as_ref().map_or_else(
                |failure| json!({ "failure": failure }),
                |report| json!({ "report": report }),
            );
            json!({ "round": round, "peer": peer, "workload": workload, "outcome": outcome })
                .to_string()
        });
        let peers: BTreeMap<_, _> = self.peers.iter().cloned().collect();
        let skipped: BTreeMap<_, _> = self.skipped.iter().cloned().collect();
        // A line for each run: a reader of a diff sees what changed.
        let head = json!({
            "commit": self.commit, "machine": self.machine, "rounds": self.rounds,
            "seconds": self.seconds, "quick": self.quick, "peers": peers, "skipped": skipped,
        })
        .to_string();
        let head = head.strip_suffix('}').unwrap_or(&head);
        let runs = runs.collect::<Vec<_>>().join(",\n");
        fs::create_dir_all(folder).or_mend(folder.display(), "make it writable")?;
        super::save(folder.join("results.json"), &format!("{head},\n\"runs\":[\n{runs}\n]}}\n"))
    }

    /// Whether a delivery of a server's came out of order, in a measure or outside of them.
    fn any_disordered(&self, peer: &str) -> bool {
        let reports = self.runs.iter().filter(|run| run.peer == peer);
        let mut reports = reports.filter_map(|run| run.outcome.as_ref().ok());
        reports.any(|report| report["disordered"].as_u64() > Some(0))
            || FIGURES.iter().any(|figure| self.disordered(figure, peer) > 0)
    }

    /// Fails if ours lost something or brought it out of order: of peers that is a result, of ours a defect.
    pub(super) fn check_ours(&self) -> Result {
        let ours = |name: &str| name.starts_with("tidewire");
        let mut failed = self.runs.iter().filter(|run| ours(run.peer));
        let failed = failed.find_map(|run| Some((run.peer, run.outcome.as_ref().err()?)));
        let disordered = self
            .peers
            .iter()
            .filter(|(name, _)| ours(name))
            .find(|(name, _)| self.any_disordered(name));
        let mend = "mend the server: results.json has what came of each run";
        match (failed, disordered) {
            (Some((peer, failure)), _) => Err(Failure::new(format!("{peer}: {failure}"), mend)),
            (_, Some((peer, _))) => Err(Failure::new(format!("{peer} broke the order"), mend)),
            _ => Ok(()),
        }
    }
}

/// What the numbers depend on.
fn machine() -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let release = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = release.trim().split(['.', '-']).take(2).collect();
    json!({
        "cpu": model.map_or("unknown", |(_, model)| model),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "system": std::env::consts::OS,
        "kernel": kernel.join("."),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two rounds of one workload, in which ours takes twice and then four times what Bun does.
    pub(in crate::bench) fn sample() -> Results {
        let run = |round, peer, server_ns: u64| Run {
            round,
            peer,
            workload: "rooms",
            outcome: Ok(json!({
                "measures": [{ "name": "rooms", "count": 1000, "server_ns": server_ns,
                    "load_ns": 500_000, "elapsed_ns": 1, "disordered": 0 }],
                "memory": [],
            })),
        };
        Results {
            rounds: 2,
            seconds: 1.0,
            quick: false,
            chosen: false,
            commit: "0000000".into(),
            machine: json!({}),
            peers: vec![("tidewire", "0.1.0".into()), ("bun", "1.0.0".into())],
            skipped: vec![("ws", "there is no node".into())],
            runs: vec![
                run(0, "tidewire", 2_000_000),
                run(0, "bun", 1_000_000),
                run(1, "bun", 2_000_000),
                run(1, "tidewire", 8_000_000),
            ],
        }
    }

    fn rooms() -> &'static Figure {
        FIGURES.iter().find(|figure| figure.measure == "rooms").unwrap()
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let results = sample();
        let ratio = results.ratio(rooms(), "tidewire", "bun");
        assert_eq!(ratio, Some(Spread { median: 3.0, min: 2.0, max: 4.0, count: 2 }));
        assert_eq!(results.ratio(rooms(), "tidewire", "ws"), None);
    }

    #[test]
    fn what_ours_loses_or_disorders_is_a_failure() {
        let mut results = sample();
        results.runs[1].outcome = Err("stalled".into());
        assert!(results.check_ours().is_ok(), "a peer may fail");
        results.runs[0].outcome.as_mut().unwrap()["measures"][0]["disordered"] = json!(1);
        assert_eq!(results.check_ours().unwrap_err().what, "tidewire broke the order");
        results.runs[0].outcome = Err("stalled".into());
        assert_eq!(results.check_ours().unwrap_err().what, "tidewire: stalled");
    }

    #[test]
    fn the_file_is_json_with_every_run() {
        let folder = std::env::temp_dir().join(format!("tidewire-results-{}", std::process::id()));
        sample().save(&folder).unwrap();
        let text = fs::read_to_string(folder.join("results.json")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["runs"].as_array().unwrap().len(), 4);
        assert_eq!(value["peers"]["bun"], "1.0.0");
        assert_eq!(value["runs"][3]["outcome"]["report"]["measures"][0]["server_ns"], 8_000_000);
    }
}
