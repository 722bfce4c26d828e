//! The rules of ARCHITECTURE.md and of the style that no compiler knows, checked on the text of the
//! checkout: who may name what, one version, versions in one table, no file without an end.

use std::path::Path;

use serde_json::Value;

use super::Length;
use super::sources::{Source, names};
use crate::codegen;
use crate::failure::{Failure, Result};
use crate::project::{Package, Project};

/// Code that must not name certain things.
struct Ban<'a> {
    within: &'a [&'a str],
    except: &'a str,
    names: &'a [&'a str],
    why: &'a str,
}

/// A crate that must not depend on certain others.
struct Apart {
    package: &'static str,
    never: &'static [&'static str],
}

const CORES: [&str; 4] = [
    "protocol/src/client/",
    "protocol/src/session/",
    "protocol/src/topic/",
    "protocol/src/delivery/",
];

const BANS: &[Ban<'static>] = &[
    Ban {
        within: &["server/src/"],
        except: "server/src/transport/",
        names: &["axum"],
        why: "only server/src/transport names axum",
    },
    Ban {
        within: &["protocol/src/"],
        except: "protocol/src/schema/",
        names: &["Instant", "SystemTime", "TcpStream", "thread", "rand", "getrandom"],
        why: "protocol has no clock, socket, thread or random source",
    },
];

const APART: &[Apart] = &[
    Apart {
        package: "tidewire-protocol",
        never: &["tokio", "axum", "hyper", "wasm-bindgen", "js-sys", "web-sys", "getrandom"],
    },
    Apart { package: "tidewire", never: &["tidewire-client", "wasm-bindgen", "web-sys"] },
    Apart { package: "tidewire-client", never: &["tidewire", "axum", "hyper"] },
    Apart { package: "tidewire-core-wasm", never: &["serde", "serde_json", "tidewire-client"] },
];

/// The crate whose exports to JavaScript need what the workspace forbids, and `forbid` has no exception.
const OWN_LINTS: &str = "client-wasm/core/Cargo.toml";

/// A file may be longer if its head says why.
const MAX_LINES: usize = 500;
const LONG_FILE: &str = "Over 500 lines";

pub(super) fn run(project: &Project, _: Length) -> Result {
    let sources = Source::all(project)?;
    let foreign = foreign_names(project);
    let foreign: Vec<&str> = foreign.iter().map(String::as_str).collect();
    let cores = Ban { within: &CORES, except: "-", names: &foreign, why: "a core names no crate" };
    let mut breaches: Vec<String> = BANS
        .iter()
        .chain([&cores])
        .flat_map(|ban| sources.iter().flat_map(|source| banned(ban, source)))
        .collect();
    for source in &sources {
        breaches.extend(codec_alone(source));
        breaches.extend(npm_imports(source));
        breaches.extend(long_file(source));
        breaches.extend(locked_tarball(source));
        breaches.extend(one_table(source));
    }
    breaches.extend(project.packages.iter().flat_map(apart));
    breaches.extend(one_version(project, &sources));
    println!("  {} files read", sources.len());
    if breaches.is_empty() {
        return Ok(());
    }
    let what = format!("rules are broken:\n  {}", breaches.join("\n  "));
    Err(Failure::new(what, "move the code to where ARCHITECTURE.md allows it"))
}

/// What a core may not name: the standard library and every crate that the protocol links.
fn foreign_names(project: &Project) -> Vec<String> {
    let protocol = project.packages.iter().filter(|package| package.name == "tidewire-protocol");
    let links = protocol.flat_map(|package| &package.dependencies);
    links.map(|link| link.name.replace('-', "_")).chain(["std".to_owned()]).collect()
}

fn banned(ban: &Ban<'_>, source: &Source) -> Vec<String> {
    let path = &source.path;
    let within = ban.within.iter().any(|folder| path.starts_with(folder));
    if !within || path.starts_with(ban.except) || !path.ends_with(".rs") {
        return Vec::new();
    }
    let breaches = source.code().flat_map(|(number, line)| {
        let found = ban.names.iter().filter(move |name| names(&line, name));
        found.map(move |name| format!("{path}:{number} names {name}: {}", ban.why))
    });
    breaches.collect()
}

/// The codec is public and stands alone.
fn codec_alone(source: &Source) -> Vec<String> {
    let path = &source.path;
    if !path.starts_with("server/src/ws/") {
        return Vec::new();
    }
    let breaches = source.code().filter(|(_, line)| {
        line.contains("super::super::")
            || line.match_indices("crate::").any(|(at, _)| !line[at..].starts_with("crate::ws"))
    });
    breaches
        .map(|(number, _)| format!("{path}:{number}: server/src/ws names nothing outside itself"))
        .collect()
}

