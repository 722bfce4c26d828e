//! When to ping, and when a silent peer is dead.

use crate::{Millis, code::CloseCode};

/// What the passing of time asks of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Due {
    /// Send a ping: `$ping` in full mode, a WebSocket ping else.
    Ping,
    /// The peer did not answer a ping.
    DeadPeer,
    /// No hello came, or it was not answered, in time.
    HelloTimeout,
    /// A hook ran too long.
    HookTimeout,
    /// The socket took no byte for too long.
    WriteTimeout,
    /// The token ran out and no fresh one came.
    TokenExpired,
}

impl Due {
    /// The code with which the session ends; `None` for a ping.
    #[must_use]
    pub const fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Ping => None,
            Self::DeadPeer => Some(CloseCode::DEAD_PEER),
            Self::HelloTimeout => Some(CloseCode::HELLO_TIMEOUT),
            Self::HookTimeout => Some(CloseCode::HOOK_TIMEOUT),
            Self::WriteTimeout => Some(CloseCode::WRITE_TIMEOUT),
            Self::TokenExpired => Some(CloseCode::TOKEN_EXPIRED),
        }
    }
}

#[derive(Debug)]
pub(super) struct Heartbeat {
    ping_ms: Millis,
    pong_ms: Millis,
    heard: Millis,
    pinged: Option<Millis>,
}

impl Heartbeat {
    pub(super) const fn new(ping_ms: Millis, pong_ms: Millis, now: Millis) -> Self {
        Self { ping_ms, pong_ms, heard: now, pinged: None }
    }

    pub(super) fn handle_heard(&mut self, now: Millis) {
        self.heard = now;
        self.pinged = None;
    }

    pub(super) const fn poll_timeout(&self) -> Millis {
        match self.pinged {
            Some(at) => at.saturating_add(self.pong_ms),
            None => self.heard.saturating_add(self.ping_ms),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Millis) -> Option<Due> {
        if self.poll_timeout() > now {
            return None;
        }
        if self.pinged.is_some() {
            return Some(Due::DeadPeer);
        }
        self.pinged = Some(now);
        Some(Due::Ping)
    }
}
