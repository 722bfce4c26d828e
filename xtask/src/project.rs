//! Where things are in the checkout, and which slow steps this run has already done.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::{Failure, OrMend, Result};
use crate::shell;

/// The checkout as cargo sees it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// Cargo's target directory, wherever the contributor has put it.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    done: RefCell<BTreeMap<&'static str, Result>>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) features: Vec<String>,
    /// What it links: dev- and build-dependencies are left out.
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) published: bool,
}

/// A crate that another links.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The `cfg(..)` of the platforms it is for, if not for all.
    pub(crate) target: Option<String>,
}

impl Project {
    pub(crate) fn open() -> Result<Self> {
        let mend = "run `cargo metadata` and mend the manifest that it names";
        let text = shell::read(
            shell::cargo().args(["metadata", "--no-deps", "--format-version", "1"]),
            mend,
        )?;
        let metadata: Value = serde_json::from_str(&text).or_mend("cargo metadata", mend)?;
        let path = |field: &str| PathBuf::from(metadata[field].as_str().unwrap_or_default());
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Self {
            root: path("workspace_root"),
            target: path("target_directory"),
            packages: packages.iter().map(Package::read).collect(),
            done: RefCell::default(),
        })
    }

    pub(crate) fn npm(&self) -> PathBuf {
        self.root.join("npm")
    }

    /// Does a step that several tasks need, the first time only. Where it failed, whoever needs it
    /// fails too, without doing it again.
    pub(crate) fn once(&self, step: &'static str, run: impl FnOnce() -> Result) -> Result {
        if let Some(done) = self.done.borrow().get(step) {
            return done.clone().map_err(|failure| {
                Failure::new(format!("needs the step `{step}`, which failed above"), failure.mend)
            });
        }
        let result = run();
        self.done.borrow_mut().insert(step, result.clone());
        result
    }
}

impl Package {
    fn read(package: &Value) -> Self {
        let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
        let dependencies =
            package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            name: text("name"),
            version: text("version"),
            features: package["features"]
                .as_object()
                .map(|features| features.keys().cloned().collect())
                .unwrap_or_default(),
            dependencies: dependencies
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| Dependency {
                    name: dependency["name"].as_str().unwrap_or_default().to_owned(),
                    target: dependency["target"].as_str().map(str::to_owned),
                })
                .collect(),
            // Null means "anywhere", an empty list means `publish = false`.
            published: package["publish"].as_array().is_none_or(|to| !to.is_empty()),
        }
    }
}

#[cfg(test)]
impl Package {
    pub(crate) fn named(name: &str) -> Self {
        Self::read(&serde_json::json!({ "name": name }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_knows_its_crates() {
        let project = Project::open().unwrap();
        let package = |name: &str| project.packages.iter().find(|p| p.name == name).unwrap();
        assert!(package("tidewire").published);
        assert!(!package("xtask").published);
        let links = |name: &str| package("tidewire").dependencies.iter().any(|d| d.name == name);
        assert!(links("tidewire-protocol"));
        assert!(!links("proptest"), "a dev-dependency is not linked");
        assert!(project.root.join("xtask/Cargo.toml").is_file());
    }

    #[test]
    fn a_step_is_done_once_and_its_failure_is_remembered() {
        let project = Project::open().unwrap();
        let mut runs = 0;
        for _ in 0..2 {
            project
                .once("good", || {
                    runs += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(runs, 1);
        let fail = || Err(Failure::new("broken", "mend it"));
        assert_eq!(project.once("bad", fail).unwrap_err().what, "broken");
        let again = project.once("bad", || unreachable!("it ran already")).unwrap_err();
        assert_eq!(again.what, "needs the step `bad`, which failed above");
        assert_eq!(again.mend, "mend it");
    }
}
