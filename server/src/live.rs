//! [`Live`]: the server that an application holds, clones and hands around.

use std::{fmt, sync::Arc};

use serde::Serialize;
use tidewire_protocol::{
    code::CloseCode, delivery::Overflow, name::Topic, schema::TypedTopic, session::Config,
};

use crate::{
    admission::Places,
    alarms::Alarms,
    broker::Event,
    builder::LiveBuilder,
    calls::CallRule,
    clock::Clock,
    error::{PublishError, SendError},
    hooks::Hooks,
    hub::Hub,
    metrics::{Counters, Metrics},
    options::Options,
    presence::{Presence, PresenceRule},
    publishing::{InFlight, Publishing},
    session::{Session, Sessions},
    shutdown::Stop,
    topics::{Rule, TopicHandle},
};

/// A live server. Cheap to clone; every clone is the same server.
///
/// `V` is the value of a session: who it is, as `on_auth` or `on_token` says. The application's state is given to
/// [`LiveBuilder::state`] and appears in no type.
///
/// ```
/// use axum::Router;
/// use tidewire::Live;
///
/// let live = Live::<()>::builder()
///     .on_message(async |_cx, session, message| {
///         let _ = session.send("echo", &message.data);
///     })
///     .build();
/// let app: Router = Router::new().route("/ws", live.handler());
/// ```
pub struct Live<V> {
    shared: Arc<Shared<V>>,
}

pub(crate) struct Shared<V> {
    pub(crate) options: Options,
    /// What of them the core of every session is told.
    pub(crate) session: Arc<Config>,
    pub(crate) hooks: Hooks<V>,
    pub(crate) rules: Vec<Rule<V>>,
    pub(crate) calls: Vec<CallRule<V>>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) sessions: Sessions<V>,
    pub(crate) in_flight: InFlight,
    pub(crate) counters: Arc<Counters>,
    pub(crate) places: Places,
    pub(crate) clock: Clock,
    pub(crate) stop: Arc<Stop>,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) new_id: Box<dyn Fn() -> String + Send + Sync>,
}