/// The package runs wherever JavaScript does: it imports its own files, and React where it is React's.
fn npm_imports(source: &Source) -> Vec<String> {
    let path = &source.path;
    if !path.starts_with("npm/src/") {
        return Vec::new();
    }
    let for_react = path.starts_with("npm/src/react");
    let allowed = |from: &str| {
        from.starts_with("./") || from.starts_with("../") || (for_react && from == "react")
    };
    let lines = source.text.lines().enumerate();
    let code = lines.filter(|(_, line)| !line.trim_start().starts_with(['*', '/']));
    let imports = code.filter_map(|(index, line)| Some((index + 1, import(line)?)));
    imports
        .filter(|(_, from)| !allowed(from))
        .map(|(number, from)| format!("{path}:{number}: npm/src imports nothing like {from}"))
        .collect()
}

/// What a line of TypeScript imports or exports from.
fn import(line: &str) -> Option<&str> {
    let starts = [" from \"", "import \"", "import(\""];
    let (_, rest) = starts.iter().find_map(|start| line.split_once(start))?;
    rest.split_once('"').map(|(from, _)| from)
}

fn long_file(source: &Source) -> Option<String> {
    let path = &source.path;
    let hand_written = [".rs", ".ts", ".tsx", ".mjs"].iter().any(|end| path.ends_with(end));
    let generated = source.text.starts_with(codegen::MARK);
    let lines = source.text.lines().count();
    if !hand_written || generated || lines <= MAX_LINES {
        return None;
    }
    let explained = source.text.lines().take(20).any(|line| line.contains(LONG_FILE));
    (!explained)
        .then(|| format!("{path} has {lines} lines, and no reason (\"{LONG_FILE}\") at its head"))
}

/// npm would refuse, or take an old copy of, a tarball that is built here and locked by its hash.
fn locked_tarball(source: &Source) -> Option<String> {
    let path = &source.path;
    if Path::new(path).file_name()? != "package-lock.json" {
        return None;
    }
    let lock: Value = serde_json::from_str(&source.text).ok()?;
    let locked = !lock["packages"]["node_modules/tidewire"]["integrity"].is_null();
    locked.then(|| format!("{path} locks the hash of the tidewire tarball: remove `integrity`"))
}

/// A member's manifest takes versions and lints from the workspace.
fn one_table(source: &Source) -> Vec<String> {
    let path = &source.path;
    // A workspace of its own has its own table.
    if !path.ends_with("/Cargo.toml") || source.text.contains("[workspace]") {
        return Vec::new();
    }
    let mut breaches = Vec::new();
    if !source.text.contains("[lints]\nworkspace = true") && path != OWN_LINTS {
        breaches.push(format!("{path} does not take the workspace's lints"));
    }
    let mut depends = false;
    for line in source.text.lines().map(str::trim) {
        if line.starts_with('[') {
            depends = line.ends_with("dependencies]");
        } else if depends
            && line.contains(" = ")
            && !line.contains("workspace = true")
            && !is_itself(line)
        {
            breaches.push(format!("{path}: `{line}` has its version outside the workspace table"));
        }
    }
    breaches
}

/// A crate that depends on itself, for a feature in its own tests, names no version: a release needs none of itself.
fn is_itself(dependency: &str) -> bool {
    dependency.contains("path = \".\"") && !dependency.contains("version")
}

fn apart(package: &Package) -> Vec<String> {
    let name = &package.name;
    let rules = APART.iter().filter(|rule| rule.package == name);
    let never: Vec<&str> = rules.flat_map(|rule| rule.never).copied().collect();
    let links = package.dependencies.iter();
    let mut breaches: Vec<String> = links
        .filter(|link| never.contains(&link.name.as_str()))
        .map(|link| format!("{name} depends on {}, which is for another layer", link.name))
        .collect();
    let in_browser = |name: &str| {
        package.dependencies.iter().any(|link| {
            let native = link.target.as_ref().is_some_and(|target| target.starts_with("cfg(not("));
            link.name == name && !native
        })
    };
    if name == "tidewire-client" && in_browser("tokio") {
        breaches.push(format!("{name} depends on tokio in the browser build"));
    }
    breaches
}

