//! The simulation's own test: cores that are broken on purpose, each of which it has to catch.
//!
//! The protocol crate is copied into a workspace of its own below the target directory, so that nothing of the checkout changes. There
//! each mutant's text becomes a choice between the sound and the broken one, by an environment variable, so that one build has them
//! all. With each in turn its simulation has to fail; with none it has to hold.

mod broken;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Length;
use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell::{cargo, read};
use broken::{MUTANTS, Mutant};

/// Worlds within which each mutant has to be caught.
const SEEDS: &str = "10000";

/// Which mutant, counted from 1, is chosen; none without it.
const CHOICE: &str = "SIM_MUTANT";

/// What the copy's crate has more than the original.
const CHOOSE: &str = r#"
extern crate std;

/// Whether this mutant was chosen.
pub(crate) fn is_mutant(number: usize) -> bool {
    static CHOSEN: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let chosen = || std::env::var("SIM_MUTANT").map_or(0, |chosen| chosen.parse().expect("a number"));
    *CHOSEN.get_or_init(chosen) == number
}
"#;

const MEND: &str = "teach the simulation (protocol/tests/sim) what this breaks";
const NAME: &str =
    "restore the text, or name what has taken its place in xtask/src/suites/mutants.rs";

pub(super) fn run(project: &Project, _: Length) -> Result {
    let folder = project.target.join("mutants");
    let copy = Copy { folder: folder.clone() };
    copy.lay_out(&project.root).or_mend(folder.display(), "make it writable, or remove it")?;
    copy.breed()?;
    copy.build()?;
    if let Some(seed) = copy.simulate(0)? {
        return Err(Failure::new(
            format!("the simulation fails on sound cores, at seed {seed}"),
            format!("SIM_SEED={seed} cargo test -p tidewire-protocol --test sim"),
        ));
    }
    let mut result = Ok(());
    for (mutant, number) in MUTANTS.iter().zip(1..) {
        let caught = copy.simulate(number).and_then(|seed| {
            seed.ok_or_else(|| Failure::new(format!("{SEEDS} seeds do not show it"), MEND))
        });
        match &caught {
            Ok(seed) => println!("  caught by seed {seed:>4}: {}", mutant.name),
            Err(failure) => println!("  NOT CAUGHT: {}: {}", mutant.name, failure.what),
        }
        result = result.and(caught.map(|_| ()));
    }
    result
}

/// A workspace of the protocol crate alone.
struct Copy {
    folder: PathBuf,
}

impl Copy {
    fn lay_out(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let protocol = self.folder.join("protocol");
        if protocol.exists() {
            fs::remove_dir_all(&protocol)?;
        }
        copy_folder(&root.join("protocol"), &protocol)?;
        fs::copy(root.join("Cargo.lock"), self.folder.join("Cargo.lock"))?;
        let manifest = alone(&fs::read_to_string(root.join("Cargo.toml"))?);
        fs::write(self.folder.join("Cargo.toml"), manifest)
    }

    /// Puts all mutants into the copy.
    fn breed(&self) -> Result {
        let sources = self.folder.join("protocol/src");
        let files: BTreeSet<_> = MUTANTS.iter().map(|mutant| mutant.file).collect();
        let mut texts = BTreeMap::new();
        for file in files {
            let path = sources.join(file);
            texts.insert(file, fs::read_to_string(&path).or_mend(path.display(), NAME)?);
        }
        for mutant in MUTANTS {
            let text = &texts[mutant.file];
            let times = text.matches(&mutant.context()).count();
            if times != 1 {
                let what = format!("`{}` stands {times} times in {}", mutant.sound, mutant.file);
                return Err(Failure::new(what, NAME));
            }
        }
        for (file, text) in texts {
            let path = sources.join(file);
            fs::write(&path, with_choices(file, text))
                .or_mend(path.display(), "make it writable")?;
        }
        let root = sources.join("lib.rs");
        let text = fs::read_to_string(&root).or_mend(root.display(), NAME)? + CHOOSE;
        fs::write(&root, text).or_mend(root.display(), "make it writable")
    }

