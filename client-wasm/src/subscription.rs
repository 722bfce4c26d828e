//! A subscription as a stream of typed events.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::to_raw_value;
use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    frame::Position,
};

use crate::{Refusal, engine::Raw, shared::Shared};

/// No snapshot: the one of a subscription that was not asked for one. It has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum NoSnapshot {}

/// What a subscription tells of its topic.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<T, S = NoSnapshot> {
    /// Events flow from here on. Comes first, and again after each reconnect.
    Live {
        /// How it fits what came before.
        continuity: Continuity,
        /// The position from which it goes on.
        at: Position,
    },
    /// The topic's state as of a position, or a little newer where the application makes it; what follows comes after that. It
    /// is said before all events, and again where some are missing. A topic that has no state says none.
    Snapshot {
        /// The state.
        state: S,
        /// The position.
        at: Position,
    },
    /// An event of the topic.
    Message {
        /// What it carries.
        data: T,
        /// Its offset in the topic.
        offset: u64,
    },
    /// A key of a keyed topic is no more.
    Removed {
        /// The key.
        key: String,
        /// The event's offset in the topic.
        offset: u64,
    },
    /// Events are missing and will not come.
    Gap(Gap),
    /// An event, or a snapshot, whose data is not of the type that this build knows.
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
/// Equal subscriptions share one on the wire. At most 256 events wait to be read, as many as the server keeps for a session. Where
/// 128 do, the client takes nothing more from its connection for up to three seconds, so that whoever reads keeps up with any burst; for who
/// has not read by then it waits no longer, and one event over the 256 ends the subscription.
#[must_use = "a subscription that is dropped is over"]
pub struct Subscription<T, S = NoSnapshot> {
    shared: Arc<Shared>,
    reader: u64,
    data: PhantomData<fn() -> (T, S)>,
}

impl<T, S> Subscription<T, S> {
    /// Events that wait to be read.
    pub(crate) const ROOM: usize = 256;

    pub(crate) fn new(shared: Arc<Shared>, reader: u64) -> Self {
        Self { shared, reader, data: PhantomData }
    }

    /// Makes the user a member of the topic, whom its presence shows, for as long as a subscription of it lives here. `wish` is
    /// what the application may make of it; said again, the last one counts.
    ///
    /// # Errors
    /// The wish cannot be JSON.
    pub fn present(&self, wish: &impl Serialize) -> serde_json::Result<()> {
        let wish = to_raw_value(wish)?;
        self.shared.turn(|engine, now| engine.present(self.reader, wish, now));
        Ok(())
    }
}

impl<T: DeserializeOwned, S: DeserializeOwned> Stream for Subscription<T, S> {
    type Item = Event<T, S>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.shared.turn(|engine, _| engine.poll_event(self.reader, cx));
        polled.map(|raw| {
            Some(match raw? {
                Raw::Live { continuity, at } => Event::Live { continuity, at },
                Raw::Message { data, offset } => match serde_json::from_str(data.get()) {
                    Ok(data) => Event::Message { data, offset },
                    Err(error) => Event::Invalid { error, offset },
                },
                Raw::Snapshot { state, at } => match serde_json::from_str(state.get()) {
                    Ok(state) => Event::Snapshot { state, at },
                    Err(error) => Event::Invalid { error, offset: at.offset },
                },
                Raw::Removed { key, offset } => Event::Removed { key, offset },
                Raw::Gap(gap) => Event::Gap(gap),
                Raw::Refused { refusal, retry_at } => Event::Refused { refusal, retry_at },
                Raw::Ended(refusal) => Event::Ended(refusal),
            })
        })
    }
}

impl<T, S> Drop for Subscription<T, S> {
    fn drop(&mut self) {
        self.shared.turn(|engine, now| engine.unsubscribe(self.reader, now));
    }
}

impl<T, S> fmt::Debug for Subscription<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
