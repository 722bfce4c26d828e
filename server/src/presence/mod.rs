//! Presence: who is a member of a topic by this node's sessions, and the task that tells the broker of it.
//!
//! A session that subscribes with a wish holds a [`Member`] for as long as it stays. Each topic that has members has a [`Table`], and
//! each table a task that tells the broker what changed, once in 200 ms; it ends with the last member.
//!
//! Lock order: the tables, then one table's members. Neither is held across an await.

mod rule;
mod topics;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::value::RawValue;
use tidewire_protocol::{
    name::Topic,
    presence::{Aged, Change, Members, Timing},
};
use tokio::sync::Notify;

pub use rule::Wish;
pub(crate) use rule::{PresenceHook, PresenceRule};

use crate::{
    broker::{Broker, BrokerError, Hold, Keep, Place, Shows},
    clock::Clock,
    snapshots,
    topics::DEFAULT_RETENTION,
};

/// What is kept of a topic of members: enough for a reconnect.
const KEEP: Keep = Keep { retention: DEFAULT_RETENTION, is_keyed: false };

/// All members by this node's sessions.
#[derive(Debug)]
pub(crate) struct Presence {
    broker: Arc<dyn Broker>,
    clock: Clock,
    /// What brokers know this node by.
    node: u64,
    tables: Mutex<HashMap<Topic, Arc<Table>>>,
    next: AtomicU64,
}

/// One topic's members by this node's sessions.
#[derive(Debug)]
struct Table {
    topic: Topic,
    shows: Shows,
    clock: Clock,
    members: Mutex<Members<u64, Arc<str>>>,
    changed: Notify,
}

/// A session's part in a topic: its user is a member as long as this lives, and for the grace period after it.
#[derive(Debug)]
pub(crate) struct Member {
    table: Arc<Table>,
    user: Arc<str>,
    /// Unlike any other, also of the same session.
    number: u64,
    leaves_at_once: bool,
}

impl Presence {
    pub(crate) fn new(broker: Arc<dyn Broker>, clock: Clock) -> Arc<Self> {
        let node = crate::random::bits();
        let (tables, next) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { broker, clock, node, tables, next })
    }

    /// Makes a user a member; `topic` is that of the members.
    pub(crate) fn join(
        self: &Arc<Self>,
        topic: &Topic,
        (timing, shows): (Timing, Shows),
        user: &str,
        data: Arc<str>,
    ) -> Member {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let user: Arc<str> = user.into();
        let mut tables = self.lock();
        let table = Arc::clone(tables.entry(topic.clone()).or_insert_with(|| {
            let table = Arc::new(Table {
                topic: topic.clone(),
                shows,
                clock: self.clock,
                members: Mutex::new(Members::new(timing)),
                changed: Notify::new(),
            });
            tokio::spawn(Arc::clone(self).tell(Arc::clone(&table)));
            table
        }));
        table.join(&user, number, data);
        drop(tables);
        Member { table, user, number, leaves_at_once: false }
    }

    /// The members of a topic as all nodes hold them, as JSON: an object with each one's data by the user's key, or the count.
    pub(crate) async fn snapshot(
        &self,
        topic: &Topic,
        shows: Shows,
    ) -> Result<(Place, String), BrokerError> {
        let state = self.broker.state(topic).await?;
        let text = match shows {
            Shows::Count => {
                let count = state.records.last().map(|record| record.event.data.get().to_owned());
                count.unwrap_or_else(|| "0".into())
            }
            // Where nobody is left, what the broker gives is history, which has no keys.
            Shows::Members => snapshots::object(&state.records),
        };
        Ok((state.place, text))
    }

    /// Tells the broker of a table's changes until nobody is left.
    async fn tell(self: Arc<Self>, table: Arc<Table>) {
        loop {
            table.wait().await;
            let changes = table.lock().poll_changes(self.clock.now());
            if !changes.is_empty() {
                self.hold(&table, changes).await;
            }
            let mut tables = self.lock();
            if table.lock().is_empty() {
                tables.remove(&table.topic);
                return;
            }
        }
    }

    async fn hold(&self, table: &Table, changes: Vec<Change<Aged<Arc<str>>>>) {
        let hold =
            Hold { node: self.node, changes: changes.clone(), shows: table.shows, keep: KEEP };
        let topic = table.topic.as_str();
        match self.broker.hold(&table.topic, hold).await {
            Ok(held) if held.refused > 0 => {
                tracing::warn!(topic, refused = held.refused, "too many members to show");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(topic, %error, "members cannot be told of; trying again");
                let now = self.clock.now();
                table.lock().handle_untold(changes.into_iter().map(|change| change.user), now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Table>>> {
        self.tables.lock().expect("no panic while the tables are locked")
    }
}

impl Table {
    /// Waits until there may be something to tell.
    async fn wait(&self) {
        loop {
            // Listens before it looks.
            let changed = self.changed.notified();
            let next = self.lock().poll_timeout();
            match next.map(|at| self.clock.instant(at)) {
                None => changed.await,
                Some(at) => {
                    if tokio::time::timeout_at(at, changed).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn join(&self, user: &Arc<str>, number: u64, data: Arc<str>) {
        self.lock().handle_join(user, number, data, self.clock.now());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Members<u64, Arc<str>>> {
        self.members.lock().expect("no panic while members are locked")
    }
}

impl Member {
    /// Changes what is shown of the user.
    pub(crate) fn change(&self, data: Arc<str>) {
        self.table.join(&self.user, self.number, data);
    }

    /// Leaves at once: nobody need wait for it to come back.
    pub(crate) fn leave(mut self) {
        self.leaves_at_once = true;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let Self { table, user, number, leaves_at_once } = self;
        table.lock().handle_leave(user, number, !*leaves_at_once, table.clock.now());
        table.changed.notify_one();
    }
}

/// The data of members who are only counted.
pub(crate) fn nothing() -> Arc<str> {
    RawValue::NULL.get().into()
}
