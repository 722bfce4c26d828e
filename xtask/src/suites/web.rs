//! The suites over WASM, the npm package and the pages.

use std::env;

use super::Length;
use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::shell::run;
use crate::wasm::{self, Compiler, Library};
use crate::{demo, system};

pub(super) fn codegen(project: &Project, _: Length) -> Result {
    crate::codegen::run(project, true)
}

pub(super) fn wasm(project: &Project, _: Length) -> Result {
    wasm::build(project)
}

pub(super) fn npm(project: &Project, length: Length) -> Result {
    crate::npm::build(project)?;
    let mut command = crate::npm::npm(&project.npm());
    run(length.tell(command.arg("test")), "mend the test named above")
}

pub(super) fn types(project: &Project, _: Length) -> Result {
    crate::npm::build(project)?;
    crate::npm::script(&project.npm(), "typecheck", "mend the types named above")
}

/// The Rust client's tests, compiled to WASM and run by Chromium.
pub(super) fn browser(project: &Project, length: Length) -> Result {
    let browser = system::browser(project)?;
    let xtask = env::current_exe().or_mend("this program's path", "run it by cargo xtask")?;
    let mut command = Compiler::choose(project)?.cargo(project, "test", Library::Std);
    // A list, because a variable would be split where the path has a space.
    let runner = format!("target.{}.runner=[{xtask:?}, \"test-runner\"]", wasm::TARGET);
    command.args(["-p", "tidewire-client", "--tests", "--config", &runner]);
    command.env("CHROMEDRIVER", browser.driver);
    run(length.tell(&mut command), "mend the test named above")
}

/// Two pages chat through the example's server, in Chromium.
pub(super) fn e2e(project: &Project, length: Length) -> Result {
    let browser = system::browser(project)?;
    demo::page(project)?;
    let web = demo::web(project);
    crate::npm::script(&web, "typecheck", "mend the types named above")?;
    let mut command = crate::npm::npm(&web);
    command.args(["run", "e2e"]).env("CHAT_SERVER", demo::server(project)?);
    command.env("CHROMIUM", browser.chromium);
    run(length.tell(&mut command), "mend the test named above")
}
