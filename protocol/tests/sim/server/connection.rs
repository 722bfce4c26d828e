//! One connection's driver, as the server's: it moves frames and runs hooks; what to do it asks the session core.

use std::collections::VecDeque;

use tidewire_protocol::{
    Millis,
    code::{CloseCode, ErrorCode},
    session::{self, Due, Kind, Mode, Subscriptions, Verdict},
};

use super::{
    Server,
    calls::Calls,
    cursor::{Cursor, PageRead},
    outbox::{Flushed, Outbox},
    presence::Member,
    requests::Hook,
};
use crate::{
    frames::{Down, Up},
    random::Random,
    schedule::Wake,
    setup::Setup,
    world::Env,
};

/// How long a socket that is closed may take what waits.
const CLOSE_TIMEOUT_MS: Millis = 2_000;
const WRITE_TIMEOUT_MS: Millis = 2_500;

pub(crate) struct Connection {
    pub(crate) socket: usize,
    pub(super) node: usize,
    pub(crate) client: usize,
    pub(crate) core: session::Session,
    pub(crate) outbox: Outbox,
    pub(crate) table: Subscriptions<Subscription>,
    pub(super) waiting: VecDeque<Up>,
    /// One at a time, if the core says so.
    pub(super) hooks: Vec<Hook>,
    pub(super) calls: Calls,
    /// What makes its user a member.
    pub(super) member: Option<Member>,
    /// What the application has asked for out of turn.
    pub(super) jobs: VecDeque<super::requests::Job>,
    /// When the token is judged, and the hello's id.
    pub(super) greeting: Option<(Millis, u32)>,
    pub(super) behind: VecDeque<Cursor>,
    pub(super) reading: Option<PageRead>,
    /// When it is asked to move, and until when.
    pub(super) asked_to_move_at: Option<(Millis, Millis)>,
    /// When the server closes it, having asked the client to move.
    drained_at: Option<Millis>,
    /// When the socket is dropped at the latest, once it is closed.
    ending: Option<Millis>,
    pub(crate) is_gone: bool,
    /// When it is woken next.
    timer: Millis,
    pub(super) random: Random,
}

/// A place in a topic's table of subscribers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscription {
    pub(crate) topic: usize,
    pub(crate) key: usize,
}

impl Connection {
    pub(super) fn new(
        socket: usize,
        node: usize,
        client: usize,
        setup: &Setup,
        now: Millis,
    ) -> Self {
        let config = session::Config {
            hello_required: true,
            ping_ms: setup.ping_ms,
            pong_ms: setup.pong_ms,
            write_timeout_ms: WRITE_TIMEOUT_MS,
            backlog_frames: setup.backlog,
            calls: setup.calls,
            ..session::Config::default()
        };
        Self {
            socket,
            node,
            client,
            core: session::Session::new(config, now),
            outbox: Outbox::new(socket, setup.queue),
            table: Subscriptions::new(128),
            waiting: VecDeque::new(),
            hooks: Vec::new(),
            calls: Calls::new(setup.streams),
            member: None,
            jobs: VecDeque::new(),
            greeting: None,
            behind: VecDeque::new(),
            reading: None,
            asked_to_move_at: None,
            drained_at: None,
            ending: None,
            is_gone: false,
            timer: Millis::MAX,
            random: Random::new(setup.seed, 2_000 + socket as u64),
        }
    }

