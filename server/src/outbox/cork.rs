//! [`Cork`]: what a connection's task sends in one turn, joined so that one call writes it.
//!
//! An answer and the event that it speaks of cost one `send` instead of two. All that is corked counts in the queue.

use std::cell::Cell;

/// Bytes that are joined. More gain nothing, and copying them would cost.
pub(super) const CORK_BYTES: usize = 16 * 1024;

thread_local! {
    /// The buffer of this thread's next cork.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Debug)]
pub(super) struct Cork {
    bytes: Vec<u8>,
    messages: usize,
    /// The thread whose turn it is.
    thread: usize,
}

impl Cork {
    /// Joins what this thread sends from now on.
    pub(super) fn begin() -> Self {
        let mut bytes = SPARE.take();
        // Once in a thread, and never more: it does not grow.
        bytes.reserve_exact(CORK_BYTES);
        Self { bytes, messages: 0, thread: this_thread() }
    }

    /// Keeps the buffer for the next one.
    pub(super) fn end(self) {
        debug_assert_eq!(self.messages, 0);
        SPARE.set(self.bytes);
    }

    /// Whether the turn is this thread's.
    pub(super) fn is_here(&self) -> bool {
        self.thread == this_thread()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether so many more bytes are not too much.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CORK_BYTES
    }

    pub(super) fn push(&mut self, messages: usize, bytes: &[u8]) {
        self.messages += messages;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes what is corked, and how many messages it counts for; the buffer is to be given [back](Self::restore).
    pub(super) fn take(&mut self) -> (usize, Vec<u8>) {
        (std::mem::take(&mut self.messages), std::mem::take(&mut self.bytes))
    }

    pub(super) fn restore(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.bytes = bytes;
    }
}

/// What no other thread that lives is called.
fn this_thread() -> usize {
    SPARE.with(|spare| std::ptr::from_ref(spare).addr())
}
