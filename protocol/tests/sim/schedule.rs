//! Virtual time: what is to happen, and when.

use std::{cmp::Reverse, collections::BinaryHeap};

use tidewire_protocol::Millis;

/// Who is to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// A client: its timer, its sockets, what has arrived.
    Client(usize),
    /// The server's side of a socket.
    Connection(usize),
    /// The application publishes again.
    Flood(usize),
    /// The application publishes what it has stored.
    Stored(usize),
    /// A pass, at a node, of a topic's events to its subscribers.
    Pass(usize, usize),
    /// A node's members.
    Members(usize),
    /// A node's draining.
    Drain(usize),
    /// The broker hears no more of a node that was lost.
    Lease(u64),
}

/// The time, and the wakes in order; of one moment, in order of their asking.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) now: Millis,
    asked: u64,
    heap: BinaryHeap<Reverse<(Millis, u64, Wake)>>,
    /// Turns at this moment.
    turns: u32,
}

/// More turns at one moment than any work takes: somebody goes round in circles.
const MOST_TURNS: u32 = 20_000;

impl Schedule {
    pub(crate) fn starting_at(now: Millis) -> Self {
        Self { now, ..Self::default() }
    }

    pub(crate) fn at(&mut self, at: Millis, wake: Wake) {
        self.asked += 1;
        self.heap.push(Reverse((at.max(self.now), self.asked, wake)));
    }

    /// One turn more at this moment; whether that is too many.
    pub(crate) fn spins(&mut self) -> bool {
        self.turns += 1;
        self.turns > MOST_TURNS
    }

    pub(crate) fn soon(&mut self, wake: Wake) {
        self.at(self.now, wake);
    }

    /// The next wake up to a moment; when there is none left, that moment is now.
    pub(crate) fn next_until(&mut self, end: Millis) -> Option<Wake> {
        match self.heap.peek() {
            Some(&Reverse((at, _, wake))) if at <= end => {
                self.heap.pop();
                if at > self.now {
                    self.now = at;
                    self.turns = 0;
                }
                Some(wake)
            }
            _ => {
                self.now = self.now.max(end);
                None
            }
        }
    }
}
