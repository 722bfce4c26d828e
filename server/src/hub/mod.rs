//! [`Hub`]: who is subscribed to what on this node.
//!
//! A topic that somebody here is subscribed to is a [`Local`], which is attached to the broker for as long as that lasts. The broker
//! hands it each event in order; under its lock each subscriber's delivery core says what to do, and the outbox does it.
//!
//! Lock order: a broker's topic, then a `Local`, then an outbox. None is held across an await.

mod batch;
mod catch_up;
mod gather;
mod left_out;
mod local;
mod subscribers;

use std::{
    collections::{HashMap, hash_map},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard},
};

use tidewire_protocol::{
    delivery::{Delivery, Included, Overflow},
    frame::Position,
    name::Topic,
    topic::{Reading, Start},
};

pub(crate) use batch::Frames;
pub(crate) use catch_up::{CatchUp, CaughtUp};
pub(crate) use gather::gather;

use crate::{
    broker::{Broker, BrokerError, Place, Sink},
    metrics::Counters,
    outbox::Outbox,
    snapshots::Taken,
    ws::Passage,
};
use local::Local;
use subscribers::Subscriber;

const SHARDS: usize = 64;

pub(crate) struct Hub {
    broker: Arc<dyn Broker>,
    counters: Arc<Counters>,
    shards: Vec<Mutex<HashMap<Topic, Interest>>>,
    hasher: RandomState,
}

/// A topic that is used here, and by how many subscriptions, those under way included.
struct Interest {
    local: Arc<Local>,
    uses: usize,
}

/// One session's subscription to one topic; it ends when this is dropped.
pub(crate) struct Subscription {
    local: LocalUse,
    key: u32,
}

/// Who subscribes, and how.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The session's id.
    pub(crate) session: &'a Arc<str>,
    pub(crate) outbox: &'a Arc<Outbox>,
    /// Its frames carry positions.
    pub(crate) is_full: bool,
    pub(crate) overflow: Overflow,
    /// Events that it has by its snapshot's version do not come. Not where the subscription outlives that snapshot.
    pub(crate) leaves_out: bool,
}

/// Keeps a [`Local`] attached.
struct LocalUse {
    hub: Arc<Hub>,
    local: Arc<Local>,
}

