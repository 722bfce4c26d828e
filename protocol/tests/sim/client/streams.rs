//! Streams as their users read them: what has come and waits, and when the server is told of more room.

use std::collections::VecDeque;

use tidewire_protocol::{Millis, client::Room, code::ErrorCode};

use super::{Client, asks::Ask};
use crate::{
    frames::{Supply, Up},
    world::Env,
};

/// A stream that a user wants: what the application gives for it, and for how many items he has room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) payload: u64,
    pub(crate) timeout_ms: Millis,
    pub(crate) supply: Supply,
    pub(crate) room: Option<u64>,
}

/// One that is read.
#[derive(Debug)]
pub(super) struct Stream {
    payload: u64,
    inbox: VecDeque<u64>,
    room: Room,
    /// On which items come, from the first to the end.
    link: Option<usize>,
    has_ended: bool,
    /// How long its user takes over an item.
    pace_ms: Millis,
    reads_from: Millis,
}

impl Stream {
    /// When its user reads next, where something waits for him.
    pub(super) fn reads_at(&self) -> Option<Millis> {
        (!self.inbox.is_empty()).then_some(self.reads_from)
    }

    pub(super) fn read_at_once(&mut self) {
        self.pace_ms = 0;
    }
}

impl Client {
    pub(crate) fn stream(&mut self, wanted: Wanted, pace_ms: Millis, env: &mut Env) {
        let now = env.schedule.now;
        let Wanted { payload, timeout_ms, room, .. } = wanted;
        env.oracle.streams(self.number, payload, (timeout_ms > 0).then_some(timeout_ms), now);
        let id = self.core.stream(timeout_ms, now);
        self.asks.insert(id, Ask::Stream(wanted));
        let room = Room::new(room.unwrap_or(u64::MAX));
        let inbox = VecDeque::new();
        let stream =
            Stream { payload, inbox, room, link: None, has_ended: false, pace_ms, reads_from: now };
        self.streams.insert(id, stream);
        self.carry_out(None, env);
    }

    /// Its user goes: what waits is dropped.
    pub(super) fn leave_stream(&mut self, id: u32, env: &mut Env) {
        if let Some(stream) = self.streams.remove(&id) {
            env.oracle.stream_left(stream.payload);
        }
    }

    /// An item came on a link.
    pub(super) fn item(&mut self, link: usize, id: u32, number: u64, env: &mut Env) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| !stream.has_ended) else {
            return;
        };
        stream.link = Some(link);
        if self.sockets[1 - link].is_some() {
            env.oracle.saw("an item within a move");
        }
        if !stream.room.handle_item() {
            return env.oracle.fail(format!("stream {} has no room for {number}", stream.payload));
        }
        stream.inbox.push_back(number);
        env.oracle.item_came(stream.payload, number);
        self.read_streams(env);
    }

    /// The core says what became of a stream; its user is told behind the items that came.
    pub(super) fn end_stream(
        &mut self,
        id: u32,
        payload: u64,
        outcome: Result<(), ErrorCode>,
        env: &mut Env,
    ) {
        env.oracle.stream_ended(payload, outcome, env.schedule.now);
        match self.streams.get_mut(&id) {
            Some(stream) => {
                (stream.link, stream.has_ended) = (None, true);
                self.read_streams(env);
            }
            None => env.oracle.stream_over(payload),
        }
    }

    /// Lets users read what waits for them.
    pub(super) fn read_streams(&mut self, env: &mut Env) {
        let now = env.schedule.now;
        let mut grants = Vec::new();
        self.streams.retain(|&id, stream| {
            while stream.reads_from <= now
                && let Some(number) = stream.inbox.pop_front()
            {
                env.oracle.item_read(stream.payload, number);
                stream.reads_from = now + stream.pace_ms;
                if let Some(items) = stream.room.handle_taken() {
                    grants.extend(stream.link.map(|link| (link, Up::More { id, items })));
                }
            }
            let is_over = stream.has_ended && stream.inbox.is_empty();
            if is_over {
                env.oracle.stream_over(stream.payload);
            }
            !is_over
        });
        for (link, more) in grants {
            // The core is about to tell of a socket that is gone.
            if self.sockets[link].is_some() {
                self.send_on(link, more, env);
            }
        }
    }
}
