//! Rust to WASM: which compiler, and the module of the npm package.
//!
//! The compiler is rustup's where its WASM target is installed or can be added, else Debian's,
//! which brings the sources of its standard library instead of a target. Everything for wasm32 has
//! a target directory of its own: another compiler's artefacts would push out the host's.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;
use crate::{npm, shell, system};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The crate whose module the npm package carries.
const CORE: &str = "tidewire-core-wasm";
/// What the file of the module is called.
const OUT_NAME: &str = "core.wasm";
/// And the same as JavaScript, for pages without WebAssembly.
const JS_OUT_NAME: &str = "core.wasm2js";

/// WASM that Chrome 96, Firefox 100 and Safari 15.4 all run. wasm-opt refuses a module that uses
/// anything else, so a compiler that begins to is noticed here and not in a browser.
const FEATURES: [&str; 7] = [
    "--mvp-features",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Sections that no engine reads.
const STRIP: [&str; 3] = ["--strip-debug", "--strip-producers", "--strip-target-features"];

/// What of the standard library a crate links; Debian's compiler builds just that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    /// `core` and `alloc`: a crate that names `std` does not compile.
    Alloc,
    Std,
}

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As small as it gets.
    Wasm,
    /// As fast as it is compiled.
    Dev,
}

impl Profile {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Dev => "dev",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Dev => "debug",
        }
    }
}

/// Who compiles to WASM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    Rustup,
    Debian,
}

/// Builds the module of the npm package into `npm/wasm/`, as WASM and as JavaScript.
pub(crate) fn build(project: &Project) -> Result {
    project.once("WASM core", || {
        npm::install(&project.npm())?;
        let folder = project.npm().join("wasm");
        fs::create_dir_all(&folder).or_mend(folder.display(), "make npm/ writable")?;
        optimise(project, &compile(project)?, &folder.join(OUT_NAME))?;
        translate(project, &folder)
    })
}

impl Compiler {
    /// The compiler that `TIDEWIRE_WASM` names, else the first that is to be had.
    pub(crate) fn choose(project: &Project) -> Result<Self> {
        let wish = env::var_os("TIDEWIRE_WASM");
        let add = || project.once("rustup's WASM target", add_target);
        let debian = || system::debian_compiler(project);
        Self::decide(wish.as_deref(), target_installed, add, debian)
    }

    fn decide(
        wish: Option<&OsStr>,
        installed: impl Fn() -> bool,
        add: impl Fn() -> Result,
        debian: impl Fn() -> Result,
    ) -> Result<Self> {
        match wish.map(OsStr::as_encoded_bytes) {
            Some(b"debian") => debian().map(|()| Self::Debian),
            Some(b"rustup") if installed() => Ok(Self::Rustup),
            Some(b"rustup") => add().map(|()| Self::Rustup),
            None if installed() => Ok(Self::Rustup),
            None => add().map(|()| Self::Rustup).or_else(|failure| {
                println!("{}\n  falling back to Debian's compiler", failure.what);
                debian().map(|()| Self::Debian)
            }),
            Some(_) => Err(Failure::new(
                "TIDEWIRE_WASM names no compiler",
                "set it to rustup or debian, or unset it",
            )),
        }
    }

    /// `cargo SUBCOMMAND` for wasm32. Name a package (`-p`), or cargo compiles xtask for it too.
    pub(crate) fn cargo(self, project: &Project, subcommand: &str, library: Library) -> Command {
        let mut cargo = shell::cargo();
        cargo.args([subcommand, "--target", TARGET]);
        cargo.arg("--target-dir").arg(target_folder(project));
        if self == Self::Debian {
            let crates = match library {
                Library::Alloc => "build-std=core,alloc",
                Library::Std => "build-std=std,panic_abort",
            };
            cargo.args(["-Z", crates]);
            cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", "/usr/bin/rustc");
        }
        cargo
    }
}

/// Where everything for wasm32 is built.
fn target_folder(project: &Project) -> PathBuf {
    project.target.join("wasm32")
}

fn target_installed() -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    shell::read(rustc.args(["--print", "target-libdir", "--target", TARGET]), "")
        .is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

fn add_target() -> Result {
    let mend = "install rustup, or set TIDEWIRE_WASM=debian on Debian";
    shell::announce("adding rustup's WASM target");
    shell::run(Command::new("rustup").args(["target", "add", TARGET]), mend)
}

