//! The numbers that are kept, and what has become of them.

use std::{env, fmt, fs, path::Path, process::Command};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/allocations/snapshot.txt");
const WRITE: &str = "TIDEWIRE_SNAPSHOT=write cargo test -p tidewire --test allocations";

/// What something allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    pub(crate) allocations: u64,
    /// Of all of them, whether they were freed or not.
    pub(crate) bytes: u64,
}

impl Cost {
    /// Of what this thread does in `work`.
    pub(crate) fn of(work: impl FnOnce()) -> Self {
        let counted = allocation_counter::measure(work);
        Self { allocations: counted.count_total, bytes: counted.bytes_total }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3} allocations, {:>6} bytes", self.allocations, self.bytes)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Snapshot(Vec<(&'static str, Cost)>);

impl Snapshot {
    pub(crate) fn add(&mut self, what: &'static str, cost: Cost) {
        self.0.push((what, cost));
    }

    /// Compares with the file, or writes it where that is asked for.
    pub(crate) fn check(&self) {
        let now = self.to_string();
        if env::var_os("TIDEWIRE_SNAPSHOT").is_some_and(|wish| wish == "write") {
            return fs::write(FILE, now).expect("the file can be written");
        }
        let kept = fs::read_to_string(Path::new(FILE)).unwrap_or_default();
        let changes = changes(&kept, &now);
        let advice = "if the change is meant, write the numbers anew and say why in the commit";
        assert!(changes.is_empty(), "allocations have changed:\n{changes}{advice}:\n  {WRITE}");
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Written by `{WRITE}`.\n# {}", compiler())?;
        self.0.iter().try_for_each(|(what, cost)| writeln!(f, "{what:<48} {cost}"))
    }
}

/// Which lines differ.
fn changes(kept: &str, now: &str) -> String {
    // The size of a future, and so of the box that it is in, is the compiler's matter.
    let bytes_count = kept.lines().nth(1) == now.lines().nth(1);
    let known = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let all = |line: &str| line.to_owned();
        let count = |line: &str| line.rsplit_once(',').map_or("", |(count, _)| count).to_owned();
        lines.map(|line| if bytes_count { all(line) } else { count(line) }).collect()
    };
    let (kept, now) = (known(kept), known(now));
    let was = kept.iter().filter(|line| !now.contains(line)).map(|line| format!("  was {line}\n"));
    let is = now.iter().filter(|line| !kept.contains(line)).map(|line| format!("  is  {line}\n"));
    was.chain(is).collect()
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc is there");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn bytes_are_compared_between_runs_of_one_compiler_only() {
    let check = |kept: (&str, &str), now: (&str, &str), expected: &str| {
        let text = |(compiler, line): (&str, &str)| format!("# head\n# {compiler}\n{line}\n");
        assert_eq!(changes(&text(kept), &text(now)), expected);
    };
    let (fewer, same, more) = ("a  9 of, 80 b", "a 10 of, 90 b", "a 10 of, 91 b");
    check(("one", same), ("one", same), "");
    check(("one", same), ("one", more), "  was a 10 of, 90 b\n  is  a 10 of, 91 b\n");
    check(("one", same), ("two", more), "");
    check(("one", fewer), ("two", more), "  was a  9 of\n  is  a 10 of\n");
}
