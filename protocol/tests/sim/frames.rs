//! What goes over the wire, as values: docs/wire.md without its JSON, which has tests of its own.

use std::rc::Rc;

use tidewire_protocol::{Millis, code::CloseCode};

/// An epoch's name.
pub(crate) type EpochName = u64;

/// What was published. Its payload is a number that no other event has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) payload: u64,
    /// In a keyed topic.
    pub(crate) key: Option<u8>,
    pub(crate) removed: bool,
    /// How long its frame is.
    pub(crate) bytes: usize,
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
        snapshot: bool,
    },
    /// A `$subscribe` for the state alone, beside a subscription.
    ReadState {
        id: u32,
        topic: usize,
    },
    Unsubscribe {
        id: u32,
        topic: usize,
    },
    /// `epoch` where it is sent again.
    Publish {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        epoch: Option<EpochName>,
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
            | Self::Unsubscribe { id, .. }
            | Self::Publish { id, .. } => id,
            Self::Pong | Self::Closed { .. } => 0,
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
    /// The topic's state as of `at`: what the history has, or the last event of each key that is there.
    pub(crate) snapshot: Option<Rc<[Record]>>,
}

impl Down {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Event { record, .. } => record.event.bytes,
            Self::Reply { reply: Some(Reply { snapshot: Some(snapshot), .. }), .. } => {
                80 + size(snapshot)
            }
            _ => 80,
        }
    }
}

pub(crate) fn size(records: &[Record]) -> usize {
    records.iter().map(|record| record.event.bytes).sum()
}
