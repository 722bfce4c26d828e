//! What users, the application and the world do: a list of steps, drawn from a seed, any part of which can be left out.

use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
};

use crate::{
    frames::{Supply, SupplyEnd},
    random::Random,
    setup::{HALL, MEMBERS, STORE, Setup},
};

/// A pause, then an action.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) pause_ms: Millis,
    pub(crate) action: Action,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Subscribe {
        client: usize,
        topic: usize,
    },
    Unsubscribe {
        client: usize,
        topic: usize,
    },
    /// The client's user asks for a topic's state, beside the stream of its events.
    ReadState {
        client: usize,
        topic: usize,
    },
    /// The client's user wants to be a member, or to be shown otherwise.
    Join {
        client: usize,
    },
    /// The client's user asks for a range of a topic's history, bounded by so much before its head.
    History {
        client: usize,
        topic: usize,
        after: Option<u64>,
        before: Option<u64>,
        limit: usize,
    },
    Call {
        client: usize,
        timeout_ms: Millis,
        takes_ms: Millis,
    },
    /// The client's user reads a stream, as fast as he does, with room for so many items.
    Stream {
        client: usize,
        timeout_ms: Millis,
        supply: Supply,
        room: Option<u64>,
        pace_ms: Millis,
    },
    /// The client's user no longer wants one of its outcomes.
    Cancel {
        client: usize,
        which: usize,
    },
    Publish {
        client: usize,
        topic: usize,
        count: u64,
        keys: u8,
        bytes: usize,
    },
    ServerPublish {
        topic: usize,
        count: u64,
        keys: u8,
        bytes: usize,
    },
    /// The application publishes again and again, for a while.
    Flood {
        topic: usize,
        times: u64,
        every_ms: Millis,
        count: u64,
        keys: u8,
    },
    /// The broker loses events on their way to the server.
    Lose {
        topic: usize,
        events: u64,
    },
    /// The application subscribes a client, or ends a subscription.
    Adopt {
        client: usize,
        topic: usize,
    },
    Expel {
        client: usize,
        topic: usize,
        code: ErrorCode,
    },
    /// The connection breaks.
    Cut {
        client: usize,
        up_arrives: bool,
    },
    /// What is written vanishes, one way or both, and nobody is told.
    Swallow {
        client: usize,
        up: bool,
        down: bool,
    },
    Stall {
        client: usize,
        ms: Millis,
    },
    Offline {
        client: usize,
        ms: Millis,
    },
    /// How long the client takes over each frame.
    Read {
        client: usize,
        pace_ms: Millis,
    },
    /// The broker cannot be reached.
    Trouble {
        ms: Millis,
    },
    /// A process ends and begins anew.
    Restart {
        node: usize,
        down_ms: Millis,
    },
    /// A process is replaced: it asks its clients to move, and ends.
    Deploy {
        node: usize,
        deadline_ms: Millis,
    },
    /// The broker forgets what nobody needs.
    Sweep,
    Wake {
        client: usize,
    },
    Close {
        client: usize,
    },
    Connect {
        client: usize,
    },
    /// The server asks a client to move, and closes its session in the end.
    Drain {
        client: usize,
        deadline_ms: Millis,
    },
    Kick {
        client: usize,
        code: CloseCode,
    },
}

impl Step {
    /// The steps of a seed.
    pub(crate) fn all(setup: &Setup) -> Vec<Self> {
        let mut random = Random::new(setup.seed, 2);
        let most = random.pick(&[20, 60, 60, 60, 200]);
        let count = 10 + random.index(most);
        (0..count).map(|_| Self::draw(setup, &mut random)).collect()
    }

    fn draw(setup: &Setup, random: &mut Random) -> Self {
        let pause_ms = match random.below(20) {
            0 => random.below(15_000),
            1..=6 => random.below(400),
            _ => random.below(12),
        };
        Self { pause_ms, action: Action::draw(setup, random) }
    }
}