    pub(super) fn drain(&mut self, until: Millis) {
        self.drained_at = Some(until);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    pub(super) fn is_live(&self) -> bool {
        self.behind.is_empty() && self.reading.is_none()
    }

    /// What the application's hook takes.
    pub(super) fn hook_ms(&mut self) -> Millis {
        self.random.pick(&[0, 0, 0, 0, 1, 1, 5, 40])
    }

    /// What a broker that is not in this process takes.
    pub(super) fn broker_ms(&mut self) -> Millis {
        self.random.pick(&[0, 0, 0, 0, 0, 1, 1, 8])
    }

    fn next_wake(&self) -> Millis {
        let hooks = self.hooks.iter().map(|hook| hook.until);
        let reading = self.reading.as_ref().map(|reading| reading.until);
        let greeting = self.greeting.map(|(at, _)| at);
        let core = if self.ending.is_none() { self.core.poll_timeout() } else { None };
        let ending = self.ending.filter(|_| !self.is_gone);
        let rest = [reading, greeting, core, ending, self.calls.next_wake()];
        hooks.chain(rest.into_iter().flatten()).min().unwrap_or(Millis::MAX)
    }
}

impl Server {
    /// Does all that there is to do for a connection.
    pub(crate) fn turn(&mut self, socket: usize, env: &mut Env) {
        let now = env.schedule.now;
        if self.connection(socket).is_none() {
            return;
        }
        while !env.spins() {
            if let Some(connection) = self.connection(socket)
                && connection.ending.is_none()
                && connection.outbox.closed.is_some()
            {
                self.begin_ending(socket, env);
            }
            let mut moved = self.poll_hooks(socket, env);
            let Some(connection) = self.connection(socket) else { return };
            if connection.ending.is_some() {
                moved |= self.poll_ending(socket, env);
            } else {
                moved |= self.poll_greeting(socket, now);
                moved |= self.poll_move(socket, env);
                moved |= self.poll_calls(socket, env);
                self.flush(socket, env);
                moved |= self.poll_streams(socket, env);
                moved |= self.poll_behind(socket, env);
                moved |= self.poll_input(socket, env);
                moved |= self.poll_timer(socket, now);
            }
            let Some(connection) = self.connection(socket) else { return };
            if !connection.outbox.is_bounded() {
                env.oracle.fail(format!("the queue of socket {socket} is over its bounds"));
            }
            if !moved && (connection.ending.is_some() || connection.outbox.closed.is_none()) {
                break;
            }
        }
        let Some(connection) = self.connection(socket) else { return };
        if connection.is_gone && connection.hooks.is_empty() {
            self.connections[socket] = None;
            return;
        }
        let at = connection.next_wake();
        if at < connection.timer || connection.timer <= now {
            connection.timer = at;
            if at != Millis::MAX {
                env.schedule.at(at.max(now + 1), Wake::Connection(socket));
            }
        }
    }

    fn poll_greeting(&mut self, socket: usize, now: Millis) -> bool {
        let Setup { ping_ms, pong_ms, .. } = self.setup;
        let Some(connection) = self.connection(socket) else { return false };
        let Some((_, id)) = connection.greeting.filter(|&(at, _)| at <= now) else { return false };
        connection.greeting = None;
        connection.core.handle_hook_ended();
        connection.outbox.answer(Down::Hello { re: id, ping_ms, pong_ms });
        connection.core.handle_welcomed();
        true
    }

    fn poll_move(&mut self, socket: usize, env: &mut Env) -> bool {
        let now = env.schedule.now;
        let Some(connection) = self.connection(socket) else { return false };
        let Some((_, until)) = connection.asked_to_move_at.take_if(|&mut (at, _)| at <= now) else {
            return false;
        };
        if connection.core.mode() == Mode::Full {
            connection.outbox.answer(Down::Drain { deadline_ms: until - now });
        }
        true
    }

    fn flush(&mut self, socket: usize, env: &mut Env) {
        let Some(connection) = self.connection(socket) else { return };
        let flushed = connection.outbox.flush(&mut env.network, &mut env.schedule);
        if flushed != Flushed::Nothing {
            connection.core.handle_write_progress();
        }
        if flushed != Flushed::All {
            connection.core.handle_write_blocked(env.schedule.now);
        }
    }

