//! The npm package: how many messages a second reach a handler, beside a WebSocket and `JSON.parse` written by hand, in Chromium
//! and in Node. `npm/bench` does it.

use std::fs;
use std::process::Command;

use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::{npm, shell, system};

/// Fewer rounds, for a look; their results are not kept.
const QUICK_ROUNDS: usize = 3;
/// Its medians of a ratio hold on a machine that does something else too.
const ROUNDS: usize = 25;

pub(super) fn run(project: &Project, quick: bool) -> Result {
    npm::build(project)?;
    let browser = system::browser(project)?;
    let folder = if quick { project.target.join("bench") } else { project.root.join("docs/bench") };
    fs::create_dir_all(&folder).or_mend(folder.display(), "make it writable")?;
    shell::announce("measuring the npm package (minutes)");
    let mut command = Command::new("node");
    // Node 20 has a WebSocket by this flag only; later ones take it too.
    command.args(["--experimental-websocket", "bench/rate.mjs"]).current_dir(project.npm());
    command.env("CHROMIUM", browser.chromium).env("RESULTS", folder.join("client"));
    command.env("ROUNDS", (if quick { QUICK_ROUNDS } else { ROUNDS }).to_string());
    shell::run(&mut command, "on a quiet machine, look at the hot path of npm/src/driver.ts")
}
