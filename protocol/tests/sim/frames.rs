//! What goes over the wire, as values: docs/wire.md without its JSON, which has tests of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
};

/// An epoch's name.
pub(crate) type EpochName = u64;

/// A user's number, and what is shown of one.
pub(crate) type User = usize;
pub(crate) type Shown = u64;

/// What was published. Its payload is a number that no other event has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) payload: u64,
    /// In a keyed topic.
    pub(crate) key: Option<u8>,
    pub(crate) removed: bool,
    /// How long its frame is.
    pub(crate) bytes: usize,
    /// Of what the application stores; not on the wire.
    pub(crate) version: Option<u64>,
    /// In a topic of members: who came or changed, with what is shown, and who left.
    pub(crate) members: Rc<[(User, Option<Shown>)]>,
}

/// What the application gives as a stream: items numbered from 0, and an end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supply {
    /// How long its handler takes before the first.
    pub(crate) begins_ms: Millis,
    pub(crate) every_ms: Millis,
    pub(crate) count: u64,
    pub(crate) bytes: usize,
    pub(crate) end: SupplyEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupplyEnd {
    Whole,
    Refused(ErrorCode),
    /// It waits for more to come, as long as the application lives.
    Open,
}

/// A range of history that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) after: Option<u64>,
    pub(crate) before: Option<u64>,
    pub(crate) limit: usize,
}

/// A topic's state, as a snapshot has it.
#[derive(Clone, Debug)]
pub(crate) enum Snapshot {
    /// What history has, or the last event of each key that is there.
    Events(Rc<[Record]>),
    /// The payloads that the application has stored.
    Store(Rc<BTreeSet<u64>>),
    Members(Rc<BTreeMap<User, Shown>>),
}

/// An event in its topic.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) offset: u64,
    pub(crate) prev: u64,
    pub(crate) event: Rc<Event>,
}

/// A position in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) epoch: EpochName,
    pub(crate) offset: u64,
}

/// From a client.
#[derive(Clone, Debug)]
pub(crate) enum Up {
    Hello {
        id: u32,
    },
    Subscribe {
        id: u32,
        topic: usize,
        since: Option<At>,
        /// Of the snapshot that the client has.
        version: Option<u64>,
        snapshot: bool,
        presence: Option<Shown>,
    },
    /// A `$subscribe` for the state alone, beside a subscription.
    ReadState {
        id: u32,
        topic: usize,
        presence: Option<Shown>,
    },
    /// A publish of a member: what it wants to be shown as.
    Wish {
        id: u32,
        wish: Shown,
    },
    History {
        id: u32,
        topic: usize,
        range: Range,
    },
    /// A call whose answer is known from its payload.
    Call {
        id: u32,
        payload: u64,
        timeout_ms: Millis,
        /// How long the application's handler takes.
        takes_ms: Millis,
    },
    /// A call that streams, with room for so many items.
    Stream {
        id: u32,
        payload: u64,
        timeout_ms: Millis,
        supply: Supply,
        items: Option<u64>,
    },
    More {
        id: u32,
        items: u64,
    },
    Cancel {
        id: u32,
    },
    Unsubscribe {
        id: u32,
        topic: usize,
    },
    /// `again`, where it was sent before: the epoch then, and a position before it.
    Publish {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        again: Option<At>,
    },
    Ping {
        id: u32,
    },
    Pong,
    /// The client's end is closed, by a close frame or without.
    Closed {
        on_purpose: bool,
    },
}

impl Up {
    pub(crate) fn id(&self) -> u32 {
        match *self {
            Self::Hello { id }
            | Self::Subscribe { id, .. }
            | Self::ReadState { id, .. }
            | Self::Wish { id, .. }
            | Self::History { id, .. }
            | Self::Call { id, .. }
            | Self::Stream { id, .. }
            | Self::Unsubscribe { id, .. }
            | Self::Publish { id, .. }
            | Self::Ping { id } => id,
            Self::Cancel { .. } | Self::More { .. } | Self::Pong | Self::Closed { .. } => 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Publish { event, .. } => event.bytes,
            _ => 60,
        }
    }
}

/// From the server.
#[derive(Clone, Debug)]
pub(crate) enum Down {
    Hello {
        re: u32,
        ping_ms: Millis,
        pong_ms: Millis,
    },
    Reply {
        re: u32,
        reply: Option<Reply>,
    },
    /// A call's answer.
    Answer {
        re: u32,
        payload: u64,
    },
    /// One of a stream.
    Item {
        re: u32,
        number: u64,
        bytes: usize,
    },
    /// A range of history, and the head then.
    Events {
        re: u32,
        head: At,
        records: Rc<[Record]>,
    },
    Error {
        re: u32,
        code: u16,
    },
    Gap {
        topic: usize,
        after: u64,
        to: u64,
        cause: u16,
    },
    Ping,
    Drain {
        deadline_ms: Millis,
    },
    Subscribed {
        topic: usize,
        at: At,
    },
    Unsubscribed {
        topic: usize,
        code: u16,
    },
    Event {
        topic: usize,
        record: Record,
    },
    /// The close frame, or what the browser makes of a lost connection.
    Closed {
        code: CloseCode,
    },
}

/// The data of a reply to a subscribe or a publish.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) at: At,
    pub(crate) head: u64,
    pub(crate) recovered: Option<bool>,
    /// The topic's state as of `at`.
    pub(crate) snapshot: Option<Snapshot>,
    /// Of that state, where the application has one.
    pub(crate) version: Option<u64>,
}

impl Down {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Event { record, .. } => record.event.bytes,
            &Self::Item { bytes, .. } => bytes,
            Self::Reply { reply: Some(Reply { snapshot: Some(snapshot), .. }), .. } => {
                80 + snapshot.bytes()
            }
            Self::Events { records, .. } => 80 + size(records),
            _ => 80,
        }
    }
}

impl Snapshot {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Events(records) => size(records),
            Self::Store(payloads) => 10 * payloads.len(),
            Self::Members(members) => 20 * members.len(),
        }
    }
}

/// What a call is answered.
pub(crate) fn answer_to(payload: u64) -> u64 {
    payload * 2 + 1
}

pub(crate) fn size(records: &[Record]) -> usize {
    records.iter().map(|record| record.event.bytes).sum()
}
