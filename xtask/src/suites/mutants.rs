//! The simulation's own test: cores that are broken on purpose, each of which it has to catch.
//!
//! The protocol crate is copied into a workspace of its own below the target directory, so that nothing of the checkout changes, and
//! one core after the other is broken there by one replacement of text. Its simulation then has to fail; unbroken it has to hold.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Length;
use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell::{cargo, read};

/// A core that is broken by replacing one text, which stands in its file once.
struct Mutant {
    name: &'static str,
    /// Below `protocol/src`.
    file: &'static str,
    sound: &'static str,
    broken: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a history that has lost an event passes for whole",
        file: "topic/mod.rs",
        sound: "is_some_and(|entry| entry.prev == offset)",
        broken: "is_some_and(|entry| entry.prev <= offset + 1)",
    },
    Mutant {
        name: "a history that is just whole passes for lost",
        file: "topic/mod.rs",
        sound: "self.entries.partition_point(|entry| entry.offset <= offset)",
        broken: "self.entries.partition_point(|entry| entry.offset <= offset + 1)",
    },
    Mutant {
        name: "the server does not compare epochs",
        file: "topic/mod.rs",
        sound: "if epoch == self.epoch.as_str() && self.reaches(offset)",
        broken: "if self.reaches(offset)",
    },
    Mutant {
        name: "the client does not compare epochs",
        file: "client/subscription.rs",
        sound: "frame.epoch == self.epoch && frame.offset <= self.offset",
        broken: "frame.offset <= self.offset",
    },
    Mutant {
        name: "a cursor is live one event early",
        file: "delivery/mod.rs",
        sound: "if self.position >= head {",
        broken: "if self.position + 1 >= head {",
    },
    Mutant {
        name: "a position is not moved by what is sent",
        file: "delivery/mod.rs",
        sound: "self.position = last;",
        broken: "",
    },
    Mutant {
        name: "a batch repeats the last event that a subscriber has",
        file: "delivery/mod.rs",
        sound: "offsets.partition_point(|&offset| offset <= self.position)",
        broken: "offsets.partition_point(|&offset| offset < self.position)",
    },
    Mutant {
        name: "an answer sets the client's position back",
        file: "client/subscription.rs",
        sound: "frame.epoch == self.epoch && frame.offset <= self.offset",
        broken: "frame.epoch == self.epoch && frame.offset == self.offset",
    },
    Mutant {
        name: "the client takes an event whose prev is another",
        file: "client/mod.rs",
        sound: "&& prev == s.offset",
        broken: "",
    },
    Mutant {
        name: "the window of message ids forgets a scope's first",
        file: "topic/mids.rs",
        sound: "within.offsets.insert(Arc::clone(&name), offset);",
        broken: "if !within.order.is_empty() { within.offsets.insert(Arc::clone(&name), offset); }",
    },
    Mutant {
        name: "a publish is sent again without its epoch",
        file: "client/requests.rs",
        sound: "epoch: again.then_some(epoch)",
        broken: "epoch: (again && false).then_some(epoch)",
    },
    Mutant {
        name: "the client forgets what a gap has waived",
        file: "client/topics.rs",
        sound: "subscription.waived = subscription.waived.max(to);",
        broken: "",
    },
    Mutant {
        name: "what was dropped is not told",
        file: "topic/cursor.rs",
        sound: "(begins > after).then_some(Missing::Dropped)",
        broken: "(begins > self.head()).then_some(Missing::Dropped)",
    },
    Mutant {
        name: "a gap reaches one event too far",
        file: "delivery/mod.rs",
        sound: "(Missing::Dropped, Some((begins, _))) => begins,",
        broken: "(Missing::Dropped, Some((begins, _))) => begins + 1,",
    },
    Mutant {
        name: "conflation loses removals",
        file: "topic/cursor.rs",
        sound: "let entries = first(state.after(after), most);",
        broken: "let entries = first(state.current().filter(|entry| entry.offset > after), most);",
    },
    Mutant {
        name: "a reader that lags is never live again",
        file: "delivery/mod.rs",
        sound: "if self.position >= head {",
        broken: "if self.position > head {",
    },
    Mutant {
        name: "a session's frames do not wait for its hook",
        file: "session/mod.rs",
        sound: "self.greeting || self.hook.is_set()",
        broken: "self.greeting",
    },
];

/// Worlds within which each mutant has to be caught.
const SEEDS: &str = "5000";

const MEND: &str = "teach the simulation (protocol/tests/sim) what this breaks";

pub(super) fn run(project: &Project, _: Length) -> Result {
    let folder = project.target.join("mutants");
    let copy = Copy { folder: folder.clone() };
    copy.lay_out(&project.root).or_mend(folder.display(), "make it writable, or remove it")?;
    copy.build()?;
    if let Some(seed) = copy.simulate()? {
        return Err(Failure::new(
            format!("the simulation fails on sound cores, at seed {seed}"),
            format!("SIM_SEED={seed} cargo test -p tidewire-protocol --test sim"),
        ));
    }
    let mut result = Ok(());
    for mutant in MUTANTS {
        let caught = copy.catch(mutant);
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

    /// Breaks a core, lets the simulation look for it, and mends it; gives the seed that has caught it.
    fn catch(&self, mutant: &Mutant) -> Result<u64> {
        let file = self.folder.join("protocol/src").join(mutant.file);
        let mend =
            "restore the text, or name what has taken its place in xtask/src/suites/mutants.rs";
        let sound = fs::read_to_string(&file).or_mend(file.display(), mend)?;
        let times = sound.matches(mutant.sound).count();
        if times != 1 {
            let what = format!("`{}` stands {times} times in {}", mutant.sound, mutant.file);
            return Err(Failure::new(what, mend));
        }
        let write = |text: &str| fs::write(&file, text).or_mend(file.display(), "make it writable");
        write(&sound.replace(mutant.sound, mutant.broken))?;
        let caught = self.build().and_then(|()| self.simulate());
        write(&sound)?;
        caught?.ok_or_else(|| {
            Failure::new(format!("{}: {SEEDS} seeds do not show it", mutant.name), MEND)
        })
    }

    fn build(&self) -> Result {
        read(self.simulation().arg("--no-run"), "mend what the compiler names").map(|_| ())
    }

    /// The first seed that fails, if one does.
    fn simulate(&self) -> Result<Option<u64>> {
        let mut command = self.simulation();
        command.args(["no_seed_breaks", "--", "--nocapture"]);
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
        for Mutant { name, file, sound, broken } in MUTANTS {
            let text = fs::read_to_string(project.root.join("protocol/src").join(file)).unwrap();
            assert_eq!(text.matches(sound).count(), 1, "{name}");
            assert_ne!(sound, broken);
        }
    }
}
