//! Typed topics: the rules an application gives each ([`TopicBuilder`]), and the handle to publish to one ([`TopicHandle`]).

use std::{fmt, future::Future, hash::Hash, marker::PhantomData, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tidewire_protocol::{
    code::ErrorCode,
    delivery::Overflow,
    name::{Params, Pattern, Topic},
    schema::{TypedTopic, Versions},
    topic::Retention,
};

use crate::{
    broker::{Event, Keep},
    clock::millis,
    error::{Access, PublishError, Refusal},
    hooks::{BoxFuture, Context},
    live::Live,
    metrics::Count,
    presence::PresenceRule,
    publishing::{Accepted, Publishing},
    session::Session,
    snapshots::{self, Snapshot, SnapshotHook},
};

/// What a topic keeps unless it says otherwise: enough for a reconnect to miss nothing in an ordinary chat.
pub(crate) const DEFAULT_RETENTION: Retention =
    Retention { events: 128, age_ms: 120_000, bytes: 1 << 20 };

type SubscribeHook<V> =
    Box<dyn Fn(Session<V>, &Params<'_>) -> Option<BoxFuture<Access>> + Send + Sync>;
type PublishHook<V> = Box<
    dyn Fn(
            Session<V>,
            &Params<'_>,
            NewPublish<'_>,
        ) -> Result<BoxFuture<Result<Event, Refusal>>, Refusal>
        + Send
        + Sync,
>;

/// What a client publishes.
pub(crate) struct NewPublish<'a> {
    pub(crate) data: &'a RawValue,
    /// The client's name for it, where it counts.
    pub(crate) mid: Option<Arc<str>>,
}

/// One schema entry's rules, with its types erased.
pub(crate) struct Rule<V> {
    pub(crate) pattern: &'static Pattern,
    pub(crate) versions: Versions,
    pub(crate) keep: Keep,
    pub(crate) overflow: Overflow,
    pub(crate) published: Count,
    pub(crate) is_public: bool,
    pub(crate) on_subscribe: Option<SubscribeHook<V>>,
    pub(crate) on_publish: Option<PublishHook<V>>,
    /// Makes the topic's state, where that is not what history holds.
    pub(crate) snapshot: Option<SnapshotHook<V>>,
    pub(crate) presence: Option<PresenceRule<V>>,
}

/// The rules of one typed topic. A topic that says neither `on_subscribe` nor `public` cannot be subscribed to by clients;
/// one without `on_publish` cannot be published to by them.
pub struct TopicBuilder<V, S, T> {
    pub(crate) context: Context<S>,
    pub(crate) rule: Rule<V>,
    topic: PhantomData<fn() -> T>,
}

impl<V, S, T> TopicBuilder<V, S, T>
where
    V: Send + Sync + 'static,
    S: Send + Sync + 'static,
    T: TypedTopic,
{
    pub(crate) fn new(context: Context<S>) -> Self {
        let rule = Rule {
            pattern: T::pattern(),
            versions: T::versions(),
            keep: Keep { retention: DEFAULT_RETENTION, is_keyed: T::KEYED },
            overflow: Overflow::Close,
            published: Count::default(),
            is_public: false,
            on_subscribe: None,
            on_publish: None,
            snapshot: None,
            presence: None,
        };
        Self { context, rule, topic: PhantomData }
    }

    pub(crate) fn build(self) -> Rule<V> {
        self.rule
    }

    /// Keeps the last `events` events, none older than `age` and at most 1 MiB of data: what a client that was away can be given
    /// without a gap. 128 events and 2 minutes by default: a reconnect in an ordinary chat.
    #[must_use]
    pub fn history(mut self, events: usize, age: Duration) -> Self {
        self.rule.keep.retention =
            Retention { events, age_ms: millis(age), bytes: DEFAULT_RETENTION.bytes };
        self
    }

    /// Sets what becomes of a subscription whose socket does not keep up; by default its session is closed, so that nothing is ever
    /// left out unless the application says so.
    ///
    /// # Panics
    /// If it is [`Overflow::Conflate`] and the schema gives the topic no `key`.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        assert!(
            T::KEYED || overflow != Overflow::Conflate,
            "`{}` cannot be conflated: its schema names no `key` of its events",
            T::PATTERN
        );
        self.rule.overflow = overflow;
        self
    }

    /// Lets every session subscribe.
    #[must_use]
    pub fn public(mut self) -> Self {
        self.rule.is_public = true;
        self
    }

    /// Asks `hook` for each client that wants to subscribe.
    #[must_use]
    pub fn on_subscribe<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, T) -> R + Send + Sync + 'static,
        R: Future<Output = Access> + Send + 'static,
    {
        let context = self.context.clone();
        self.rule.on_subscribe = Some(Box::new(move |session, params| {
            let topic = T::from_params(params)?;
            Some(Box::pin(hook(context.clone(), session, topic)))
        }));
        self
    }

    /// Makes the topic's state for clients that ask for it as they subscribe. Without it that is what history holds: the list of its events,
    /// or of a keyed topic the last event of each key.
    ///
    /// The application commits a change before it publishes it; then nothing is missing between the state and the events that follow,
    /// but a change may be in both, unless the handler says the state's [version](Snapshot::version). History must hold
    /// what is published while the handler runs: otherwise it runs again, at most three times in all.
    ///
    /// The handler sees no session, since all who ask while it runs get the same; see [`snapshot_for`](Self::snapshot_for) and
    /// [`snapshot_each`](Self::snapshot_each).
    #[must_use]
    pub fn snapshot<F, R, M>(self, hook: F) -> Self
    where
        F: Fn(Context<S>, T) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M, Refusal>> + Send + 'static,
        M: Into<Snapshot<T::Snapshot>> + Send + 'static,
    {
        self.snapshot_for(|_| (), move |context, topic, ()| hook(context, topic))
    }

    /// As [`snapshot`](Self::snapshot), for a state that depends on who asks: sessions with equal keys share a run. What the handler
    /// shows depends on the topic and the key alone.
    #[must_use]
    pub fn snapshot_for<Key, K, F, R, M>(mut self, key: Key, hook: F) -> Self
    where
        Key: Fn(&Session<V>) -> K + Send + Sync + 'static,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        F: Fn(Context<S>, T, K) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M, Refusal>> + Send + 'static,
        M: Into<Snapshot<T::Snapshot>> + Send + 'static,
    {
        self.rule.snapshot = Some(snapshots::shared(self.context.clone(), key, hook));
        self
    }

    /// As [`snapshot`](Self::snapshot), for a state that is each session's own: every request runs the handler.
    #[must_use]
    pub fn snapshot_each<F, R, M>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, T) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M, Refusal>> + Send + 'static,
        M: Into<Snapshot<T::Snapshot>> + Send + 'static,
    {
        self.rule.snapshot = Some(snapshots::each(self.context.clone(), hook));
        self
    }

    /// Turns what a client publishes into the event that all subscribers get, or refuses it.
    ///
    /// A client that was cut off sends again what was not acknowledged, under the same [`mid`](Context::mid). The event is appended once, but
    /// the hook runs again: what it writes elsewhere should have the `mid` as a unique key, beside the topic and the user. The version
    /// under which it was written is said by [`Accepted::version`].
    #[must_use]
    pub fn on_publish<F, R, M>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, T, T::Publish) -> R + Send + Sync + 'static,
        R: Future<Output = Result<M, Refusal>> + Send + 'static,
        M: Into<Accepted<T::Event>> + Send + 'static,
    {
        let context = self.context.clone();
        self.rule.on_publish = Some(Box::new(move |session, params, NewPublish { data, mid }| {
            let topic = T::from_params(params).ok_or(Refusal::new(ErrorCode::UNKNOWN_TOPIC))?;
            let publish =
                serde_json::from_str(data.get()).map_err(|error| Refusal::undecodable(&error))?;
            let event = hook(context.with_mid(mid), session, topic, publish);
            Ok(Box::pin(async move {
                let Accepted { event, version } = event.await?.into();
                Ok(Event { version, ..event_of::<T>(&event)? })
            }))
        }));
        self
    }
}

