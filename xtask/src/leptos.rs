//! The page of `examples/leptos-chat`: compiled to WASM, bound to JavaScript and laid out without any tool but this one.

use std::fs;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli::wasm_bindgen::run_cli_with_args;

use crate::demo::CHAT;
use crate::failure::{OrMend, Result};
use crate::project::Project;
use crate::shell::{announce, run};
use crate::wasm::{self, Compiler, Library, Profile};
use crate::{demo, server};

const PACKAGE: &str = "tidewire-leptos-chat";
const FOLDER: &str = "examples/leptos-chat";
/// The variable in which the chat's tests expect where the page is.
pub(crate) const VARIABLE: &str = "LEPTOS_PAGE";
/// The style sheets of the chat, in the order in which they are read.
const STYLES: [&str; 7] = ["tokens", "base", "shell", "sidebar", "messages", "composer", "sign-in"];

/// Builds the page, and serves it with the chat's server until it is interrupted.
pub(crate) fn demo(project: &Project) -> Result {
    demo::listens("leptos")?;
    page(project, Profile::Wasm)?;
    let server = server::build(project, CHAT.server)?;
    announce("serving the chat in Leptos; Ctrl-C stops it");
    demo::become_program(std::process::Command::new(server).env("WEB", folder(project)))
}

/// Where the page is built.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.target.join("leptos-chat")
}

/// Builds the page. For tests by [`Profile::Dev`], which takes a tenth of the time and gives ten times the bytes.
pub(crate) fn page(project: &Project, profile: Profile) -> Result {
    project.once(PACKAGE, || {
        let compiler = Compiler::choose(project)?;
        announce("compiling the page in Leptos (cold: some minutes)");
        let mut cargo = compiler.cargo(project, "build", Library::Std);
        cargo.args(["-p", PACKAGE, "--profile", profile.name()]);
        run(&mut cargo, "mend what the compiler names")?;
        let module = wasm::artefact(project, PACKAGE, profile);
        let folder = folder(project);
        lay_out(project, &folder).or_mend(folder.display(), "make it writable, or remove it")?;
        let arguments =
            ["wasm-bindgen", "--target", "web", "--no-typescript", "--out-name", "page"];
        let mut arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        arguments.extend(["--out-dir".into(), folder.clone().into_os_string(), module.into()]);
        run_cli_with_args(arguments).or_mend("wasm-bindgen", "see what it says of the module")?;
        let size = fs::metadata(folder.join("page_bg.wasm")).map_or(0, |file| file.len());
        println!("  {}: {size} bytes of WASM", folder.display());
        Ok(())
    })
}

/// Everything but the program.
fn lay_out(project: &Project, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let own = project.root.join(FOLDER);
    let chat = demo::web(project, &CHAT);
    fs::copy(own.join("index.html"), folder.join("index.html"))?;
    fs::copy(chat.join("public/icon.svg"), folder.join("icon.svg"))?;
    let mut styles = String::new();
    for name in STYLES {
        styles += &fs::read_to_string(chat.join(format!("src/styles/{name}.css")))?;
    }
    styles += &fs::read_to_string(own.join("page.css"))?;
    fs::write(folder.join("page.css"), styles)
}
