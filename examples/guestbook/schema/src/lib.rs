//! The schema of the guest book: what the server and the page say to each other, written once.
//!
//! The page's side is `web/src/guestbook.schema.ts`, written from here.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An entry, as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Entry {
    /// Its number; later entries have higher ones.
    pub id: u64,
    /// Who wrote it.
    pub guest: String,
    /// What they wrote.
    pub text: String,
}

/// What a guest writes.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct NewEntry {
    /// What to write: 1 to 500 characters.
    pub text: String,
}

/// What to look for.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Query {
    /// What is found has each of these words, in its text or in its guest's name: 1 to 100 characters.
    pub words: String,
    /// The entry before which to begin; the last one that was found, for a search that goes on.
    pub before: Option<u64>,
}

tidewire_protocol::schema! {
    /// A book in which guests write.
    pub schema Guestbook lock "schema.lock" {
        /// All entries, and each that is written.
        topic Entries = "entries" { event: Entry, publish: NewEntry }

        /// Looks through all of the book, from the newest entry on.
        stream Search = "search" (Query) -> Entry;
    }
}
