//! [`Options`]: every number of a server, with its default and the reason for it.

use std::time::Duration;

use tidewire_protocol::{
    delivery::QueueLimits,
    session::{Config, Rate},
};

use crate::{clock::millis, ws::handshake::Origins};

/// What a server allows and how long it waits.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) queue: QueueLimits,
    pub(crate) read_limit: usize,
    pub(crate) json_depth: usize,
    pub(crate) subscriptions: usize,
    pub(crate) compression: bool,
    pub(crate) sessions: usize,
    pub(crate) sessions_per_address: usize,
    pub(crate) messages: Rate,
    pub(crate) bytes: Rate,
    pub(crate) origins: Origins,
    pub(crate) origin_required: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) ping: Duration,
    pub(crate) pong: Duration,
    pub(crate) hello_timeout: Duration,
    pub(crate) hook_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) close_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: QueueLimits { messages: 256, bytes: 1 << 20 },
            read_limit: 4 << 20,
            json_depth: 128,
            subscriptions: 128,
            compression: false,
            sessions: 100_000,
            sessions_per_address: 1_000,
            messages: Rate { per_second: 1_000, burst: 2_000 },
            bytes: Rate { per_second: 4 << 20, burst: 8 << 20 },
            origins: Origins::Same,
            origin_required: false,
            hosts: Vec::new(),
            ping: Duration::from_secs(25),
            pong: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(10),
            hook_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
        }
    }
}

impl Options {
    pub(crate) fn session(&self, hello_required: bool) -> Config {
        Config {
            hello_required,
            hello_timeout_ms: millis(self.hello_timeout),
            ping_ms: millis(self.ping),
            pong_ms: millis(self.pong),
            hook_timeout_ms: millis(self.hook_timeout),
            write_timeout_ms: millis(self.write_timeout),
            messages: self.messages,
            bytes: self.bytes,
            ..Config::default()
        }
    }
}
