//! Messages without types, from the server's `session.send`.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde_json::value::RawValue;

use crate::shared::Shared;

/// The data of the messages that the server sends to this session by one name, as JSON text.
///
/// At most 256 wait to be read; of more the oldest go. It ends when the client is closed.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Messages {
    shared: Arc<Shared>,
    reader: u64,
}

impl Messages {
    /// Messages that wait to be read.
    pub(crate) const ROOM: usize = 256;

    pub(crate) fn new(shared: Arc<Shared>, reader: u64) -> Self {
        Self { shared, reader }
    }
}

impl Stream for Messages {
    type Item = Box<RawValue>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Box<RawValue>>> {
        self.shared.turn(|engine, _| engine.poll_message(self.reader, cx))
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.shared.turn(|engine, _| engine.unlisten(self.reader));
    }
}
