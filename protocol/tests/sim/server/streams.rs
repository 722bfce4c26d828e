//! Calls that stream: each is asked for items while the socket has nothing to write. Whose turn it is, and who has room, the core says.

use tidewire_protocol::{
    Millis,
    code::ErrorCode,
    session::{StreamLimits, Streams},
};

use super::{Server, calls::Begins, connection::Connection};
use crate::{
    frames::{Down, Supply, SupplyEnd},
    schedule::Wake,
    world::Env,
};

/// A session's calls that stream.
#[derive(Debug)]
pub(super) struct Streaming {
    core: Streams<Source>,
    most: usize,
    /// How many there are, by its own count.
    open: usize,
    /// When one of them has its next item.
    wakes_at: Option<Millis>,
    /// Pages that went out while a subscription waited to read on.
    in_a_row: u32,
}

/// What the application gives.
#[derive(Debug)]
struct Source {
    payload: u64,
    supply: Supply,
    given: u64,
    ready_at: Millis,
}

enum Next {
    Item(u64),
    End(Result<(), ErrorCode>),
    /// Nothing, until then if that is known.
    Nothing(Option<Millis>),
}

impl Source {
    fn next(&mut self, supplies_end: bool, now: Millis) -> Next {
        let Supply { count, every_ms, end, .. } = self.supply;
        match end {
            _ if self.given < count && now >= self.ready_at => {
                self.given += 1;
                self.ready_at = now + every_ms;
                Next::Item(self.given - 1)
            }
            _ if self.given < count => Next::Nothing(Some(self.ready_at)),
            SupplyEnd::Open if !supplies_end => Next::Nothing(None),
            SupplyEnd::Refused(code) => Next::End(Err(code)),
            _ => Next::End(Ok(())),
        }
    }
}

impl Streaming {
    pub(super) fn new(limits: StreamLimits) -> Self {
        let core = Streams::new(limits);
        Self { core, most: limits.streams, open: 0, wakes_at: None, in_a_row: 0 }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.wakes_at.into_iter().chain(self.core.poll_timeout()).min()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.core.is_empty()
    }

    /// Whether there was one.
    pub(super) fn cancel(&mut self, id: u32) -> bool {
        let was_there = self.core.cancel(id.into()).is_some();
        self.open -= usize::from(was_there);
        was_there
    }

    pub(super) fn drop_all(&mut self) {
        *self = Self::new(StreamLimits { streams: self.most, ..StreamLimits::default() });
    }

    /// A subscription reads on.
    pub(super) fn handle_others_turn(&mut self) {
        self.in_a_row = 0;
    }
}

impl Connection {
    pub(super) fn begin_stream(
        &mut self,
        id: u32,
        payload: u64,
        &Begins { supply, room, until }: &Begins,
        env: &mut Env,
    ) -> Result<(), ErrorCode> {
        let source = Source { payload, supply, given: 0, ready_at: env.schedule.now };
        let streaming = &mut self.calls.streaming;
        if let Err((code, _)) = streaming.core.begin(id.into(), room, until, source) {
            env.oracle.stream_gives_end(payload, Err(code));
            if streaming.open < streaming.most {
                env.oracle.fail(format!("one of {} streams is refused", streaming.open + 1));
            }
            return Err(code);
        }
        streaming.open += 1;
        if streaming.open > streaming.most {
            env.oracle.fail(format!("{} streams at once", streaming.open));
        }
        Ok(())
    }

    pub(super) fn handle_more(&mut self, id: u32, items: u64) {
        if self.calls.streaming.core.handle_more(id.into(), items) {
            self.core.handle_caused();
        }
    }
}

impl Server {
    /// Goes on with a session's streams. Whether anything changed.
    pub(super) fn poll_streams(&mut self, socket: usize, env: &mut Env) -> bool {
        let (now, supplies_end) = (env.schedule.now, self.supplies_end);
        let Some(connection) = self.connection(socket) else { return false };
        let waits = !connection.behind.is_empty() && connection.reading.is_none();
        let others_wait = !connection.is_live();
        let Connection { calls, outbox, .. } = connection;
        let streaming = &mut calls.streaming;
        streaming.wakes_at.take_if(|at| *at <= now);
        if !waits {
            streaming.in_a_row = 0;
        }
        let mut moved = false;
        while let Some((id, _)) = streaming.core.handle_timeout(now) {
            streaming.open -= 1;
            outbox.answer(Down::Error { re: id as u32, code: ErrorCode::TIMEOUT.0 });
            moved = true;
        }
        if streaming.core.is_empty() || !outbox.is_empty() {
            return moved;
        }
        if !streaming.core.begin_page(others_wait) {
            env.oracle.saw("a stream waits for its turn");
            return moved;
        }
        streaming.wakes_at = None;
        let mut page = Vec::new();
        while let Some((id, source)) = streaming.core.turn() {
            let (re, payload, bytes) = (id as u32, source.payload, source.supply.bytes);
            match source.next(supplies_end, now) {
                Next::Nothing(until) => {
                    streaming.core.handle_idle();
                    streaming.wakes_at = streaming.wakes_at.into_iter().chain(until).min();
                }
                Next::Item(number) => {
                    env.oracle.stream_gives(payload, number, now);
                    page.push(Down::Item { re, number, bytes });
                    streaming.core.handle_item(bytes);
                }
                Next::End(end) => {
                    env.oracle.stream_gives_end(payload, end);
                    outbox.send_uncounted(std::mem::take(&mut page));
                    streaming.core.handle_end();
                    streaming.open -= 1;
                    moved = true;
                    outbox.answer(match end {
                        Ok(()) => Down::Reply { re, reply: None },
                        Err(ErrorCode(code)) => Down::Error { re, code },
                    });
                }
            }
        }
        if !page.is_empty() {
            moved = true;
            streaming.in_a_row += u32::from(waits);
            if waits && streaming.in_a_row > 1 {
                env.oracle.fail("streams take the turn of a subscription that waits to read on");
            }
            outbox.send_uncounted(page);
        }
        moved
    }

    /// Whether no session has a stream.
    pub(crate) fn streams_nothing(&self) -> bool {
        self.connections.iter().flatten().all(|connection| connection.calls.streaming.is_empty())
    }

    /// The application has no more to give than it has promised.
    pub(crate) fn end_supplies(&mut self, env: &mut Env) {
        self.supplies_end = true;
        for connection in self.connections.iter().flatten() {
            env.schedule.soon(Wake::Connection(connection.socket));
        }
    }
}
