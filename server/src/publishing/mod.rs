//! [`Publishing`]: a publish of the application with what it asks for, and the one way from a publish to the broker.

mod accepted;
mod in_flight;

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use tidewire_protocol::{
    frame::{Position, client::MID_BYTES},
    name::Topic,
    topic::MAX_KEY_BYTES,
};

pub use accepted::Accepted;
pub(crate) use in_flight::InFlight;

use crate::{
    broker::{Event, Keep, Once, Publish},
    error::PublishError,
    hub::gather,
    live::Live,
    session::Session,
    topics::{DEFAULT_RETENTION, Rule},
};

/// The scope of the application's own keys; those of users and clients have a colon.
const APPLICATION: &str = "application";

/// A publish that is made when it is awaited. It resolves with the event's position once the broker has appended it, and never
/// waits for a subscriber's socket.
///
/// # Errors
/// If the topic's name or the key is not valid, the event cannot be JSON, or the broker refuses it or fails.
///
/// # Cancel safety
/// One that is dropped while it is awaited may have been appended; with [`once`](Self::once) it can be made again.
///
/// ```
/// # tidewire_protocol::schema! { pub schema Shop { topic Orders = "orders" { event: String } } }
/// # async fn placed(live: tidewire::Live<()>, id: u64) -> Result<(), tidewire::PublishError> {
/// live.topic(Orders).publish(&"a book".into()).once(&format!("order-{id}")).version(id).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is published until it is awaited"]
pub struct Publishing<'a, V> {
    live: &'a Live<V>,
    waits: bool,
    asked: Result<Asked, PublishError>,
}

struct Asked {
    topic: Topic,
    event: Event,
    once: Option<Once>,
}

impl<'a, V: Send + Sync + 'static> Publishing<'a, V> {
    pub(crate) fn new(
        live: &'a Live<V>,
        topic: Result<Topic, PublishError>,
        event: Result<Event, serde_json::Error>,
    ) -> Self {
        let event = event.map_err(|_| PublishError::InvalidData);
        let asked = topic.and_then(|topic| Ok(Asked { topic, event: event?, once: None }));
        Self { live, waits: true, asked }
    }

    /// Gives up with [`PublishError::Busy`] instead of waiting for room.
    pub(crate) fn without_waiting(mut self) -> Self {
        self.waits = false;
        self
    }

    /// Appends the event unless one was published to the topic under the same key: then it resolves with that one's position. `key` is
    /// 1 to 64 bytes. The last 1,000 keys of a topic are remembered for 10 minutes, within the topic's epoch; keys of the application never
    /// meet the ids that clients give.
    pub fn once(self, key: &str) -> Self {
        self.once_in(APPLICATION.into(), key)
    }

    pub(crate) fn once_in(mut self, scope: Arc<str>, name: &str) -> Self {
        self.asked = self.asked.and_then(|asked| {
            if name.is_empty() || name.len() > MID_BYTES {
                return Err(PublishError::InvalidKey);
            }
            Ok(Asked { once: Some(Once { scope, name: name.into() }), ..asked })
        });
        self
    }

    /// Says which version of the application's state has the event: a subscriber whose snapshot is of this version, or a later one, does
    /// not get it.
    pub fn version(mut self, version: u64) -> Self {
        if let Ok(asked) = &mut self.asked {
            asked.event.version = Some(version);
        }
        self
    }

    /// Leaves out one session, which knows already: it is told that it has the event. Its user's other sessions get it, and so does whoever
    /// reads the topic's history.
    pub fn except(mut self, session: &Session<V>) -> Self {
        if let Ok(asked) = &mut self.asked {
            asked.event.except = Some(session.id().into());
        }
        self
    }

    async fn run(self) -> Result<Position, PublishError> {
        let Self { live, waits, asked } = self;
        let Asked { topic, event, once } = asked?;
        if !waits && !live.hub().has_room(&topic) {
            return Err(PublishError::Busy);
        }
        let rule = live.rule_of(&topic).map(|(rule, _)| rule);
        live.append(&topic, rule, |keep| Publish { once, ..Publish::new(Arc::new(event), keep) })
            .await
    }
}

impl<'a, V: Send + Sync + 'static> IntoFuture for Publishing<'a, V> {
    type Output = Result<Position, PublishError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<V> fmt::Debug for Publishing<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.asked.as_ref().map(|asked| &asked.topic);
        f.debug_struct("Publishing").field("topic", &topic).finish_non_exhaustive()
    }
}

impl<V: Send + Sync + 'static> Live<V> {
    /// Publishes to a topic with `rule`, or without one. `publish` is told how the topic is kept.
    pub(crate) async fn append(
        &self,
        topic: &Topic,
        rule: Option<&Rule<V>>,
        publish: impl FnOnce(Keep) -> Publish,
    ) -> Result<Position, PublishError> {
        let untyped = Keep { retention: DEFAULT_RETENTION, is_keyed: false };
        let publish = publish(rule.map_or(untyped, |rule| rule.keep));
        check_key(&publish)?;
        self.hub().wait_for_room(topic).await;
        let mut publish = self.hub().broker().publish(topic, publish);
        // Subscribers are served when the broker has let go of the topic.
        let place = std::future::poll_fn(|cx| gather(|| publish.as_mut().poll(cx))).await?;
        match rule {
            Some(rule) => rule.published.add(1),
            None => self.shared().counters.published_untyped(),
        }
        Ok(Position { epoch: place.epoch.as_str().into(), offset: place.offset })
    }
}

/// Whether the event has the key that its topic needs. A reader of keys would miss one without.
fn check_key(publish: &Publish) -> Result<(), PublishError> {
    let Event { key, removed, .. } = &*publish.event;
    let fits = match (publish.keep.is_keyed, key) {
        (true, Some(key)) => key.len() <= MAX_KEY_BYTES,
        (true, None) => false,
        (false, _) => !removed,
    };
    if fits { Ok(()) } else { Err(PublishError::InvalidKey) }
}
