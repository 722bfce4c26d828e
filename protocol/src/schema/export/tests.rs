use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::render;
use crate::schema::{ExportError, Schema};

macro_rules! version {
    ($module:ident $lock:literal [$($item:item)*] $($entries:tt)*) => {
        mod $module {
            use super::*;
            $(#[derive(Serialize, Deserialize, TS)] $item)*
            crate::schema! { pub(super) schema Chat lock $lock { $($entries)* } }
        }
    };
}

version! { first "tests/it/locks/first.lock"
    [pub(super) struct Said { text: String } pub(super) struct Saying { text: String }]
    topic Room { room: String } = "room:{room}" { event: Said, publish: Saying }
    topic News = "news" { event: String }
    call Join = "join" (Saying) -> Said;
}

/// The same a version later: an event and a reply have gained a field, a publish one that may be absent.
macro_rules! grown {
    ($module:ident $lock:literal) => {
        version! { $module $lock
            [
                pub(super) struct Said { text: String, at: u64 }
                pub(super) struct Saying { text: String, #[serde(default)] loud: bool }
            ]
            topic Room { room: String } = "room:{room}" { event: Said, publish: Saying }
            topic News = "news" { event: String }
            call Join = "join" (Saying) -> Said;
        }
    };
}

grown! { growing "tests/it/locks/first.lock" }
grown! { grown "tests/it/locks/grown.lock" }

version! { broken "tests/it/locks/grown.lock"
    [
        pub(super) struct Said { text: u64 }
        pub(super) struct Saying { text: String, #[serde(default)] loud: bool }
    ]
    topic Room { room: String } = "room:{room}" { event: Said, publish: Saying }
    call Join = "join" (Saying) -> Saying;
}

version! { edited "tests/it/locks/edited.lock"
    [pub(super) struct Said { text: String }]
    topic News = "news" { event: Said }
}

/// What the files say of these versions, as of their lock.
fn exported<S: Schema>(breaking: &[&str]) -> Result<(String, String), ExportError> {
    render::<S>(breaking).map(|files| (files.module, files.lock.expect("it has a lock")))
}

fn committed<S: Schema>() -> &'static str {
    S::LOCK.expect("it has a lock").text
}

#[test]
fn a_lock_keeps_what_still_fits() {
    let (module, lock) = exported::<first::Chat>(&[]).unwrap();
    assert_eq!(lock, committed::<first::Chat>());
    let hash = |schema: &[crate::schema::Entry], at: usize| schema[at].hash().to_string();
    let old = hash(first::Chat::ENTRIES, 0);
    assert!(module.contains(&format!("\"room:{{room}}\": \"{old}\",")), "{module}");

    let (_, lock) = exported::<growing::Chat>(&[]).unwrap();
    assert_eq!(lock, committed::<grown::Chat>(), "the next version is put before the first");
    let (module, lock) = exported::<grown::Chat>(&[]).unwrap();
    assert_eq!(lock, committed::<grown::Chat>());
    let new = hash(grown::Chat::ENTRIES, 0);
    assert!(module.contains(&format!("\"room:{{room}}\": [\"{new}\", \"{old}\"],")), "{module}");
    assert!(module.contains(&format!("\"news\": \"{}\",", hash(first::Chat::ENTRIES, 1))));
}

#[test]
fn a_build_knows_what_its_lock_says() {
    for (old, new, growing) in [(0, 0, 0), (2, 2, 2)].map(|(a, b, c)| {
        let entries = |entries: &'static [crate::schema::Entry], at: usize| entries[at].versions();
        (
            entries(first::Chat::ENTRIES, a),
            entries(grown::Chat::ENTRIES, b),
            entries(growing::Chat::ENTRIES, c),
        )
    }) {
        assert!(new.serves(old.hash()) && !old.serves(new.hash()));
        assert_eq!(new.named().collect::<Vec<_>>(), [new.hash(), old.hash()]);
        assert_eq!(old.named().collect::<Vec<_>>(), [old.hash()]);
        assert!(!growing.serves(old.hash()), "an export has not yet looked at it");
    }
}

#[test]
fn a_break_is_refused_until_it_is_accepted() {
    let error = exported::<broken::Chat>(&[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`room:{room}` has changed: `event.text` may be `number` now, and older pages know it as `string`\n\
         `join` has changed: `reply.at` may be absent now, and older pages need it\n\
         `news` has changed: it is gone, and older pages are refused it\n\
         pages that are open would be refused it; to accept that, run what exports the schema with TIDEWIRE_BREAK set:\n    \
         TIDEWIRE_BREAK='room:{room},join,news' cargo test -p tidewire-protocol"
    );
    let error = exported::<broken::Chat>(&["room:{room}", "news"]).unwrap_err();
    assert!(matches!(&error, ExportError::Break { entries, .. } if entries.len() == 1), "{error}");
    let (module, lock) = exported::<broken::Chat>(&["room:{room}", "join", "news"]).unwrap();
    let hash = broken::Chat::ENTRIES[0].hash();
    assert!(module.contains(&format!("\"room:{{room}}\": \"{hash}\",")), "{module}");
    let versions = lock.lines().filter(|line| line.starts_with("  ") && !line.starts_with("    "));
    assert_eq!(versions.count(), 2, "the lists start anew: {lock}");
}

#[test]
fn a_lock_that_is_changed_by_hand_is_refused() {
    let error = exported::<edited::Chat>(&[]).unwrap_err().to_string();
    let path = "locks/edited.lock:8 is not as the export wrote it: take it as it was committed";
    assert!(error.contains(path), "{error}");
}