    fn poll_input(&mut self, socket: usize, env: &mut Env) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        if !connection.core.may_read() || connection.outbox.closed.is_some() {
            return false;
        }
        let now = env.schedule.now;
        let Some(frame) = env.network.sockets[socket].up.receive(now) else { return false };
        if matches!(frame, Up::Closed { .. }) {
            self.end_lost(socket, matches!(frame, Up::Closed { on_purpose: true }), env);
            return true;
        }
        let bytes = frame.bytes();
        assert_eq!(connection.core.handle_received(bytes, now), session::Pace::Fine);
        let id = frame.id();
        let kind = match frame {
            Up::Hello { .. } => Kind::Hello,
            Up::Ping { .. } => Kind::Ping,
            Up::Pong => Kind::Pong,
            Up::Subscribe { .. }
            | Up::ReadState { .. }
            | Up::History { .. }
            | Up::Unsubscribe { .. } => Kind::Request,
            Up::Call { .. } | Up::Stream { .. } => Kind::Call,
            Up::More { .. } => Kind::More,
            Up::Cancel { .. } => Kind::Cancel,
            _ => Kind::Other,
        };
        match connection.core.handle_frame(kind, bytes) {
            Verdict::Hello => {
                let at = now + connection.hook_ms();
                connection.core.handle_hook_started(now);
                connection.greeting = Some((at, id));
            }
            Verdict::Take => self.take(socket, frame, env),
            Verdict::Wait => connection.waiting.push_back(frame),
            Verdict::Call => self.begin_call(socket, &frame, env),
            Verdict::WaitCall => connection.calls.waiting.push_back(frame),
            Verdict::Cancel => {
                if let Up::Cancel { id } = frame {
                    self.cancel_call(socket, id, now);
                }
            }
            Verdict::More => {
                if let Up::More { id, items } = frame {
                    connection.handle_more(id, items);
                }
            }
            Verdict::Answer => connection.outbox.answer(Down::Reply { re: id, reply: None }),
            Verdict::Refuse(ErrorCode(code)) => {
                connection.outbox.answer(Down::Error { re: id, code });
            }
            _ => {}
        }
        true
    }

    fn poll_timer(&mut self, socket: usize, now: Millis) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        if connection.drained_at.is_some_and(|at| at <= now) {
            connection.outbox.close(CloseCode::DRAIN);
        }
        let due = connection.core.handle_timeout(now);
        match due.map(|due| (due, due.close_code())) {
            Some((Due::Ping, _)) => connection.outbox.answer(Down::Ping),
            Some((_, Some(code))) => {
                // What runs too long, or for nobody, is dropped.
                connection.outbox.close(code);
            }
            _ => {}
        }
        due.is_some()
    }

    /// The session is over: its subscriptions end at once, its socket when it has taken the close frame.
    fn begin_ending(&mut self, socket: usize, env: &mut Env) {
        self.end_subscriptions(socket);
        self.end_member(socket, true, env);
        let Some(connection) = self.connection(socket) else { return };
        let timed_out = matches!(
            connection.outbox.closed,
            Some(CloseCode::DEAD_PEER | CloseCode::WRITE_TIMEOUT | CloseCode::HOOK_TIMEOUT)
        );
        connection.behind.clear();
        connection.reading = None;
        connection.greeting = None;
        connection.jobs.clear();
        connection.calls.drop_all();
        connection.ending = Some(env.schedule.now + CLOSE_TIMEOUT_MS);
        self.drop_waiting(socket, env.schedule.now);
        if timed_out {
            self.drop_hooks(socket);
        }
    }

    /// The client is gone. What waits still has its turn if it left on purpose.
    fn end_lost(&mut self, socket: usize, on_purpose: bool, env: &mut Env) {
        let now = env.schedule.now;
        self.end_subscriptions(socket);
        self.end_member(socket, true, env);
        let Some(connection) = self.connection(socket) else { return };
        connection.behind.clear();
        connection.reading = None;
        connection.greeting = None;
        connection.jobs.clear();
        connection.calls.drop_all();
        connection.outbox.closed = Some(CloseCode::NORMAL);
        connection.ending = Some(now);
        connection.is_gone = true;
        env.network.end(socket);
        if !on_purpose {
            self.drop_waiting(socket, now);
        }
    }

    fn drop_waiting(&mut self, socket: usize, now: Millis) {
        let Some(connection) = self.connection(socket) else { return };
        for frame in connection.waiting.drain(..) {
            connection.core.handle_taken(frame.bytes(), now);
        }
    }

    fn poll_ending(&mut self, socket: usize, env: &mut Env) -> bool {
        let Some(connection) = self.connection(socket) else { return false };
        if connection.is_gone {
            return false;
        }
        let flushed = connection.outbox.flush(&mut env.network, &mut env.schedule);
        let gives_up = connection.ending.is_some_and(|at| at <= env.schedule.now);
        if flushed != Flushed::All && gives_up {
            let reset = Down::Closed { code: CloseCode::ABNORMAL };
            env.network.send_down(socket, reset, &mut env.schedule);
        }
        connection.is_gone = flushed == Flushed::All || gives_up;
        if connection.is_gone {
            env.network.end(socket);
        }
        connection.is_gone
    }
}
