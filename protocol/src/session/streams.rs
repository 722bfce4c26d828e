//! A session's streams: how many there may be, for how many items each has room, and whose turn it is at the socket.
//!
//! The driver keeps what each is taken from, as `T`. While the socket has nothing to write it fills a page: it asks for
//! [`turn`](Streams::turn) after [`begin_page`](Streams::begin_page) and answers each with what came of it.

use alloc::collections::VecDeque;

use super::deadline::Deadline;
use crate::{Millis, code::ErrorCode};

/// How many streams a session may have, and how much of theirs is written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Streams at once. 32: every page that a client shares among its tabs may have some.
    pub streams: usize,
    /// Items of a page. 64.
    pub page_items: usize,
    /// Bytes of a page; its last item may go beyond. 32 KiB: with what waits of other subscriptions it keeps what stands before the
    /// latest event as low as a page of history does.
    pub page_bytes: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { streams: 32, page_items: 64, page_bytes: 32 * 1024 }
    }
}

/// The streams of one session.
#[derive(Debug)]
pub struct Streams<T> {
    limits: StreamLimits,
    /// The first is the next one to have a turn.
    running: VecDeque<Stream<T>>,
    /// What the page has so far.
    items: usize,
    bytes: usize,
    /// How many in a row had nothing for it.
    idle: usize,
    /// They were the last to use the socket.
    went: bool,
}

#[derive(Debug)]
struct Stream<T> {
    id: u64,
    source: T,
    /// Its client waits for all of it no longer than until then.
    until: Deadline,
    /// For how many items its client has room; `None` for any number.
    room: Option<u64>,
    /// Items went out since the client last had room for more.
    sent: bool,
}

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self::new(StreamLimits::default())
    }
}

