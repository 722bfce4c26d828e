//! Snapshots: a topic's state for whoever subscribes, with the position from which the subscription goes on.
//!
//! What Tidewire owns (history, the last event of each key) is read at one offset, and is exact. An application's handler runs after
//! the position was taken: whatever it does not see was published later, and follows. Where it gives a version, what follows and is
//! not newer is left out.

mod runs;

use std::{future::Future, hash::Hash, sync::Arc, time::Duration};

use tidewire_protocol::{
    code::ErrorCode,
    name::{Params, Topic},
    schema::TypedTopic,
};

use crate::{
    broker::{BrokerError, Place, Record},
    error::Refusal,
    hooks::{BoxFuture, Context},
    hub::Hub,
    metrics::{Hook, Hooked},
    session::Session,
    ws::Passage,
};
use runs::Runs;

/// A topic's state as the application has it, with its version where there are versions.
///
/// The version is what [`publish`](crate::TopicHandle::publish) was given with the newest change that the state has: a number that
/// grows with every change, such as a row's id or a commit's number. It must have been read together with the state, in one transaction.
/// Events that are not newer are left out after this snapshot; without a version nothing is missing, but a change may be in both.
///
/// ```
/// use tidewire::Snapshot;
/// let exact = Snapshot::new(vec!["a", "b"]).version(7);
/// let at_least: Snapshot<_> = vec!["a", "b"].into();
/// assert_eq!((exact.version, at_least.version), (Some(7), None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot<T> {
    /// The state.
    pub data: T,
    /// The version of the newest change that it has.
    pub version: Option<u64>,
}

impl<T> Snapshot<T> {
    /// A state without a version.
    #[must_use]
    pub const fn new(data: T) -> Self {
        Self { data, version: None }
    }

    /// Says which change is the newest that it has.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl<T> From<T> for Snapshot<T> {
    fn from(data: T) -> Self {
        Self::new(data)
    }
}

/// A snapshot that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Where the topic was before: nothing that came until then is missing.
    pub(crate) place: Place,
    pub(crate) passage: Arc<Passage>,
    pub(crate) version: Option<u64>,
}

impl Taken {
    /// So large that what is published while it is sent should not count against the queue: a socket takes less at once.
    pub(crate) fn is_large(&self) -> bool {
        self.passage.text().len() >= 16 * 1024
    }
}

/// What taking one comes to. Whoever shares it shares this.
type Outcome = Result<Arc<Taken>, Refusal>;

/// A topic's handler with its types erased; `None` if the name is not the handler's.
pub(crate) type SnapshotHook<V> =
    Box<dyn Fn(&Session<V>, &Topic, &Params<'_>) -> Option<BoxFuture<Outcome>> + Send + Sync>;

/// Takes a topic's snapshot. `None` for a topic that has no state.
pub(crate) async fn take<V: Send + Sync + 'static>(
    session: &Session<V>,
    topic: &Topic,
) -> Result<Option<Arc<Taken>>, Refusal> {
    let live = session.live();
    if let Some((_, presence, _)) = live.presence_of(topic) {
        let held = live.hub().hold(topic);
        let members = live.shared().presence.snapshot(topic, presence.shows()).await;
        let (place, text) = members.map_err(unavailable)?;
        return Ok(Some(Arc::new(Taken { place, passage: held.share(&text), version: None })));
    }
    let rule = live.rule_of(topic);
    if let Some((hook, params)) =
        rule.as_ref().and_then(|(rule, params)| Some((rule.snapshot.as_ref()?, params)))
    {
        let taken = hook(session, topic, params).ok_or(Refusal::new(ErrorCode::UNKNOWN_TOPIC))?;
        drop(rule);
        return taken.await.map(Some);
    }
    let keep = rule.map(|(rule, _)| rule.keep);
    let is_keyed = keep.is_some_and(|keep| keep.is_keyed);
    if !is_keyed && keep.is_some_and(|keep| keep.retention.events == 0) {
        return Ok(None);
    }
    let held = live.hub().hold(topic);
    let state = live.hub().broker().state(topic).await.map_err(unavailable)?;
    let text = if is_keyed { object(&state.records) } else { list(&state.records) };
    Ok(Some(Arc::new(Taken { place: state.place, passage: held.share(&text), version: None })))
}

