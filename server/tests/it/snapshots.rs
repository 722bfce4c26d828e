//! Snapshots and what follows them: nothing is missing between, and where the server can know it nothing is in both.

mod application;
mod exact;
mod handlers;
mod history;
mod large;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidewire::{
    Live, Position,
    broker::Range,
    test::{Client, Frame, Subscribed},
};
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub(crate) struct Quote {
    symbol: String,
    number: u64,
}

tidewire_protocol::schema! {
    pub(crate) schema Desk {
        topic Tape { name: String } = "tape:{name}" { event: u64 }
        topic Prices = "prices" { event: Quote, key: symbol }
        topic Account { id: u32 } = "account:{id}" { event: u64, publish: u64, snapshot: Vec<u64> }
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn tape() -> Tape {
    Tape { name: "a".into() }
}

const ACCOUNT: Account = Account { id: 7 };

async fn connect<V: Send + Sync + 'static>(live: &Live<V>) -> Client {
    Client::connect(live).hello().await.unwrap()
}

/// What an application stores: the numbers so far, of which the last is the version.
type Store = Arc<Mutex<Vec<u64>>>;

/// What a client has of a topic, checked as it comes: each frame's `prev` is where the client is, unless a gap says why not.
struct Seen {
    /// Where it began.
    begun: u64,
    position: u64,
    numbers: Vec<u64>,
    gaps: Vec<(u64, u64, String)>,
}

impl Seen {
    fn after(subscribed: &Subscribed, numbers: Vec<u64>) -> Self {
        let begun = subscribed.position.offset;
        Self { begun, position: begun, numbers, gaps: Vec::new() }
    }

    fn take(&mut self, frame: &Frame) {
        if frame.topic == "$gap" {
            let gap: serde_json::Value = frame.decode().unwrap();
            let number = |field: &str| gap[field].as_u64().unwrap();
            let cause = gap["cause"].as_str().unwrap();
            assert_eq!(number("after"), self.position, "{gap}");
            assert!(number("to") > self.position, "{gap}");
            self.position = number("to");
            self.gaps.push((number("after"), number("to"), cause.into()));
            return;
        }
        let (offset, prev) = (frame.offset.unwrap(), frame.prev.unwrap());
        assert!(prev == self.position, "{frame:?} at {}", self.position);
        self.position = offset;
        let data: serde_json::Value = frame.decode().unwrap();
        self.numbers.push(data["number"].as_u64().or(data.as_u64()).unwrap());
    }

    /// Reads until the position is there.
    async fn read_to(&mut self, client: &mut Client, offset: u64) {
        while self.position < offset {
            self.take(&client.next().await.unwrap());
        }
        assert_eq!(self.position, offset);
    }
}

fn position(offset: u64, epoch: &Position) -> Position {
    Position { offset, ..epoch.clone() }
}

fn sorted(numbers: &[u64]) -> Vec<u64> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers
}

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

type Board = BTreeMap<String, Quote>;
