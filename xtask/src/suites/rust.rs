//! The suites over the Rust crates.
//!
//! xtask is tested apart from the rest: together, cargo would unify its dependencies' features with
//! the libraries', and compile what both use a second time, under features that no user has.

use std::process::Command;
use std::time::UNIX_EPOCH;

use super::Length;
use crate::failure::Result;
use crate::npm;
use crate::project::{Package, Project};
use crate::shell::{cargo, run};

const LIBRARIES: [&str; 3] = ["--workspace", "--exclude", "xtask"];

pub(super) fn fmt(_: &Project, _: Length) -> Result {
    run(cargo().args(["fmt", "--all", "--check"]), "cargo fmt --all")
}

pub(super) fn clippy(_: &Project, _: Length) -> Result {
    let mend = "mend what clippy names; #[expect(.., reason = \"..\")] where it is wrong";
    let mut libraries = cargo();
    libraries.arg("clippy").args(LIBRARIES).args(["--all-features", "--all-targets"]);
    run(deny_warnings(&mut libraries), mend)?;
    let mut xtask = cargo();
    xtask.args(["clippy", "-p", "xtask", "--all-targets"]);
    run(deny_warnings(&mut xtask), mend)
}

pub(super) fn tests(_: &Project, length: Length) -> Result {
    let mend = "mend the test named above; cargo test -p CRATE NAME runs it alone";
    let mut libraries = cargo();
    libraries.arg("test").args(LIBRARIES).args(["--all-features", "--lib", "--bins", "--tests"]);
    // One broken crate hides no other.
    libraries.arg("--no-fail-fast");
    let libraries = run(length.tell(&mut libraries), mend);
    libraries.and(run(cargo().args(["test", "-p", "xtask"]), mend))
}

/// Apart from the other tests, which would be slowed down by it, and it by them.
pub(super) fn storm(_: &Project, length: Length) -> Result {
    let mut command = cargo();
    command.args(["test", "-p", "tidewire-client", "--all-features", "--test", "storm"]);
    run(length.tell(&mut command), "mend what it names; STORM_SEED repeats the run's plan")
}

pub(super) fn doctests(_: &Project, length: Length) -> Result {
    let mut command = cargo();
    command.arg("test").args(LIBRARIES).args(["--all-features", "--doc", "--no-fail-fast"]);
    run(length.tell(&mut command), "mend the example named above")
}

pub(super) fn docs(_: &Project, _: Length) -> Result {
    let mut command = cargo();
    command.arg("doc").args(LIBRARIES).args(["--all-features", "--no-deps"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"), "mend the documentation named above")
}

/// Each published crate with no feature, with each one alone, and with all.
pub(super) fn features(project: &Project, _: Length) -> Result {
    let mut result = Ok(());
    for package in published(project) {
        for features in combinations(package) {
            let mut command = cargo();
            command.args(["clippy", "-p", &package.name, "--lib"]).args(features);
            let mend = "gate what it names, at its `mod` line";
            result = result.and(run(deny_warnings(&mut command), mend));
        }
    }
    result
}

/// Packs every published crate, builds it from what was packed alone, and packs the npm package.
pub(super) fn package(project: &Project, _: Length) -> Result {
    // A folder that never was: cargo takes a crate of the same version and place for the one that it unpacked and built before,
    // whatever has changed in it.
    let moment = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    let folder = project.target.join(format!("package-{moment}"));
    let mut command = cargo();
    // Packing a checkout with uncommitted work is what a contributor does before committing it.
    command.args(["package", "--allow-dirty"]).arg("--target-dir").arg(&folder);
    command.args(published(project).flat_map(|package| ["-p", &package.name]));
    let packed = run(&mut command, "mend the manifest that it names");
    // What cannot be removed is only in the way of disk space.
    let _ = std::fs::remove_dir_all(&folder);
    packed?;
    npm::pack(project).map(|_| ())
}

fn published(project: &Project) -> impl Iterator<Item = &Package> {
    project.packages.iter().filter(|package| package.published)
}

fn combinations(package: &Package) -> Vec<Vec<String>> {
    let none = vec!["--no-default-features".to_owned()];
    let alone = package.features.iter().map(|feature| {
        let mut arguments = none.clone();
        arguments.extend(["--features".to_owned(), feature.clone()]);
        arguments
    });
    let all = vec!["--all-features".to_owned()];
    [none.clone()].into_iter().chain(alone).chain([all]).collect()
}

/// Warnings of our own crates are failures; through clippy's arguments, because RUSTFLAGS would
/// compile every dependency again.
fn deny_warnings(command: &mut Command) -> &mut Command {
    command.args(["--", "-D", "warnings"])
}
