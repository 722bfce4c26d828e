//! The schema that docs/schema.md shows, with every part that there is. `cargo xtask codegen` copies the marked part.

// readme: declaration
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a card of a board says. Doc comments go to the TypeScript too.
#[derive(Serialize, Deserialize, TS)]
pub struct Card {
    pub id: u32,
    pub text: String,
    /// Absent in JSON where there is none: `mood?: string`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mood: Option<String>,
}

#[derive(Serialize, Deserialize, TS)]
pub struct Edit {
    pub id: u32,
    pub text: String,
}

#[derive(Serialize, Deserialize, TS)]
pub struct Person {
    pub name: String,
}

#[derive(Serialize, Deserialize, TS)]
pub struct Summary {
    pub cards: u32,
    pub last: Option<Card>,
}

tidewire_protocol::schema! {
    /// What this application says.
    pub schema Boards {
        // Without parameters, and with nothing but events: only the server says something.
        topic News = "news" { event: String }
        // Every part, in the order in which they stand.
        topic Board { team: String, board: u32 } = "board:{team}:{board}" {
            event: Card,         // what subscribers get
            publish: Edit,       // what pages may send
            key: id,             // the field whose text is the event's key: the last of each is the state
            snapshot: Summary,   // a state of the application's own, in place of that
            presence: Person,    // what others see of each member
        }
        // NAME = "its.name" (ARGUMENT) -> REPLY; each with a semicolon.
        call Rename = "boards.rename" (Edit) -> u32;
        call Teams = "teams.list" () -> Vec<String>;
        // A call that is answered by any number of items.
        stream Search = "boards.search" (String) -> Card;
    }
}
// readme: end

#[test]
fn the_page_gets_every_part() {
    let module = Boards::typescript().unwrap();
    for line in [
        "  mood?: string;",
        "  last: Card | null;",
        r#""news": { event: string; publish: never; snapshot: Array<string> };"#,
        r#""board:{team}:{board}": { event: Card; publish: Edit; key: "id"; snapshot: Summary; presence: Person };"#,
        r#""boards.rename": { args: Edit; reply: number };"#,
        r#""teams.list": { args: null; reply: Array<string> };"#,
        r#""boards.search": { args: string; item: Card };"#,
    ] {
        assert!(module.contains(line), "{line} is not in\n{module}");
    }
}
