//! The packed npm package in fresh projects of every kind that people have, and before the tools that judge packages.
//!
//! The projects are in `xtask/packaging`: what each is made of in `kinds.mjs`, building and running them in `run.mjs`.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Result;
use crate::project::Project;
use crate::{demo, npm, server, shell, system};

const MEND: &str = "mend the npm package: this is what its users would see";

/// Which projects are built and run.
#[derive(Debug)]
pub(crate) enum Kinds {
    /// Those that take seconds.
    Quick,
    All,
    Named(Vec<String>),
}

/// Builds and runs the projects.
pub(crate) fn run(project: &Project, kinds: &Kinds) -> Result {
    let tools = folder(project);
    npm::install(&tools)?;
    let tarball = npm::pack(project)?;
    let browser = system::browser(project)?;
    let chat = server::build(project, demo::CHAT.server)?;
    shell::announce("fresh projects with the packed package");
    let mut command = Command::new("node");
    command.arg("run.mjs").current_dir(tools);
    match kinds {
        Kinds::Quick => drop(command.arg("--quick")),
        Kinds::All => {}
        Kinds::Named(names) => drop(command.args(names)),
    }
    command.env("TARBALL", tarball).env("CHROMIUM", browser.chromium).env("CHAT_SERVER", chat);
    command.env("CHAT_SCHEMA", demo::web(project, &demo::CHAT).join("src/chat.schema.ts"));
    command.env("FOLDER", project.root.join("target/packaging"));
    shell::run(&mut command, MEND)
}

/// Has the tarball judged: whether what `exports` names is there and is what it says, for every way of resolving types;
/// and whether the oldest browsers have what it uses.
pub(crate) fn judge(project: &Project) -> Result {
    let tools = folder(project);
    npm::install(&tools)?;
    let tarball = npm::pack(project)?;
    let program = |name: &str| Command::new(tools.join("node_modules/.bin").join(name));
    shell::run(program("publint").arg(&tarball).arg("--strict"), MEND)?;
    // The package is ESM and says so; `core.wasm` has no types.
    let rules = ["--profile", "esm-only", "--exclude-entrypoints", "core.wasm", "--no-emoji"];
    shell::run(program("attw").arg(&tarball).args(rules), MEND)?;
    let mut browsers = Command::new("node");
    browsers.arg("browsers.mjs").arg(project.npm().join("dist")).current_dir(&tools);
    shell::run(&mut browsers, "use what the oldest browsers have, or guard it and say so there")
}

fn folder(project: &Project) -> PathBuf {
    project.root.join("xtask/packaging")
}
