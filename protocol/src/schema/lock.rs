//! `schema.lock`: the versions of each entry that may still be in use.
//!
//! A file of text, committed beside the schema and part of what is built. Of each entry it has the version of this build
//! and the earlier ones of which pages may be open still, the newest first, each with the text that its hash is of: that
//! is what the export compares the next version with (`compare`). A build reads only the hashes.

use std::{collections::BTreeMap, fmt::Write as _};

use super::hash::SchemaHash;

/// How many earlier versions of an entry are kept.
pub(super) const KEPT: usize = 16;
/// How many earlier versions a client names in its hello: servers are never that far behind.
const NAMED: usize = 7;

/// A `schema.lock` as it is part of a build. `schema!` makes it.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    /// Where the file is, as seen from the crate's folder.
    pub path: &'static str,
    /// What it said when this was built.
    pub text: &'static str,
}

/// The hash of an entry, and those of earlier versions with which this one still works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    hash: SchemaHash,
    earlier: Vec<Earlier>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Earlier {
    hash: SchemaHash,
    /// Also a server of that version is good enough for a page of this one.
    serves: bool,
}

impl Versions {
    /// What a lock says of an entry, as far as it is about this version of it.
    #[doc(hidden)]
    #[must_use]
    pub fn locked(hash: SchemaHash, key: &str, lock: &str) -> Self {
        let name = quoted(key);
        let lines = lock.lines().skip_while(|line| *line != name).skip(1);
        let entry = lines.take_while(|line| line.starts_with(' '));
        let mut versions = entry.filter_map(|line| {
            let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
            let (hash, serves) = read_head(line)?;
            Some(Earlier { hash, serves })
        });
        // What stands below another version was compared with that one.
        let is_current = versions.next().is_some_and(|newest| newest.hash == hash);
        let earlier = if is_current { versions.collect() } else { Vec::new() };
        Self { hash, earlier }
    }

    /// The hash of this version.
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        self.hash
    }

    /// Whether a server of this version serves a client of that one, as far as this version knows.
    #[must_use]
    pub fn serves(&self, client: SchemaHash) -> bool {
        client == self.hash || self.earlier.iter().any(|earlier| earlier.hash == client)
    }

    /// What a client of this version names in its hello: its hash, and the hashes of earlier servers that are good enough.
    pub fn named(&self) -> impl Iterator<Item = SchemaHash> {
        let serving = self.earlier.iter().filter(|earlier| earlier.serves).take(NAMED);
        [self.hash].into_iter().chain(serving.map(|earlier| earlier.hash))
    }
}

const OLDER_ONLY: &str = " older pages only";

/// The first line of a version: its hash, and whether a server of it serves a page of the newest version.
fn read_head(line: &str) -> Option<(SchemaHash, bool)> {
    let hash = line.strip_suffix(OLDER_ONLY);
    Some((hash.unwrap_or(line).parse().ok()?, hash.is_none()))
}

/// A key as one word.
fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

/// The versions of every entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Locked {
    /// In the order of the file.
    pub(super) entries: Vec<(String, Vec<Version>)>,
}

/// A version of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The text that its hash is of.
    pub(super) text: String,
    /// Whether a server of it is good enough for a page of the newest.
    pub(super) serves: bool,
}

impl Version {
    pub(super) fn hash(&self) -> SchemaHash {
        SchemaHash::of(&self.text)
    }
}