impl<T> Streams<T> {
    /// A session without streams.
    #[must_use]
    pub const fn new(limits: StreamLimits) -> Self {
        Self { limits, running: VecDeque::new(), items: 0, bytes: 0, idle: 0, went: false }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// A call streams from now on, `until` its client waits no longer. There is room for so many items, `None` for any number.
    ///
    /// # Errors
    /// With [`ErrorCode::LIMIT`] and what it was to be taken from, where the session has as many as it may.
    pub fn begin(
        &mut self,
        id: u64,
        room: Option<u64>,
        until: Option<Millis>,
        source: T,
    ) -> Result<(), (ErrorCode, T)> {
        if self.running.len() >= self.limits.streams {
            return Err((ErrorCode::LIMIT, source));
        }
        self.running.push_back(Stream { id, source, until: until.into(), room, sent: false });
        Ok(())
    }

    /// Ends the stream that its client calls so, if there is one.
    pub fn cancel(&mut self, id: u64) -> Option<T> {
        let at = self.running.iter().position(|stream| stream.id == id)?;
        self.running.remove(at).map(|stream| stream.source)
    }

    /// The client has room for more items of a stream; for one that has ended this does nothing. Whether it says so because
    /// some were sent.
    pub fn handle_more(&mut self, id: u64, items: u64) -> bool {
        let Some(stream) = self.running.iter_mut().find(|stream| stream.id == id) else {
            return false;
        };
        stream.room = stream.room.map(|room| room.saturating_add(items));
        core::mem::take(&mut stream.sent)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        let moments = self.running.iter().map(|stream| stream.until);
        moments.fold(Deadline::NEVER, Deadline::or_earlier).get()
    }

    /// Ends a stream whose time is over at `now`, room or not: its number, and what it was taken from.
    pub fn handle_timeout(&mut self, now: Millis) -> Option<(u64, T)> {
        let at = self.running.iter().position(|stream| stream.until.is_due(now))?;
        self.running.remove(at).map(|stream| (stream.id, stream.source))
    }

    /// The socket has nothing to write: whether streams may fill a page. Where `others_wait` for it too, they have every other turn.
    pub fn begin_page(&mut self, others_wait: bool) -> bool {
        (self.items, self.bytes, self.idle) = (0, 0, 0);
        let went = core::mem::take(&mut self.went);
        !(went && others_wait)
    }

    /// The stream that is asked next for an item or its end, each after the others; `None` when the page is full, or none has any.
    ///
    /// To be followed by [`handle_idle`](Self::handle_idle), [`handle_item`](Self::handle_item) or [`handle_end`](Self::handle_end).
    /// The end takes room too: nothing comes after the last item for which there was any.
    pub fn turn(&mut self) -> Option<(u64, &mut T)> {
        if self.items >= self.limits.page_items || self.bytes >= self.limits.page_bytes {
            return None;
        }
        while self.idle < self.running.len() && self.running.front()?.room == Some(0) {
            self.handle_idle();
        }
        if self.idle >= self.running.len() {
            return None;
        }
        self.running.front_mut().map(|stream| (stream.id, &mut stream.source))
    }

    /// Whose turn it is has nothing for now.
    pub fn handle_idle(&mut self) {
        self.idle += 1;
        self.pass_on();
    }

    /// Whose turn it is has given an item, whose frame is `bytes` long.
    pub fn handle_item(&mut self, bytes: usize) {
        if let Some(stream) = self.running.front_mut() {
            stream.room = stream.room.map(|room| room.saturating_sub(1));
            stream.sent = true;
        }
        self.items += 1;
        self.bytes += bytes;
        self.idle = 0;
        self.went = true;
        self.pass_on();
    }

    /// Whose turn it is has ended. Returns what it was taken from.
    pub fn handle_end(&mut self) -> Option<T> {
        self.running.pop_front().map(|stream| stream.source)
    }

    /// Ends all: what each was taken from.
    pub fn into_sources(self) -> impl Iterator<Item = T> {
        self.running.into_iter().map(|stream| stream.source)
    }

    fn pass_on(&mut self) {
        if !self.running.is_empty() {
            self.running.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const LIMITS: StreamLimits = StreamLimits { streams: 2, page_items: 4, page_bytes: 100 };

    /// The streams that have a turn in one page, each of which gives an item of so many bytes.
    fn page(streams: &mut Streams<()>, bytes: usize) -> Vec<u64> {
        let mut turns = Vec::new();
        while let Some((id, ())) = streams.turn() {
            turns.push(id);
            streams.handle_item(bytes);
        }
        turns
    }

    #[test]
    fn each_has_its_turn_while_it_has_room() {
        let mut streams = Streams::new(LIMITS);
        assert_eq!(streams.begin(1, Some(3), None, ()), Ok(()));
        assert_eq!(streams.begin(2, None, None, ()), Ok(()));
        assert_eq!(streams.begin(3, None, None, ()), Err((ErrorCode::LIMIT, ())));
        let mut next = |bytes| {
            assert!(streams.begin_page(false));
            page(&mut streams, bytes)
        };
        assert_eq!(next(1), [1, 2, 1, 2]);
        assert_eq!(next(60), [1, 2]);
        assert_eq!(next(100), [2]);
        assert!(streams.handle_more(1, 1), "items were sent");
        assert!(!streams.handle_more(1, 1) && !streams.handle_more(9, 1));
        assert!(streams.begin_page(false));
        assert_eq!(page(&mut streams, 1), [1, 2, 1, 2]);
        assert_eq!(streams.cancel(2), Some(()));
        assert!(streams.begin_page(false) && streams.turn().is_none());
    }

    #[test]
    fn who_has_nothing_is_asked_once_in_a_page() {
        let mut streams = Streams::new(LIMITS);
        streams.begin(1, None, None, ()).unwrap();
        streams.begin(2, None, None, ()).unwrap();
        assert!(streams.begin_page(false));
        for id in [1, 2] {
            assert_eq!(streams.turn().map(|(id, ())| id), Some(id));
            streams.handle_idle();
        }
        assert_eq!(streams.turn(), None);
        assert!(streams.begin_page(true), "nothing was sent");
        streams.turn().unwrap();
        assert_eq!(streams.handle_end(), Some(()));
        assert_eq!(page(&mut streams, 1), [2, 2, 2, 2]);
        assert!(!streams.begin_page(true) && streams.begin_page(true));
    }

    #[test]
    fn time_ends_one_without_room_too() {
        let mut streams = Streams::new(LIMITS);
        streams.begin(1, Some(0), Some(50), 'a').unwrap();
        streams.begin(2, None, None, 'b').unwrap();
        assert_eq!(streams.poll_timeout(), Some(50));
        assert_eq!(streams.handle_timeout(49), None);
        assert_eq!(streams.handle_timeout(50), Some((1, 'a')));
        assert_eq!((streams.handle_timeout(u64::MAX), streams.poll_timeout()), (None, None));
    }
}
