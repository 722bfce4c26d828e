//! The delivery core: one subscription, and what stands between it and its socket.
//!
//! A subscription is *live* (each event goes to the socket's queue as it is published) or *catching up* (a cursor reads the
//! topic's history as the socket takes more, and what is published meanwhile waits there). [`Delivery`] says which, and what to do
//! with an event; [`Queue`] counts what waits for one socket. Nothing here allocates.

mod queue;

pub use queue::{Queue, QueueLimits};

/// One subscription's place in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The last offset that was handed to the socket's queue, or skipped for good.
    position: u64,
    catching_up: bool,
}

/// What to do with a batch of events for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Put the events from this index on into the socket's queue; they have been counted.
    Send(usize),
    /// Leave them: the subscription has them, or its cursor will read them.
    Skip,
    /// The queue is full and the topic's policy is to close: end the session.
    Close,
}

impl Delivery {
    /// A subscription that begins live, after `position`.
    #[must_use]
    pub const fn live(position: u64) -> Self {
        Self { position, catching_up: false }
    }

    /// A subscription that begins catching up, after `position`.
    #[must_use]
    pub const fn catching_up(position: u64) -> Self {
        Self { position, catching_up: true }
    }

    /// The last offset that the subscription has.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether it reads history.
    #[must_use]
    pub const fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// Events were published, in order of their offsets; `bytes` is the length of their frames from an index on. Counts in
    /// `queue` what is to be sent, as one run.
    pub fn handle_events(
        &mut self,
        offsets: &[u64],
        bytes: impl FnOnce(usize) -> usize,
        queue: &mut Queue,
    ) -> Verdict {
        let from = match offsets.first() {
            // The usual case: all are new.
            Some(&first) if first > self.position => 0,
            _ => offsets.partition_point(|&offset| offset <= self.position),
        };
        let Some(&last) = offsets.last() else { return Verdict::Skip };
        if self.catching_up || from == offsets.len() {
            return Verdict::Skip;
        }
        if !queue.push(offsets.len() - from, bytes(from)) {
            return Verdict::Close;
        }
        self.position = last;
        Verdict::Send(from)
    }

    /// The cursor's reading of an event from history: whether it is to be sent.
    pub fn handle_history(&mut self, offset: u64) -> bool {
        let sends = self.catching_up && offset > self.position;
        if sends {
            self.position = offset;
        }
        sends
    }

    /// The cursor has read all that its topic had when `head` was the newest offset *and no later one can have been
    /// published*: it is live if it has come so far. Returns whether it is live now.
    pub fn handle_head(&mut self, head: u64) -> bool {
        if self.position >= head {
            self.catching_up = false;
        }
        !self.catching_up
    }

    /// What lies between the position and `to` can no longer be had: the subscription goes on after `to`.
    pub fn handle_lost(&mut self, to: u64) {
        self.position = self.position.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: usize) -> Queue {
        Queue::new(QueueLimits { messages, bytes: 1000 })
    }

    /// One event of 10 bytes.
    fn event(delivery: &mut Delivery, offset: u64, queue: &mut Queue) -> Verdict {
        delivery.handle_events(&[offset], |_| 10, queue)
    }

    #[test]
    fn a_live_subscription_takes_each_event_once_and_in_order() {
        let (mut delivery, mut queue) = (Delivery::live(4), queue(10));
        for (offset, verdict) in [
            (4, Verdict::Skip),
            (5, Verdict::Send(0)),
            (5, Verdict::Skip),
            (9, Verdict::Send(0)),
            (6, Verdict::Skip),
        ] {
            assert_eq!(event(&mut delivery, offset, &mut queue), verdict, "{offset}");
        }
        assert_eq!((delivery.position(), queue.messages(), queue.bytes()), (9, 2, 20));
    }

    #[test]
    fn of_a_batch_it_takes_what_it_does_not_have() {
        for (position, verdict, messages) in [
            (0, Verdict::Send(0), 3),
            (4, Verdict::Send(1), 2),
            (5, Verdict::Send(1), 2),
            (9, Verdict::Skip, 0),
        ] {
            let (mut delivery, mut queue) = (Delivery::live(position), queue(10));
            assert_eq!(
                delivery.handle_events(&[4, 6, 9], |from| 30 - 10 * from, &mut queue),
                verdict,
                "{position}"
            );
            assert_eq!((queue.messages(), queue.bytes()), (messages, messages * 10));
            assert_eq!(delivery.position(), 9);
        }
        assert_eq!(Delivery::live(0).handle_events(&[], |_| 0, &mut queue(1)), Verdict::Skip);
    }

    #[test]
    fn a_full_queue_closes_and_does_not_move_the_position() {
        let (mut delivery, mut queue) = (Delivery::live(0), queue(1));
        assert_eq!(event(&mut delivery, 1, &mut queue), Verdict::Send(0));
        assert_eq!(event(&mut delivery, 2, &mut queue), Verdict::Close);
        assert_eq!(delivery.position(), 1);
        queue.pop(1, 10);
        assert_eq!(event(&mut delivery, 2, &mut queue), Verdict::Send(0));
    }

    #[test]
    fn catching_up_reads_history_and_becomes_live_at_the_head_only() {
        let (mut delivery, mut queue) = (Delivery::catching_up(2), queue(10));
        assert_eq!(event(&mut delivery, 5, &mut queue), Verdict::Skip);
        assert!(
            delivery.handle_history(3) && !delivery.handle_history(3) && delivery.handle_history(4)
        );
        assert!(!delivery.handle_head(5));
        assert!(delivery.handle_history(5) && delivery.handle_head(5));
        assert_eq!(event(&mut delivery, 6, &mut queue), Verdict::Send(0));
        assert_eq!(queue.messages(), 1);
    }

    #[test]
    fn a_loss_moves_the_position_forward_only() {
        let mut delivery = Delivery::catching_up(2);
        delivery.handle_lost(7);
        delivery.handle_lost(5);
        assert_eq!(delivery.position(), 7);
        assert!(delivery.handle_head(7));
    }
}