/// Where a subscription is to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beginning<'a> {
    /// At the head.
    Head,
    /// After a position; at the head if history does not reach it. The reader came there from a snapshot of this version.
    Since(&'a Position, Option<u64>),
    /// The same, or not at all.
    Only(&'a Position, Option<u64>),
    /// After a snapshot, or not at all.
    Snapshot(&'a Taken),
}

/// Keeps what is known of a topic here.
pub(crate) struct Held(LocalUse);

/// How a subscription began.
#[derive(Clone, Debug)]
pub(crate) struct Began {
    pub(crate) position: Position,
    pub(crate) head: u64,
    pub(crate) recovered: Option<bool>,
    pub(crate) is_catching_up: bool,
    /// As its reader's.
    pub(crate) leaves_out: bool,
}

impl Hub {
    pub(crate) fn new(broker: Arc<dyn Broker>, counters: Arc<Counters>) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { broker, counters, shards, hasher: RandomState::new() })
    }

    pub(crate) fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    fn shard(&self, topic: &Topic) -> MutexGuard<'_, HashMap<Topic, Interest>> {
        let at = usize::try_from(self.hasher.hash_one(topic) % SHARDS as u64).unwrap_or(0);
        self.shards[at].lock().expect("no panic while a shard is locked")
    }

    fn local(self: &Arc<Self>, topic: &Topic) -> LocalUse {
        let mut shard = self.shard(topic);
        let interest = shard.entry(topic.clone()).or_insert_with(|| Interest {
            local: Arc::new(Local::new(
                topic.clone(),
                Arc::clone(&self.broker),
                Arc::clone(&self.counters),
            )),
            uses: 0,
        });
        interest.uses += 1;
        LocalUse { hub: Arc::clone(self), local: Arc::clone(&interest.local) }
    }

    /// Subscribes `reader` to a topic. `answer` sends the reply; no event of the subscription comes before it, and all come after.
    /// `None`, and no subscription, if it cannot begin where it is to.
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        topic: &Topic,
        reader: Reader<'_>,
        beginning: Beginning<'_>,
        answer: impl FnOnce(&Began) + Send,
    ) -> Result<Option<(Subscription, Began)>, BrokerError> {
        let Reader { session, outbox, is_full, overflow, leaves_out } = reader;
        let local = self.local(topic);
        local.local.attach().await?;
        let (start, place) = self.broker.start(topic, beginning.since()).await?;
        let is_behind = start == Start::Lost && beginning.may_lag(&place, overflow);
        if start == Start::Lost && beginning.is_strict() && !is_behind {
            return Ok(None);
        }
        let mut state = local.local.lock();
        let delivery = match (start, beginning) {
            (_, Beginning::Snapshot(taken)) if is_behind || taken.is_large() => {
                Delivery::lagging(taken.place.offset, overflow)
            }
            (Start::Recovered(offset), _) if offset < state.position => {
                Delivery::catching_up(offset, overflow)
            }
            (Start::Recovered(offset), _) => Delivery::live(offset, overflow),
            (Start::Fresh | Start::Lost, _) => Delivery::live(state.position, overflow),
        };
        let began = Began {
            position: Position { epoch: place.epoch.as_str().into(), offset: delivery.position() },
            head: state.position.max(delivery.position()),
            recovered: match start {
                Start::Fresh => None,
                Start::Recovered(_) => Some(true),
                Start::Lost => Some(false),
            },
            is_catching_up: delivery.is_catching_up(),
            leaves_out,
        };
        let key = state.subscribers.insert(Subscriber {
            session: Arc::clone(session),
            outbox: Arc::clone(outbox),
            is_full,
            delivery,
            included: if leaves_out { beginning.included(start) } else { Included::NOTHING },
        });
        answer(&began);
        drop(state);
        Ok(Some((Subscription { local, key }, began)))
    }

    /// Whether a subscription of this policy can begin there: not at the head instead.
    pub(crate) async fn can_begin(
        &self,
        topic: &Topic,
        beginning: Beginning<'_>,
        overflow: Overflow,
    ) -> Result<bool, BrokerError> {
        let (start, place) = self.broker.start(topic, beginning.since()).await?;
        Ok(start != Start::Lost || beginning.may_lag(&place, overflow))
    }

    /// Keeps what is known of a topic here while its snapshot is made.
    pub(crate) fn hold(self: &Arc<Self>, topic: &Topic) -> Held {
        Held(self.local(topic))
    }

    /// Waits while a topic has more events to deliver here than it should.
    pub(crate) async fn wait_for_room(&self, topic: &Topic) {
        if let Some(local) = self.find(topic) {
            local.wait_for_room().await;
        }
    }

    /// Whether a publish to a topic would not wait.
    pub(crate) fn has_room(&self, topic: &Topic) -> bool {
        self.find(topic).is_none_or(|local| local.has_room())
    }

    /// How many sessions here are subscribed to a topic.
    pub(crate) fn count(&self, topic: &Topic) -> usize {
        self.find(topic).map_or(0, |local| local.lock().subscribers.len())
    }

    /// The ids of the sessions here that are subscribed to a topic.
    pub(crate) fn subscribers(&self, topic: &Topic) -> Vec<Arc<str>> {
        let of = |local: Arc<Local>| {
            local.lock().subscribers.iter().map(|one| Arc::clone(&one.session)).collect()
        };
        self.find(topic).map_or_else(Vec::new, of)
    }

    /// How many topics have subscribers here, and how many subscribers these have together.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let shards =
            self.shards.iter().map(|shard| shard.lock().expect("no panic while a shard is locked"));
        shards.fold((0, 0), |(topics, uses), shard| {
            (
                topics + shard.len(),
                uses + shard.values().map(|interest| interest.uses).sum::<usize>(),
            )
        })
    }

    fn find(&self, topic: &Topic) -> Option<Arc<Local>> {
        self.shard(topic).get(topic).map(|interest| Arc::clone(&interest.local))
    }
}

