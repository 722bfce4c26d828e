//! Requests that wait to be sent or for their answer, in order of their numbers.

use alloc::vec::Vec;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A publish that waits for a connection.
    Waiting,
    /// A publish that was sent.
    Publish,
    /// A `$subscribe` of this topic.
    Subscribe(u32),
    /// Its answer changes nothing.
    Unsubscribe,
    /// Answered; swept later, so that answers in order move nothing.
    Done,
}

/// The table of requests. Numbers are given in order, so it stays sorted.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last: u32,
    table: Vec<(u32, Ask)>,
    /// How many of the table are done.
    done: usize,
    waiting: usize,
}

impl Requests {
    /// A number that no open request has. It wraps after four billion; 0 is none.
    pub(super) fn number(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1).max(1);
        self.last
    }

    pub(super) fn push(&mut self, ask: Ask) -> u32 {
        let id = self.number();
        self.waiting += usize::from(ask == Ask::Waiting);
        self.table.push((id, ask));
        id
    }

    /// How many publishes wait for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many requests are open.
    pub(super) fn open(&self) -> usize {
        self.table.len() - self.done
    }

    /// Takes the request that a frame answers.
    pub(super) fn answer(&mut self, re: u64) -> Option<(u32, Ask)> {
        let id = u32::try_from(re).ok()?;
        // Counted from the oldest, so that the order holds where the numbers wrap.
        let oldest = self.table.first()?.0;
        let age = |&(number, _): &(u32, Ask)| number.wrapping_sub(oldest);
        let at = self.table.binary_search_by_key(&id.wrapping_sub(oldest), age).ok()?;
        let entry = self.table.get_mut(at)?;
        let (_, ask) = *entry;
        if matches!(ask, Ask::Waiting | Ask::Done) {
            return None;
        }
        entry.1 = Ask::Done;
        self.done += 1;
        // Sweeping half of the table or more costs every request a constant.
        if self.done * 2 >= self.table.len() {
            self.table.retain(|&(_, ask)| ask != Ask::Done);
            self.done = 0;
        }
        Some((id, ask))
    }

    /// Marks every waiting publish as sent and gives its number, in order.
    pub(super) fn send_waiting(&mut self, mut send: impl FnMut(u32)) {
        self.waiting = 0;
        for (id, ask) in &mut self.table {
            if *ask == Ask::Waiting {
                *ask = Ask::Publish;
                send(*id);
            }
        }
    }

    /// Ends the requests of a lost connection, and with `all` also those that waited for one; `ended` hears of publishes.
    pub(super) fn end(&mut self, all: bool, mut ended: impl FnMut(u32, Ask)) {
        self.table.retain(|&(id, ask)| {
            if ask == Ask::Waiting && !all {
                return true;
            }
            if matches!(ask, Ask::Waiting | Ask::Publish) {
                ended(id, ask);
            }
            false
        });
        self.done = 0;
        self.waiting = self.table.len();
    }

    #[cfg(test)]
    pub(super) fn restart_at(&mut self, last: u32) {
        self.last = last;
    }
}
