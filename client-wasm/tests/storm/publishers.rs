//! Those who publish, at their pace, and tell the oracle what they are answered.

use std::time::Duration;

use futures_util::{
    StreamExt,
    stream::{FuturesUnordered, select_all},
};
use tidewire_client::{Continuity, Event, Live};
use tokio::time::{Interval, interval};

use crate::{
    READS, TOPICS,
    oracle::Shared,
    random::Random,
    server::{Feed, Item},
};

/// Publishes of a client without an answer, beyond which it waits: a client without a connection takes 1,000.
const MOST_OPEN: usize = 500;

pub(crate) struct Pace {
    every: Duration,
    times: u64,
}

impl Pace {
    pub(crate) fn new(per_second: u64, seconds: u64) -> Self {
        Self { every: Duration::from_secs(1) / per_second as u32, times: per_second * seconds }
    }

    /// What is late is made up for: the number counts.
    fn ticks(&self) -> Interval {
        interval(self.every)
    }
}

pub(crate) struct Publisher {
    number: u64,
    random: Random,
    pace: Pace,
    oracle: Shared,
}

impl Publisher {
    pub(crate) fn new(number: u64, random: Random, pace: Pace, oracle: &Shared) -> Self {
        Self { number, random, pace, oracle: oracle.clone() }
    }

    /// By a client, which sends again what it has no answer for: in topics that it is subscribed to, whose epoch it knows.
    pub(crate) async fn by_client(mut self, live: Live, topics: [usize; READS]) {
        let held = topics.map(|topic| live.subscribe(&Feed::at(topic)));
        let mut held = select_all(held);
        let mut to_begin = READS;
        while to_begin > 0 {
            match held.next().await {
                Some(Event::Live { continuity: Continuity::Fresh, .. }) => to_begin -= 1,
                Some(_) => {}
                None => return,
            }
        }
        let mut ticks = self.pace.ticks();
        let mut open = FuturesUnordered::new();
        let mut number = 0;
        while number < self.pace.times || !open.is_empty() {
            tokio::select! {
                _ = ticks.tick(), if number < self.pace.times && open.len() < MOST_OPEN => {
                    let (topic, item) = self.next(number, &topics);
                    number += 1;
                    let answer = live.publish(&Feed::at(topic), &item);
                    open.push(async move { (topic, item, answer.await) });
                }
                // Readers tell the oracle; this one only keeps up.
                Some(_) = held.next() => {}
                Some((topic, item, answer)) = open.next() => {
                    self.oracle.check(|oracle| match answer {
                        Ok(at) => oracle.answered(topic, item.id(), &at.epoch, at.offset),
                        Err(error) => Err(format!("{item:?} was not published: {error}")),
                    });
                }
            }
        }
    }

    /// By the application.
    pub(crate) async fn by_server(mut self, live: tidewire::Live<()>) {
        let topics: Vec<usize> = (0..TOPICS).collect();
        let mut ticks = self.pace.ticks();
        for number in 0..self.pace.times {
            ticks.tick().await;
            let (topic, item) = self.next(number, &topics);
            let answer = live.topic(Feed::at(topic)).publish(&item).await;
            self.oracle.check(|oracle| match answer {
                Ok(at) => oracle.answered(topic, item.id(), &at.epoch, at.offset),
                Err(error) => Err(format!("{item:?} was not published: {error}")),
            });
        }
    }

    fn next(&mut self, number: u64, topics: &[usize]) -> (usize, Item) {
        let topic = self.random.pick(topics);
        let item = Item { by: self.number, number };
        self.oracle.with(|oracle| oracle.publishes(topic, item.id()));
        (topic, item)
    }
}
