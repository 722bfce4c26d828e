//! The Autobahn test suite against `examples/echo`: 517 cases of what a WebSocket server has to take.
//!
//! The suite needs Python 2.7. Its packages go into `target/autobahn`. With compression the sections 12 and 13 take the suite itself some
//! minutes, so that a short run takes of them one case of each kind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::{Value, json};

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::server::Server;
use crate::shell::{find, run};

const ECHO: &str = "tidewire-echo";
const SHORT: [&str; 22] = [
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.1.1", "12.1.3", "12.2.2",
    "12.3.4", "12.4.6", "12.5.8", "13.1.1", "13.2.2", "13.3.3", "13.4.4", "13.5.5", "13.6.6",
    "13.7.8",
];
/// What `behavior` and `behaviorClose` say of a case that is passed; a case that only informs has no right answer.
const PASSED: [&str; 2] = ["OK", "INFORMATIONAL"];

/// Why the suite cannot run here.
pub(crate) fn missing() -> Option<String> {
    python2().is_none().then(|| "there is no Python 2.7 on PATH, in pyenv or in PYTHON2".to_owned())
}

/// Runs every case, or the short choice, and prints a table.
pub(crate) fn suite(project: &Project, all: bool) -> Result {
    let python2 =
        python2().or_mend("there is no Python 2.7", "install one, or set PYTHON2 to its path")?;
    let folder = project.root.join("target/autobahn");
    fs::create_dir_all(&folder).or_mend(folder.display(), "make it writable")?;
    let wstest = install(&folder, &python2)?;
    let echo = Server::release(project, ECHO)?;
    let cases: &[&str] = if all { &["*"] } else { &SHORT };
    let server = json!({ "agent": "tidewire", "url": format!("ws://{}", echo.address) });
    let spec = json!({
        "outdir": "reports", "servers": [server], "cases": cases, "exclude-cases": [], "exclude-agent-cases": {},
    });
    fs::write(folder.join("spec.json"), spec.to_string())
        .or_mend(folder.display(), "make it writable")?;
    let mut command = Command::new(wstest);
    command.args(["-m", "fuzzingclient", "-s", "spec.json"]).current_dir(&folder);
    run(&mut command, "remove target/autobahn, and run it again")?;
    let index = folder.join("reports/index.json");
    let report = fs::read_to_string(&index).or_mend(index.display(), "run it again")?;
    let report: Value = serde_json::from_str(&report).or_mend(index.display(), "run it again")?;
    let results = Results::read(&report);
    print!("{}", results.table());
    if results.failed.is_empty() && results.count() > 0 {
        return Ok(());
    }
    let what = format!("cases are not passed: {}", results.failed.join(", "));
    Err(Failure::new(what, "read target/autobahn/reports/index.html"))
}

fn python2() -> Option<PathBuf> {
    if let Some(python) = env::var_os("PYTHON2") {
        return Some(python.into());
    }
    let root = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".pyenv")))?;
    let versions = fs::read_dir(root.join("versions"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let of_pyenv = versions
        .filter(|version| {
            version.file_name().is_some_and(|name| name.to_string_lossy().starts_with("2.7"))
        })
        .map(|version| version.join("bin/python2.7"))
        .find(|python| python.is_file());
    // pyenv's own `python2.7` on PATH works only where that version is chosen.
    of_pyenv.or_else(|| find(&["python2.7"]))
}

/// The suite's program, installed at first use.
fn install(folder: &Path, python2: &Path) -> Result<PathBuf> {
    let wstest = folder.join("py27/bin/wstest");
    if wstest.is_file() {
        return Ok(wstest);
    }
    let mend = "see that pip reaches its packages, remove target/autobahn, and run it again";
    let pip = ["-m", "pip", "install", "--quiet", "--target", "virtualenv", "virtualenv==20.15.1"];
    run(Command::new("python3").args(pip).current_dir(folder), mend)?;
    let mut virtualenv = Command::new("python3");
    virtualenv.args(["-m", "virtualenv", "--quiet", "-p"]).arg(python2).arg("py27");
    run(virtualenv.env("PYTHONPATH", folder.join("virtualenv")).current_dir(folder), mend)?;
    let pip = ["install", "--quiet", "autobahntestsuite==25.10.1"];
    run(Command::new(folder.join("py27/bin/pip")).args(pip).current_dir(folder), mend)?;
    Ok(wstest)
}

/// What came of the cases.
#[derive(Debug, Default)]
struct Results {
    /// By section, how many cases ended how.
    sections: BTreeMap<u32, BTreeMap<String, usize>>,
    failed: Vec<String>,
}

impl Results {
    fn read(report: &Value) -> Self {
        let mut results = Self::default();
        for (case, result) in report["tidewire"].as_object().into_iter().flatten() {
            let section =
                case.split('.').next().and_then(|section| section.parse().ok()).unwrap_or(0);
            let said = |field: &str| result[field].as_str().unwrap_or("nothing").to_owned();
            let (behavior, close) = (said("behavior"), said("behaviorClose"));
            if !PASSED.contains(&&*behavior) || !PASSED.contains(&&*close) {
                results.failed.push(format!("{case} ({behavior}, close {close})"));
            }
            *results.sections.entry(section).or_default().entry(behavior).or_default() += 1;
        }
        results
    }

    fn count(&self) -> usize {
        self.sections.values().flat_map(BTreeMap::values).sum()
    }

    fn table(&self) -> String {
        let mut table = String::from("section  cases\n");
        for (section, behaviors) in &self.sections {
            let behaviors: Vec<String> =
                behaviors.iter().map(|(name, count)| format!("{count} {name}")).collect();
            table += &format!("{section:>7}  {}\n", behaviors.join(", "));
        }
        table
            + &format!(
                "{} passed, {} failed\n",
                self.count() - self.failed.len(),
                self.failed.len()
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_passed_only_if_behavior_and_close_are() {
        let report = json!({ "tidewire": {
            "1.1.1": { "behavior": "OK", "behaviorClose": "OK" },
            "1.1.2": { "behavior": "OK", "behaviorClose": "UNCLEAN" },
            "7.1.6": { "behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL" },
            "12.1.1": { "behavior": "NON-STRICT", "behaviorClose": "OK" },
        }});
        let results = Results::read(&report);
        assert_eq!(results.failed, ["1.1.2 (OK, close UNCLEAN)", "12.1.1 (NON-STRICT, close OK)"]);
        let table = "section  cases\n      1  2 OK\n      7  1 INFORMATIONAL\n     12  1 NON-STRICT\n2 passed, 2 failed\n";
        assert_eq!(results.table(), table);
    }
}
