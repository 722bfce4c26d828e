//! [`Broker`]: where publishes are put in order and remembered. The world varies here: memory, or a server shared by nodes.
//!
//! The contract, which every broker keeps:
//! - **Ordering.** A topic's events have one order, that of their offsets; each [`Sink`] gets them in that order, each once.
//! - **Interest.** A node attaches a sink to a topic when its first local subscriber comes and detaches it with the last. A sink
//!   gets every event after the position that `attach` gave, perhaps some of them before `attach` has returned.
//! - **Acknowledgement.** `publish` resolves when the event is appended; an error means that it was not, or that it is not known.
//! - **Idempotency.** A publish with [`Publish::once`] whose scope and name were appended to the topic within the last 10 minutes, as one of the
//!   scope's last 1,000, is not appended again and resolves with the first one's place. With [`Publish::after`] one that is no longer
//!   remembered is not appended either.
//! - **History.** `read` gives the events after a position, or says what of them is gone; never a part of them in silence. A cursor that
//!   reads on from the end of each page comes to the head, whatever is published meanwhile.
//! - **State.** Of a keyed topic the last event of each key is kept beyond its history, until the key is removed. It is bounded: an
//!   event that it has no room for is refused, and nothing changes.
//! - **Members.** A member of a topic is there as long as one node holds it; what is seen changes with the first and the last of them, and with
//!   the data that a node gives last.
//! - **Epochs.** A broker that forgets a topic begins a new epoch when the topic comes again.

mod members;
mod memory;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub(crate) use members::Present;
pub use members::{Held, Hold, Shows};
pub use memory::{MemoryBroker, MemoryLimits};
use serde_json::value::RawValue;
use tidewire_protocol::{
    frame::server,
    name::Topic,
    topic::{Epoch, Missing, Reading, Retention, Start},
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
    /// The topic has as many keys, or as many bytes of state, as it may.
    #[error("the topic has as many keys as it may")]
    TooManyKeys,
    /// The topic has begun a new epoch since the publish was made.
    #[error("the topic has begun a new epoch: whether it was published is not known")]
    OtherEpoch,
    /// So much was published since the publish was first made, or so long ago, that it may have been forgotten.
    #[error("whether it was published before is no longer remembered")]
    Forgotten,
}

/// What is published. It never changes, and everybody shares it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The data as JSON; `null` where the key is removed.
    pub data: Box<RawValue>,
    /// The key, in a keyed topic.
    pub key: Option<Box<str>>,
    /// The key is no more.
    pub removed: bool,
    /// The id of the client's publish that it came from.
    pub mid: Option<Arc<str>>,
    /// The version of the application's state that has it.
    pub version: Option<u64>,
    /// The id of a session that is not given it.
    pub except: Option<Arc<str>>,
}

impl Event {
    /// An event with data and nothing else.
    #[must_use]
    pub fn new(data: Box<RawValue>) -> Self {
        Self { data, key: None, removed: false, mid: None, version: None, except: None }
    }

    /// What it counts against bounds in bytes: its data and its key.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.get().len() + self.key.as_ref().map_or(0, |key| key.len())
    }
}

/// An event as the broker holds it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// What was published.
    pub event: Arc<Event>,
}

impl Record {
    /// The event as a frame shows it.
    pub(crate) fn frame(&self) -> server::Event<'_> {
        let Event { data, key, removed, mid, .. } = &*self.event;
        server::Event {
            data: data.get(),
            offset: self.offset,
            prev: self.prev,
            key: key.as_deref(),
            removed: *removed,
            mid: mid.as_deref(),
        }
    }
}

/// A publish, and what is asked of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Publish {
    /// The event.
    pub event: Arc<Event>,
    /// How the topic is kept.
    pub keep: Keep,
    /// Appends it unless it was appended before.
    pub once: Option<Once>,
    /// Appends it in this epoch only; in another it is refused with [`BrokerError::OtherEpoch`].
    pub epoch: Option<Box<str>>,
    /// It is made again, and was first made when its topic had this offset, or a later one: where what is remembered does not tell whether it
    /// was appended, it is refused with [`BrokerError::Forgotten`].
    pub after: Option<u64>,
}

