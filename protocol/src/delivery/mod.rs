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

/// What to do with an event for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Put it into the socket's queue; it has been counted.
    Send,
    /// Leave it: the subscription has it, or its cursor will read it.
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

    /// An event was published whose frame is `bytes` long. Counts it in `queue` if it is to be sent.
    pub fn handle_event(&mut self, offset: u64, bytes: usize, queue: &mut Queue) -> Verdict {
        if self.catching_up || offset <= self.position {
            return Verdict::Skip;
        }
        if !queue.push(bytes) {
            return Verdict::Close;
        }
        self.position = offset;
        Verdict::Send
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

    #[test]
    fn a_live_subscription_takes_each_event_once_and_in_order() {
        let (mut delivery, mut queue) = (Delivery::live(4), queue(10));
        for (offset, verdict) in [
            (4, Verdict::Skip),
            (5, Verdict::Send),
            (5, Verdict::Skip),
            (9, Verdict::Send),
            (6, Verdict::Skip),
        ] {
            assert_eq!(delivery.handle_event(offset, 10, &mut queue), verdict, "{offset}");
        }
        assert_eq!((delivery.position(), queue.messages(), queue.bytes()), (9, 2, 20));
    }

    #[test]
    fn a_full_queue_closes_and_does_not_move_the_position() {
        let (mut delivery, mut queue) = (Delivery::live(0), queue(1));
        assert_eq!(delivery.handle_event(1, 10, &mut queue), Verdict::Send);
        assert_eq!(delivery.handle_event(2, 10, &mut queue), Verdict::Close);
        assert_eq!(delivery.position(), 1);
        queue.pop(10);
        assert_eq!(delivery.handle_event(2, 991, &mut queue), Verdict::Send);
    }

    #[test]
    fn catching_up_reads_history_and_becomes_live_at_the_head_only() {
        let (mut delivery, mut queue) = (Delivery::catching_up(2), queue(10));
        assert_eq!(delivery.handle_event(5, 10, &mut queue), Verdict::Skip);
        assert!(
            delivery.handle_history(3) && !delivery.handle_history(3) && delivery.handle_history(4)
        );
        assert!(!delivery.handle_head(5));
        assert!(delivery.handle_history(5) && delivery.handle_head(5));
        assert_eq!(delivery.handle_event(6, 10, &mut queue), Verdict::Send);
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
