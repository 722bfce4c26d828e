//! A subscription as a stream of typed events.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    frame::Position,
};

use crate::{Refusal, engine::Raw, shared::Shared};

/// What a subscription tells of its topic.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<T> {
    /// Events flow from here on. Comes first, and again after each reconnect.
    Live {
        /// How it fits what came before.
        continuity: Continuity,
        /// The position from which it goes on.
        at: Position,
    },
    /// An event of the topic.
    Message {
        /// What it carries.
        data: T,
        /// Its offset in the topic.
        offset: u64,
    },
    /// Events are missing and will not come.
    Gap(Gap),
    /// An event whose data is not of the type that this build knows.
    Invalid {
        /// Why it could not be read.
        error: serde_json::Error,
        /// Its offset in the topic.
        offset: u64,
    },
    /// The server does not serve the topic now; it is asked again by itself.
    Refused {
        /// Why.
        refusal: Refusal,
        /// When it is asked again, in milliseconds since 1970.
        retry_at: Millis,
    },
    /// The subscription is over; nothing follows. [`LIMIT`](crate::ErrorCode::LIMIT) where it was not read in time.
    Ended(Refusal),
}

/// A range of missing events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The last offset before the hole; of the earlier epoch where the cause is [`Cause::NewEpoch`].
    pub after: u64,
    /// The last missing offset.
    pub to: u64,
    /// Why.
    pub cause: Cause,
}

/// One subscription of a topic: a stream of its events, in order and each once. Dropping it ends it.
///
/// Equal subscriptions share one on the wire. At most 256 events wait to be read, as many as the server keeps for a session;
/// one more ends the subscription.
#[must_use = "a subscription that is dropped is over"]
pub struct Subscription<T> {
    shared: Arc<Shared>,
    reader: u64,
    data: PhantomData<fn() -> T>,
}

impl<T> Subscription<T> {
    /// Events that wait to be read.
    pub(crate) const ROOM: usize = 256;

    pub(crate) fn new(shared: Arc<Shared>, reader: u64) -> Self {
        Self { shared, reader, data: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for Subscription<T> {
    type Item = Event<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event<T>>> {
        let polled = self.shared.turn(|engine, _| engine.poll_event(self.reader, cx));
        polled.map(|raw| {
            Some(match raw? {
                Raw::Live { continuity, at } => Event::Live { continuity, at },
                Raw::Message { data, offset } => match serde_json::from_str(data.get()) {
                    Ok(data) => Event::Message { data, offset },
                    Err(error) => Event::Invalid { error, offset },
                },
                Raw::Gap(gap) => Event::Gap(gap),
                Raw::Refused { refusal, retry_at } => Event::Refused { refusal, retry_at },
                Raw::Ended(refusal) => Event::Ended(refusal),
            })
        })
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.shared.turn(|engine, now| engine.unsubscribe(self.reader, now));
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
