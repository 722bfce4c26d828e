//! The chat schema: what the server and the page say to each other, written once.
//!
//! The page's side is `web/src/chat.schema.ts`, written from here.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A message that everybody in a room sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChatMessage {
    /// Who wrote it, as the server knows them.
    pub user: String,
    /// What they wrote.
    pub text: String,
    /// When the server took it, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A message to a room, as its writer sends it: the server adds who and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NewMessage {
    /// What to say.
    pub text: String,
}

/// Somebody who is in a room; the key is the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Visitor {
    /// Whether they are about to say something.
    pub is_writing: bool,
}

/// Somebody wrote in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RoomActivity {
    /// The room.
    pub room: String,
    /// Who wrote.
    pub user: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

tidewire_protocol::schema! {
    /// Rooms to talk in, and a lobby that shows where people talk.
    pub schema Chat lock "schema.lock" {
        /// The messages of a room.
        topic Room { room: String } = "chat:{room}" {
            event: ChatMessage, publish: NewMessage, presence: Visitor
        }

        /// What goes on in the rooms.
        topic Lobby = "lobby" { event: RoomActivity }
    }
}

#[cfg(test)]
mod tests {
    use super::Chat;

    #[test]
    fn the_page_has_this_schema() {
        Chat::check("../web/src/chat.schema.ts").unwrap();
    }
}
