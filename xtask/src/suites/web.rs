//! The suites over WASM, the npm package and the pages.

use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

use super::Length;
use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::server::Server;
use crate::shell::run;
use crate::wasm::{self, Compiler, Library, Profile};
use crate::{demo, leptos, npm, packaging, server, system};

pub(super) fn codegen(project: &Project, _: Length) -> Result {
    crate::codegen::run(project, true)
}

pub(super) fn wasm(project: &Project, _: Length) -> Result {
    wasm::build(project)
}

pub(super) fn npm_tests(project: &Project, length: Length) -> Result {
    npm::build(project)?;
    for core in ["wasm", "js"] {
        let mut command = npm::npm(&project.npm());
        command.arg("test").env("TIDEWIRE_CORE", core);
        run(length.tell(&mut command), "mend the test named above")?;
    }
    npm::script(&project.npm(), "size", "make what it names smaller; a larger budget is a decision")
}

pub(super) fn types(project: &Project, _: Length) -> Result {
    npm::build(project)?;
    npm::script(&project.npm(), "typecheck", "mend the types named above")
}

/// The Rust client's tests, compiled to WASM and run by Chromium, against a server of their own.
pub(super) fn browser(project: &Project, length: Length) -> Result {
    let browser = system::browser(project)?;
    let xtask = env::current_exe().or_mend("this program's path", "run it by cargo xtask")?;
    let mut command = Compiler::choose(project)?.cargo(project, "test", Library::Std);
    // A list, because a variable would be split where the path has a space.
    let runner = format!("target.{}.runner=[{xtask:?}, \"test-runner\"]", wasm::TARGET);
    command.args(["-p", "tidewire-client", "--tests", "--config", &runner]);
    command.env("CHROMEDRIVER", browser.driver);
    let server = Server::start(project, "tidewire-client-test-server")?;
    command.env("TIDEWIRE_TEST_SERVER", format!("ws://{}/ws", server.address));
    run(length.tell(&mut command), "mend the test named above")
}

/// A fresh project installs the tarball, compiles against its types and chats in Node.
pub(super) fn packed(project: &Project, length: Length) -> Result {
    let tarball = npm::pack(project)?;
    let folder = project.root.join("target/packed");
    fresh_project(project, &folder).or_mend(folder.display(), "make it writable, or remove it")?;
    let mend = "mend the npm package: this is what its users would see";
    let mut install = npm::npm(&folder);
    run(install.args(["install", "--no-audit", "--no-fund"]).arg(tarball), mend)?;
    run(npm::npm(&folder).args(["exec", "--", "tsc"]), mend)?;
    let chat = Server::start(project, demo::CHAT.server)?;
    let mut node = Command::new("node");
    node.args(["--test", "use.test.js"]).current_dir(&folder);
    node.env("CHAT_URL", format!("ws://{}/ws", chat.address));
    run(length.tell(&mut node), mend)
}

/// The tarball before those who judge packages, and in those fresh projects that take seconds.
pub(super) fn projects(project: &Project, _: Length) -> Result {
    packaging::judge(project)?;
    packaging::run(project, &packaging::Kinds::Quick)
}

/// Lays out the project anew, as one that has never seen the package.
fn fresh_project(project: &Project, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let sources = ["package.json", "tsconfig.json", "use.test.ts"];
    for name in sources {
        fs::copy(project.root.join("xtask/packed").join(name), folder.join(name))?;
    }
    let schema = "chat.schema.ts";
    fs::copy(demo::web(project, &demo::CHAT).join("src").join(schema), folder.join(schema))
        .map(|_| ())
}

/// The examples' pages in Chromium, each with its server.
pub(super) fn e2e(project: &Project, length: Length) -> Result {
    let browser = system::browser(project)?;
    leptos::page(project, Profile::Dev)?;
    for example in demo::EXAMPLES {
        demo::page(project, example)?;
        let web = demo::web(project, example);
        npm::script(&web, "typecheck", "mend the types named above")?;
        let mut command = npm::npm(&web);
        command.args(["run", "e2e"]).env("CHROMIUM", &browser.chromium);
        command.env(example.variable, server::build(project, example.server)?);
        command.env(leptos::VARIABLE, leptos::folder(project));
        run(length.tell(&mut command), "mend the test named above")?;
    }
    Ok(())
}
