//! When to ping, and when a silent peer is dead.

use super::{Config, deadline::Deadline};
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
    /// When something was heard, or asked.
    since: Millis,
    is_pinged: bool,
}

impl Heartbeat {
    pub(super) const fn new(now: Millis) -> Self {
        Self { since: now, is_pinged: false }
    }

    pub(super) fn handle_heard(&mut self, now: Millis) {
        *self = Self::new(now);
    }

    pub(super) const fn poll_timeout(&self, config: &Config) -> Deadline {
        Deadline::after(self.since, if self.is_pinged { config.pong_ms } else { config.ping_ms })
    }

    pub(super) fn handle_timeout(&mut self, config: &Config, now: Millis) -> Option<Due> {
        if !self.poll_timeout(config).is_due(now) {
            return None;
        }
        if self.is_pinged {
            return Some(Due::DeadPeer);
        }
        *self = Self { since: now, is_pinged: true };
        Some(Due::Ping)
    }
}
