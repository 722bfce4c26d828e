//! For how many items of a stream its reader has room, and when the server is told of more.
//!
//! Apart from the client, because a driver counts where it keeps the items; the npm package, whose module has no room for what few
//! pages use, counts alike in `stream.ts`.

/// A stream's room.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    most: u64,
    /// Come, and not read.
    waiting: u64,
    /// Read, and the server does not know.
    taken: u64,
}

impl Room {
    /// Room for so many items, of which the server has been told.
    #[must_use]
    pub const fn new(most: u64) -> Self {
        Self { most, waiting: 0, taken: 0 }
    }

    /// An item came. `false` if there is no room for it: the server sent more than it may, and the stream is to be cancelled.
    #[must_use]
    pub const fn handle_item(&mut self) -> bool {
        let has_room = self.waiting < self.most;
        if has_room {
            self.waiting += 1;
        }
        has_room
    }

    /// The reader took an item. For how many more the server is now told to have room, if it is told.
    ///
    /// Told in halves, so that a fast reader need not wait for a round trip.
    #[must_use]
    pub fn handle_taken(&mut self) -> Option<u64> {
        self.waiting = self.waiting.saturating_sub(1);
        self.taken += 1;
        let is_half = self.taken.saturating_mul(2) >= self.most;
        is_half.then(|| core::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_told_in_halves() {
        for (most, told) in [(1, 1), (2, 1), (3, 2), (256, 128)] {
            let mut room = Room::new(most);
            assert!((0..most).all(|_| room.handle_item()));
            assert!(!room.handle_item(), "one too many");
            assert!((1..told).all(|_| room.handle_taken().is_none()));
            assert_eq!(room.handle_taken(), Some(told));
            assert!((0..told).all(|_| room.handle_item()));
            assert!(!room.handle_item());
        }
    }
}
