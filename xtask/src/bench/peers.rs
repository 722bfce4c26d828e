//! The servers: how each is built and started. All print `listening HOST:PORT` when they are ready.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::limited;
use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::{npm, shell};

/// A server that can be measured.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What it speaks, as the load generator calls it.
    dialect: &'static str,
    program: Program,
    /// Whether the targets are about it: then it is in every round, and in quick runs.
    pub(super) is_judged: bool,
    /// The one workload that it is for, if it is not for all.
    pub(super) only: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    /// A crate of the workspace, the arguments of its program, and the dependency whose version counts.
    Cargo(&'static str, &'static [&'static str], &'static str),
    /// A folder of `bench/peers` with the dependency of that name, run by Node.
    Node(&'static str),
    Bun,
}

pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "tidewire",
        about: "Tidewire in full mode: types, offsets, acknowledgements, metrics",
        dialect: "full",
        program: Program::Cargo("tidewire-bench-tidewire", &[], "tidewire"),
        is_judged: true,
        only: None,
    },
    Peer {
        name: "tidewire-plain",
        about: "the same server with plain clients",
        dialect: "plain",
        program: Program::Cargo("tidewire-bench-tidewire", &[], "tidewire"),
        is_judged: true,
        only: None,
    },
    overflowing(
        "tidewire-drop-oldest",
        "full mode, where a slow subscriber loses the oldest",
        &["--overflow", "drop-oldest"],
    ),
    overflowing(
        "tidewire-conflate",
        "full mode, where a slow subscriber gets the latest event of each key",
        &["--overflow", "conflate"],
    ),
    overflowing(
        "tidewire-resync",
        "full mode, where a slow subscriber reads the history",
        &["--overflow", "resync"],
    ),
    Peer {
        name: "bun",
        about: "Bun's own WebSocket server and pub/sub",
        dialect: "raw",
        program: Program::Bun,
        is_judged: true,
        only: None,
    },
    Peer {
        name: "limit",
        about: "a bare epoll loop: one frame, one send for each subscriber",
        dialect: "raw",
        program: Program::Cargo("tidewire-bench-limit", &[], "tidewire-bench-limit"),
        is_judged: true,
        only: None,
    },
    Peer {
        name: "limit-coalesced",
        about: "the same, with one send for all frames of one turn of the loop",
        dialect: "raw",
        program: Program::Cargo("tidewire-bench-limit", &["--coalesce"], "tidewire-bench-limit"),
        is_judged: true,
        only: None,
    },
    Peer {
        name: "axum",
        about: "written by hand on axum, with tokio's broadcast channels",
        dialect: "raw",
        program: Program::Cargo("tidewire-bench-axum", &[], "axum"),
        is_judged: false,
        only: None,
    },
    Peer {
        name: "socketioxide",
        about: "socketioxide, the Socket.IO server in Rust",
        dialect: "socket.io",
        program: Program::Cargo("tidewire-bench-socketioxide", &[], "socketioxide"),
        is_judged: false,
        only: None,
    },
    Peer {
        name: "ws",
        about: "Node with ws",
        dialect: "raw",
        program: Program::Node("ws"),
        is_judged: false,
        only: None,
    },
    Peer {
        name: "socket.io",
        about: "Node with Socket.IO",
        dialect: "socket.io",
        program: Program::Node("socket.io"),
        is_judged: false,
        only: None,
    },
];

/// Ours with another policy for subscribers that do not keep up.
const fn overflowing(
    name: &'static str,
    about: &'static str,
    arguments: &'static [&'static str],
) -> Peer {
    let program = Program::Cargo("tidewire-bench-tidewire", arguments, "tidewire");
    Peer { name, about, dialect: "full", program, is_judged: false, only: Some("slow") }
}

/// A peer that is built.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: &'static str,
    pub(super) dialect: &'static str,
    pub(super) is_judged: bool,
    pub(super) only: Option<&'static str>,
    pub(super) version: String,
    program: PathBuf,
    arguments: Vec<String>,
}

/// A peer that cannot be had here, and why.
pub(super) type Skipped = (&'static str, String);

/// A server that runs; it ends with this value.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    pub(super) address: String,
}

/// Builds the load generator.
pub(super) fn load(project: &Project) -> Result<PathBuf> {
    build(project, "tidewire-bench")
}

