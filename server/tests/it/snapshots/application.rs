//! What docs/server.md shows of an application.

use std::{convert::Infallible, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tidewire::{Allow, Live, Refusal, Session, Snapshot, TopicBuilder, test::Client};
use tokio::sync::Mutex;
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub(crate) struct Card {
    column: String,
    title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub(crate) struct Cards {
    cards: Vec<Card>,
    may_edit: bool,
}

tidewire_protocol::schema! {
    pub(crate) schema Work {
        topic Board { team: String } = "board:{team}" { event: Card, snapshot: Cards }
    }
}

/// Stands for a database: every change has the next version.
#[derive(Clone, Default)]
struct Database(Arc<Mutex<Vec<Card>>>);

impl Database {
    async fn cards_of(&self, _team: &str) -> Result<(Vec<Card>, u64), Infallible> {
        let cards = self.0.lock().await.clone();
        let version = cards.len() as u64;
        Ok((cards, version))
    }

    async fn add(&self, card: &Card) -> Result<u64, Infallible> {
        let mut cards = self.0.lock().await;
        cards.push(card.clone());
        Ok(cards.len() as u64)
    }
}

// readme: snapshot
fn board(topic: TopicBuilder<User, Database, Board>) -> TopicBuilder<User, Database, Board> {
    topic
        .on_subscribe(async |_cx, _session, _board| Allow)
        .history(1000, Duration::from_secs(60))
        .snapshot_for(
            |session: &Session<User>| session.value().is_editor,
            async |cx, board, may_edit| {
                // Both are read in one transaction.
                let (cards, version) = cx.state.cards_of(&board.team).await?;
                Ok(Snapshot::new(Cards { cards, may_edit }).version(version))
            },
        )
}

async fn add(
    live: &Live<User>,
    database: &Database,
    team: &str,
    card: Card,
) -> Result<(), Refusal> {
    // Committed first, published then, with the version that it was committed under.
    let version = database.add(&card).await?;
    live.topic(Board { team: team.into() }).publish(&card).version(version).await?;
    Ok(())
}
// readme: end

struct User {
    is_editor: bool,
}

#[tokio::test]
async fn a_board_is_whole_for_each_kind_of_user() {
    let database = Database::default();
    let live = Live::<User>::builder()
        .state(database.clone())
        .on_auth(async |_cx, request: tidewire::Request| {
            Ok::<_, Refusal>(User { is_editor: request.query("editor").is_some() })
        })
        .topic::<Board>(board)
        .build();
    let card = |title: &str| Card { column: "to do".into(), title: title.into() };
    add(&live, &database, "a", card("first")).await.unwrap();
    for (path, may_edit) in [("/ws", false), ("/ws?editor=1", true)] {
        let mut client = Client::connect(&live).path(path).hello().await.unwrap();
        let team = Board { team: "a".into() };
        let (_, state) = client.subscribe_with_snapshot(&team, None).await.unwrap();
        assert_eq!(state, Some(Cards { cards: vec![card("first")], may_edit }));
    }
}
