//! The test suites: what there is, running them, and what came of it.
//!
//! Every suite runs, whatever became of those before it, so that one run shows all that is broken.

mod layering;
mod mutants;
mod rust;
mod sources;
mod web;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::autobahn;
use crate::failure::{Failure, Result};
use crate::project::Project;
use crate::shell;

/// How long the suites that can go on for ever go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// What a contributor waits for: 25 minutes for everything, cold, on two cores.
    Short,
    /// The lengths that a guarantee is proven with.
    Long,
}

struct Suite {
    name: &'static str,
    about: &'static str,
    run: fn(&Project, Length) -> Result,
    /// Why it cannot run here, where that is no fault.
    skip: fn() -> Option<String>,
}

/// What is cheap and fails most often comes first; what builds on other suites' artefacts last.
const SUITES: &[Suite] = &[
    Suite {
        name: "layering",
        about: "what may never import what",
        run: layering::run,
        skip: never,
    },
    Suite { name: "fmt", about: "cargo fmt", run: rust::fmt, skip: never },
    Suite { name: "clippy", about: "lints, over all targets", run: rust::clippy, skip: never },
    Suite { name: "rust", about: "tests of every crate", run: rust::tests, skip: never },
    Suite {
        name: "mutants",
        about: "the simulation against broken cores",
        run: mutants::run,
        skip: never,
    },
    Suite {
        name: "storm",
        about: "native clients in a network that cuts and stalls",
        run: rust::storm,
        skip: never,
    },
    Suite {
        name: "doctests",
        about: "examples in the documentation",
        run: rust::doctests,
        skip: never,
    },
    Suite {
        name: "docs",
        about: "documentation without a dead link",
        run: rust::docs,
        skip: never,
    },
    Suite {
        name: "features",
        about: "each feature alone, none and all",
        run: rust::features,
        skip: never,
    },
    Suite { name: "codegen", about: "generated files are fresh", run: web::codegen, skip: never },
    Suite {
        name: "wasm",
        about: "the WASM core, within its features",
        run: web::wasm,
        skip: never,
    },
    Suite { name: "npm", about: "tests of the npm package", run: web::npm_tests, skip: never },
    Suite { name: "types", about: "types of the npm package", run: web::types, skip: never },
    Suite { name: "browser", about: "the Rust client in Chromium", run: web::browser, skip: never },
    Suite {
        name: "autobahn",
        about: "the WebSocket layer against the Autobahn suite",
        run: autobahn,
        skip: autobahn::missing,
    },
    Suite { name: "package", about: "cargo package and npm pack", run: rust::package, skip: never },
    Suite {
        name: "packed",
        about: "a fresh project uses the tarball",
        run: web::packed,
        skip: never,
    },
    Suite {
        name: "packaging",
        about: "fresh projects of the quick kinds",
        run: web::projects,
        skip: never,
    },
    Suite { name: "e2e", about: "the examples' pages in Chromium", run: web::e2e, skip: never },
];

fn never() -> Option<String> {
    None
}

fn autobahn(project: &Project, length: Length) -> Result {
    autobahn::suite(project, length == Length::Long)
}

/// One suite's end.
struct Outcome {
    name: &'static str,
    took: Duration,
    result: Result<End>,
}

/// How a suite ended that did not fail.
enum End {
    Passed,
    Skipped(String),
}

impl Length {
    /// Tells the tests that `command` runs how long they are wanted to be.
    fn tell(self, command: &mut Command) -> &mut Command {
        match self {
            Self::Short => command,
            Self::Long => command.env("TIDEWIRE_LONG", "1"),
        }
    }
}

pub(crate) fn list() {
    for suite in SUITES {
        println!("{:<12} {}", suite.name, suite.about);
    }
}

/// Runs the suites named, or every one where none is.
pub(crate) fn run(project: &Project, length: Length, names: &[String]) -> Result<ExitCode> {
    let chosen = choose(names)?;
    let mut outcomes = Vec::with_capacity(chosen.len());
    for suite in chosen {
        shell::announce(&format!("suite {}: {}", suite.name, suite.about));
        let start = Instant::now();
        let result = match (suite.skip)() {
            Some(why) => Ok(End::Skipped(why)),
            None => (suite.run)(project, length).map(|()| End::Passed),
        };
        if let Err(failure) = &result {
            println!("{failure}");
        }
        let outcome = Outcome { name: suite.name, took: start.elapsed(), result };
        println!("{}\n", line(&outcome));
        outcomes.push(outcome);
    }
    print!("{}", report(&outcomes));
    let failed = outcomes.iter().any(|outcome| outcome.result.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn choose(names: &[String]) -> Result<Vec<&'static Suite>> {
    if let Some(unknown) = names.iter().find(|name| SUITES.iter().all(|suite| suite.name != **name))
    {
        return Err(Failure::new(
            format!("there is no suite {unknown}"),
            "cargo xtask test --list names them",
        ));
    }
    let wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| name == suite.name);
    Ok(SUITES.iter().filter(wanted).collect())
}

/// What every run ends with: the failures again, seconds per suite, and the count.
fn report(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for Outcome { name, result, .. } in outcomes {
        if let Err(failure) = result {
            text += &format!("suite {name}: {failure}\n\n");
        }
    }
    text += "suite         seconds\n";
    for outcome in outcomes {
        text += &line(outcome);
        text.push('\n');
    }
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    let skipped =
        outcomes.iter().filter(|outcome| matches!(outcome.result, Ok(End::Skipped(_)))).count();
    text += &format!("{:<12} {:>8.1}\n", "all", total.as_secs_f64());
    text += &format!("{} passed, {failed} failed", outcomes.len() - failed - skipped);
    if skipped > 0 {
        text += &format!(", {skipped} skipped");
    }
    text.push('\n');
    text
}

fn line(outcome: &Outcome) -> String {
    let word = match &outcome.result {
        Ok(End::Passed) => "ok".to_owned(),
        Ok(End::Skipped(why)) => format!("skipped: {why}"),
        Err(_) => "FAILED".to_owned(),
    };
    format!("{:<12} {:>8.1}  {word}", outcome.name, outcome.took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &'static str, result: Result<End>) -> Outcome {
        Outcome { name, took: Duration::from_millis(1250), result }
    }

    #[test]
    fn the_report_names_what_failed_and_how_to_mend_it() {
        let failure = Failure::new("broken", "mend it");
        let skipped = Ok(End::Skipped("no python".into()));
        let outcomes = [
            outcome("one", Ok(End::Passed)),
            outcome("two", Err(failure)),
            outcome("three", skipped),
        ];
        let expected = "\
suite two: broken
  mend: mend it

suite         seconds
one               1.2  ok
two               1.2  FAILED
three             1.2  skipped: no python
all               3.8
1 passed, 1 failed, 1 skipped
";
        assert_eq!(report(&outcomes), expected);
    }

    #[test]
    fn suites_are_chosen_by_name() {
        assert_eq!(choose(&[]).unwrap().len(), SUITES.len());
        let chosen = choose(&["wasm".into(), "fmt".into()]).unwrap();
        assert_eq!(chosen.iter().map(|suite| suite.name).collect::<Vec<_>>(), ["fmt", "wasm"]);
        let failure = choose(&["nothing".into()]).err().unwrap();
        assert_eq!(failure.what, "there is no suite nothing");
    }

    #[test]
    fn names_are_unique() {
        for (index, suite) in SUITES.iter().enumerate() {
            assert!(SUITES[..index].iter().all(|other| other.name != suite.name), "{}", suite.name);
        }
    }
}