/// Builds and installs. A peer that cannot be had is told and skipped; ours and the limit must be had.
pub(super) fn prepare(
    project: &Project,
    peers: &[&'static Peer],
) -> Result<(Vec<Ready>, Vec<Skipped>)> {
    let (mut ready, mut skipped) = (Vec::new(), Vec::new());
    for peer in peers {
        match peer.prepare(project) {
            Ok(peer) => ready.push(peer),
            Err(failure) if matches!(peer.program, Program::Cargo(..)) => return Err(failure),
            Err(failure) => {
                println!("skipped: {}: {failure}", peer.name);
                skipped.push((peer.name, failure.what));
            }
        }
    }
    Ok((ready, skipped))
}

/// Each by itself: together, cargo would give all of them the features of any.
fn build(project: &Project, package: &'static str) -> Result<PathBuf> {
    project.once(package, || {
        shell::announce(&format!("building {package} (cold: a minute)"));
        let mut cargo = shell::cargo();
        cargo.args(["build", "--release", "--locked", "-p", package]);
        shell::run(&mut cargo, "mend what the compiler names")
    })?;
    Ok(project.target.join("release").join(package))
}

impl Peer {
    fn prepare(&self, project: &Project) -> Result<Ready> {
        let folder = project.root.join("bench/peers");
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (program, arguments, version) = match self.program {
            Program::Cargo(package, arguments, dependency) => {
                let arguments = arguments.iter().map(ToString::to_string).collect();
                (build(project, package)?, arguments, locked(project, dependency)?)
            }
            Program::Node(name) => {
                npm::install(&folder.join(name))?;
                let node = shell::find(&["node"]).or_mend("there is no node", "install Node 20")?;
                let arguments =
                    vec!["--expose-gc".to_owned(), text(folder.join(name).join("server.mjs"))];
                let own = version(Command::new(&node).arg("--version"))?;
                (node, arguments, format!("{} (Node {own})", wanted(&folder, name)?))
            }
            Program::Bun => {
                npm::install(&folder.join("bun"))?;
                let bun = folder.join("bun/node_modules/.bin/bun");
                let own = version(Command::new(&bun).arg("--version"))?;
                (bun, vec![text(folder.join("bun/server.ts"))], own)
            }
        };
        let Self { name, dialect, is_judged, only, .. } = *self;
        Ok(Ready { name, dialect, is_judged, only, version, program, arguments })
    }
}

/// The version of a crate in Cargo.lock.
fn locked(project: &Project, name: &str) -> Result<String> {
    let file = project.root.join("Cargo.lock");
    let lock = fs::read_to_string(&file).or_mend(file.display(), "cargo generate-lockfile")?;
    let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \""));
    let version = entry.and_then(|(_, rest)| rest.split('"').next());
    Ok(version.or_mend(format!("{name} is not locked"), "cargo generate-lockfile")?.to_owned())
}

/// The version that a peer's package.json names.
fn wanted(folder: &Path, name: &str) -> Result<String> {
    let file = folder.join(name).join("package.json");
    let mend = "name the dependency with its version there";
    let text = fs::read_to_string(&file).or_mend(file.display(), mend)?;
    let manifest: Value = serde_json::from_str(&text).or_mend(file.display(), mend)?;
    let version = manifest["dependencies"][name].as_str();
    Ok(version.or_mend(file.display(), mend)?.to_owned())
}

fn version(command: &mut Command) -> Result<String> {
    let text = shell::read(command, "install it by npm with its scripts allowed")?;
    Ok(text.trim().trim_start_matches('v').to_owned())
}

impl Ready {
    /// Starts the server; what it says to nobody goes to a file in `logs`.
    pub(super) fn start(&self, logs: &Path) -> Result<Server> {
        let file = logs.join(format!("{}.log", self.name));
        let mend = format!("see {}", file.display());
        let log = File::create(&file).or_mend(file.display(), "make it writable")?;
        let mut command = limited(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().or_mend(self.name, &mend)?;
        let output = process.stdout.take();
        // Made first, so that the process ends whatever it says.
        let mut server = Server { process, address: String::new() };
        let mut line = String::new();
        let output = output.or_mend(format!("the output of {}", self.name), &mend)?;
        BufReader::new(output).read_line(&mut line).or_mend(self.name, &mend)?;
        let Some(address) = line.trim().strip_prefix("listening ") else {
            return Err(Failure::new(format!("{} said {line:?}", self.name), mend));
        };
        address.clone_into(&mut server.address);
        Ok(server)
    }
}

impl Server {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_that_are_locked() {
        let project = Project::open().unwrap();
        assert_eq!(locked(&project, "tidewire").unwrap(), env!("CARGO_PKG_VERSION"));
        assert_eq!(
            locked(&project, "no-such-crate").unwrap_err().what,
            "no-such-crate is not locked"
        );
    }

    #[test]
    fn npm_peers_name_exact_versions() {
        let folder = Project::open().unwrap().root.join("bench/peers");
        for name in ["bun", "ws", "socket.io"] {
            let version = wanted(&folder, name).unwrap();
            let exact = version.split('.').all(|part| part.parse::<u32>().is_ok());
            assert!(exact, "{name} {version}");
        }
    }

    #[test]
    fn a_program_that_says_no_address_is_a_failure_and_ends() {
        let ready = Ready {
            name: "true",
            dialect: "raw",
            is_judged: false,
            only: None,
            version: String::new(),
            program: "true".into(),
            arguments: Vec::new(),
        };
        let failure = ready.start(&std::env::temp_dir()).unwrap_err();
        assert_eq!(failure.what, "true said \"\"");
    }
}
