//! Those who read, and tell the oracle what they are told.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use tidewire_client::{Continuity, Event, Live};
use tokio::sync::watch;

use crate::{
    oracle::Shared,
    random::Random,
    server::{Feed, Item},
};

/// Of a thousand events, after how many a reader goes and comes again.
const RESTLESS: u64 = 5;

/// A subscription, with its state or without.
type Told = Pin<Box<dyn Stream<Item = Event<Item, Vec<Item>>> + Send>>;

pub(crate) struct Reader {
    live: Live,
    topic: usize,
    number: usize,
    oracle: Shared,
}

impl Reader {
    pub(crate) fn new(live: Live, topic: usize, oracle: &Shared) -> Self {
        let number = oracle.with(|oracle| oracle.enter(topic));
        Self { live, topic, number, oracle: oracle.clone() }
    }

    /// Reads until it has everything, as soon as it is known what that is.
    pub(crate) async fn run(self, mut random: Random, mut calm: watch::Receiver<Option<Vec<u64>>>) {
        let mut told = self.subscribe(&mut random);
        loop {
            tokio::select! {
                event = told.next() => {
                    let Some(event) = event else { return };
                    if self.tell(event) && random.below(1_000) < RESTLESS && calm.borrow().is_none() {
                        told = self.subscribe(&mut random);
                    }
                }
                Ok(()) = calm.changed() => {}
            }
            let head = calm.borrow().as_ref().map(|heads| heads[self.topic]);
            if self.oracle.with(|oracle| {
                oracle.fault.is_some()
                    || head.is_some_and(|head| oracle.has_reached(self.number, head))
            }) {
                return self.oracle.with(|oracle| oracle.finishes(self.number));
            }
        }
    }

    fn subscribe(&self, random: &mut Random) -> Told {
        let feed = Feed::at(self.topic);
        if random.percent(50) {
            return Box::pin(self.live.follow(&feed));
        }
        Box::pin(self.live.subscribe(&feed).map(|event| match event {
            Event::Live { continuity, at } => Event::Live { continuity, at },
            Event::Message { data, offset } => Event::Message { data, offset },
            Event::Ended(refusal) => Event::Ended(refusal),
            Event::Gap(gap) => Event::Gap(gap),
            Event::Refused { refusal, retry_at } => Event::Refused { refusal, retry_at },
            other => panic!("{other:?}"),
        }))
    }

    /// Whether it was an event.
    fn tell(&self, event: Event<Item, Vec<Item>>) -> bool {
        let number = self.number;
        match event {
            Event::Live { continuity: Continuity::Fresh, at } => {
                self.oracle.check(|oracle| oracle.begins(number, &at.epoch, at.offset));
            }
            Event::Live { continuity: Continuity::Recovered, at } => {
                self.oracle.check(|oracle| oracle.comes_back(number, &at.epoch, at.offset));
            }
            Event::Snapshot { state, at } => {
                let state = state.into_iter().map(Item::id).collect();
                self.oracle.check(|oracle| oracle.reads_state(number, at.offset, state));
            }
            Event::Message { data, offset } => {
                self.oracle.check(|oracle| oracle.reads(number, offset, data.id()));
                return true;
            }
            // Nothing else may come: history has all of it.
            other => self.oracle.check(|_| Err(format!("reader {number} is told {other:?}"))),
        }
        false
    }
}
