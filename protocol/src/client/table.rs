//! The table of requests that wait to be sent or for their answer, in the order in which they were begun.

use alloc::vec::Vec;

use crate::Millis;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A publish; its topic was in this epoch, 0 where none was known.
    Publish { epoch: u32 },
    /// Something that is done at most once.
    Call,
    /// The same, answered by many items: it may go on for as long as a connection does, and so holds up nothing.
    Stream,
    /// Something that may be asked again.
    Read,
    /// A `$subscribe` of this topic.
    Subscribe { topic: u32 },
    /// Its answer changes nothing.
    Unsubscribe,
    /// A `$token`.
    Token,
    /// It has its outcome; swept later, so that answers in order move nothing.
    Done,
}

impl Ask {
    pub(super) fn is_publish(self) -> bool {
        matches!(self, Self::Publish { .. })
    }

    /// Whether the driver's user waits for an outcome.
    pub(super) fn is_users(self) -> bool {
        matches!(self, Self::Publish { .. } | Self::Call | Self::Stream | Self::Read)
    }

    /// Whether it is done at most once, and can be cancelled while it is.
    pub(super) fn is_call(self) -> bool {
        matches!(self, Self::Call | Self::Stream)
    }
}

/// No link: it waits for one.
pub(super) const WAITING: u8 = u8::MAX;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) id: u32,
    pub(super) ask: Ask,
    /// The link on which it was sent, or [`WAITING`].
    pub(super) on: u8,
    /// It was sent on an earlier connection.
    pub(super) again: bool,
    /// When the answer is no longer waited for; of a publish, which has no such moment, how far its topic had come.
    pub(super) until: Millis,
}

/// The table, in order.
#[derive(Debug)]
pub(super) struct Requests {
    last: u32,
    table: Vec<Request>,
    /// How many of the table are done.
    done: usize,
    waiting: usize,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self { last: 0, table: Vec::new(), done: 0, waiting: 0 }
    }

    /// A number that no open request has. It wraps after four billion; 0 is none.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.last
    }

    pub(super) fn push(&mut self, ask: Ask, on: u8, until: Millis) -> u32 {
        let id = self.number();
        self.waiting += usize::from(on == WAITING);
        self.table.push(Request { id, ask, on, again: false, until });
        id
    }

    /// How many wait for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.table.len() - self.done
    }

    /// Whether the server of a link owes an answer to something that the user asked, streams aside or not.
    pub(super) fn owes(&self, link: u8, streams: bool) -> bool {
        self.table.iter().any(|&Request { ask, on, .. }| {
            on == link && ask.is_users() && (streams || ask != Ask::Stream)
        })
    }

    /// Takes the request with this number that was sent on this link; it is over. [`WAITING`] takes what the user asked on any.
    pub(super) fn take(&mut self, id: u64, on: u8) -> Option<Request> {
        // Few are open and most answers come in order, so the first that is looked at is mostly the one.
        let entry = self.table.iter_mut().find(|request| u64::from(request.id) == id)?;
        let request = *entry;
        let fits = if on == WAITING { request.ask.is_users() } else { request.on == on };
        if request.ask == Ask::Done || !fits {
            return None;
        }
        entry.ask = Ask::Done;
        self.waiting -= usize::from(request.on == WAITING);
        self.done += 1;
        // Sweeping half of the table or more costs every request a constant.
        if self.done * 2 >= self.table.len() {
            self.retain(&mut |_| true);
        }
        Some(request)
    }

    /// Looks at every open request, and forgets those for which it gives `false`.
    ///
    /// Not generic: each use would be a copy of it in the WASM module.
    pub(super) fn retain(&mut self, keep: &mut dyn FnMut(&mut Request) -> bool) {
        (self.waiting, self.done) = (0, 0);
        let mut kept = 0;
        for at in 0..self.table.len() {
            let Some(mut request) = self.table.get(at).copied() else { break };
            if request.ask != Ask::Done && keep(&mut request) {
                self.waiting += usize::from(request.on == WAITING);
                if let Some(slot) = self.table.get_mut(kept) {
                    *slot = request;
                }
                kept += 1;
            }
        }
        self.table.truncate(kept);
    }

    #[cfg(test)]
    pub(super) fn restart_at(&mut self, last: u32) {
        self.last = last;
    }
}
