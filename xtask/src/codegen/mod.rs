//! Files that are written from Rust and committed: the schemas of the examples' pages, the tables of codes in TypeScript and in
//! docs/wire.md, and the code in README and the guides.

mod excerpts;

use std::fs;
use std::path::Path;

use similar::TextDiff;
use tidewire_chat_schema::Chat;
use tidewire_guestbook_schema::Guestbook;
use tidewire_prices_schema::Market;
use tidewire_protocol::code::{CloseCode, ErrorCode};
use tidewire_protocol::schema::Schema;

use crate::failure::{Failure, OrMend, Result};
use crate::project::Project;

/// How the first line of every generated file begins.
pub(crate) const MARK: &str = "// Written by `";
/// The same of a file that is no code.
#[cfg(test)]
const LOCK_MARK: &str = "# Written by `";

/// A generated file, by its path in the checkout.
struct Output {
    path: &'static str,
    contents: String,
}

/// Writes every generated file; with `check` nothing is written and a stale one is a failure.
pub(crate) fn run(project: &Project, check: bool) -> Result {
    let mut stale = Vec::new();
    let mut outputs = outputs()?;
    outputs.push(wire(project)?);
    for path in
        ["README.md", "docs/schema.md", "docs/server.md", "docs/outbox.md", "docs/rust-client.md"]
    {
        outputs.push(document(project, path)?);
    }
    for output in outputs {
        let path = project.root.join(output.path);
        let current = fs::read_to_string(&path).unwrap_or_default();
        if current == output.contents {
            println!("  {} is up to date", output.path);
        } else if check {
            print!("{}", diff(&current, &output));
            stale.push(output.path);
        } else {
            write(&path, &output.contents)?;
            println!("  wrote {}", output.path);
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("generated files are stale: {}", stale.join(", ")),
        "cargo xtask codegen, and commit what it wrote",
    ))
}

fn outputs() -> Result<Vec<Output>> {
    let [chat, chat_lock] = exported::<Chat>("examples/chat/schema")?;
    let [guestbook, guestbook_lock] = exported::<Guestbook>("examples/guestbook/schema")?;
    let [market, market_lock] = exported::<Market>("examples/prices/schema")?;
    Ok(vec![
        Output { path: "examples/guestbook/web/src/guestbook.schema.ts", contents: guestbook },
        Output { path: "examples/guestbook/schema/schema.lock", contents: guestbook_lock },
        Output { path: "examples/prices/web/src/prices.schema.ts", contents: market },
        Output { path: "examples/prices/schema/schema.lock", contents: market_lock },
        Output { path: "examples/chat/web/src/chat.schema.ts", contents: chat },
        Output { path: "examples/chat/schema/schema.lock", contents: chat_lock },
        Output { path: "npm/src/codes.ts", contents: codes() },
    ])
}

/// A schema's TypeScript and its lock.
fn exported<S: Schema>(folder: &str) -> Result<[String; 2]> {
    let mend = format!("mend {folder}");
    let module = S::typescript().or_mend(format!("the schema {}", S::NAME), mend.clone())?;
    let lock = S::lock().or_mend(format!("the lock of {}", S::NAME), mend)?;
    Ok([module, lock.unwrap_or_default()])
}

/// The norm with its tables of codes as they are; the rest of it is written by hand.
fn wire(project: &Project) -> Result<Output> {
    let path = "docs/wire.md";
    let mend = "restore it";
    let mut text = fs::read_to_string(project.root.join(path)).or_mend(path, mend)?;
    let errors = ErrorCode::ALL.iter().map(|(code, name, meaning)| (code.0, *name, *meaning));
    let closes = CloseCode::ALL.iter().map(|(code, name, meaning)| (code.0, *name, *meaning));
    for (part, rows) in [("errors", rows(errors)), ("closes", rows(closes))] {
        let begin = format!("<!-- codes:{part} -->\n");
        let found = text.split_once(&begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once("<!-- codes:end -->")?;
            Some(format!("{before}{begin}{rows}<!-- codes:end -->{after}"))
        });
        text = found.or_mend(format!("{path} has no table of {part}"), mend)?;
    }
    Ok(Output { path, contents: text })
}

/// A document with the code that it shows as the tests and examples have it.
fn document(project: &Project, path: &'static str) -> Result<Output> {
    let text = fs::read_to_string(project.root.join(path)).or_mend(path, "restore it")?;
    Ok(Output { path, contents: excerpts::fill(project, path, &text)? })
}

/// The rows of a table in Markdown.
fn rows<'a>(codes: impl Iterator<Item = (u16, &'a str, &'a str)>) -> String {
    let rows = codes.map(|(code, name, meaning)| format!("| {code} | `{name}` | {meaning} |\n"));
    "| code | name | meaning |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}

fn write(path: &Path, contents: &str) -> Result {
    let mend = "make it writable";
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).or_mend(folder.display(), mend)?;
    }
    fs::write(path, contents).or_mend(path.display(), mend)
}

/// What generation would change in the committed file.
fn diff(current: &str, output: &Output) -> String {
    let diff = TextDiff::from_lines(current, &output.contents);
    diff.unified_diff().header(output.path, "as generated").to_string()
}

/// The codes of the wire as TypeScript.
fn codes() -> String {
    let errors = ErrorCode::ALL.iter().map(|(code, name, meaning)| (code.0, *name, *meaning));
    let closes = CloseCode::ALL.iter().map(|(code, name, meaning)| (code.0, *name, *meaning));
    format!(
        "{MARK}cargo xtask codegen` from protocol/src/code.rs. Do not edit.\n\n{}\n{}",
        table("ErrorCode", "Why a request was not done, by name.", errors),
        table("CloseCode", "Why a connection ended, by name.", closes),
    )
}

/// One table as a constant.
fn table<'a>(
    name: &str,
    about: &str,
    codes: impl Iterator<Item = (u16, &'a str, &'a str)>,
) -> String {
    let rows: String = codes
        .map(|(code, name, meaning)| format!("  /** {meaning} */\n  {name}: {code},\n"))
        .collect();
    format!("/** {about} */\nexport const {name} = {{\n{rows}}} as const;\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_a_constant() {
        let codes = [(1, "one", "The first."), (2, "two_x", "The second.")];
        let expected = "\
/** About. */
export const Codes = {
  /** The first. */
  one: 1,
  /** The second. */
  two_x: 2,
} as const;
";
        assert_eq!(table("Codes", "About.", codes.into_iter()), expected);
    }

    #[test]
    fn every_file_says_that_it_is_generated() {
        for output in outputs().unwrap() {
            let mark = if output.path.ends_with(".lock") { LOCK_MARK } else { MARK };
            assert!(output.contents.starts_with(mark), "{}", output.path);
        }
    }

    #[test]
    fn a_stale_file_is_shown_as_a_diff() {
        let output = Output { path: "a.ts", contents: "one\ntwo\n".into() };
        let expected = "--- a.ts\n+++ as generated\n@@ -1 +1,2 @@\n one\n+two\n";
        assert_eq!(diff("one\n", &output), expected);
    }
}
