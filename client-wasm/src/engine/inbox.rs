//! What waits for the one who reads it, with a bound.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

/// A queue with one reader.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    items: VecDeque<T>,
    room: usize,
    ended: bool,
    reader: Option<Waker>,
}

/// There is no room for another item.
#[derive(Debug)]
pub(super) struct Full;

impl<T> Inbox<T> {
    pub(super) fn new(room: usize) -> Self {
        Self { items: VecDeque::new(), room, ended: false, reader: None }
    }

    /// Adds an item and gives the reader to wake.
    pub(super) fn push(&mut self, item: T) -> Result<Option<Waker>, Full> {
        if self.items.len() >= self.room {
            return Err(Full);
        }
        self.items.push_back(item);
        Ok(self.reader.take())
    }

    /// Adds an item in the place of the oldest if there is no other.
    pub(super) fn replace_oldest(&mut self, item: T) -> Option<Waker> {
        if self.items.len() >= self.room {
            self.items.pop_front();
        }
        self.items.push_back(item);
        self.reader.take()
    }

    /// Adds what comes last, for which there is always room.
    pub(super) fn end(&mut self, last: Option<T>) -> Option<Waker> {
        self.items.extend(last);
        self.ended = true;
        self.reader.take()
    }

    /// Whether what comes last is in it.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Half of its room is taken by what its reader has not read.
    pub(super) fn is_crowded(&self) -> bool {
        !self.ended && self.items.len() * 2 >= self.room
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if self.ended => Poll::Ready(None),
            None => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
