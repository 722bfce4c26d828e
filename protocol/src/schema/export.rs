//! The TypeScript module of a schema: written, and compared with what is written.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    Entry, Schema,
    entry::{Kind, Part},
    layout,
    shape::Shape,
    syntax::{Node, doc_lines, is_identifier},
    types::{Declaration, Types},
};
use crate::name::Pattern;

/// Why a schema has no TypeScript module, or a file is not it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// One name could match the patterns of two topics.
    #[error("one name could match both `{0}` and `{1}`: change a literal segment of one")]
    Overlap(&'static str, &'static str),
    /// The key of a topic is no field of its event in JSON.
    #[error(
        "the topic `{topic}` has `{key}` for its key, but `{event}` has no such field in JSON: say how the field is \
         called there by `key: field = \"…\"`"
    )]
    Key {
        /// The topic's pattern.
        topic: &'static str,
        /// The name of the key.
        key: &'static str,
        /// The Rust type of the event.
        event: &'static str,
    },
    /// Two types would have one name.
    #[error(
        "`{first}` and `{second}` both export as `{name}`: give one another name by `#[ts(rename = \"…\")]`"
    )]
    SameName {
        /// The name in TypeScript.
        name: String,
        /// What has it.
        first: String,
        /// What would have it too.
        second: String,
    },
    /// A type has no TypeScript that this export understands.
    #[error(
        "the type `{rust}` exports as `{text}`, which is no type of data that can be read here"
    )]
    Unreadable {
        /// The Rust type.
        rust: String,
        /// Its text in TypeScript.
        text: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
    /// A file is not what the schema exports.
    #[error(
        "{} is not what the schema exports; write it again with `{mend}`\n{difference}",
        path.display()
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// The call that writes it.
        mend: String,
        /// The lines that differ: `-` stands in the file, `+` in the export.
        difference: String,
    },
}

/// The text for people, because this is what a test shows that unwraps a [`Schema::check`].
impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn write<S: Schema + ?Sized>(path: &Path) -> Result<(), ExportError> {
    let module = module::<S>()?;
    if read(path)? == module {
        // What watches the file need not wake.
        return Ok(());
    }
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    folder
        .and_then(|()| fs::write(path, module))
        .map_err(|source| ExportError::Io { path: path.to_owned(), source })
}

pub(super) fn check<S: Schema + ?Sized>(path: &Path) -> Result<(), ExportError> {
    let (module, found) = (module::<S>()?, read(path)?);
    if found == module {
        return Ok(());
    }
    let mend = format!("{}::export({path:?})", S::NAME);
    Err(ExportError::Stale { path: path.to_owned(), mend, difference: difference(&found, &module) })
}

/// What a file says, with the line ends that the export writes; nothing if there is none.
fn read(path: &Path) -> Result<String, ExportError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.replace("\r\n", "\n")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(ExportError::Io { path: path.to_owned(), source }),
    }
}

/// The lines between what two texts begin and end with alike.
fn difference(found: &str, module: &str) -> String {
    let (found, module): (Vec<_>, Vec<_>) = (found.lines().collect(), module.lines().collect());
    let alike =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = alike(&mut found.iter().zip(&module));
    let tail = alike(&mut found[head..].iter().rev().zip(module[head..].iter().rev()));
    let lines = |mark: char, lines: &[&str]| -> String {
        lines[head..lines.len() - tail].iter().map(|line| format!("{mark} {line}\n")).collect()
    };
    format!("@@ line {} @@\n{}{}", head + 1, lines('-', &found), lines('+', &module))
}

