//! What the core asks of its driver and tells it.

use crate::{
    Millis,
    code::{CloseCode, ErrorCode},
};

/// One thing for the driver to do or to pass on, in order.
///
/// Frames are written with the names that the numbers stand for; a number is valid until its release is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// The connection's state has changed, or another server has greeted.
    State(State),
    /// From here on what is opened, shut and sent is that of this link, 0 or 1.
    Link {
        /// The link.
        link: u8,
    },
    /// Open a socket. What is left of an earlier one of the link is no longer reported.
    Open,
    /// Close the socket with this code and forget it: nothing more of it is reported.
    Shut {
        /// 1000 or an application's code, as a browser's `close` takes them.
        code: CloseCode,
    },
    /// Send `$hello`.
    Hello {
        /// The request's number.
        id: u32,
    },
    /// Send `$subscribe`.
    Subscribe {
        /// The request's number.
        id: u32,
        /// The topic.
        topic: u32,
        /// The position to go on from.
        since: Option<Position>,
    },
    /// Send `$unsubscribe`.
    Unsubscribe {
        /// The request's number.
        id: u32,
        /// The topic.
        topic: u32,
    },
    /// Send the publish that was given this number.
    Publish {
        /// The request's number.
        id: u32,
        /// It was sent before: what the frame must have as `epoch` and `after`.
        again: Option<Position>,
    },
    /// Send the call, stream or read that was given this number.
    Request {
        /// The request's number.
        id: u32,
    },
    /// Send `$cancel`.
    Cancel {
        /// The number of the call.
        id: u32,
    },
    /// Fetch a token and send `$token`; if there is none, nothing.
    Token {
        /// The request's number.
        id: u32,
    },
    /// Send `$pong`.
    Pong,
    /// Send `$ping`: the server is asked for a sign of life.
    Ping {
        /// The request's number.
        id: u32,
    },
    /// A publish was appended.
    Acked {
        /// The request's number.
        id: u32,
        /// Where.
        at: Position,
    },
    /// A call or read was answered, or a stream is at its end; the answer is the data of the frame that was handled last.
    Replied {
        /// The request's number.
        id: u32,
    },
    /// A publish, call, stream or read was not done, or nobody can say ([`ErrorCode::UNKNOWN`]).
    Rejected {
        /// The request's number.
        id: u32,
        /// Why.
        code: ErrorCode,
    },
    /// The topic's events flow. Also said for a subscribe to a topic whose events flow already.
    Subscribed {
        /// The topic.
        topic: u32,
        /// How it fits what came before.
        how: Continuity,
        /// The position from which it goes on.
        at: Position,
    },
    /// A topic's subscription was refused or ended by the server.
    ///
    /// Without `retry_at` all its subscriptions are over, as if each had been unsubscribed.
    Refused {
        /// The topic.
        topic: u32,
        /// Why.
        code: ErrorCode,
        /// When the core asks again by itself.
        retry_at: Option<Millis>,
    },
    /// Events of the topic are missing and will not come.
    Gap {
        /// The topic.
        topic: u32,
        /// The last offset before the hole; of the earlier epoch after [`Cause::NewEpoch`].
        after: u64,
        /// The last missing offset.
        to: u64,
        /// Why.
        cause: Cause,
    },
    /// The server sends what is no frame; said at the first, second, fourth, eighth … of them.
    Malformed {
        /// How many have come.
        count: u32,
    },
    /// The topic's number is free for another name.
    ReleaseTopic {
        /// The number.
        topic: u32,
    },
    /// The epoch's number is free for another name.
    ReleaseEpoch {
        /// The number.
        epoch: u32,
    },
}

/// A position in a topic; the epoch is the driver's number of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// One life of the topic's offsets; 0 where the server named none.
    pub epoch: u32,
    /// The offset.
    pub offset: u64,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Not asked to connect yet.
    Idle,
    /// A socket is being opened or greeted.
    Connecting,
    /// The server has answered the hello.
    Connected,
    /// The connection was lost and is tried again by itself.
    Waiting {
        /// Why it was lost.
        code: CloseCode,
        /// When, on the driver's clock.
        retry_at: Millis,
    },
    /// The server said not to come back; `connect` tries again.
    Stopped {
        /// Why.
        code: CloseCode,
    },
    /// Closed by its owner.
    Closed,
}

/// How a subscription fits what the client has seen of the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuity {
    /// It begins here.
    Fresh = 0,
    /// Nothing is missing.
    Recovered = 1,
    /// Something is missing; a [`Output::Gap`] said so.
    Lost = 2,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The client was too slow, and the topic drops the oldest.
    Dropped = 1,
    /// Later events of the same key took their place.
    Conflated = 2,
    /// The topic's history no longer has them.
    Lost = 3,
    /// The topic began anew: nobody knows what came at the end of its earlier life.
    NewEpoch = 4,
}
