//! The delivery core: one subscription, and what stands between it and its socket.
//!
//! A subscription is *live* (each event goes to the socket's queue as it is published) or *catching up* (a cursor reads the
//! topic's history as the socket takes more, and what is published meanwhile waits there). [`Delivery`] says which, and what to do
//! with an event; [`Queue`] counts what waits for one socket. Nothing here allocates.
//!
//! A subscription whose socket does not keep up begins to catch up, unless its topic's [`Overflow`] says to close: so nothing of it
//! piles up, and how its cursor reads on is what the policies differ in.

mod left_out;
mod queue;

pub use left_out::{Included, Piece, leave_out};
pub use queue::{LAG_BYTES, Queue, QueueLimits};

use crate::topic::{Missing, Reading};

/// What becomes of a subscription whose socket does not take a topic's events as fast as they are published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The session is closed when its queue is full; the client comes back at once, to what it missed. For topics of which nothing
    /// may be missing and clients are expected to keep up.
    #[default]
    Close,
    /// The subscription goes on with the newest events; the client is told which were dropped. For what is worth nothing when late: cursors, samples, live
    /// video's captions.
    DropOldest,
    /// The subscription goes on with the last event of each key; the client is told where some were left out. For state: prices,
    /// positions. Only for keyed topics.
    Conflate,
    /// The subscription reads the topic's history at its socket's pace. Nothing is missing as long as history reaches; where it
    /// no longer does, the client is told and asks for the topic's snapshot.
    Resync,
}

impl Overflow {
    /// How a subscription reads on that does not keep up; `None` if it does not.
    #[must_use]
    pub const fn reading(self) -> Option<Reading> {
        match self {
            Self::Close => None,
            Self::DropOldest => Some(Reading::Newest),
            Self::Conflate => Some(Reading::Keys),
            Self::Resync => Some(Reading::All),
        }
    }
}

/// One subscription's place in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The last offset that was handed to the socket's queue, or skipped for good.
    position: u64,
    overflow: Overflow,
    /// How it catches up; `None` while it is live.
    reading: Option<Reading>,
}

/// What to do with a batch of events for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Put the events from this index on into the socket's queue; they have been counted.
    Send(usize),
    /// Leave them: the subscription has them, or its cursor will read them.
    Skip,
    /// They do not fit, and the subscription catches up from now on: its cursor is to be read when the socket has taken what
    /// waits.
    Lag,
    /// The queue is full and the topic's policy is to close: end the session.
    Close,
}

/// Events that a subscription is not given: they lie after `after` and up to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The position of the subscription before.
    pub after: u64,
    /// The last offset that may be missing.
    pub to: u64,
    /// Why.
    pub cause: Missing,
}

/// What a cursor has read, without the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first event's `prev` and the last one's offset; `None` if there are none.
    pub events: Option<(u64, u64)>,
    /// Why some are missing.
    pub missing: Option<Missing>,
    /// The newest offset when it was read.
    pub head: u64,
}

impl Delivery {
    /// A subscription that begins live, after `position`.
    #[must_use]
    pub const fn live(position: u64, overflow: Overflow) -> Self {
        Self { position, overflow, reading: None }
    }

    /// A subscription that begins catching up, after `position`, with every event.
    #[must_use]
    pub const fn catching_up(position: u64, overflow: Overflow) -> Self {
        Self { position, overflow, reading: Some(Reading::All) }
    }

    /// A subscription that begins, after `position`, as one whose socket does not keep up: it reads on as its topic's policy says, and
    /// every event where that is to close.
    #[must_use]
    pub const fn lagging(position: u64, overflow: Overflow) -> Self {
        let reading = match overflow.reading() {
            Some(reading) => reading,
            None => Reading::All,
        };
        Self { position, overflow, reading: Some(reading) }
    }

    /// The last offset that the subscription has.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How it catches up; `None` while it is live.
    #[must_use]
    pub const fn reading(&self) -> Option<Reading> {
        self.reading
    }

    /// Whether it reads history.
    #[must_use]
    pub const fn is_catching_up(&self) -> bool {
        self.reading.is_some()
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
        if self.reading.is_some() || from == offsets.len() {
            return Verdict::Skip;
        }
        let (messages, bytes) = (offsets.len() - from, bytes(from));
        let fits = match self.overflow {
            Overflow::Close => queue.push(messages, bytes),
            _ => queue.push_soon(messages, bytes),
        };
        if fits {
            self.position = last;
            return Verdict::Send(from);
        }
        self.reading = self.overflow.reading();
        self.reading.map_or(Verdict::Close, |_| Verdict::Lag)
    }

    /// The cursor has read on after the position. Returns what is missing before or among the events that it read, which are all to
    /// be sent after the client was told of that.
    pub fn handle_page(&mut self, page: Span) -> Option<Hole> {
        let Span { events, missing, head } = page;
        let after = self.position;
        let end = match (events, missing) {
            (Some((_, last)), _) => last,
            (None, Some(_)) => head,
            (None, None) => after,
        };
        self.position = after.max(end);
        let cause = missing?;
        let to = match (cause, events) {
            (Missing::Dropped, Some((begins, _))) => begins,
            // Of another epoch the offsets may be lower; that something is lost is told all the same.
            (Missing::Lost, _) => self.position.max(after + 1),
            _ => self.position,
        };
        (to > after).then_some(Hole { after, to, cause })
    }