impl Publish {
    /// A publish without conditions.
    #[must_use]
    pub const fn new(event: Arc<Event>, keep: Keep) -> Self {
        Self { event, keep, once: None, epoch: None, after: None }
    }
}

/// What makes a publish idempotent: no two publishes of one scope share a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Once {
    /// Who names it.
    pub scope: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// A place in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The topic's epoch.
    pub epoch: Epoch,
    /// An offset in it.
    pub offset: u64,
}

/// A part of a topic's history, read by a cursor.
#[derive(Clone, Debug)]
pub struct Page {
    /// The events, oldest first.
    pub records: Vec<Record>,
    /// Why events between the position asked for and the last of `records` (the head, if there are none) are missing; `None` where
    /// none is: each one's `prev` is the offset before it, the first one's that position. What [`Missing::Dropped`] speaks of lies
    /// before the first record; of [`Missing::Lost`] there are no records.
    pub missing: Option<Missing>,
    /// The newest offset when the page was read.
    pub head: u64,
}

impl Page {
    /// Bytes of all events of a page, unless it has only one: little enough that a slow reader's latest events are not behind much.
    pub const BYTES: usize = 32 * 1024;
}

/// Events as they were at one moment.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The topic's head then.
    pub place: Place,
    /// The events, oldest first.
    pub records: Vec<Record>,
}

/// Which events of a topic's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// After this offset.
    pub after: Option<u64>,
    /// Before this offset.
    pub before: Option<u64>,
    /// At most so many: the first, where `after` is given, else the last.
    pub limit: usize,
    /// At most so many bytes of events; one event is given whatever its size.
    pub bytes: usize,
}

impl Range {
    /// The last events, at most so many.
    #[must_use]
    pub const fn last(limit: usize) -> Self {
        Self { after: None, before: None, limit, bytes: usize::MAX }
    }

    /// The first events after an offset.
    #[must_use]
    pub const fn after(offset: u64) -> Self {
        Self { after: Some(offset), ..Self::last(usize::MAX) }
    }

    /// Only what is before an offset.
    #[must_use]
    pub const fn before(self, offset: u64) -> Self {
        Self { before: Some(offset), ..self }
    }

    /// At most so many events.
    #[must_use]
    pub const fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// At most so many bytes of events; one event is given whatever its size.
    #[must_use]
    pub const fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

/// How a topic is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// What of its past is kept.
    pub retention: Retention,
    /// Whether it keeps the last event of each key.
    pub is_keyed: bool,
}

/// Who is told of a topic's events.
pub trait Sink: Send + Sync + 'static {
    /// Takes the next event. Must not block.
    fn deliver(self: Arc<Self>, record: &Record);
}

/// Puts publishes in order, remembers them and tells the nodes. See the [module](self) for the contract.
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// Appends an event to a topic and returns its place.
    fn publish<'a>(&'a self, topic: &'a Topic, publish: Publish) -> BrokerFuture<'a, Place>;

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

    /// Reads on after a place, at most `most` events and [`Page::BYTES`].
    fn read<'a>(
        &'a self,
        topic: &'a Topic,
        after: &'a Place,
        reading: Reading,
        most: usize,
    ) -> BrokerFuture<'a, Page>;

    /// A range of what history holds.
    fn history<'a>(&'a self, topic: &'a Topic, range: Range) -> BrokerFuture<'a, Slice>;

    /// The topic's state: the last event of each key that is there, in order of their offsets; of a topic of members what
    /// [`Shows`] says; without either, all that history holds.
    fn state<'a>(&'a self, topic: &'a Topic) -> BrokerFuture<'a, Slice>;

    /// Makes a node's changes to the members that a topic is about, and appends one event that tells what is seen of them, if anything is.
    fn hold<'a>(&'a self, topic: &'a Topic, hold: Hold) -> BrokerFuture<'a, Held>;
}