pub(crate) fn unavailable(error: BrokerError) -> Refusal {
    Refusal::new(ErrorCode::UNAVAILABLE).message(error.to_string())
}

/// Events as a list.
fn list(records: &[Record]) -> String {
    join('[', records.iter().map(|record| ("", record)), ']')
}

/// The last event of each key, by the key.
pub(crate) fn object(records: &[Record]) -> String {
    let keyed = records.iter().filter(|record| !record.event.removed);
    join('{', keyed.filter_map(|record| Some((record.event.key.as_deref()?, record))), '}')
}

/// Joins the data of events, each behind its key if that is not empty.
fn join<'a>(
    open: char,
    events: impl Iterator<Item = (&'a str, &'a Record)>,
    close: char,
) -> String {
    let mut text = String::from(open);
    for (key, record) in events {
        if text.len() > 1 {
            text.push(',');
        }
        if open == '{' {
            text.push_str(&serde_json::Value::from(key).to_string());
            text.push(':');
        }
        text.push_str(record.event.data.get());
    }
    text.push(close);
    text
}

/// What a run of a handler needs beside the handler.
struct Taking {
    hub: Arc<Hub>,
    topic: Topic,
    timeout: Duration,
}

impl Taking {
    fn new<V: Send + Sync + 'static>(session: &Session<V>, topic: &Topic) -> Self {
        let live = session.live();
        let (hub, timeout) = (Arc::clone(live.hub()), live.options().hook_timeout);
        Self { hub, topic: topic.clone(), timeout }
    }

    /// Takes the position, then runs the handler.
    async fn take<R, M, D>(&self, handler: impl FnOnce() -> R) -> Outcome
    where
        R: Future<Output = Result<M, Refusal>>,
        M: Into<Snapshot<D>>,
        D: serde::Serialize,
    {
        let held = self.hub.hold(&self.topic);
        let place = self.hub.broker().start(&self.topic, None).await.map_err(unavailable)?.1;
        let Snapshot { data, version } =
            handler().timed(self.hub.counters(), Hook::Snapshot).await?.into();
        let text = serde_json::to_string(&data)?;
        Ok(Arc::new(Taken { place, passage: held.share(&text), version }))
    }
}

/// A handler whose concurrent runs for equal keys are one.
pub(crate) fn shared<V, S, T, K, Key, F, R, M>(
    context: Context<S>,
    key: Key,
    hook: F,
) -> SnapshotHook<V>
where
    V: Send + Sync + 'static,
    S: Send + Sync + 'static,
    T: TypedTopic,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    Key: Fn(&Session<V>) -> K + Send + Sync + 'static,
    F: Fn(Context<S>, T, K) -> R + Send + Sync + 'static,
    R: Future<Output = Result<M, Refusal>> + Send + 'static,
    M: Into<Snapshot<T::Snapshot>> + Send + 'static,
{
    let (hook, runs) = (Arc::new(hook), Arc::new(Runs::default()));
    Box::new(move |session, name, params| {
        let topic = T::from_params(params)?;
        let key = key(session);
        let (context, hook, taking) =
            (context.clone(), Arc::clone(&hook), Taking::new(session, name));
        let timeout = taking.timeout;
        let run = {
            let key = key.clone();
            async move { taking.take(move || hook(context, topic, key)).await }
        };
        let run = runs.join((name.clone(), key), run, timeout);
        let session = session.clone();
        Some(Box::pin(async move { session.wait_for(run).await }))
    })
}

/// A handler that sees the session, and runs for each.
pub(crate) fn each<V, S, T, F, R, M>(context: Context<S>, hook: F) -> SnapshotHook<V>
where
    V: Send + Sync + 'static,
    S: Send + Sync + 'static,
    T: TypedTopic,
    F: Fn(Context<S>, Session<V>, T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<M, Refusal>> + Send + 'static,
    M: Into<Snapshot<T::Snapshot>> + Send + 'static,
{
    let hook = Arc::new(hook);
    Box::new(move |session, name, params| {
        let topic = T::from_params(params)?;
        let (context, hook, taking) =
            (context.clone(), Arc::clone(&hook), Taking::new(session, name));
        let session = session.clone();
        Some(Box::pin(async move { taking.take(move || hook(context, session, topic)).await }))
    })
}