impl<'a> Beginning<'a> {
    /// The position after which it is to begin.
    fn since(self) -> Option<(&'a str, u64)> {
        match self {
            Self::Head => None,
            Self::Since(position, _) | Self::Only(position, _) => {
                Some((&position.epoch, position.offset))
            }
            Self::Snapshot(taken) => Some((taken.place.epoch.as_str(), taken.place.offset)),
        }
    }

    fn is_strict(self) -> bool {
        matches!(self, Self::Only(..) | Self::Snapshot(_))
    }

    /// Whether it can begin although history no longer reaches it: the topic's policy lets whoever lags miss something, and be told.
    fn may_lag(self, place: &Place, overflow: Overflow) -> bool {
        let leaves_out = !matches!(overflow.reading(), None | Some(Reading::All));
        matches!(self, Self::Snapshot(taken) if leaves_out && taken.place.epoch == place.epoch)
    }

    /// What the reader has already of what follows.
    fn included(self, start: Start) -> Included {
        match (self, start) {
            (Self::Snapshot(taken), _) => Included::up_to(taken.version),
            (Self::Since(_, version) | Self::Only(_, version), Start::Recovered(_)) => {
                Included::up_to(version)
            }
            _ => Included::NOTHING,
        }
    }
}

impl Held {
    /// A snapshot's text for all who are sent it. One that says the same as the last, and is still being sent, is that one.
    pub(crate) fn share(&self, text: &str) -> Arc<Passage> {
        self.0.local.share(text)
    }
}

impl Drop for LocalUse {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(&self.local.topic);
        if let hash_map::Entry::Occupied(mut entry) = shard.entry(self.local.topic.clone()) {
            entry.get_mut().uses -= 1;
            if entry.get().uses == 0 {
                entry.remove();
                drop(shard);
                let sink: Arc<dyn Sink> = Arc::clone(&self.local) as Arc<dyn Sink>;
                self.hub.broker.detach(&self.local.topic, &sink);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let removed = self.local.local.lock().subscribers.remove(self.key);
        // The last handle to an outbox may be this one.
        drop(removed);
    }
}

impl Subscription {
    /// From now on its events carry positions; `answer` is told the one from which they go on, unless they already do.
    pub(crate) fn go_full(&self, answer: impl FnOnce(Position)) {
        let mut state = self.local.local.lock();
        let epoch = state.epoch.as_ref().map_or_else(String::new, |epoch| epoch.as_str().into());
        if let Some(subscriber) =
            state.subscribers.get_mut(self.key).filter(|subscriber| !subscriber.is_full)
        {
            subscriber.is_full = true;
            answer(Position { epoch, offset: subscriber.delivery.position() });
        }
    }

    /// Where the subscription is, and the newest offset that it could have.
    pub(crate) fn place(&self) -> (Position, u64) {
        let mut state = self.local.local.lock();
        let epoch = state.epoch.as_ref().map_or_else(String::new, |epoch| epoch.as_str().into());
        let subscriber = state.subscribers.get_mut(self.key);
        let offset = subscriber.map_or(0, |subscriber| subscriber.delivery.position());
        (Position { epoch, offset }, state.position.max(offset))
    }

    /// A handle that reads on for this subscription, without keeping it alive.
    pub(crate) fn catch_up(&self) -> CatchUp {
        CatchUp { local: Arc::clone(&self.local.local), key: self.key }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.local.local.topic).finish()
    }
}

#[cfg(test)]
mod tests;
