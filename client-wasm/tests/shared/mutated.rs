//! Frames that are not quite right, for property tests: those of `vectors/tuples.json` and whatever else a test has, changed in a few places.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;

/// What comes in at a place: little that breaks a frame, and much that leaves it one, but another.
const PIECES: [&str; 24] = [
    "",
    "0",
    "1",
    "-",
    ".5",
    "1e3",
    "1e308",
    "9007199254740992",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "null",
    "true",
    "$",
    "\u{0}",
    "\u{e9}",
    "\\ud800",
    "chat:general",
    "\"re\":1,",
    "\"offset\":9,\"prev\":8,",
    "\"epoch\":\"e\",",
    "\"key\":\"k\",\"removed\":true,",
];

/// A place in a text, the characters that go from there, and what comes in.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    at: Index,
    gone: usize,
    piece: &'static str,
}

impl Change {
    fn apply(&self, text: &str) -> String {
        let text: Vec<char> = text.chars().collect();
        let at = self.at.index(text.len() + 1);
        let rest = (at + self.gone).min(text.len());
        text[..at]
            .iter()
            .copied()
            .chain(self.piece.chars())
            .chain(text[rest..].iter().copied())
            .collect()
    }
}

/// The text with all of the changes, one after the other.
pub(crate) fn changed(text: &str, changes: &[Change]) -> String {
    changes.iter().fold(text.to_owned(), |text, change| change.apply(&text))
}

/// Few changes, or none.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (any::<Index>(), 0_usize..4, prop::sample::select(&PIECES[..]))
        .prop_map(|(at, gone, piece)| Change { at, gone, piece });
    prop_oneof![Just(Vec::new()), vec(change, 1..4)]
}

/// The frames of the vectors, sound and malformed.
pub(crate) fn vectors() -> Vec<String> {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../vectors/tuples.json")).expect("it is JSON");
    let frames = vectors["frames"].as_array().expect("a list").iter();
    frames.map(|frame| frame["text"].as_str().expect("a text").to_owned()).collect()
}

/// One of the vectors' frames, changed.
pub(crate) fn frame() -> impl Strategy<Value = String> {
    (prop::sample::select(vectors()), changes())
        .prop_map(|(text, changes)| changed(&text, &changes))
}

/// How many cases a property is tried with: many more where `TIDEWIRE_LONG` is set.
pub(crate) fn cases(short: u32, long: u32) -> ProptestConfig {
    let cases = if std::env::var_os("TIDEWIRE_LONG").is_some() { long } else { short };
    ProptestConfig { cases, ..ProptestConfig::default() }
}
