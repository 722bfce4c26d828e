//! [`Cork`]: what a connection's task sends in one turn, joined so that one call writes it.
//!
//! An answer and the event that it speaks of cost one `send` instead of two. All that is corked counts in the queue.

use std::cell::Cell;

/// Bytes that are joined. More gain nothing, and copying them would cost.
pub(super) const CORK_BYTES: usize = 16 * 1024;

thread_local! {
    /// This thread's cork while no outbox has it.
    static SPARE: Cell<Option<Box<Cork>>> = const { Cell::new(None) };
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
    pub(super) fn begin() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| {
            let thread = SPARE.with(|spare| std::ptr::from_ref(spare).addr());
            // At its full size, so that it never grows.
            Box::new(Self { bytes: Vec::with_capacity(CORK_BYTES), messages: 0, thread })
        })
    }

    /// Keeps the cork for the thread's next turn.
    pub(super) fn end(self: Box<Self>) {
        debug_assert!(self.is_empty() && self.is_here());
        SPARE.set(Some(self));
    }

    /// Whether the turn is this thread's.
    pub(super) fn is_here(&self) -> bool {
        SPARE.with(|spare| self.thread == std::ptr::from_ref(spare).addr())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether so many more bytes are not too much.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CORK_BYTES
    }

    pub(super) fn push(&mut self, messages: usize, parts: &[&[u8]]) {
        self.messages += messages;
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
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
