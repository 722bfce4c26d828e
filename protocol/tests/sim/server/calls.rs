//! Calls: they run beside the hooks, several at once, and can be cancelled.

use std::collections::VecDeque;

use tidewire_protocol::{Millis, code::ErrorCode};

use super::Server;
use crate::{
    frames::{Down, Up, answer_to},
    world::Env,
};

/// No handler may take longer.
const MOST_MS: Millis = 400;

/// What a session's calls are doing.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) waiting: VecDeque<Up>,
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    id: u32,
    payload: u64,
    until: Millis,
    /// It does not end in time.
    is_late: bool,
}

impl Calls {
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.running.iter().map(|call| call.until).min()
    }
}

impl Server {
    /// Begins a call, which the core has counted.
    pub(super) fn begin_call(&mut self, socket: usize, frame: &Up, env: &mut Env) {
        let most = self.setup.calls;
        let Some(connection) = self.connection(socket) else { return };
        let Up::Call { id, payload, timeout_ms, takes_ms } = *frame else { return };
        let most_ms = if timeout_ms == 0 { MOST_MS } else { timeout_ms.min(MOST_MS) };
        let until = env.schedule.now + takes_ms.min(most_ms);
        let running = &mut connection.calls.running;
        running.push(Running { id, payload, until, is_late: takes_ms > most_ms });
        if running.len() > most {
            env.oracle.fail(format!("{} calls run at once on socket {socket}", running.len()));
        }
        env.oracle.call_runs(payload);
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
            let Running { id, payload, is_late, .. } = connection.calls.running.remove(at);
            connection.core.handle_call_ended();
            connection.outbox.answer(if is_late {
                Down::Error { re: id, code: ErrorCode::TIMEOUT.0 }
            } else {
                Down::Answer { re: id, payload: answer_to(payload) }
            });
            moved = true;
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
        } else {
            return;
        }
        connection.outbox.answer(Down::Error { re: id, code: ErrorCode::CANCELLED.0 });
    }
}