fn compile(project: &Project) -> Result<PathBuf> {
    let compiler = Compiler::choose(project)?;
    shell::announce("compiling the client core to WASM (cold: half a minute)");
    let mut cargo = compiler.cargo(project, "build", Library::Alloc);
    shell::run(cargo.args(["-p", CORE, "--profile", "wasm"]), "mend what the compiler names")?;
    // A library's file is named as Rust names the crate.
    Ok(artefact(project, &CORE.replace('-', "_"), Profile::Wasm))
}

/// What a profile leaves.
pub(crate) fn artefact(project: &Project, name: &str, profile: Profile) -> PathBuf {
    target_folder(project).join(TARGET).join(profile.folder()).join(format!("{name}.wasm"))
}

/// Writes the module to `out`, smaller and without what only tools read. It exports plain functions
/// of numbers, so it needs no JavaScript to be loaded.
fn optimise(project: &Project, module: &Path, out: &Path) -> Result {
    let mut command = binaryen(project, "wasm-opt");
    // Each round finds what the one before left; in between the branches are made anew. The order of functions and locals is left as it
    // is: another is shorter, but not when compressed. Nobody uses the lowest kilobyte, which is the end of a stack of 64; and of the
    // instructions that may trap none does, since the compiler guards them.
    command.args(["--low-memory-unused", "--ignore-implicit-traps"]);
    command.args(["-Oz", "-Oz", "--flatten", "--rereloop", "-Oz", "-Oz"]);
    command.args(FEATURES).args(STRIP).arg(module).arg("-o").arg(out);
    shell::run(
        &mut command,
        "if it names a feature, turn that off for the compiler; else: cd npm && npm ci",
    )?;
    println!("  {}: {} -> {} bytes", out.display(), size(module)?, size(out)?);
    Ok(())
}

/// Writes the module of the folder as JavaScript beside it.
///
/// Instructions that wasm2js does not know are put in older ones first. Those that turn floating-point numbers into saturated integers
/// become ones that are right in range only: the crate has no others.
fn translate(project: &Project, folder: &Path) -> Result {
    let older = folder.join("core.mvp.wasm");
    let mut command = binaryen(project, "wasm-opt");
    command.args(["--signext-lowering", "--llvm-memory-copy-fill-lowering"]);
    command.args(["--llvm-nontrapping-fptoint-lowering", "-Oz"]).args(FEATURES);
    let mend = "turn what it names off for the compiler; else: cd npm && npm ci";
    shell::run(command.arg(folder.join(OUT_NAME)).arg("-o").arg(&older), mend)?;
    let mut command = binaryen(project, "wasm2js");
    command.args(["--mvp-features", "-O"]).arg(&older).arg("-o").arg(folder.join(JS_OUT_NAME));
    shell::run(&mut command, mend)
}

/// A program of the npm package `binaryen`.
fn binaryen(project: &Project, program: &str) -> Command {
    Command::new(project.npm().join("node_modules/.bin").join(program))
}

fn size(file: &Path) -> Result<u64> {
    fs::metadata(file)
        .map(|meta| meta.len())
        .or_mend(file.display(), "remove npm/wasm and run cargo xtask wasm again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail() -> Result {
        Err(Failure::new("refused", "elsewhere"))
    }

    fn never() -> Result {
        panic!("not to be tried")
    }

    #[test]
    fn the_installed_target_is_used_as_it_is() {
        let check = |wish: Option<&str>| {
            Compiler::decide(wish.map(OsStr::new), || true, never, never).unwrap()
        };
        assert_eq!(check(None), Compiler::Rustup);
        assert_eq!(check(Some("rustup")), Compiler::Rustup);
    }

    #[test]
    fn a_missing_target_is_added_else_debian_compiles() {
        let added = Compiler::decide(None, || false, || Ok(()), never);
        assert_eq!(added.unwrap(), Compiler::Rustup);
        let debian = Compiler::decide(None, || false, fail, || Ok(()));
        assert_eq!(debian.unwrap(), Compiler::Debian);
        assert!(Compiler::decide(None, || false, fail, fail).is_err());
    }

    #[test]
    fn the_wish_is_final() {
        let wish = |name| Some(OsStr::new(name));
        assert!(Compiler::decide(wish("rustup"), || false, fail, never).is_err());
        let debian = Compiler::decide(wish("debian"), || panic!("asked"), never, || Ok(()));
        assert_eq!(debian.unwrap(), Compiler::Debian);
        let unknown = Compiler::decide(wish("gcc"), || true, never, never).unwrap_err();
        assert_eq!(unknown.what, "TIDEWIRE_WASM names no compiler");
    }
}