impl Locked {
    /// Reads a file; the number of the first line that makes no sense.
    pub(super) fn parse(text: &str) -> Result<Self, usize> {
        let mut entries: Vec<(String, Vec<Version>)> = Vec::new();
        // The hash that the text of the version which is being read must have.
        let mut expected = None;
        let is_sound = |entries: &[(String, Vec<Version>)], expected: Option<SchemaHash>| {
            let version = entries.last().and_then(|(_, versions)| versions.last());
            expected == version.map(Version::hash)
        };
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let versions = entries.last_mut().map(|(_, versions)| versions);
            if let Some(line) = line.strip_prefix("    ") {
                let version = versions.and_then(|versions| versions.last_mut()).ok_or(at + 1)?;
                if !version.text.is_empty() {
                    version.text.push('\n');
                }
                version.text.push_str(line);
                continue;
            }
            // A version ends here: its text is what was hashed, or somebody has changed it.
            if expected.is_some() && !is_sound(&entries, expected) {
                return Err(at);
            }
            expected = None;
            if let Some(line) = line.strip_prefix("  ") {
                let (hash, serves) = read_head(line).ok_or(at + 1)?;
                let (_, versions) = entries.last_mut().ok_or(at + 1)?;
                versions.push(Version { text: String::new(), serves });
                expected = Some(hash);
            } else {
                let key: String = serde_json::from_str(line).map_err(|_| at + 1)?;
                entries.push((key, Vec::new()));
            }
        }
        if expected.is_some() && !is_sound(&entries, expected) {
            return Err(text.lines().count());
        }
        Ok(Self { entries })
    }

    /// The versions of an entry, the newest first.
    pub(super) fn of(&self, key: &str) -> &[Version] {
        let found = self.entries.iter().find(|(name, _)| name == key);
        found.map_or(&[], |(_, versions)| versions)
    }

    /// The text of the file.
    pub(super) fn write(&self, schema: &str) -> String {
        let mut text = format!(
            "# Written by `{schema}::export`: the versions of each entry that may still be in use, the newest first.\n\
             # Commit it; where a merge leaves it in conflict, take either side and export again.\n"
        );
        for (key, versions) in &self.entries {
            text.push_str(&format!("\n{}\n", quoted(key)));
            for version in versions {
                let mark = if version.serves { "" } else { OLDER_ONLY };
                let _ = writeln!(text, "  {}{mark}", version.hash());
                for line in version.text.lines() {
                    let _ = writeln!(text, "    {line}");
                }
            }
        }
        text
    }
}

/// The parts of an entry by their role, from the text that its hash is of; the first line is the kind of entry.
pub(super) fn roles(text: &str) -> BTreeMap<&str, &str> {
    text.lines().skip(1).filter_map(|line| line.split_once(' ')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[(&str, bool)]) -> Vec<Version> {
        texts
            .iter()
            .map(|(text, serves)| Version { text: (*text).into(), serves: *serves })
            .collect()
    }

    #[test]
    fn a_file_reads_back_and_a_build_reads_its_hashes() {
        let one = versions(&[
            ("topic\nevent number", true),
            ("topic\nevent string", false),
            ("topic", true),
        ]);
        let (newest, second, third) = (one[0].hash(), one[1].hash(), one[2].hash());
        let locked = Locked {
            entries: vec![
                ("a \"b\"".into(), one),
                ("empty".into(), Vec::new()),
                ("c".into(), versions(&[("call\nargs null\nreply {}", true)])),
            ],
        };
        let text = locked.write("Chat");
        assert_eq!(Locked::parse(&text).as_ref(), Ok(&locked), "{text}");
        assert_eq!(Locked::parse(&text.replace('\n', "\r\n")).as_ref(), Ok(&locked), "{text}");

        let read = Versions::locked(newest, "a \"b\"", &text);
        assert!([newest, second, third].into_iter().all(|hash| read.serves(hash)));
        assert!(!read.serves(SchemaHash::of("call\nargs null\nreply {}")), "of another entry");
        assert_eq!(read.named().collect::<Vec<_>>(), [newest, third]);
        let changed = Versions::locked(third, "a \"b\"", &text);
        assert!(!changed.serves(second), "nobody has compared these");
        assert_eq!(Versions::locked(third, "x", &text).named().collect::<Vec<_>>(), [third]);
    }

    #[test]
    fn a_client_names_few_versions() {
        let texts: Vec<_> = (0..KEPT).map(|at| format!("topic\nevent {at}")).collect();
        let all: Vec<_> = texts.iter().map(|text| (text.as_str(), true)).collect();
        let text = Locked { entries: vec![("a".into(), versions(&all))] }.write("Chat");
        let read = Versions::locked(SchemaHash::of(&texts[0]), "a", &text);
        assert_eq!(read.named().count(), 1 + NAMED);
        assert!(texts.iter().all(|text| read.serves(SchemaHash::of(text))));
    }

    #[test]
    fn what_is_changed_by_hand_is_found() {
        let text = Locked { entries: vec![("a".into(), versions(&[("topic\nevent x", true)]))] }
            .write("Chat");
        for (from, to, line) in [
            ("event x", "event y", 7),
            ("event x", "event x\n    event z", 8),
            ("\"a\"", "a", 4),
            ("  topic", "topic", 5),
            ("\n    event", "\n  event", 6),
        ] {
            let changed = text.replace(from, to);
            assert_eq!(Locked::parse(&changed), Err(line), "{changed}");
        }
        assert_eq!(Locked::parse("<<<<<<< HEAD\n"), Err(1));
    }
}
