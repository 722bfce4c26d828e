//! Outputs as numbers: how the core keeps them, and how a driver behind a boundary of numbers takes them.
//!
//! A variant becomes its number and arguments where it is pushed, so that the compiler needs no code for the enum: a third of
//! the WASM module was that.

use alloc::vec::Vec;

use super::{Cause, Continuity, Output, Position, State};
use crate::code::{CloseCode, ErrorCode};

/// An output as a number and its arguments; those that it does not have are 0. The table is in the crate `tidewire-core-wasm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// What it is, from 1.
    pub op: u32,
    /// The first argument.
    pub a: u32,
    /// The second.
    pub b: u32,
    /// The third.
    pub c: u64,
    /// The fourth.
    pub d: u64,
}

pub(super) const STATE: u32 = 1;
pub(super) const RELEASE_TOPIC: u32 = 15;
pub(super) const RELEASE_EPOCH: u32 = 16;

impl From<Output> for Numbers {
    #[inline(always)]
    fn from(output: Output) -> Self {
        let of = |op, a, b, c, d| Self { op, a, b, c, d };
        match output {
            Output::State(state) => {
                let (number, code, retry_at) = match state {
                    State::Idle => (0, 0, 0),
                    State::Connecting => (1, 0, 0),
                    State::Connected => (2, 0, 0),
                    State::Waiting { code, retry_at } => (3, code.0, retry_at),
                    State::Stopped { code } => (4, code.0, 0),
                    State::Closed => (5, 0, 0),
                };
                of(STATE, number, code.into(), retry_at, 0)
            }
            Output::Open => of(2, 0, 0, 0, 0),
            Output::Shut { code } => of(3, code.0.into(), 0, 0, 0),
            Output::Hello { id } => of(4, id, 0, 0, 0),
            Output::Subscribe { id, topic, since } => {
                let Position { epoch, offset } = since.unwrap_or_default();
                of(5, id, topic, epoch.into(), offset)
            }
            Output::Unsubscribe { id, topic } => of(6, id, topic, 0, 0),
            Output::Publish { id, again } => {
                let Position { epoch, offset } = again.unwrap_or_default();
                of(7, id, epoch, offset, 0)
            }
            Output::Pong => of(8, 0, 0, 0, 0),
            Output::Acked { id, at } => of(9, id, at.epoch, at.offset, 0),
            Output::Rejected { id, code } => of(10, id, code.0.into(), 0, 0),
            Output::Subscribed { topic, how, at } => {
                of(11, topic, how as u32, at.epoch.into(), at.offset)
            }
            Output::Refused { topic, code, retry_at } => {
                of(12, topic, code.0.into(), retry_at.unwrap_or(0), 0)
            }
            Output::Gap { topic, after, to, cause } => of(13, topic, cause as u32, after, to),
            Output::Malformed { count } => of(14, count, 0, 0, 0),
            Output::ReleaseTopic { topic } => of(RELEASE_TOPIC, topic, 0, 0, 0),
            Output::ReleaseEpoch { epoch } => of(RELEASE_EPOCH, epoch, 0, 0, 0),
            Output::Request { id } => of(17, id, 0, 0, 0),
            Output::Replied { id } => of(18, id, 0, 0, 0),
            Output::Cancel { id } => of(19, id, 0, 0, 0),
            Output::Token { id } => of(20, id, 0, 0, 0),
            Output::Link { link } => of(21, link.into(), 0, 0, 0),
            Output::Ping { id } => of(22, id, 0, 0, 0),
        }
    }
}

impl Numbers {
    /// What it was; `None` for what no output gives.
    pub(super) fn output(self) -> Option<Output> {
        let Self { op, a, b, c, d } = self;
        let (id, topic) = (a, a);
        let at = |epoch: u64, offset| Position { epoch: epoch as u32, offset };
        Some(match op {
            STATE => Output::State(match a {
                0 => State::Idle,
                1 => State::Connecting,
                2 => State::Connected,
                3 => State::Waiting { code: CloseCode(b as u16), retry_at: c },
                4 => State::Stopped { code: CloseCode(b as u16) },
                _ => State::Closed,
            }),
            2 => Output::Open,
            3 => Output::Shut { code: CloseCode(a as u16) },
            4 => Output::Hello { id },
            5 => Output::Subscribe { id, topic: b, since: (c != 0).then(|| at(c, d)) },
            6 => Output::Unsubscribe { id, topic: b },
            7 => Output::Publish { id, again: (b != 0).then(|| at(b.into(), c)) },
            8 => Output::Pong,
            9 => Output::Acked { id, at: at(b.into(), c) },
            10 => Output::Rejected { id, code: ErrorCode(b as u16) },
            11 => {
                let how = [Continuity::Fresh, Continuity::Recovered, Continuity::Lost];
                Output::Subscribed { topic, how: *how.get(b as usize)?, at: at(c, d) }
            }
            12 => {
                let retry_at = (c != 0).then_some(c);
                Output::Refused { topic, code: ErrorCode(b as u16), retry_at }
            }
            13 => {
                let causes = [Cause::Dropped, Cause::Conflated, Cause::Lost, Cause::NewEpoch];
                let cause = *causes.get((b as usize).checked_sub(1)?)?;
                Output::Gap { topic, after: c, to: d, cause }
            }
            14 => Output::Malformed { count: a },
            RELEASE_TOPIC => Output::ReleaseTopic { topic },
            RELEASE_EPOCH => Output::ReleaseEpoch { epoch: a },
            17 => Output::Request { id },
            18 => Output::Replied { id },
            19 => Output::Cancel { id },
            20 => Output::Token { id },
            21 => Output::Link { link: a as u8 },
            22 => Output::Ping { id },
            _ => return None,
        })
    }
}

