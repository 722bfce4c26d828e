//! [`Broker`]: where publishes are put in order and remembered. The world varies here: memory, or a server shared by nodes.
//!
//! The contract, which every broker keeps:
//! - **Ordering.** A topic's events have one order, that of their offsets; each [`Sink`] gets them in that order, each once.
//! - **Interest.** A node attaches a sink to a topic when its first local subscriber comes and detaches it with the last. A sink
//!   gets every event after the position that `attach` gave, perhaps some of them before `attach` has returned.
//! - **Acknowledgement.** `publish` resolves when the event is appended; an error means that it was not, or that it is not known.
//! - **History.** `read` gives the events after a position, or says that they are gone; never a part of them.
//! - **Epochs.** A broker that forgets a topic begins a new epoch when the topic comes again.

mod memory;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use memory::{MemoryBroker, MemoryLimits};
use serde_json::value::RawValue;
use tidewire_protocol::{
    name::Topic,
    topic::{Epoch, Retention, Start},
};

/// What a broker's operations return.
pub type BrokerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, BrokerError>> + Send + 'a>>;

/// Why a broker did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The broker cannot be reached.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// There are as many topics as there may be.
    #[error("there are as many topics as there may be")]
    TooManyTopics,
}

/// An event as the broker holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// Its data.
    pub data: Arc<RawValue>,
}

/// A place in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The topic's epoch.
    pub epoch: Epoch,
    /// An offset in it.
    pub offset: u64,
}

/// A part of a topic's history.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, oldest first. The first one's `prev` is the position asked for.
    pub records: Vec<Record>,
    /// Whether the topic's history no longer reaches the position asked for; `records` is empty then.
    pub lost: bool,
    /// The newest offset when the page was read.
    pub head: u64,
}

/// How a topic is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// What of its past is kept.
    pub retention: Retention,
}

/// Who is told of a topic's events.
pub trait Sink: Send + Sync + 'static {
    /// Takes the next event. Must not block.
    fn deliver(self: Arc<Self>, record: &Record);
}

/// Puts publishes in order, remembers them and tells the nodes. See the [module](self) for the contract.
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// Appends an event to a topic and returns its place.
    fn publish<'a>(
        &'a self,
        topic: &'a Topic,
        data: Arc<RawValue>,
        keep: Keep,
    ) -> BrokerFuture<'a, Place>;

    /// Begins to tell `sink` of a topic's events. Returns the topic's head: the sink gets every event after it.
    fn attach<'a>(&'a self, topic: &'a Topic, sink: Arc<dyn Sink>) -> BrokerFuture<'a, Place>;

    /// Tells `sink` no more. Does not wait: an event that is under way may still come.
    fn detach(&self, topic: &Topic, sink: &Arc<dyn Sink>);

    /// Where a subscription begins that asks to go on from `since`, given as epoch and offset.
    fn start<'a>(
        &'a self,
        topic: &'a Topic,
        since: Option<(&'a str, u64)>,
    ) -> BrokerFuture<'a, (Start, Place)>;

    /// Reads at most `most` events after a place.
    fn read<'a>(
        &'a self,
        topic: &'a Topic,
        after: &'a Place,
        most: usize,
    ) -> BrokerFuture<'a, Page>;
}