impl<V: Send + Sync + 'static> Live<V> {
    /// Begins to configure a server whose sessions have a value of type `V`.
    #[must_use]
    pub fn builder() -> LiveBuilder<V, ()> {
        LiveBuilder::new()
    }

    pub(crate) fn new(shared: Shared<V>) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// A typed topic, to publish to.
    ///
    /// `publish` works from any handler, job or task.
    #[must_use]
    pub fn topic<T: TypedTopic>(&self, topic: T) -> TopicHandle<'_, V, T> {
        TopicHandle::new(self, topic)
    }

    /// Publishes to a topic by its name, without a type. See [`TopicHandle::publish`].
    pub fn publish(&self, topic: &str, data: &impl Serialize) -> Publishing<'_, V> {
        let topic = Topic::parse(topic).map_err(|_| PublishError::InvalidTopic);
        let event = serde_json::value::to_raw_value(data).map(Event::new);
        Publishing::new(self, topic, event)
    }

    /// Publishes to a topic by its name if nobody has to wait. See [`TopicHandle::try_publish`].
    pub fn try_publish(&self, topic: &str, data: &impl Serialize) -> Publishing<'_, V> {
        self.publish(topic, data).without_waiting()
    }

    /// Subscribes a session to a topic. See [`Session::subscribe`].
    ///
    /// # Errors
    /// As there.
    pub async fn subscribe(
        &self,
        session: &Session<V>,
        topic: &str,
    ) -> Result<(), crate::SubscribeError> {
        session.subscribe(topic).await
    }

    /// Ends a session's subscription. See [`Session::unsubscribe`].
    pub fn unsubscribe(&self, session: &Session<V>, topic: &str) -> bool {
        session.unsubscribe(topic)
    }

    /// The open session with this id.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<Session<V>> {
        self.shared.sessions.find(id)
    }

    /// All open sessions, in no order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session<V>> {
        self.shared.sessions.all()
    }

    /// The open sessions of a user, whose key is what [`user_key`](LiveBuilder::user_key) gives.
    #[must_use]
    pub fn sessions_of(&self, user: &str) -> Vec<Session<V>> {
        self.shared.sessions.of_user(user)
    }

    /// The sessions of this process that are subscribed to a topic, in no order.
    #[must_use]
    pub fn subscribers(&self, topic: &str) -> Vec<Session<V>> {
        let Ok(topic) = Topic::parse(topic) else { return Vec::new() };
        self.hub().subscribers(&topic).iter().filter_map(|id| self.session(id)).collect()
    }

    /// Sends a message to the session with this id.
    ///
    /// # Errors
    /// As [`Session::send`]; [`SendError::Closed`] where there is no such session.
    pub fn send_to(&self, id: &str, topic: &str, data: &impl Serialize) -> Result<(), SendError> {
        self.session(id).ok_or(SendError::Closed)?.send(topic, data)
    }

    /// Sends a message to every session of a user. Returns how many took it.
    pub fn send_to_user(&self, user: &str, topic: &str, data: &impl Serialize) -> usize {
        self.sessions_of(user).iter().filter(|session| session.send(topic, data).is_ok()).count()
    }

    /// Closes every session of a user. Returns how many there were.
    pub fn kick(&self, user: &str, code: CloseCode, reason: &str) -> usize {
        let sessions = self.sessions_of(user);
        sessions.iter().for_each(|session| session.close(code, reason));
        sessions.len()
    }

    /// Asks again for every subscription of a user's clients whether it is allowed, and ends those that no longer are.
    /// Resolves when that is done.
    pub async fn recheck(&self, user: &str) {
        let sessions = self.sessions_of(user);
        futures_util::future::join_all(sessions.iter().map(Session::recheck)).await;
    }

    /// How many sessions are open.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.shared.sessions.len()
    }

    /// The rule whose pattern matches a name, and the parameters.
    pub(crate) fn rule_of<'a>(
        &'a self,
        topic: &'a str,
    ) -> Option<(&'a Rule<V>, tidewire_protocol::name::Params<'a>)> {
        self.shared.rules.iter().find_map(|rule| Some((rule, rule.pattern.matches(topic)?)))
    }

    /// What becomes of a subscription that does not keep up. One of members reads on, or begins anew with all that are there.
    pub(crate) fn overflow_of(&self, topic: &Topic) -> Overflow {
        match topic.present_in() {
            Some(_) => Overflow::Resync,
            None => self.rule_of(topic).map(|(rule, _)| rule.overflow).unwrap_or_default(),
        }
    }

    /// The presence rule of the topic whose members a topic is about, and that topic's parameters.
    pub(crate) fn presence_of<'a>(
        &'a self,
        topic: &'a Topic,
    ) -> Option<(&'a Rule<V>, &'a PresenceRule<V>, tidewire_protocol::name::Params<'a>)> {
        let (rule, params) = self.rule_of(topic.present_in()?)?;
        Some((rule, rule.presence.as_ref()?, params))
    }

    /// The server's numbers now. Reading them looks at every session.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.shared.counters.read(&mut metrics);
        let entries = self
            .shared
            .rules
            .iter()
            .map(|rule| (rule.pattern.as_str().to_owned(), rule.published.total()));
        metrics.published_total.splice(0..0, entries);
        let (topics, subscriptions) = self.hub().totals();
        (metrics.topics, metrics.subscriptions) = (topics as u64, subscriptions as u64);
        metrics.connections_left = self.shared.stop.left() as u64;
        for session in self.sessions() {
            let (messages, bytes) = session.outbox().queued();
            metrics.sessions += 1;
            metrics.queued_messages += messages as u64;
            metrics.queued_bytes += bytes as u64;
            metrics.fullest_queue_messages = metrics.fullest_queue_messages.max(messages as u64);
        }
        metrics
    }

    /// The server's numbers now as Prometheus text: serve it as `text/plain; version=0.0.4`.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        self.metrics().to_text()
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    pub(crate) fn user_of(&self, value: &V) -> Option<String> {
        self.shared.hooks.user_key.as_ref().map(|key| key(value))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.shared.hub
    }

    pub(crate) fn shared(&self) -> &Shared<V> {
        &self.shared
    }
}

impl<V> Clone for Live<V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<V> fmt::Debug for Live<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("hub", &self.shared.hub).finish_non_exhaustive()
    }
}