/// One version for every crate and the npm package.
fn one_version(project: &Project, sources: &[Source]) -> Vec<String> {
    let npm =
        sources.iter().filter(|source| source.path == "npm/package.json").filter_map(|file| {
            let manifest: Value = serde_json::from_str(&file.text).ok()?;
            Some((file.path.clone(), manifest["version"].as_str()?.to_owned()))
        });
    let crates =
        project.packages.iter().map(|package| (package.name.clone(), package.version.clone()));
    let all: Vec<_> = crates.chain(npm).collect();
    let Some((_, version)) = all.first().cloned() else { return Vec::new() };
    all.into_iter()
        .filter(|(_, other)| *other != version)
        .map(|(who, other)| format!("{who} has version {other}, the others {version}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Dependency;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn only_the_transport_names_axum() {
        let text = "//! axum is elsewhere\nuse axum::Router;\n";
        let check = |path: &str| banned(&BANS[0], &source(path, text)).len();
        assert_eq!(check("server/src/live.rs"), 1);
        assert_eq!(check("server/src/transport/axum.rs"), 0);
        assert_eq!(check("examples/chat/src/main.rs"), 0);
    }

    #[test]
    fn a_core_names_neither_std_nor_a_crate() {
        let foreign = ["serde", "std"];
        let ban = Ban { within: &CORES, except: "-", names: &foreign, why: "no" };
        let check = |path: &str, line: &str| banned(&ban, &source(path, line)).len();
        assert_eq!(check("protocol/src/topic/mod.rs", "use std::fmt;"), 1);
        assert_eq!(check("protocol/src/topic/mod.rs", "#[derive(serde::Serialize)]"), 1);
        assert_eq!(check("protocol/src/topic/mod.rs", "use alloc::vec::Vec;"), 0);
        assert_eq!(check("protocol/src/frame/mod.rs", "use serde::Serialize;"), 0);
    }

    #[test]
    fn the_codec_names_nothing_of_the_server() {
        let check = |line: &str| codec_alone(&source("server/src/ws/decode.rs", line)).len();
        assert_eq!(check("use crate::hub::Hub;"), 1);
        assert_eq!(check("use crate::{hub, ws};"), 1);
        assert_eq!(check("use super::super::hub;"), 1);
        assert_eq!(check("use crate::ws::CloseCode; use super::mask;"), 0);
    }

    #[test]
    fn the_npm_package_imports_only_itself() {
        let check = |path: &str, line: &str| npm_imports(&source(path, line)).len();
        assert_eq!(check("npm/src/a.ts", "import { readFile } from \"node:fs\";"), 1);
        assert_eq!(check("npm/src/a.ts", "export { x } from \"lodash\";"), 1);
        assert_eq!(check("npm/src/a.ts", "import { x } from \"./codes.js\";"), 0);
        assert_eq!(check("npm/src/a.ts", "import { useState } from \"react\";"), 1);
        assert_eq!(check("npm/src/react.ts", "import { useState } from \"react\";"), 0);
        assert_eq!(check("npm/src/a.ts", " * import { connect } from \"tidewire\";"), 0);
        assert_eq!(check("npm/tests/a.ts", "import test from \"node:test\";"), 0);
    }

    #[test]
    fn a_long_file_says_why() {
        let check =
            |head: &str| long_file(&source("a/b.rs", &(head.to_owned() + &"x\n".repeat(500))));
        assert!(check("//! Head.\n").is_some());
        assert!(check("//! Over 500 lines: one table.\n").is_none());
        assert!(check(&format!("{}a tool`\n", codegen::MARK)).is_none());
        assert!(check("").is_none());
    }

    #[test]
    fn the_tarball_is_not_locked_by_its_hash() {
        let check = |entry: &str| {
            let text = format!(r#"{{"packages":{{"node_modules/tidewire":{entry}}}}}"#);
            locked_tarball(&source("examples/chat/web/package-lock.json", &text)).is_some()
        };
        assert!(check(r#"{"integrity":"sha512-x"}"#));
        assert!(!check(r#"{"resolved":"file:tidewire.tgz"}"#));
    }

    #[test]
    fn versions_stand_in_the_workspace_table() {
        let check = |dependency: &str| {
            let text = format!("[lints]\nworkspace = true\n\n[dev-dependencies]\n{dependency}\n");
            one_table(&source("server/Cargo.toml", &text)).len()
        };
        assert_eq!(check("serde = \"1\""), 1);
        assert_eq!(check("serde.workspace = true"), 0);
        assert_eq!(check("serde = { workspace = true, features = [\"derive\"] }"), 0);
        assert_eq!(check("tidewire = { path = \".\", features = [\"test\"] }"), 0);
        assert_eq!(check("tidewire = { path = \".\", version = \"1\" }"), 1);
        assert_eq!(one_table(&source("server/Cargo.toml", "[package]\n")).len(), 1);
    }

    #[test]
    fn layers_do_not_link_each_other_upwards() {
        let check = |name: &str, link: &str, target: Option<&str>| {
            let link = Dependency { name: link.into(), target: target.map(str::to_owned) };
            apart(&Package { dependencies: vec![link], ..Package::named(name) }).len()
        };
        assert_eq!(check("tidewire-protocol", "tokio", None), 1);
        assert_eq!(check("tidewire", "tokio", None), 0);
        assert_eq!(check("tidewire-client", "tokio", None), 1);
        assert_eq!(
            check("tidewire-client", "tokio", Some("cfg(not(target_arch = \"wasm32\"))")),
            0
        );
    }
}
