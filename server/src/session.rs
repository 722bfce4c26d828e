//! [`Session`]: the application's handle to one connection, and the table of all of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    frame::{Position, server},
    name::Topic,
    session::{Owner, Subscriptions},
};

use crate::{
    close::CloseReason,
    error::{SendError, SubscribeError},
    hub::{Began, CatchUp, Subscription},
    live::Live,
    outbox::Outbox,
    ws::encode,
};

/// One client's connection, from the moment that it is known who it is until it is closed. Cheap to clone.
///
/// `V` is the value that `on_auth` or `on_token` gave.
pub struct Session<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    id: String,
    value: RwLock<Arc<V>>,
    /// Whether the client has said hello.
    is_full: AtomicBool,
    outbox: Arc<Outbox>,
    live: Live<V>,
    subscriptions: Mutex<Subscriptions<Subscription>>,
    /// Held while a subscription is made, so that two for one topic cannot overlap.
    subscribing: tokio::sync::Mutex<()>,
    /// Subscriptions that the connection's task has to read history for.
    behind: Mutex<Vec<CatchUp>>,
}

impl<V: Send + Sync + 'static> Session<V> {
    pub(crate) fn new(id: String, value: V, outbox: Arc<Outbox>, live: Live<V>) -> Self {
        let subscriptions = Mutex::new(Subscriptions::new(live.options().subscriptions));
        Self {
            inner: Arc::new(Inner {
                id,
                value: RwLock::new(Arc::new(value)),
                is_full: AtomicBool::new(false),
                outbox,
                live,
                subscriptions,
                subscribing: tokio::sync::Mutex::new(()),
                behind: Mutex::default(),
            }),
        }
    }

    /// The session's id, unique among the sessions of its [`Live`].
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// What `on_auth` or `on_token` gave. It is replaced whole, so that what was taken before stays as it was.
    #[must_use]
    pub fn value(&self) -> Arc<V> {
        Arc::clone(&self.inner.value.read().expect("no panic while a value is replaced"))
    }

    /// The server that the session belongs to.
    #[must_use]
    pub fn live(&self) -> &Live<V> {
        &self.inner.live
    }

    /// Sends a message to this session alone.
    ///
    /// # Errors
    /// If the session is closed, or its queue is full: it is not closed by that.
    pub fn send(&self, topic: &str, data: &impl Serialize) -> Result<(), SendError> {
        let topic = Topic::parse(topic).map_err(|_| SendError::InvalidTopic)?;
        let data = serde_json::to_string(data).map_err(|_| SendError::InvalidData)?;
        self.inner.outbox.send(encode::text(&server::write_message(&topic, &data)))
    }

    /// Subscribes the session to a topic, without asking any hook. The subscription is the server's: only the server ends it.
    ///
    /// # Errors
    /// If the session is closed or at its limit, or the broker fails.
    pub async fn subscribe(&self, topic: &str) -> Result<(), SubscribeError> {
        let topic = Topic::parse(topic).map_err(|_| SubscribeError::InvalidTopic)?;
        let announce = |began: &Began| {
            if self.is_full() {
                self.answer(&server::write_subscribed(&topic, &began.position));
            }
        };
        self.subscribe_with(topic.clone(), Owner::Server, None, announce).await
    }

    /// Makes or replaces a subscription; `answer` is called before its first event.
    pub(crate) async fn subscribe_with(
        &self,
        topic: Topic,
        owner: Owner,
        since: Option<&Position>,
        answer: impl FnOnce(&Began) + Send,
    ) -> Result<(), SubscribeError> {
        let Inner { live, outbox, .. } = &*self.inner;
        let _one_at_a_time = self.inner.subscribing.lock().await;
        let owner = {
            let mut subscriptions = self.subscriptions();
            subscriptions.check(&topic)?;
            let owner = subscriptions.owner(&topic).unwrap_or(owner);
            drop(subscriptions.remove(&topic));
            owner
        };
        let is_full = self.is_full();
        let (subscription, began) = live
            .hub()
            .subscribe(&topic, outbox, is_full, since, answer)
            .await
            .map_err(|error| SubscribeError::Unavailable(error.to_string()))?;
        let catch_up = began.is_catching_up.then(|| subscription.catch_up());
        self.subscriptions().insert(topic, owner, subscription)?;
        if self.is_full() && !is_full {
            // The hello came meanwhile.
            self.go_full();
        }
        if let Some(catch_up) = catch_up {
            self.behind().push(catch_up);
            outbox.wake();
        }
        Ok(())
    }

    /// Ends a subscription, whoever owns it. Returns whether there was one.
    pub fn unsubscribe(&self, topic: &str) -> bool {
        self.revoke(topic, ErrorCode::FORBIDDEN)
    }

    /// Ends a subscription and tells the client why. Returns whether there was one.
    pub(crate) fn revoke(&self, topic: &str, code: ErrorCode) -> bool {
        let ended = self.subscriptions().remove(topic).is_some();
        if ended && self.is_full() {
            self.answer(&server::write_unsubscribed(topic, code));
        }
        ended
    }

    /// Ends a subscription at the client's wish. `false` if it is the server's.
    pub(crate) fn unsubscribe_own(&self, topic: &str) -> bool {
        let mut subscriptions = self.subscriptions();
        let is_own = subscriptions.owner(topic) != Some(Owner::Server);
        if is_own {
            drop(subscriptions.remove(topic));
        }
        is_own
    }

    /// The topics that the session is subscribed to, in order of their names.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.subscriptions().topics().cloned().collect()
    }

    /// Ends the session. What is queued for it is delivered first, then a close frame with `code` and `reason` (at most 123
    /// bytes). `code` is one of the application's (4500–4999), of the table, or 1000.
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.inner.outbox.close(CloseReason::Application { code, reason: reason.into() });
    }

    /// Whether the session is closed; nothing can be sent to it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.outbox.is_closed()
    }

    /// Why the session was closed; `None` while it is open.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.inner.outbox.closed()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.inner.is_full.load(Ordering::Acquire)
    }

    /// The client has said hello: what the application subscribed it to before goes on with positions.
    pub(crate) fn go_full(&self) {
        self.inner.is_full.store(true, Ordering::Release);
        let subscriptions = self.subscriptions();
        for topic in subscriptions.topics() {
            if let Some(subscription) = subscriptions.handle(topic) {
                subscription
                    .go_full(|position| self.answer(&server::write_subscribed(topic, &position)));
            }
        }
    }

    /// The same session under another id, before anybody has seen it.
    pub(crate) fn with_id(self, id: String) -> Self {
        let Self { inner } = self;
        match Arc::try_unwrap(inner) {
            Ok(inner) => Self { inner: Arc::new(Inner { id, ..inner }) },
            Err(inner) => Self { inner },
        }
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.inner.outbox
    }

    /// Sends a text frame that the session owes its client.
    pub(crate) fn answer(&self, text: &str) {
        self.inner.outbox.answer(encode::text(text));
    }

    /// Takes the subscriptions that have begun to catch up since this was last asked.
    pub(crate) fn take_behind(&self) -> Vec<CatchUp> {
        std::mem::take(&mut self.behind())
    }

    /// Ends all subscriptions for good.
    pub(crate) fn end_subscriptions(&self) {
        let ended = self.subscriptions().close();
        drop(ended);
    }

    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions<Subscription>> {
        self.inner.subscriptions.lock().expect("no panic while a session's table is locked")
    }

    fn behind(&self) -> MutexGuard<'_, Vec<CatchUp>> {
        self.inner.behind.lock().expect("no panic while a list is locked")
    }
}

impl<V> Clone for Session<V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<V> fmt::Debug for Session<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

/// All open sessions by their ids.
pub(crate) struct Sessions<V> {
    table: Mutex<HashMap<String, Session<V>>>,
}

impl<V> Default for Sessions<V> {
    fn default() -> Self {
        Self { table: Mutex::default() }
    }
}

impl<V: Send + Sync + 'static> Sessions<V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session<V>>> {
        self.table.lock().expect("no panic while the sessions are locked")
    }

    /// Enters a session; `false` if its id is taken.
    pub(crate) fn insert(&self, session: &Session<V>) -> bool {
        match self.lock().entry(session.id().into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(session.clone());
                true
            }
        }
    }

    pub(crate) fn remove(&self, id: &str) {
        let removed = self.lock().remove(id);
        drop(removed);
    }

    pub(crate) fn find(&self, id: &str) -> Option<Session<V>> {
        self.lock().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Session<V>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}
