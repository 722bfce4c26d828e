//! Running other programs: the command line is shown before it runs, its output passes through
//! untouched (closing lines of test runners included), and its failure names the mend.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, OrMend, Result};

/// Says what begins now; everything that may take more than a second is announced.
pub(crate) fn announce(what: &str) {
    println!("==> {what}");
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` with its output shown; anything but success is a failure.
pub(crate) fn run(command: &mut Command, mend: &str) -> Result {
    let line = line(command);
    println!("  $ {line}");
    let status = command.status().or_mend(format!("`{line}` did not start"), mend)?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}`: {status}"), mend)) }
}

/// Runs `command` silently and returns what it printed.
pub(crate) fn read(command: &mut Command, mend: &str) -> Result<String> {
    let line = line(command);
    let output =
        command.stdin(Stdio::null()).output().or_mend(format!("`{line}` did not start"), mend)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("`{line}`: {}\n{}", output.status, said.trim()), mend));
    }
    String::from_utf8(output.stdout).or_mend(format!("`{line}` printed no UTF-8"), mend)
}

/// The first of `programs` that PATH has.
pub(crate) fn find(programs: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    programs
        .iter()
        .flat_map(|program| env::split_paths(&path).map(move |folder| folder.join(program)))
        .find(|file| file.is_file())
}

/// The command as one could type it.
fn line(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(folder) = command.get_current_dir() {
        words.push(format!("cd {} &&", folder.display()));
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!("{}={}", name.display(), quoted(&value.to_string_lossy())));
        }
    }
    let program = Path::new(command.get_program());
    let short = program.file_name().filter(|name| *name == "cargo").unwrap_or(program.as_os_str());
    words.push(short.to_string_lossy().into_owned());
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '"', '$', '*', ';', '&']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_names_the_mend() {
        let failure = run(Command::new("false").arg("a b"), "do not run it").unwrap_err();
        assert_eq!(failure.to_string(), "`false 'a b'`: exit status: 1\n  mend: do not run it");
    }

    #[test]
    fn a_command_that_is_not_there_names_the_mend() {
        let failure = read(&mut Command::new("no-such-program"), "install it").unwrap_err();
        assert!(failure.what.starts_with("`no-such-program` did not start: "), "{}", failure.what);
        assert_eq!(failure.mend, "install it");
    }

    #[test]
    fn the_line_shows_folder_and_environment() {
        let mut command = Command::new("/opt/bin/cargo");
        command.args(["test", "-p", "x"]).env("RUSTDOCFLAGS", "-D warnings").current_dir("/tmp");
        assert_eq!(line(&command), "cd /tmp && RUSTDOCFLAGS='-D warnings' cargo test -p x");
    }
}
