//! The chat example as a user would have it: its page installs the packed npm package, its server
//! embeds the crate.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, OrMend, Result};
use crate::npm;
use crate::project::Project;
use crate::shell::{self, announce, cargo};

/// Builds everything, says where the chat is, and serves it until it is interrupted.
pub(crate) fn run(project: &Project) -> Result {
    page(project)?;
    let server = server(project)?;
    announce("serving the chat; Ctrl-C stops it");
    become_program(&mut Command::new(server))
}

/// Builds the page into `examples/chat/web/dist`.
pub(crate) fn page(project: &Project) -> Result {
    project.once("chat page", || {
        let web = web(project);
        npm::install_packed(project, &web)?;
        announce("building the chat page");
        npm::script(&web, "build", "mend what it names in examples/chat/web/src")
    })
}

/// Builds the server and returns its path.
pub(crate) fn server(project: &Project) -> Result<PathBuf> {
    project.once("chat server", || {
        announce("building the chat server (cold: a minute)");
        let mut build = cargo();
        build.args(["build", "-p", "tidewire-chat"]);
        shell::run(&mut build, "mend what the compiler names")
    })?;
    let name = format!("tidewire-chat{}", std::env::consts::EXE_SUFFIX);
    Ok(project.target.join("debug").join(name))
}

/// A chat server of its own for a suite, on a port that was free; it ends with this value.
#[derive(Debug)]
pub(crate) struct Chat {
    process: Child,
    /// `host:port`
    pub(crate) address: String,
}

impl Chat {
    pub(crate) fn start(project: &Project) -> Result<Self> {
        let mend = "cargo run -p tidewire-chat, and see what it says";
        let mut command = Command::new(server(project)?);
        command.env("PORT", "0").stdout(Stdio::piped());
        let mut process = command.spawn().or_mend("the chat server", mend)?;
        let mut line = String::new();
        let output = process.stdout.take().or_mend("the chat server's output", mend)?;
        BufReader::new(output).read_line(&mut line).or_mend("the chat server's address", mend)?;
        let address = line.trim().split_once("http://").map(|(_, address)| address.to_owned());
        // Made first, so that the process ends whatever it said.
        let chat = Self { process, address: address.unwrap_or_default() };
        if chat.address.is_empty() {
            return Err(Failure::new(format!("the chat server said {line:?}"), mend));
        }
        Ok(chat)
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn web(project: &Project) -> PathBuf {
    project.root.join("examples/chat/web")
}

/// Goes on as `program`, so that what stops one stops the other.
#[cfg(unix)]
fn become_program(program: &mut Command) -> Result {
    use std::os::unix::process::CommandExt;
    let name = Path::new(program.get_program()).to_owned();
    let error = program.exec();
    Err(Failure::new(format!("{}: {error}", name.display()), "cargo build -p tidewire-chat"))
}

#[cfg(not(unix))]
fn become_program(program: &mut Command) -> Result {
    shell::run(program, "see what the server says")
}
