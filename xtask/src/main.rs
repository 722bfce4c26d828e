//! Tidewire's tasks: all that a contributor or CI runs is `cargo xtask TASK`.
//!
//! A task that installs, builds or tests shows each command before it runs it, and every failure
//! ends with the one line that mends it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task speaks to a terminal")]

mod autobahn;
mod bench;
mod ci;
mod codegen;
mod demo;
mod failure;
mod fuzz;
mod leptos;
mod npm;
mod packaging;
mod project;
mod server;
mod shell;
mod suites;
mod system;
mod test_runner;
mod wasm;

use std::ffi::OsString;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use failure::{Failure, Result};
use packaging::Kinds;
use project::Project;
use suites::Length;

const USAGE: &str = "\
usage: cargo xtask TASK

  demo [EXAMPLE]             build chat, guestbook, leptos or prices, and serve it on 127.0.0.1:3000
  test [--long] [SUITE...]   run every suite, or those named; --list names them
  codegen [--check]          write the generated files, or say which are stale
  wasm                       build the WASM core of the npm package
  bench [--quick]            measure the server beside its peers; --list names peers and workloads,
                             --peers A,B --workloads A,B --rounds N --seconds S choose; --client is
                             the npm package, beside a WebSocket written by hand
  autobahn                   all 517 cases of the Autobahn suite against examples/echo; needs Python 2.7
  fuzz [--long]              each fuzz target for a minute, or ten; needs a nightly toolchain
  size                       what a page loads of the npm package, beside its peers' packages
  packaging [KIND...]        fresh projects of every kind with the packed npm package, or those named
  ci                         run .ci/run on a clean clone of the last commit

environment
  PORT, HOST                    where demo listens
  TIDEWIRE_WASM=rustup|debian   who compiles to WASM; unset: the first that is to be had
  CHROMIUM, CHROMEDRIVER        the browser and its driver, where PATH has no Chromium
  PYTHON2                       Python 2.7, where neither PATH nor pyenv has it";

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).peekable();
    // What Cargo calls passes its words on.
    let is_for_people = words.peek().is_none_or(|task| task != "test-runner");
    if is_for_people && words.any(|word| word == "--help" || word == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run(Parser::from_env()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Parser) -> Result<ExitCode> {
    let task = match arguments.next().map_err(usage)? {
        Some(Arg::Value(task)) => task,
        Some(other) => return Err(usage(other.unexpected())),
        None => return Err(usage("no task is named")),
    };
    match task.to_str() {
        Some("demo") => {
            let example = match arguments.next().map_err(usage)? {
                None => &demo::CHAT,
                // By its name here, and that of its folder.
                Some(Arg::Value(name)) if name == "leptos" || name == "leptos-chat" => {
                    none(arguments)?;
                    return leptos::demo(&Project::open()?).map(done);
                }
                Some(Arg::Value(name)) => demo::named(&name.to_string_lossy())?,
                Some(other) => return Err(usage(other.unexpected())),
            };
            none(arguments)?;
            demo::run(&Project::open()?, example).map(done)
        }
        Some("test") => test(arguments),
        Some("codegen") => {
            let check = flag(&mut arguments, "check")?;
            codegen::run(&Project::open()?, check).map(done)
        }
        Some("wasm") => {
            none(arguments)?;
            wasm::build(&Project::open()?).map(done)
        }
        Some("bench") => bench::run(&Project::open()?, arguments).map(done),
        Some("autobahn") => {
            none(arguments)?;
            autobahn::suite(&Project::open()?, true).map(done)
        }
        Some("fuzz") => {
            let long = flag(&mut arguments, "long")?;
            fuzz::all(&Project::open()?, long).map(done)
        }
        Some("size") => {
            none(arguments)?;
            npm::size(&Project::open()?).map(done)
        }
        Some("packaging") => packaging(arguments).map(done),
        Some("ci") => {
            none(arguments)?;
            ci::run(&Project::open()?).map(done)
        }
        // Cargo calls this one; it is no task for people.
        Some("test-runner") => {
            let rest: Vec<OsString> = arguments.raw_args().map_err(usage)?.collect();
            test_runner::run(rest).map(done)
        }
        _ => Err(usage(format!("there is no task {}", task.display()))),
    }
}

fn test(mut arguments: Parser) -> Result<ExitCode> {
    let mut length = Length::Short;
    let mut names = Vec::new();
    while let Some(argument) = arguments.next().map_err(usage)? {
        match argument {
            Arg::Long("long") => length = Length::Long,
            Arg::Long("list") => {
                suites::list();
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Value(name) => names.push(name.to_string_lossy().into_owned()),
            other => return Err(usage(other.unexpected())),
        }
    }
    suites::run(&Project::open()?, length, &names)
}

fn packaging(mut arguments: Parser) -> Result {
    let mut names = Vec::new();
    while let Some(argument) = arguments.next().map_err(usage)? {
        match argument {
            Arg::Value(name) => names.push(name.to_string_lossy().into_owned()),
            other => return Err(usage(other.unexpected())),
        }
    }
    let project = Project::open()?;
    let kinds = if names.is_empty() { Kinds::All } else { Kinds::Named(names) };
    packaging::judge(&project)?;
    packaging::run(&project, &kinds)
}

/// Reads the only flag that a task has.
fn flag(arguments: &mut Parser, name: &str) -> Result<bool> {
    let mut given = false;
    while let Some(argument) = arguments.next().map_err(usage)? {
        match argument {
            Arg::Long(long) if long == name => given = true,
            other => return Err(usage(other.unexpected())),
        }
    }
    Ok(given)
}

fn none(mut arguments: Parser) -> Result {
    match arguments.next().map_err(usage)? {
        None => Ok(()),
        Some(other) => Err(usage(other.unexpected())),
    }
}

fn usage(what: impl ToString) -> Failure {
    Failure::new(what.to_string(), "cargo xtask --help")
}

fn done((): ()) -> ExitCode {
    ExitCode::SUCCESS
}
