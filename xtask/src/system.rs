//! Programs of the operating system that tasks need: Chromium, and Debian's WASM compiler.
//!
//! They are installed only where this runs as root on Debian's kind (a container, CI). Anywhere
//! else nothing is touched: the failure's one line says what to install.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::shell;

/// Where this runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    /// Debian's kind, as root: packages may be installed.
    DebianRoot,
    /// Debian's kind: packages can be named.
    Debian,
    Other,
}

/// A browser and the driver that belongs to it.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Chromium with its driver: `CHROMIUM` and `CHROMEDRIVER` where set, else those of PATH.
pub(crate) fn browser(project: &Project) -> Result<Browser> {
    if find_browser().is_none() {
        let host = Host::detect();
        if host == Host::Other {
            return Err(Failure::new(
                "Chromium or its chromedriver is missing",
                "install both, or set CHROMIUM and CHROMEDRIVER to their paths",
            ));
        }
        project.once("Chromium", || install(host, &["chromium", "chromium-driver"]))?;
    }
    find_browser().or_mend(
        "Chromium or its chromedriver is missing though its package is installed",
        "set CHROMIUM and CHROMEDRIVER to their paths",
    )
}

/// Debian's compiler, with the sources of its standard library and its linker.
pub(crate) fn debian_compiler(project: &Project) -> Result {
    let host = Host::detect();
    if host == Host::Other {
        return Err(Failure::new(
            "Debian's WASM compiler is not to be had on this system",
            "rustup target add wasm32-unknown-unknown",
        ));
    }
    let packages = ["rustc-web", "rust-web-src", "rust-web-llvm", "lld-22"];
    project.once("Debian's WASM compiler", || install(host, &packages))
}

impl Host {
    fn detect() -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::from(&release, is_root())
    }

    /// `release` is the text of os-release(5).
    fn from(release: &str, root: bool) -> Self {
        let debian = release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .any(|ids| ids.trim_matches('"').split(' ').any(|id| id == "debian"));
        match (debian, root) {
            (true, true) => Self::DebianRoot,
            (true, false) => Self::Debian,
            (false, _) => Self::Other,
        }
    }
}

#[cfg(target_os = "linux")]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(target_os = "linux"))]
fn is_root() -> bool {
    false
}

fn find_browser() -> Option<Browser> {
    let program = |variable: &str, names: &[&str]| {
        env::var_os(variable).map(PathBuf::from).or_else(|| shell::find(names))
    };
    let chromium = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    Some(Browser {
        chromium: program("CHROMIUM", &chromium)?,
        driver: program("CHROMEDRIVER", &["chromedriver"])?,
    })
}

/// Makes `packages` present, or says how.
fn install(host: Host, packages: &[&'static str]) -> Result {
    let missing = missing(packages, is_installed);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let mend = format!("as root: apt-get install --no-install-recommends {names}");
    if host != Host::DebianRoot {
        return Err(Failure::new(format!("Debian packages are missing: {names}"), mend));
    }
    shell::announce(&format!("installing {names} (Debian packages, about a minute)"));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    shell::run(apt().args(["update", "-q"]), "let apt-get reach Debian's packages")?;
    shell::run(apt().args(["install", "-q", "-y", "--no-install-recommends"]).args(missing), &mend)
}

fn missing(packages: &[&'static str], installed: impl Fn(&str) -> bool) -> Vec<&'static str> {
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    shell::read(query.args(["-W", "-f=${Status}", package]), "")
        .is_ok_and(|status| status == "install ok installed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debians_kind_is_installed_on() {
        let check = |release, root, expected| assert_eq!(Host::from(release, root), expected);
        check("NAME=\"Debian GNU/Linux\"\nID=debian\n", true, Host::DebianRoot);
        check("NAME=\"Debian GNU/Linux\"\nID=debian\n", false, Host::Debian);
        check("ID=ubuntu\nID_LIKE=debian\n", true, Host::DebianRoot);
        check("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", true, Host::DebianRoot);
        check("ID=fedora\nHOME_URL=\"https://debian.example\"\n", true, Host::Other);
        check("", true, Host::Other);
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let wanted = ["chromium", "chromium-driver"];
        assert_eq!(missing(&wanted, |_| true), [""; 0]);
        assert_eq!(missing(&wanted, |package| package == "chromium"), ["chromium-driver"]);
        assert_eq!(missing(&wanted, |_| false), wanted);
    }

    #[test]
    fn without_root_the_failure_says_what_to_install() {
        let failure = install(Host::Debian, &["no-such-package"]).unwrap_err();
        assert_eq!(
            failure.mend,
            "as root: apt-get install --no-install-recommends no-such-package"
        );
    }
}
