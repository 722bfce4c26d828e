//! [`Cork`]: what a connection's task sends in one turn, joined so that one call writes it.
//!
//! An answer and the event that it speaks of cost one `send` instead of two. All that is corked counts in the queue.

use std::cell::Cell;

use bytes::Bytes;

use super::{Frame, Outbox, State};
use crate::io::Io;

/// Bytes that are joined. More gain nothing, and copying them would cost.
const CORK_BYTES: usize = 16 * 1024;

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
    fn begin() -> Box<Self> {
        SPARE.take().unwrap_or_else(|| {
            let thread = SPARE.with(|spare| std::ptr::from_ref(spare).addr());
            // At its full size, so that it never grows.
            Box::new(Self { bytes: Vec::with_capacity(CORK_BYTES), messages: 0, thread })
        })
    }

    /// Keeps the cork for the thread's next turn.
    fn end(self: Box<Self>) {
        debug_assert!(self.is_empty() && self.is_here());
        SPARE.set(Some(self));
    }

    /// Whether the turn is this thread's.
    pub(super) fn is_here(&self) -> bool {
        SPARE.with(|spare| self.thread == std::ptr::from_ref(spare).addr())
    }

    const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether so many more bytes are not too much.
    const fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= CORK_BYTES
    }

    pub(super) fn push(&mut self, messages: usize, parts: &[&[u8]]) {
        self.messages += messages;
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    /// Takes what is corked, and how many messages it counts for; the buffer is to be given [back](Self::restore).
    fn take(&mut self) -> (usize, Vec<u8>) {
        (std::mem::take(&mut self.messages), std::mem::take(&mut self.bytes))
    }

    fn restore(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.bytes = bytes;
    }
}

/// The outbox is corked while this lives.
#[derive(Debug)]
pub(crate) struct Corked<'a>(&'a Outbox);

impl Outbox {
    /// Joins what this thread sends until the guard is dropped. What a stream takes is joined by its task anyway.
    pub(crate) fn cork(&self) -> Corked<'_> {
        let mut state = self.lock();
        if let Some(Io::Tcp(_)) = state.io {
            state.cork = Some(Cork::begin());
        }
        Corked(self)
    }

    /// Writes what is corked if so much more were too much for the cork, or for the queue.
    pub(super) fn make_room(&self, state: &mut State, messages: usize, bytes: usize) {
        if let Some(cork) = &state.cork
            && !(cork.has_room(bytes) && state.queue.fits(messages, bytes))
        {
            self.pull(state);
        }
    }

    /// Writes what is corked; what the socket does not take waits like any frame.
    pub(super) fn pull(&self, state: &mut State) {
        let Some(cork) = state.cork.as_mut().filter(|cork| !cork.is_empty()) else { return };
        let (messages, bytes) = cork.take();
        if self.write_now(state, &bytes) {
            state.sent(messages, bytes.len());
        } else {
            state.frames.push_back(Frame { bytes: Bytes::copy_from_slice(&bytes), messages });
        }
        if let Some(cork) = &mut state.cork {
            cork.restore(bytes);
        }
    }
}

impl State {
    /// The cork, if so many more bytes may join it.
    pub(super) fn open_cork(&mut self, bytes: usize) -> Option<&mut Cork> {
        let is_open = self.takes_writes();
        self.cork.as_deref_mut().filter(|cork| is_open && cork.has_room(bytes))
    }
}

impl Drop for Corked<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        self.0.pull(&mut state);
        let cork = state.cork.take();
        drop(state);
        if let Some(cork) = cork {
            cork.end();
        }
    }
}
