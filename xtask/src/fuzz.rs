//! `cargo xtask fuzz`: every fuzz target for a minute, or ten.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::shell::{announce, find, run};

const SECONDS: u32 = 60;
const LONG_SECONDS: u32 = 600;

pub(crate) fn all(project: &Project, long: bool) -> Result {
    let folder = project.root.join("server");
    let targets =
        fs::read_dir(folder.join("fuzz/fuzz_targets")).or_mend("server/fuzz", "restore it")?;
    let mut targets: Vec<String> = targets
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    targets.sort();
    if find(&["cargo-fuzz"]).is_none() && !cargo_bin().join("cargo-fuzz").is_file() {
        let mut install = Command::new("cargo");
        run(install.args(["install", "cargo-fuzz", "--locked"]), "install cargo-fuzz")?;
    }
    let seconds = if long { LONG_SECONDS } else { SECONDS };
    for target in targets {
        announce(&format!("fuzz {target} for {seconds} s"));
        let corpus = folder.join("fuzz/corpus").join(&target);
        fs::create_dir_all(&corpus).or_mend(corpus.display(), "make it writable")?;
        let mut fuzz = Command::new("cargo");
        // This task's own toolchain is in the environment of what it starts.
        fuzz.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").current_dir(&folder);
        fuzz.args(["+nightly", "fuzz", "run", &target]).arg(corpus);
        fuzz.arg(format!("fuzz/seeds/{target}"));
        fuzz.args([
            "--",
            &format!("-max_total_time={seconds}"),
            "-timeout=10",
            "-rss_limit_mb=2048",
        ]);
        run(
            &mut fuzz,
            "install a nightly toolchain; or, if it crashed, mend what the input above shows",
        )?;
    }
    Ok(())
}

fn cargo_bin() -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap_or_default().join("bin")
}
