//! [`Live`]: what an application holds of a client.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::to_raw_value;
use tidewire_protocol::{code::ErrorCode, name::Topic, schema::TypedTopic};

use crate::{Connection, Connections, Messages, Publish, Refusal, Subscription, shared::Shared};

/// A connection that mends itself. Cheap to clone; it is closed when the last clone and everything made from it is dropped.
#[derive(Clone, Debug)]
pub struct Live {
    shared: Arc<Shared>,
}

impl Live {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Subscribes to a topic: a stream of what it tells, from now on.
    ///
    /// A topic without a valid name gives a stream that has [`Event::Ended`](crate::Event::Ended) only.
    pub fn subscribe<T: TypedTopic>(&self, topic: &T) -> Subscription<T::Event> {
        let room = Subscription::<T::Event>::ROOM;
        let reader = match topic.topic() {
            Ok(name) => self.shared.turn(|engine, now| engine.subscribe(&name, room, now)),
            Err(error) => {
                let (code, message) = (ErrorCode::INVALID_TOPIC, Some(error.to_string()));
                self.shared.turn(|engine, _| engine.refuse(Refusal { code, message }))
            }
        };
        Subscription::new(self.shared.clone(), reader)
    }

    /// Publishes to a topic. Without a connection up to 1,000 publishes wait for the next.
    ///
    /// # Errors
    /// What [`PublishError`](crate::PublishError) lists, when it is awaited.
    pub fn publish<T: TypedTopic>(&self, topic: &T, data: &T::Publish) -> Publish {
        match topic.topic() {
            Ok(name) => self.request(&name, data),
            Err(error) => Publish::failed(error.into()),
        }
    }

    /// Sends a message of no typed topic to the server's `on_message`; resolves once the server has taken it. The position is
    /// that of no topic.
    ///
    /// # Errors
    /// What [`PublishError`](crate::PublishError) lists, when it is awaited.
    pub fn send(&self, name: &str, data: &impl Serialize) -> Publish {
        match Topic::parse(name) {
            Ok(name) => self.request(&name, data),
            Err(error) => Publish::failed(error.into()),
        }
    }

    /// The messages that the server sends to this session by a name.
    pub fn messages(&self, name: &str) -> Messages {
        let reader = self.shared.turn(|engine, _| engine.listen(name, Messages::ROOM));
        Messages::new(self.shared.clone(), reader)
    }

    /// The connection's state now.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.turn(|engine, _| engine.connection().clone())
    }

    /// The connection's states, from the present one on.
    pub fn connections(&self) -> Connections {
        Connections::new(self.shared.clone())
    }

    /// Connects again after the server said to stop, as with a fresh token. Does nothing while a connection stands or is being
    /// tried, and after [`close`](Self::close).
    pub fn reconnect(&self) {
        self.shared.turn(|engine, now| engine.reconnect(now));
    }

    /// Ends everything for good: subscriptions end, and what waits for an answer is rejected.
    pub fn close(&self) {
        self.shared.turn(|engine, now| engine.close(now));
    }

    fn request(&self, name: &Topic, data: &impl Serialize) -> Publish {
        match to_raw_value(data) {
            Ok(data) => {
                let id = self.shared.turn(|engine, now| engine.publish(name, data, now));
                Publish::new(self.shared.clone(), id)
            }
            Err(error) => Publish::failed(error.into()),
        }
    }
}
