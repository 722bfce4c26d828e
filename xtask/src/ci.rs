//! What CI does, here: `.ci/run` on a clean clone of the last commit, so that nothing which is only
//! on this machine or not yet committed can make it pass.

use std::fs;
use std::process::{Command, Stdio};

use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::shell;

pub(crate) fn run(project: &Project) -> Result {
    let clone = project.target.join("ci");
    shell::announce("cloning the last commit; building it from nothing takes its time");
    if clone.exists() {
        fs::remove_dir_all(&clone).or_mend(clone.display(), "remove that folder")?;
    }
    let mut git = Command::new("git");
    git.args(["clone", "--quiet"]).arg(&project.root).arg(&clone);
    shell::run(&mut git, "install git and commit first")?;
    let mut script = Command::new("bash");
    script.arg(".ci/run").current_dir(&clone).stdin(Stdio::null()).env("CI", "true");
    // The clone has a target directory of its own, as on a machine that has never built this.
    script.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET_DIR");
    shell::run(&mut script, "mend what failed above, commit, run cargo xtask ci again")
}
