//! npm: installing what a lock file names, running scripts, packing the package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::{shell, wasm};

/// Installs what `folder`'s lock file names, if that has not happened since the file changed.
pub(crate) fn install(folder: &Path) -> Result {
    install_with(folder, None)
}

/// As [`install`], and again when `tarball`, which the lock file names by its path, is newer.
fn install_with(folder: &Path, tarball: Option<&Path>) -> Result {
    let lock = folder.join("package-lock.json");
    // npm writes this file last.
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    let wanted = modified(&lock).max(tarball.and_then(modified));
    if installed.is_some() && installed >= wanted {
        return Ok(());
    }
    shell::announce(&format!("installing the npm packages of {}", folder.display()));
    let mend = "install Node 20 or newer with its npm; if a lock file is stale: npm install there";
    shell::run(npm(folder).args(["ci", "--no-audit", "--no-fund"]), mend)
}

/// Runs a script of `folder`'s package.json.
pub(crate) fn script(folder: &Path, name: &str, mend: &str) -> Result {
    shell::run(npm(folder).args(["run", name]), mend)
}

/// Builds the package `tidewire`: the WASM core, then the TypeScript around it.
pub(crate) fn build(project: &Project) -> Result {
    project.once("npm build", || {
        wasm::build(project)?;
        install(&project.npm())?;
        shell::announce("building the npm package");
        script(&project.npm(), "build", "mend what it names in npm/src")
    })
}

/// Packs the package as the registry would get it. The path is that by which the examples depend on
/// it; the file changes only when its content does.
pub(crate) fn pack(project: &Project) -> Result<PathBuf> {
    let folder = project.root.join("target/npm");
    let tarball = folder.join("tidewire.tgz");
    project.once("npm pack", || {
        build(project)?;
        shell::announce("packing the npm package");
        let mend = "mend `files` and the scripts of npm/package.json";
        fs::create_dir_all(&folder).or_mend(folder.display(), "make target/npm writable")?;
        let mut pack = npm(&project.npm());
        pack.args(["pack", "--silent", "--pack-destination"]).arg(&folder);
        let packed = folder.join(shell::read(&mut pack, mend)?.trim());
        let fresh = fs::read(&packed).or_mend(packed.display(), mend)?;
        if fs::read(&tarball).is_ok_and(|old| old == fresh) {
            return fs::remove_file(&packed).or_mend(packed.display(), "make it writable");
        }
        fs::rename(&packed, &tarball).or_mend(tarball.display(), "make it writable")
    })?;
    Ok(tarball)
}

/// Installs in `folder` what its lock file names, and the packed package with it.
pub(crate) fn install_packed(project: &Project, folder: &Path) -> Result {
    let tarball = pack(project)?;
    install_with(folder, Some(&tarball))
}

/// How large what a page loads is, beside the packages of peers, which `xtask/size` pins.
pub(crate) fn size(project: &Project) -> Result {
    let tarball = pack(project)?;
    let folder = project.root.join("xtask/size");
    install(&folder)?;
    let mut add = npm(&folder);
    add.args(["install", "--no-save", "--no-audit", "--no-fund"]).arg(tarball);
    shell::run(&mut add, "cd xtask/size && npm ci")?;
    let mut measure = Command::new("node");
    measure.arg("tests/size.mjs").arg("--peers").arg(&folder).current_dir(project.npm());
    shell::run(&mut measure, "make what it names smaller; a larger budget is a decision")
}

pub(crate) fn npm(folder: &Path) -> Command {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(folder);
    npm
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).ok()
}
