//! What a seed's world is: how many clients, which topics under which rules, and how tight the bounds are.

use tidewire_protocol::{
    Millis,
    delivery::{Overflow, QueueLimits},
    topic::Retention,
};

use crate::random::Random;

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) clients: usize,
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
}

/// How a topic is kept and delivered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) keyed: bool,
    pub(crate) keep: Retention,
    pub(crate) overflow: Overflow,
    /// Offsets have holes, as some brokers' have.
    pub(crate) sparse: bool,
}

impl Setup {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, 1);
        let random = &mut random;
        Self {
            seed,
            clients: random.pick(&[1, 2, 3, 4, 8]),
            topics: (0..4).map(|topic| Rule::new(topic, random)).collect(),
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
        let keyed = topic % 2 == 1;
        let overflow = match topic {
            0 => Overflow::Close,
            1 => Overflow::Conflate,
            2 => random.pick(&[Overflow::DropOldest, Overflow::Resync]),
            _ => random.pick(&[Overflow::Conflate, Overflow::DropOldest, Overflow::Resync]),
        };
        Self { keyed, keep, overflow, sparse: !keyed && random.percent(40) }
    }
}
