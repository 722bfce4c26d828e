//! What a schema exports: its TypeScript module, and its `schema.lock`.

use std::{collections::BTreeMap, env};

use super::{
    Entry, ExportError, Schema, Versions,
    compare::compare,
    conform::Fault,
    entry::{Kind, Part, Way},
    files::{BREAK, Files, file},
    layout,
    lock::{KEPT, Locked, Version},
    sample,
    shape::Shape,
    syntax::{Node, doc_lines, is_identifier},
    types::{Declaration, Types},
};
use crate::name::Pattern;

/// What is exported, in an order that depends on the schema alone.
///
/// Entries that are named here, or in the environment, may break.
pub(super) fn render<S: Schema + ?Sized>(breaking: &[&str]) -> Result<Files, ExportError> {
    check_patterns(S::ENTRIES)?;
    let entries: Vec<_> = S::ENTRIES.iter().map(|entry| (entry, (entry.parts)())).collect();
    entries.iter().try_for_each(|(entry, parts)| check_key(entry, parts))?;
    let lock = locked::<S>(&entries, breaking)?.map(|locked| locked.write(S::NAME));
    let module = module::<S>(&entries, lock.as_deref().unwrap_or_default())?;
    // Last, because a type of which the export knows less is told of better by the others.
    entries.iter().try_for_each(|(entry, parts)| check_samples(entry, parts))?;
    Ok(Files { module, lock })
}

/// The lock as it is to be.
fn locked<S: Schema + ?Sized>(
    entries: &[(&Entry, Vec<Part>)],
    breaking: &[&str],
) -> Result<Option<Locked>, ExportError> {
    let Some(lock) = S::LOCK else { return Ok(None) };
    let before = Locked::parse(lock.text)
        .map_err(|line| ExportError::Lock { path: file::<S>(lock.path.as_ref()), line })?;
    let told = env::var(BREAK).unwrap_or_default();
    let may_break =
        |key: &str| breaking.contains(&key) || told.split(',').any(|told| told.trim() == key);
    let mut now = Locked::default();
    let mut breaks = Vec::new();
    for (entry, parts) in entries {
        let text = entry.canonical(parts);
        let mut versions = vec![Version { text: text.clone(), serves: true }];
        for earlier in before.of(entry.key).iter().filter(|earlier| earlier.text != text) {
            match compare(entry.kind, &earlier.text, &text, parts) {
                Ok(serves) => versions.push(Version { serves, ..earlier.clone() }),
                Err(_) if may_break(entry.key) => {
                    versions.truncate(1);
                    break;
                }
                Err(why) => {
                    breaks.push((entry.key.to_owned(), why));
                    break;
                }
            }
        }
        versions.truncate(1 + KEPT);
        now.entries.push((entry.key.to_owned(), versions));
    }
    let keys = before.entries.iter().map(|(key, _)| key);
    let gone = keys.filter(|key| entries.iter().all(|(entry, _)| entry.key != **key));
    let why = "it is gone, and older pages are refused it";
    breaks.extend(gone.filter(|key| !may_break(key)).map(|key| (key.clone(), why.to_owned())));
    if breaks.is_empty() {
        return Ok(Some(now));
    }
    Err(ExportError::Break { entries: breaks, package: S::PACKAGE })
}

/// The TypeScript, with the versions of a lock.
fn module<S: Schema + ?Sized>(
    entries: &[(&Entry, Vec<Part>)],
    lock: &str,
) -> Result<String, ExportError> {
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
        let versions = Versions::locked(entry.hash(), entry.key, lock);
        let named: Vec<_> = versions.named().map(|hash| format!("\"{hash}\"")).collect();
        let value =
            if named.len() == 1 { named.concat() } else { format!("[{}]", named.join(", ")) };
        text.push_str(&format!("    {}: {value},\n", quoted(entry.key)));
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

/// What is sent is what TypeScript says of it, as far as samples show.
fn check_samples(entry: &Entry, parts: &[Part]) -> Result<(), ExportError> {
    for part in parts.iter().filter(|part| !part.is_implied) {
        let Some(round) = part.round else { continue };
        let is_written = part.way() == Way::ToPages;
        if let Err(Fault { path, what }) = sample::check(&Shape::of(&part.types), round, is_written)
        {
            return Err(ExportError::Unhonoured {
                entry: entry.key,
                rust: part.types.owner(&path),
                place: format!("{}{path}", part.role),
                mend: mend(&what),
                what,
            });
        }
    }
    Ok(())
}

/// Which attributes may be why JSON is not what TypeScript says, and what to do about them.
fn mend(what: &str) -> String {
    if what.starts_with("JSON has `null`") {
        return "`#[ts(optional)]` says that the field is absent where there is nothing, and serde writes `null`: write it as \
                `#[serde(default, skip_serializing_if = \"Option::is_none\")]` with `#[ts(optional)]`, or take \
                `#[ts(optional)]` away, for `T | null`. Or a `serialize_with` writes `null`: say so by \
                `#[ts(type = \"…\")]`"
            .to_owned();
    }
    let attributes = if what.starts_with("reading") {
        "`deserialize_with`, `from`, `try_from`, `transparent`, `rename(deserialize = …)`, `with` on a variant"
    } else {
        "`skip_serializing_if`, `skip_serializing`, `serialize_with`, `into`, `rename(serialize = …)`, `with` on a variant"
    };
    format!(
        "An attribute of serde that ts-rs does not follow may be why ({attributes}): take it away, or say what JSON \
         has by `#[ts(type = \"…\")]`, `#[ts(as = \"…\")]` or `#[ts(optional)]` there"
    )
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

#[cfg(test)]
mod tests;
