//! What the browser tests and their server say to each other.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a room hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct Said {
    /// The token of whoever said it.
    pub(crate) by: String,
    pub(crate) text: String,
}

/// What is said in a room; `"refuse"` is refused.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub(crate) struct Say {
    pub(crate) text: String,
}

/// What is pinned to a board, under its name; an empty text takes it off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct Pin {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) mood: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Talk {
        topic Room { room: String } = "room:{room}" { event: Said, publish: Say, presence: Member }
        topic Board { board: String } = "board:{board}" { event: Pin, publish: Pin, key: name }
        /// Its members are only counted.
        topic Hall { hall: String } = "hall:{hall}" { event: Said }
        /// Nobody may subscribe.
        topic Vault = "vault" { event: Said }
        /// Gives it back louder; `"refuse"` is refused, and `"wait"` never answered.
        call Shout = "shout" (Say) -> Say;
        /// Counts from 1.
        stream Count = "count" (u32) -> u32;
    }
}