    fn build(&self) -> Result {
        read(self.simulation().arg("--no-run"), "mend what the compiler names").map(|_| ())
    }

    /// The first seed that fails with a mutant, if one does.
    fn simulate(&self, mutant: usize) -> Result<Option<u64>> {
        let mut command = self.simulation();
        command.args(["no_seed_breaks", "--", "--nocapture"]).env(CHOICE, mutant.to_string());
        command.env("SIM_SEEDS", SEEDS).env("SIM_WHOLE", "1").env("RUST_BACKTRACE", "0");
        let output = command.output().or_mend("the simulation did not start", MEND)?;
        if output.status.success() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let seed = said.split("SIM_SEED=").nth(1).and_then(|rest| rest.split(' ').next());
        seed.and_then(|seed| seed.parse().ok()).map(Some).ok_or_else(|| {
            Failure::new(format!("the simulation ended without a seed:\n{said}"), MEND)
        })
    }

    fn simulation(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.folder).arg("test").arg("--target-dir");
        command.arg(self.folder.join("target"));
        command.args(["--package", "tidewire-protocol", "--no-default-features", "--test", "sim"]);
        command
    }
}

impl Mutant {
    /// The text as it stands in the file.
    fn context(&self) -> String {
        self.sound.replace('`', "")
    }

    /// What comes before what is replaced, that, and what comes after.
    fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.sound.splitn(3, '`');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(sound), Some(after)) => (before, sound, after),
            _ => ("", self.sound, ""),
        }
    }
}

/// A file's text in which each of its mutants can be chosen. Mutants of one text are alternatives.
fn with_choices(file: &str, mut text: String) -> String {
    let mut alternatives: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    for (mutant, number) in MUTANTS.iter().zip(1..).filter(|(mutant, _)| mutant.file == file) {
        alternatives.entry(mutant.sound).or_default().push((number, mutant));
    }
    for mutants in alternatives.values() {
        let (before, sound, after) = mutants[0].1.parts();
        let choices: String = mutants
            .iter()
            .map(|(number, Mutant { broken, .. })| {
                format!("if crate::is_mutant({number}) {{ {broken} }} else ")
            })
            .collect();
        let choice = format!("{choices}{{ {sound} }}");
        let choice = if sound.ends_with(';') { choice } else { format!("({choice})") };
        text = text.replace(&mutants[0].1.context(), &format!("{before}{choice}{after}"));
    }
    text
}

/// The workspace's manifest with the protocol crate as its only member.
fn alone(manifest: &str) -> String {
    let mut lines = Vec::new();
    let mut skips = false;
    for line in manifest.lines() {
        match line {
            "members = [" => {
                lines.push(r#"members = ["protocol"]"#);
                skips = true;
            }
            "]" if skips => skips = false,
            _ if skips || line.starts_with("default-members") => {}
            _ => lines.push(line),
        }
    }
    lines.join("\n")
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_one_member() {
        let manifest =
            "[workspace]\nmembers = [\n    \"a\",\n]\n# why\ndefault-members = [\"a\"]\n\n[x]";
        assert_eq!(alone(manifest), "[workspace]\nmembers = [\"protocol\"]\n# why\n\n[x]");
    }

    #[test]
    fn every_mutant_fits_its_file() {
        let project = Project::open().unwrap();
        for mutant in MUTANTS {
            let file = project.root.join("protocol/src").join(mutant.file);
            let text = fs::read_to_string(file).unwrap();
            assert_eq!(text.matches(&mutant.context()).count(), 1, "{}", mutant.name);
            assert_ne!(mutant.parts().1, mutant.broken);
        }
    }

    #[test]
    fn mutants_of_one_text_are_alternatives() {
        let text = with_choices("delivery/mod.rs", "x { self.position >= head }".into());
        assert_eq!(text.matches("crate::is_mutant").count(), 2);
        assert!(text.ends_with("else { self.position >= head }) }"), "{text}");
        let text = with_choices("delivery/mod.rs", "x { self.position = last; }".into());
        assert!(text.ends_with("{  } else { self.position = last; } }"), "{text}");
    }
}
