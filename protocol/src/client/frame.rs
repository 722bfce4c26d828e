//! What the core sees of a frame: the tuple of docs/wire.md section 6, numbers only.

/// A frame of the server as numbers; what a kind does not name is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// What the frame is.
    pub kind: Kind,
    /// The request that it answers.
    pub re: u64,
    /// The driver's number of the topic's name.
    pub topic: u32,
    /// The driver's number of the epoch.
    pub epoch: u32,
    /// The event's offset, or the position that a reply or an announcement names.
    pub offset: u64,
    /// The offset of the event before this one, or `token_ms` of a hello.
    pub prev: u64,
    /// The end of a gap, the head of a topic, or `pong_ms`.
    pub to: u64,
    /// An error code, or the cause of a gap: 1 dropped, 2 conflated, 3 lost, 4 included.
    pub code: u16,
    /// `ping_ms`, `deadline_ms`, or `token_ms` of a reply.
    pub ms: u64,
    /// [`RECOVERED`](Self::RECOVERED) or [`NOT_RECOVERED`](Self::NOT_RECOVERED), and [`VERSION`](Self::VERSION).
    pub flags: u8,
}

impl Frame {
    /// Flag: the reply says `"recovered": true`.
    pub const RECOVERED: u8 = 1;
    /// Flag: the reply says `"recovered": false`.
    pub const NOT_RECOVERED: u8 = 2;
    /// Flag: the reply has a snapshot with a version.
    pub const VERSION: u8 = 4;

    /// A frame of this kind with every number 0.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// What a frame of the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// No frame of the protocol.
    #[default]
    Malformed = 0,
    /// The answer to the hello.
    Hello = 1,
    /// A request was done.
    Reply = 2,
    /// A request was not done, or something went wrong.
    Error = 3,
    /// A range of events is missing.
    Gap = 4,
    /// The server asks to move to another connection.
    Drain = 5,
    /// The server asks for a sign of life.
    Ping = 6,
    /// The server has subscribed this session.
    Subscribed = 7,
    /// The server has ended a subscription.
    Unsubscribed = 8,
    /// An event of a topic.
    Event = 9,
    /// A message to this session.
    Message = 10,
    /// A reserved topic that this version does not know.
    Ignored = 11,
    /// One item of a call that streams, which the driver hands to whoever asked. To the core it is a sign of life.
    Item = 12,
}

impl Kind {
    /// The kind with this number; [`Malformed`](Self::Malformed) for a number that is none.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Hello,
            2 => Self::Reply,
            3 => Self::Error,
            4 => Self::Gap,
            5 => Self::Drain,
            6 => Self::Ping,
            7 => Self::Subscribed,
            8 => Self::Unsubscribed,
            9 => Self::Event,
            10 => Self::Message,
            11 => Self::Ignored,
            12 => Self::Item,
            _ => Self::Malformed,
        }
    }
}

/// What the driver does with the frame's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Nothing; the outputs may still speak of it.
    Ignore,
    /// When the outputs are carried out, hand it to the topic's handlers; a message or an error that answers nothing to those
    /// of the connection.
    Deliver,
}
