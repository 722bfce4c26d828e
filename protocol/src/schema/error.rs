//! Why an export fails, in words that say how to mend it.

use std::{fmt, io, path::PathBuf};

use super::files::BREAK;

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
    /// A type is not in JSON what it is in TypeScript.
    #[error(
        "`{place}` of `{entry}`, in the Rust type `{rust}`, is not in JSON what it is in TypeScript: {what}. {mend}"
    )]
    Unhonoured {
        /// The entry's pattern or name.
        entry: &'static str,
        /// The part of the entry, and the field within it.
        place: String,
        /// The Rust type that has the field.
        rust: &'static str,
        /// What is different.
        what: String,
        /// The attributes that do such things, and what to do about them.
        mend: String,
    },
    /// Entries no longer work with earlier versions of them.
    #[error(
        "{}\npages that are open would be refused it; to accept that, run what exports the schema with {BREAK} set:\n    \
         {BREAK}='{}' cargo test -p {package}",
        entries.iter().map(|(key, why)| format!("`{key}` has changed: {why}")).collect::<Vec<_>>().join("\n"),
        entries.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(",")
    )]
    Break {
        /// The entries by pattern or name, each with what does not work.
        entries: Vec<(String, String)>,
        /// The package of the schema.
        package: &'static str,
    },
    /// A `schema.lock` is not as the export wrote it.
    #[error(
        "{}:{line} is not as the export wrote it: take it as it was committed, of either side of a merge, and export again",
        path.display()
    )]
    Lock {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
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
        "{} is not what the schema exports; write it again by `{mend}`\n{difference}",
        path.display()
    )]
    Stale {
        /// The file.
        path: PathBuf,
        /// The command that writes it, where a test checks it.
        mend: String,
        /// The lines that differ, below their places in the file: `-` stands in the file, `+` in the export.
        difference: String,
    },
}

/// The text for people, because this is what a test shows that unwraps a [`Schema::check`](super::Schema::check).
impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