    /// The cursor has read all that its topic had when `head` was the newest offset *and no later one can have been
    /// published*: it is live if it has come so far. Returns whether it is live now.
    pub fn handle_head(&mut self, head: u64) -> bool {
        if self.position >= head {
            self.reading = None;
        }
        self.reading.is_none()
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
        let (mut delivery, mut queue) = (Delivery::live(4, Overflow::Close), queue(10));
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
            let (mut delivery, mut queue) = (Delivery::live(position, Overflow::Close), queue(10));
            assert_eq!(
                delivery.handle_events(&[4, 6, 9], |from| 30 - 10 * from, &mut queue),
                verdict,
                "{position}"
            );
            assert_eq!((queue.messages(), queue.bytes()), (messages, messages * 10));
            assert_eq!(delivery.position(), 9);
        }
        assert_eq!(
            Delivery::live(0, Overflow::Close).handle_events(&[], |_| 0, &mut queue(1)),
            Verdict::Skip
        );
    }

    #[test]
    fn a_full_queue_closes_and_does_not_move_the_position() {
        let (mut delivery, mut queue) = (Delivery::live(0, Overflow::Close), queue(1));
        assert_eq!(event(&mut delivery, 1, &mut queue), Verdict::Send(0));
        assert_eq!(event(&mut delivery, 2, &mut queue), Verdict::Close);
        assert_eq!(delivery.position(), 1);
        queue.pop(1, 10);
        assert_eq!(event(&mut delivery, 2, &mut queue), Verdict::Send(0));
    }

    /// A page that begins after `begins` and ends with `last`.
    fn page(begins: u64, last: u64, missing: Option<Missing>) -> Span {
        Span { events: Some((begins, last)), missing, head: 100 }
    }

    #[test]
    fn catching_up_reads_history_and_becomes_live_at_the_head_only() {
        let (mut delivery, mut queue) = (Delivery::catching_up(2, Overflow::Close), queue(10));
        assert_eq!(event(&mut delivery, 5, &mut queue), Verdict::Skip);
        assert_eq!(delivery.reading(), Some(Reading::All));
        assert_eq!(delivery.handle_page(page(2, 4, None)), None);
        assert!(!delivery.handle_head(5));
        assert_eq!(delivery.handle_page(Span { events: None, missing: None, head: 4 }), None);
        assert_eq!(delivery.position(), 4, "the end of the log as it was then");
        delivery.handle_page(page(4, 5, None));
        assert!(delivery.handle_head(5));
        assert_eq!(event(&mut delivery, 6, &mut queue), Verdict::Send(0));
        assert_eq!(queue.messages(), 1);
    }

    #[test]
    fn a_subscription_that_does_not_keep_up_lags_as_its_policy_says() {
        for (overflow, reading) in [
            (Overflow::DropOldest, Reading::Newest),
            (Overflow::Conflate, Reading::Keys),
            (Overflow::Resync, Reading::All),
        ] {
            assert_eq!(Delivery::lagging(1, overflow).reading(), Some(reading));
            let (mut delivery, mut queue) = (Delivery::live(0, overflow), queue(1));
            assert_eq!(event(&mut delivery, 1, &mut queue), Verdict::Send(0));
            assert_eq!(event(&mut delivery, 2, &mut queue), Verdict::Lag);
            assert_eq!(event(&mut delivery, 3, &mut queue), Verdict::Skip, "only once");
            assert_eq!((delivery.reading(), delivery.position()), (Some(reading), 1));
            delivery.handle_page(page(1, 3, None));
            assert!(delivery.handle_head(3));
            queue.pop(1, 10);
            assert_eq!(event(&mut delivery, 4, &mut queue), Verdict::Send(0));
        }
    }

    #[test]
    fn a_hole_is_told_up_to_where_the_events_go_on() {
        let none = |missing| Span { events: None, missing: Some(missing), head: 100 };
        for (read, hole, position) in [
            (page(6, 9, Some(Missing::Dropped)), Some((6, Missing::Dropped)), 9),
            (page(6, 9, Some(Missing::Conflated)), Some((9, Missing::Conflated)), 9),
            (none(Missing::Dropped), Some((100, Missing::Dropped)), 100),
            (none(Missing::Lost), Some((100, Missing::Lost)), 100),
            (Span { head: 1, ..none(Missing::Lost) }, Some((3, Missing::Lost)), 2),
        ] {
            let mut delivery = Delivery::catching_up(2, Overflow::Resync);
            let expected = hole.map(|(to, cause)| Hole { after: 2, to, cause });
            assert_eq!(delivery.handle_page(read), expected, "{read:?}");
            assert_eq!(delivery.position(), position);
        }
    }
}
