//! The chat example as a user would have it: its page installs the packed npm package, its server
//! embeds the crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::project::Project;
use crate::shell::announce;
use crate::{npm, server};

/// The package of the example's server.
pub(crate) const SERVER: &str = "tidewire-chat";

/// Builds everything, says where the chat is, and serves it until it is interrupted.
pub(crate) fn run(project: &Project) -> Result {
    page(project)?;
    let server = server::build(project, SERVER)?;
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
    crate::shell::run(program, "see what the server says")
}