/// The whole module, in an order that depends on the schema alone.
pub(super) fn module<S: Schema + ?Sized>() -> Result<String, ExportError> {
    check_patterns(S::ENTRIES)?;
    let entries: Vec<_> = S::ENTRIES.iter().map(|entry| (entry, (entry.parts)())).collect();
    entries.iter().try_for_each(|(entry, parts)| check_key(entry, parts))?;
    let (topics, calls) = (format!("{}Topics", S::NAME), format!("{}Calls", S::NAME));
    let value = lower_first(S::NAME);
    let has_calls = S::ENTRIES.iter().any(|entry| entry.kind == Kind::Call);
    let mut names = Declared::default();
    for taken in ["Schema", &topics, &value].into_iter().chain(has_calls.then_some(&*calls)) {
        names.rust.insert(taken.to_owned(), "the module itself");
    }
    for part in entries.iter().flat_map(|(_, parts)| parts) {
        part.types.declared.iter().try_for_each(|declaration| names.add(declaration))?;
    }
    let mut text = format!(
        "// Written by `{name}::export` from the Rust schema `{name}` of `{module}`: change that and \
         export again.\n\
         import type {{ Schema }} from \"tidewire\";\n",
        name = S::NAME,
        module = S::MODULE,
    );
    for declaration in names.types.values() {
        text.push('\n');
        text.push_str(declaration);
    }
    let mut interface = |name: &str, title: &str, kind: Kind| -> Result<(), ExportError> {
        text.push_str(&format!("\n/** The {title}. */\nexport interface {name} {{\n"));
        for (entry, parts) in entries.iter().filter(|(entry, _)| entry.kind == kind) {
            text.push_str(&line(entry, parts)?);
        }
        text.push_str("}\n");
        Ok(())
    };
    interface(&topics, &format!("topics of {}, by pattern", S::NAME), Kind::Topic)?;
    if has_calls {
        interface(&calls, &format!("calls of {}, by name", S::NAME), Kind::Call)?;
    }
    let types = if has_calls { format!("{topics}, {calls}") } else { topics };
    text.push_str(&format!("\n{}export const {value}: Schema<{types}> = {{\n", docs(S::DOCS, 0)));
    text.push_str(&format!("  name: \"{}\",\n  entries: {{\n", S::NAME));
    for entry in S::ENTRIES {
        text.push_str(&format!("    {}: \"{}\",\n", quoted(entry.key), entry.hash()));
    }
    text.push_str("  },\n};\n");
    Ok(text)
}

/// No name may match two patterns.
fn check_patterns(entries: &[Entry]) -> Result<(), ExportError> {
    let topics = entries.iter().filter(|entry| entry.kind == Kind::Topic).map(|entry| entry.key);
    let parse = |key| (key, Pattern::parse(key).expect("a topic has a pattern"));
    let topics: Vec<_> = topics.map(parse).collect();
    for (at, (key, pattern)) in topics.iter().enumerate() {
        if let Some((other, _)) = topics[..at].iter().find(|(_, other)| other.overlaps(pattern)) {
            return Err(ExportError::Overlap(other, key));
        }
    }
    Ok(())
}

/// The key of a topic is a field of its event.
fn check_key(entry: &Entry, parts: &[Part]) -> Result<(), ExportError> {
    let event = parts.iter().find(|part| part.role == "event");
    match (entry.field, event) {
        (Some(key), Some(event)) if !Shape::of(&event.types).has_field(key) => {
            Err(ExportError::Key { topic: entry.key, key, event: event.types.rust })
        }
        _ => Ok(()),
    }
}

/// The declarations of a module by name.
#[derive(Default)]
struct Declared {
    /// What has a name already.
    rust: BTreeMap<String, &'static str>,
    /// What each name stands for, in each of its uses.
    uses: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
}

impl Declared {
    fn add(&mut self, declaration: &Declaration) -> Result<(), ExportError> {
        let Declaration { rust, ident, name, inline, generic: (head, body), docs } = declaration;
        let unreadable =
            || ExportError::Unreadable { rust: (*rust).to_owned(), text: body.clone() };
        let node = Node::parse(body).filter(|_| is_identifier(ident)).ok_or_else(unreadable)?;
        let docs = docs.as_deref().map(doc_lines).unwrap_or_default();
        let head = format!("export type {head} =");
        let body = layout::body(&node, head.len() + 1);
        let text = format!("{}{head}{body};\n", layout::docs(&docs, 0));
        let first = self.rust.get(ident).copied();
        let uses = self.uses.entry(name.clone()).or_insert_with(|| inline.clone());
        if first.is_some() && (self.types.get(ident) != Some(&text) || uses != inline) {
            let first = first.unwrap_or_default().to_owned();
            return Err(ExportError::SameName {
                name: ident.clone(),
                first,
                second: (*rust).to_owned(),
            });
        }
        self.rust.insert(ident.clone(), rust);
        self.types.insert(ident.clone(), text);
        Ok(())
    }
}

/// An entry's line in the interface of its kind.
fn line(entry: &Entry, parts: &[Part]) -> Result<String, ExportError> {
    let parts = parts.iter().map(|Part { role, types: Types { rust, name, .. }, .. }| {
        let unreadable =
            || ExportError::Unreadable { rust: (*rust).to_owned(), text: name.clone() };
        Ok(format!("{role}: {}", layout::line(&Node::parse(name).ok_or_else(unreadable)?)))
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?.join("; ");
    Ok(format!("{}  {}: {{ {parts} }};\n", docs(entry.docs, 2), quoted(entry.key)))
}

fn docs(text: &str, indent: usize) -> String {
    layout::docs(&text.lines().map(str::trim).collect::<Vec<_>>(), indent)
}

/// A text as a string of TypeScript: JSON's are such.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
