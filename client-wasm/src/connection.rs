//! What an application sees of the connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use tidewire_protocol::client::State;

use crate::{Refusal, shared::Shared};

/// The state of the connection at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// Where it stands. Times are milliseconds since 1970.
    pub state: State,
    /// The session's id on the server, while connected.
    pub session: Option<String>,
    /// The schema entries that this build and the server do not agree on; all others work.
    pub incompatible: Vec<String>,
    /// What the server said when it closed the connection, for people; empty while connected.
    pub reason: String,
    /// The last error that answered no request.
    pub error: Option<Refusal>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            state: State::Idle,
            session: None,
            incompatible: Vec::new(),
            reason: String::new(),
            error: None,
        }
    }
}

/// The states of the connection, from the present one on: a stream that skips what was not read in time, and ends after
/// [`State::Closed`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Connections {
    shared: Arc<Shared>,
    seen: Option<u64>,
    ended: bool,
}

impl Connections {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, seen: None, ended: false }
    }
}

impl Stream for Connections {
    type Item = Connection;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Connection>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let polled = this.shared.turn(|engine, _| engine.poll_connection(&mut this.seen, cx));
        polled.map(|connection| {
            this.ended = connection.state == State::Closed;
            Some(connection)
        })
    }
}
