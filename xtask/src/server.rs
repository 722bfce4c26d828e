//! Servers of this workspace, for the suites that talk to one.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell::{announce, cargo, run};

/// Builds the server of a package and returns its path.
pub(crate) fn build(project: &Project, package: &'static str) -> Result<PathBuf> {
    project.once(package, || {
        announce(&format!("building {package} (cold: a minute)"));
        run(cargo().args(["build", "-p", package]), "mend what the compiler names")
    })?;
    Ok(program(project, "debug", package))
}

/// The same, optimised.
fn build_release(project: &Project, package: &'static str) -> Result<PathBuf> {
    announce(&format!("building {package}, optimised (cold: a minute)"));
    run(cargo().args(["build", "--release", "-p", package]), "mend what the compiler names")?;
    Ok(program(project, "release", package))
}

fn program(project: &Project, profile: &str, package: &str) -> PathBuf {
    let name = format!("{package}{}", std::env::consts::EXE_SUFFIX);
    project.target.join(profile).join(name)
}

/// A server of its own for a suite, on a port that was free; it ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    /// `host:port`
    pub(crate) address: String,
}

impl Server {
    /// Starts the server of a package that takes its port from `PORT` and prints its address first.
    pub(crate) fn start(project: &Project, package: &'static str) -> Result<Self> {
        Self::launch(build(project, package)?, package)
    }

    /// The same, optimised.
    pub(crate) fn release(project: &Project, package: &'static str) -> Result<Self> {
        Self::launch(build_release(project, package)?, package)
    }

    fn launch(program: PathBuf, package: &str) -> Result<Self> {
        let mend = format!("cargo run -p {package}, and see what it says");
        let mut command = Command::new(program);
        command.env("PORT", "0").stdout(Stdio::piped());
        let mut process = command.spawn().or_mend(package, &mend)?;
        let mut line = String::new();
        let output = process.stdout.take().or_mend(package, &mend)?;
        BufReader::new(output).read_line(&mut line).or_mend(package, &mend)?;
        let address = line.trim().split_once("://").map(|(_, address)| address.to_owned());
        // Made first, so that the process ends whatever it said.
        let server = Self { process, address: address.unwrap_or_default() };
        if server.address.is_empty() {
            return Err(Failure::new(format!("{package} said {line:?}"), &mend));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
