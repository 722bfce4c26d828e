//! What a seed's world is: how many clients, which topics under which rules, and how tight the bounds are.

use tidewire_protocol::{
    Millis,
    delivery::{Overflow, QueueLimits},
    presence::Timing,
    session::StreamLimits,
    topic::{Retention, mids::Window},
};

use crate::random::Random;

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
    /// Clients of so many users, in turn.
    pub(crate) users: usize,
    /// Servers on one broker. A single one has the broker in its own memory.
    pub(crate) nodes: usize,
    pub(crate) topics: Vec<Rule>,
    pub(crate) queue: QueueLimits,
    pub(crate) ping_ms: Millis,
    pub(crate) pong_ms: Millis,
    /// Frames of a session that may wait for their turn.
    pub(crate) backlog: usize,
    /// Events of a batch, subscribers of a slice, and events of a page of history.
    pub(crate) batch: usize,
    pub(crate) slice: usize,
    pub(crate) page: usize,
    /// Calls of a session that may run at once.
    pub(crate) calls: usize,
    pub(crate) streams: StreamLimits,
    /// The publishes that are remembered.
    pub(crate) window: Window,
    pub(crate) presence: Timing,
}

/// The topic that has members, and that of its members.
pub(crate) const HALL: usize = 0;
pub(crate) const MEMBERS: usize = 5;

/// The topic of what the application stores.
pub(crate) const STORE: usize = 4;

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Its events; its state is what history has of them.
    Events,
    /// Keys; its state is the last event of each.
    Keys,
    /// What the application stores, which is also its state; with versions or without.
    Store { versions: bool },
    /// The members of another.
    Members,
}

/// How a topic is kept and delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) content: Content,
    pub(crate) keep: Retention,
    pub(crate) overflow: Overflow,
    /// Offsets have holes, as some brokers' have.
    pub(crate) sparse: bool,
}

impl Setup {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let random = &mut random;
        let clients = random.pick(&[1, 2, 3, 4, 8]);
        let nodes = random.pick(&[1, 2]);
        let window = Window {
            names: random.pick(&[2, 10, 1_000, 1_000]),
            age_ms: random.pick(&[300, 20_000, 600_000, 600_000]),
            bytes: random.pick(&[1_000, 1 << 20, 1 << 20]),
        };
        Self {
            seed,
            clients,
            users: random.pick(&[1, clients.div_ceil(2), clients]),
            nodes,
            topics: (0..=MEMBERS).map(|topic| Rule::new(topic, random)).collect(),
            queue: QueueLimits {
                messages: random.pick(&[3, 8, 20]),
                bytes: random.pick(&[600, 2_000, 8_000]),
            },
            ping_ms: random.pick(&[3_000, 8_000]),
            pong_ms: random.pick(&[1_000, 3_000]),
            backlog: random.pick(&[2, 8, 64]),
            batch: random.pick(&[1, 4, 64]),
            slice: random.pick(&[1, 2, 64]),
            page: random.pick(&[1, 3, 64]),
            calls: random.pick(&[1, 2, 8]),
            streams: StreamLimits {
                streams: random.pick(&[1, 2, 32]),
                page_items: random.pick(&[1, 3, 64]),
                page_bytes: random.pick(&[100, 1_000, 32 * 1024]),
            },
            // A node does not know of a first copy that another's hook still holds, and which is forgotten there only after so many.
            window: if nodes == 1 { window } else { Window::default() },
            presence: Timing { grace_ms: random.pick(&[1_000, 5_000]), ..Timing::default() },
        }
    }
}

impl Rule {
    fn new(topic: usize, random: &mut Random) -> Self {
        let keep = Retention {
            events: random.pick(&[0, 2, 5, 12, 100]),
            age_ms: random.pick(&[500, 20_000, 3_600_000, 3_600_000]),
            bytes: random.pick(&[500, 5_000, 1_000_000]),
        };
        let content = match topic {
            1 | 3 => Content::Keys,
            STORE => Content::Store { versions: random.percent(60) },
            MEMBERS => Content::Members,
            _ => Content::Events,
        };
        let overflow = match topic {
            1 => Overflow::Conflate,
            2 => random.pick(&[Overflow::DropOldest, Overflow::Resync]),
            3 => random.pick(&[Overflow::Conflate, Overflow::DropOldest, Overflow::Resync]),
            STORE => random.pick(&[Overflow::Close, Overflow::DropOldest, Overflow::Resync]),
            _ => Overflow::Close,
        };
        let sparse = matches!(content, Content::Events | Content::Store { .. });
        Self { content, keep, overflow, sparse: sparse && random.percent(40) }
    }

    pub(crate) fn is_keyed(&self) -> bool {
        self.content == Content::Keys
    }
}
