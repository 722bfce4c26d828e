//! Calls: they run beside the hooks, several at once, and can be cancelled. What they stream is the business of `streams`.

use std::collections::VecDeque;

use tidewire_protocol::{Millis, code::ErrorCode, session::StreamLimits};

use super::{Server, streams::Streaming};
use crate::{
    frames::{Down, Supply, Up, answer_to},
    world::Env,
};

/// No handler may take longer.
const MOST_MS: Millis = 400;

/// What a session's calls are doing.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) waiting: VecDeque<Up>,
    running: Vec<Running>,
    pub(super) streaming: Streaming,
}

#[derive(Debug)]
struct Running {
    id: u32,
    payload: u64,
    until: Millis,
    /// It does not end in time.
    is_late: bool,
    streams: Option<Begins>,
}

/// A stream that a call gives.
#[derive(Debug)]
pub(super) struct Begins {
    pub(super) supply: Supply,
    pub(super) room: Option<u64>,
    /// Its client waits for all of it no longer than until then.
    pub(super) until: Option<Millis>,
}

impl Calls {
    pub(super) fn new(limits: StreamLimits) -> Self {
        let waiting = VecDeque::new();
        Self { waiting, running: Vec::new(), streaming: Streaming::new(limits) }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        let calls = self.running.iter().map(|call| call.until);
        calls.chain(self.streaming.next_wake()).min()
    }

    /// All end: their client is gone.
    pub(super) fn drop_all(&mut self) {
        self.waiting.clear();
        self.running.clear();
        self.streaming.drop_all();
    }
}

impl Server {
    /// Begins a call, which the core has counted.
    pub(super) fn begin_call(&mut self, socket: usize, frame: &Up, env: &mut Env) {
        let (most, now) = (self.setup.calls, env.schedule.now);
        let Some(connection) = self.connection(socket) else { return };
        let (id, payload, timeout_ms, takes_ms, streams) = match *frame {
            Up::Call { id, payload, timeout_ms, takes_ms } => {
                env.oracle.call_runs(payload);
                (id, payload, timeout_ms, takes_ms, None)
            }
            Up::Stream { id, payload, timeout_ms, supply, items: room } => {
                env.oracle.stream_runs(payload, now);
                let until = (timeout_ms > 0).then_some(now + timeout_ms);
                (id, payload, timeout_ms, supply.begins_ms, Some(Begins { supply, room, until }))
            }
            _ => return,
        };
        let most_ms = if timeout_ms == 0 { MOST_MS } else { timeout_ms.min(MOST_MS) };
        let (until, is_late) = (now + takes_ms.min(most_ms), takes_ms > most_ms);
        let running = &mut connection.calls.running;
        running.push(Running { id, payload, until, is_late, streams });
        if running.len() > most {
            env.oracle.fail(format!("{} calls run at once on socket {socket}", running.len()));
        }
    }

    /// Goes on with the calls that run and gives waiting ones their turn. Whether anything changed.
    pub(super) fn poll_calls(&mut self, socket: usize, env: &mut Env) -> bool {
        let now = env.schedule.now;
        let mut moved = false;
        while let Some(connection) = self.connection(socket)
            && connection.core.poll_calls()
            && let Some(frame) = connection.calls.waiting.pop_front()
        {
            env.oracle.saw("a call waits");
            connection.core.handle_call_begun(frame.bytes(), now);
            self.begin_call(socket, &frame, env);
            moved = true;
        }
        while let Some(connection) = self.connection(socket)
            && let Some(at) = connection.calls.running.iter().position(|call| call.until <= now)
        {
            let Running { id, payload, is_late, streams, .. } = connection.calls.running.remove(at);
            connection.core.handle_call_ended();
            moved = true;
            let answer = match streams {
                None if is_late => Err(ErrorCode::TIMEOUT),
                None => Ok(()),
                Some(_) if is_late => {
                    env.oracle.stream_gives_end(payload, Err(ErrorCode::TIMEOUT));
                    Err(ErrorCode::TIMEOUT)
                }
                Some(begins) => match connection.begin_stream(id, payload, &begins, env) {
                    Ok(()) => continue,
                    Err(code) => Err(code),
                },
            };
            connection.outbox.answer(match answer {
                Ok(()) => Down::Answer { re: id, payload: answer_to(payload) },
                Err(ErrorCode(code)) => Down::Error { re: id, code },
            });
        }
        moved
    }

    pub(super) fn cancel_call(&mut self, socket: usize, id: u32, now: Millis) {
        let Some(connection) = self.connection(socket) else { return };
        let calls = &mut connection.calls;
        if let Some(at) = calls.waiting.iter().position(|frame| frame.id() == id) {
            let bytes = calls.waiting.remove(at).map_or(0, |frame| frame.bytes());
            connection.core.handle_call_dropped(bytes, now);
        } else if let Some(at) = calls.running.iter().position(|call| call.id == id) {
            calls.running.remove(at);
            connection.core.handle_call_ended();
        } else if !calls.streaming.cancel(id) {
            return;
        }
        connection.outbox.answer(Down::Error { re: id, code: ErrorCode::CANCELLED.0 });
    }
}