impl<V, S, T> fmt::Debug for TopicBuilder<V, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicBuilder").field("pattern", &self.rule.pattern).finish_non_exhaustive()
    }
}

/// A typed event as the broker takes it.
pub(crate) fn event_of<T: TypedTopic>(event: &T::Event) -> Result<Event, serde_json::Error> {
    let data = serde_json::value::to_raw_value(event)?;
    Ok(Event { key: T::key_of(event).map(Into::into), ..Event::new(data) })
}

/// One typed topic of a [`Live`]: see [`Live::topic`].
pub struct TopicHandle<'a, V, T> {
    pub(crate) live: &'a Live<V>,
    pub(crate) topic: T,
}

impl<'a, V: Send + Sync + 'static, T: TypedTopic> TopicHandle<'a, V, T> {
    pub(crate) fn new(live: &'a Live<V>, topic: T) -> Self {
        Self { live, topic }
    }

    pub(crate) fn name(&self) -> Result<Topic, PublishError> {
        self.topic.topic().map_err(|_| PublishError::InvalidTopic)
    }

    /// Publishes an event to every subscriber, when it is awaited. Resolves with its position once the broker has appended it; it never
    /// waits for a subscriber's socket, only where more than 1,024 events of the topic wait for the processor. [`Publishing`] says what
    /// more can be asked.
    pub fn publish(&self, event: &T::Event) -> Publishing<'a, V> {
        Publishing::new(self.live, self.name(), event_of::<T>(event))
    }

    /// Publishes an event as [`publish`](Self::publish) does, but fails with [`PublishError::Busy`] where that would wait.
    pub fn try_publish(&self, event: &T::Event) -> Publishing<'a, V> {
        self.publish(event).without_waiting()
    }

    /// Removes a key of a keyed topic, when it is awaited: subscribers get an event that says so, and the topic's state has it no more.
    /// A key that is not there can be removed as well. On a topic without keys it fails with [`PublishError::InvalidKey`].
    pub fn remove(&self, key: &str) -> Publishing<'a, V> {
        let event =
            Event { key: Some(key.into()), removed: true, ..Event::new(RawValue::NULL.to_owned()) };
        Publishing::new(self.live, self.name(), Ok(event))
    }

    /// How many sessions of this process are subscribed to the topic.
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.name().map_or(0, |topic| self.live.hub().count(&topic))
    }

    /// The sessions of this process that are subscribed to the topic, in no order.
    #[must_use]
    pub fn subscribers(&self) -> Vec<Session<V>> {
        self.name().map_or_else(|_| Vec::new(), |topic| self.live.subscribers(&topic))
    }

    /// Asks again whether each client that is subscribed to the topic may be, and ends what is no longer allowed. Resolves
    /// when that is done. It asks every session of this process, since one may be about to subscribe.
    pub async fn recheck(&self) {
        let Ok(topic) = self.name() else { return };
        let sessions = self.live.sessions();
        let rechecks = sessions.iter().map(|session| session.request_recheck(Some(topic.clone())));
        futures_util::future::join_all(rechecks.collect::<Vec<_>>()).await;
    }
}

impl<V, T: fmt::Debug> fmt::Debug for TopicHandle<'_, V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopicHandle").field(&self.topic).finish()
    }
}