/// The outputs that have not been polled, in order.
///
/// A `VecDeque` would do, but it is ten times the code, and a driver polls until nothing is left.
#[derive(Debug)]
pub(super) struct Outputs {
    queue: Vec<Numbers>,
    polled: usize,
}

/// Says that what follows is for a link, if the driver was `told` of the other one last.
pub(super) fn address(outputs: &mut Outputs, told: &mut u8, link: u8) {
    if *told != link {
        *told = link;
        outputs.push(Output::Link { link });
    }
}

impl Outputs {
    pub(super) const fn new() -> Self {
        Self { queue: Vec::new(), polled: 0 }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, output: Output) {
        let Numbers { op, a, b, c, d } = Numbers::from(output);
        self.push_each(op, a, b, c, d);
    }

    pub(super) fn push_numbers(&mut self, Numbers { op, a, b, c, d }: Numbers) {
        self.push_each(op, a, b, c, d);
    }

    // Apart, so that each number is an argument of a call.
    #[inline(never)]
    fn push_each(&mut self, op: u32, a: u32, b: u32, c: u64, d: u64) {
        self.queue.push(Numbers { op, a, b, c, d });
    }

    /// The next one, which [`last`](Self::last) gives again until the one after it.
    pub(super) fn pop(&mut self) -> Option<&Numbers> {
        if self.is_empty() {
            self.queue.clear();
            self.polled = 0;
            return None;
        }
        self.polled += 1;
        self.last()
    }

    pub(super) fn last(&self) -> Option<&Numbers> {
        self.queue.get(self.polled.wrapping_sub(1))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.polled >= self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_has_its_numbers() {
        let at = Position { epoch: 2, offset: 1 << 53 };
        let code = CloseCode::DRAIN;
        for (output, expected) in [
            (Output::State(State::Idle), (1, 0, 0, 0, 0)),
            (Output::State(State::Connecting), (1, 1, 0, 0, 0)),
            (Output::State(State::Connected), (1, 2, 0, 0, 0)),
            (Output::State(State::Waiting { code, retry_at: 9 }), (1, 3, 4000, 9, 0)),
            (Output::State(State::Stopped { code }), (1, 4, 4000, 0, 0)),
            (Output::State(State::Closed), (1, 5, 0, 0, 0)),
            (Output::Open, (2, 0, 0, 0, 0)),
            (Output::Shut { code }, (3, 4000, 0, 0, 0)),
            (Output::Hello { id: 7 }, (4, 7, 0, 0, 0)),
            (Output::Subscribe { id: 7, topic: 3, since: None }, (5, 7, 3, 0, 0)),
            (Output::Subscribe { id: 7, topic: 3, since: Some(at) }, (5, 7, 3, 2, 1 << 53)),
            (Output::Unsubscribe { id: 7, topic: 3 }, (6, 7, 3, 0, 0)),
            (Output::Publish { id: u32::MAX, again: None }, (7, u32::MAX, 0, 0, 0)),
            (Output::Publish { id: 7, again: Some(at) }, (7, 7, 2, 1 << 53, 0)),
            (Output::Pong, (8, 0, 0, 0, 0)),
            (Output::Acked { id: 7, at }, (9, 7, 2, 1 << 53, 0)),
            (Output::Rejected { id: 7, code: ErrorCode::UNKNOWN }, (10, 7, 401, 0, 0)),
            (Output::Subscribed { topic: 3, how: Continuity::Fresh, at }, (11, 3, 0, 2, 1 << 53)),
            (
                Output::Subscribed { topic: 3, how: Continuity::Recovered, at },
                (11, 3, 1, 2, 1 << 53),
            ),
            (Output::Subscribed { topic: 3, how: Continuity::Lost, at }, (11, 3, 2, 2, 1 << 53)),
            (
                Output::Refused { topic: 3, code: ErrorCode::FORBIDDEN, retry_at: None },
                (12, 3, 201, 0, 0),
            ),
            (
                Output::Refused { topic: 3, code: ErrorCode::LIMIT, retry_at: Some(9) },
                (12, 3, 300, 9, 0),
            ),
            (Output::Gap { topic: 3, after: 4, to: 5, cause: Cause::Dropped }, (13, 3, 1, 4, 5)),
            (Output::Gap { topic: 3, after: 4, to: 5, cause: Cause::Conflated }, (13, 3, 2, 4, 5)),
            (Output::Gap { topic: 3, after: 4, to: 5, cause: Cause::Lost }, (13, 3, 3, 4, 5)),
            (Output::Gap { topic: 3, after: 4, to: 5, cause: Cause::NewEpoch }, (13, 3, 4, 4, 5)),
            (Output::Malformed { count: 8 }, (14, 8, 0, 0, 0)),
            (Output::ReleaseTopic { topic: 3 }, (15, 3, 0, 0, 0)),
            (Output::ReleaseEpoch { epoch: 2 }, (16, 2, 0, 0, 0)),
            (Output::Request { id: 7 }, (17, 7, 0, 0, 0)),
            (Output::Replied { id: 7 }, (18, 7, 0, 0, 0)),
            (Output::Cancel { id: 7 }, (19, 7, 0, 0, 0)),
            (Output::Token { id: 7 }, (20, 7, 0, 0, 0)),
            (Output::Link { link: 1 }, (21, 1, 0, 0, 0)),
            (Output::Ping { id: 7 }, (22, 7, 0, 0, 0)),
        ] {
            let (op, a, b, c, d) = expected;
            let numbers = Numbers { op, a, b, c, d };
            assert_eq!((Numbers::from(output), numbers.output()), (numbers, Some(output)));
        }
        for op in [0, 23, u32::MAX] {
            assert_eq!(Numbers { op, ..Numbers::default() }.output(), None);
        }
    }
}
