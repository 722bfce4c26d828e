//! Calls that stream: what came and waits for its reader, and for how many more items there is room.

use std::{
    collections::HashMap,
    task::{Context, Poll, Waker},
};

use serde_json::value::RawValue;
use tidewire_protocol::{Millis, client::Room, code::ErrorCode, frame::client::write_more};

use super::{Ask, Command, Engine, Inbox};
use crate::Refusal;

/// An item, or why there is no other.
pub(crate) type Item = Result<Box<RawValue>, Refusal>;

#[derive(Default)]
pub(super) struct Streams(HashMap<u32, Stream>);

struct Stream {
    inbox: Inbox<Item>,
    room: Room,
    /// The link on which items come; `None` before the first, and after the end.
    link: Option<u8>,
}

impl Streams {
    /// An item came. Whether there was no room for it.
    fn item(&mut self, id: u32, link: u8, data: &RawValue) -> (Option<Waker>, bool) {
        let stream = self.0.get_mut(&id).filter(|stream| !stream.inbox.has_ended());
        let Some(stream) = stream else { return (None, false) };
        stream.link = Some(link);
        if !stream.room.handle_item() {
            return (None, true);
        }
        // The inbox has as much.
        (stream.inbox.push(Ok(data.to_owned())).ok().flatten(), false)
    }

    /// The stream is over.
    pub(super) fn end(&mut self, id: u32, last: Option<Refusal>) -> Option<Waker> {
        let stream = self.0.get_mut(&id)?;
        stream.link = None;
        stream.inbox.end(last.map(Err))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Engine {
    /// Makes a call that streams, which has been told that there is so much room.
    pub(crate) fn stream(&mut self, ask: Ask, room: usize, now: Millis) -> u32 {
        let id = self.core.stream(0, now);
        self.requests.begin(id, ask);
        // Its outcome goes the way of its items.
        self.requests.abandon(id);
        let (inbox, room) = (Inbox::new(room), Room::new(room as u64));
        self.streams.0.insert(id, Stream { inbox, room, link: None });
        self.carry_out(now);
        id
    }

    pub(crate) fn poll_item(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let Some(stream) = self.streams.0.get_mut(&id) else { return Poll::Ready(None) };
        let polled = stream.inbox.poll(cx);
        if let (Poll::Ready(Some(Ok(_))), Some(link)) = (&polled, stream.link)
            && let Some(items) = stream.room.handle_taken()
        {
            self.commands.push_back(Command::Send(link, write_more(id.into(), items)));
        }
        polled
    }

    /// Nobody reads the stream any more.
    pub(crate) fn leave_stream(&mut self, id: u32, now: Millis) {
        self.streams.0.remove(&id);
        self.core.cancel(id, now);
        self.carry_out(now);
    }

    pub(super) fn item(&mut self, re: u64, link: u8, data: &RawValue, now: Millis) {
        let Ok(id) = u32::try_from(re) else { return };
        let (waker, is_full) = self.streams.item(id, link, data);
        self.wakers.extend(waker);
        if is_full {
            // The server sent more than it may.
            let limit = Refusal { code: ErrorCode::LIMIT, message: None };
            self.wakers.extend(self.streams.end(id, Some(limit)));
            self.core.cancel(id, now);
            self.carry_out(now);
        }
    }
}