impl Action {
    fn draw(setup: &Setup, random: &mut Random) -> Self {
        let client = random.index(setup.clients);
        // What the application stores has the most ways to go wrong.
        let prefers_store = random.percent(25);
        let any_topic = if prefers_store { STORE } else { random.index(setup.topics.len()) };
        let topic = if prefers_store { STORE } else { random.index(MEMBERS) };
        let count = random.pick(&[1, 1, 2, 5, 12, 30]);
        let keys = random.pick(&[1, 3, 10]);
        let bytes = random.pick(&[40, 90, 90, 300]);
        match random.below(124) {
            0..=15 => Self::Subscribe { client, topic: any_topic },
            16..=19 => Self::Unsubscribe { client, topic: any_topic },
            20..=22 => Self::ReadState { client, topic: any_topic },
            // What the application stores, it publishes.
            23..=38 if topic != STORE => {
                Self::Publish { client, topic, count: count.min(12), keys, bytes }
            }
            23..=55 => Self::ServerPublish { topic, count, keys, bytes },
            100..=103 => Self::Join { client },
            104..=106 => {
                let mut bound = || random.percent(50).then(|| random.below(12));
                let (after, before) = (bound(), bound());
                Self::History { client, topic, after, before, limit: random.pick(&[1, 3, 100]) }
            }
            107..=112 => Self::Call {
                client,
                timeout_ms: random.pick(&[0, 40, 3_000, 30_000]),
                takes_ms: random.pick(&[0, 1, 30, 500]),
            },
            113 | 123 => Self::Cancel { client, which: random.index(8) },
            116..=122 => Self::Stream {
                client,
                timeout_ms: random.pick(&[0, 0, 300, 3_000]),
                supply: Supply::draw(random),
                room: random.pick(&[None, Some(1), Some(2), Some(5), Some(16)]),
                pace_ms: random.pick(&[0, 0, 1, 20, 400]),
            },
            114..=115 => Self::Deploy {
                node: random.index(setup.nodes),
                deadline_ms: random.pick(&[30, 800, 4_000]),
            },
            56..=60 => Self::Flood {
                topic,
                times: random.pick(&[5, 20, 40]),
                every_ms: random.pick(&[1, 10, 60]),
                count: count.min(5),
                keys,
            },
            61..=62 => Self::Lose { topic, events: random.pick(&[1, 1, 3]) },
            63..=66 => Self::Adopt { client, topic: topic.max(1) },
            67..=68 => Self::Expel {
                client,
                topic,
                // A question for the hall's state that crosses its end would begin it anew, as nobody is refused here.
                code: match topic {
                    HALL => ErrorCode::UNAVAILABLE,
                    _ => random.pick(&[ErrorCode::FORBIDDEN, ErrorCode::UNAVAILABLE]),
                },
            },
            69..=76 => Self::Cut { client, up_arrives: random.percent(50) },
            77..=79 => {
                let up = random.percent(60);
                Self::Swallow { client, up, down: !up || random.percent(30) }
            }
            80 => Self::Drain { client, deadline_ms: random.pick(&[20, 500, 4_000]) },
            81..=82 => Self::Stall { client, ms: random.pick(&[30, 500, 4_000]) },
            83..=84 => Self::Offline { client, ms: random.pick(&[500, 8_000]) },
            85..=90 => Self::Read { client, pace_ms: random.pick(&[0, 3, 20, 50, 700]) },
            91 => Self::Trouble { ms: random.pick(&[20, 2_000]) },
            92 => {
                Self::Restart { node: random.index(setup.nodes), down_ms: random.pick(&[0, 1_000]) }
            }
            93 => Self::Sweep,
            94..=95 => Self::Wake { client },
            96 => Self::Close { client },
            97 => Self::Connect { client },
            _ => Self::Kick {
                client,
                code: random.pick(&[CloseCode::KICKED, CloseCode::DRAIN, CloseCode::OVERLOADED]),
            },
        }
    }
}

impl Supply {
    fn draw(random: &mut Random) -> Self {
        let refused = SupplyEnd::Refused(ErrorCode::FORBIDDEN);
        Self {
            begins_ms: random.pick(&[0, 0, 2, 60, 500]),
            every_ms: random.pick(&[0, 0, 1, 15, 300]),
            count: random.pick(&[0, 1, 4, 12, 40]),
            bytes: random.pick(&[40, 90, 300]),
            end: random.pick(&[SupplyEnd::Whole, SupplyEnd::Open, SupplyEnd::Open, refused]),
        }
    }
}
