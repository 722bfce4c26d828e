//! [`Session`]: the application's handle to one connection.

mod table;
mod turns;
mod work;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    frame::{Position, server},
    name::Topic,
    session::{self, Owner, Subscriptions},
};

pub(crate) use table::Sessions;
use turns::Turns;
use work::Work;

use crate::{
    close::CloseReason,
    error::{SendError, SubscribeError},
    hex,
    hub::{Began, Beginning, Reader, Subscription},
    live::Live,
    outbox::Outbox,
};

/// One client's connection, from the moment that it is known who it is until it is closed. Cheap to clone.
///
/// `V` is the value that `on_auth` or `on_token` gave.
pub struct Session<V> {
    inner: Arc<Inner<V>>,
}

struct Inner<V> {
    /// Subscribers of topics have it too.
    id: Arc<str>,
    /// The user's key, where the application names its users.
    user: Option<Box<str>>,
    value: Mutex<Arc<V>>,
    /// The client instance, as its hello says: 128 bits.
    client: OnceLock<[u8; 16]>,
    /// Whether the client has said hello.
    is_full: AtomicBool,
    outbox: Arc<Outbox>,
    live: Live<V>,
    subscriptions: Mutex<Subscriptions<Subscription>>,
    /// Held while a subscription is made, so that two for one topic cannot overlap.
    subscribing: Turns,
    work: Mutex<Work>,
}

impl<V: Send + Sync + 'static> Session<V> {
    pub(crate) fn new(id: String, value: V, outbox: Arc<Outbox>, live: Live<V>) -> Self {
        let subscriptions = Mutex::new(Subscriptions::new(live.options().subscriptions));
        let user = live.user_of(&value).map(String::into_boxed_str);
        Self {
            inner: Arc::new(Inner {
                id: id.into(),
                user,
                value: Mutex::new(Arc::new(value)),
                client: OnceLock::new(),
                is_full: AtomicBool::new(false),
                outbox,
                live,
                subscriptions,
                subscribing: Turns::default(),
                work: Mutex::default(),
            }),
        }
    }

    /// What it takes, however many handles there are.
    #[cfg(test)]
    pub(crate) const SIZE: usize = size_of::<Inner<V>>();

    /// The session's id, unique among the sessions of its [`Live`].
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The user's key, as [`user_key`](crate::LiveBuilder::user_key) gives it.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.inner.user.as_deref()
    }

    /// What `on_auth` or `on_token` gave. It is replaced whole, so that what was taken before stays as it was.
    #[must_use]
    pub fn value(&self) -> Arc<V> {
        Arc::clone(&self.lock_value())
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
        self.inner.outbox.send_text(&server::write_message(&topic, &data))
    }

    /// Subscribes the session to a topic, without asking any hook. The subscription is the server's, and only the server ends
    /// it; one that is there already goes on as it is, with its owner.
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
        self.subscribe_with(topic.clone(), Owner::Server, Beginning::Head, announce).await
    }

    /// Makes or replaces a subscription, which the client has [asked](Self::asked) for; `answer` is called before its first event. If history does not reach where it is to begin
    /// it fails, and the earlier one is gone: see [`Hub::can_begin`](crate::hub::Hub::can_begin).
    pub(crate) async fn subscribe_with(
        &self,
        topic: Topic,
        owner: Owner,
        beginning: Beginning<'_>,
        answer: impl FnOnce(&Began) + Send,
    ) -> Result<(), SubscribeError> {
        let Inner { live, outbox, .. } = &*self.inner;
        let _one_at_a_time = self.inner.subscribing.take().await;
        let leaves_out;
        {
            let mut subscriptions = self.subscriptions();
            let asks_for_position = owner == Owner::Client && self.is_full();
            if subscriptions.handle(&topic).is_some() && !asks_for_position {
                // To begin anew would lose what it has not been given yet.
                return Ok(());
            }
            let earlier = subscriptions.begin(&topic, owner)?;
            // The server's goes on for a client that has ended its own and did not take the snapshot.
            leaves_out = subscriptions.owner(&topic) == Some(Owner::Client);
            drop(subscriptions);
            drop(earlier);
        }
        let is_full = self.is_full();
        let overflow = live.overflow_of(&topic);
        let reader = Reader { session: &self.inner.id, outbox, is_full, overflow, leaves_out };
        let subscribed = live.hub().subscribe(&topic, reader, beginning, answer).await;
        let (subscription, began) = match subscribed {
            Ok(Some(begun)) => begun,
            Ok(None) => return self.failed(&topic, unavailable("history does not reach so far")),
            Err(error) => return self.failed(&topic, unavailable(error)),
        };
        let catch_up = began.is_catching_up.then(|| subscription.catch_up());
        self.began(&topic, subscription)?;
        if self.is_full() && !is_full {
            // The hello came meanwhile.
            self.go_full();
        }
        if let Some(catch_up) = catch_up {
            outbox.read_on(catch_up);
        }
        Ok(())
    }

    /// A subscription does not begin, and the one that was there is gone. The server's own is not what its client hears of otherwise.
    fn failed(&self, topic: &Topic, error: SubscribeError) -> Result<(), SubscribeError> {
        let mut subscriptions = self.subscriptions();
        let is_clients = subscriptions.owner(topic) == Some(Owner::Client);
        subscriptions.fail(topic);
        if !is_clients && self.is_full() {
            self.answer(&server::write_unsubscribed(topic, error.code()));
        }
        Err(error)
    }

    /// A subscription has begun, and its client knows. So it is told where that was ended meanwhile.
    fn began(&self, topic: &Topic, subscription: Subscription) -> Result<(), SubscribeError> {
        let mut subscriptions = self.subscriptions();
        match subscriptions.insert(topic, subscription) {
            Err(session::SubscribeError::Ended) => {
                if self.is_full() {
                    self.answer(&server::write_unsubscribed(topic, ErrorCode::FORBIDDEN));
                }
                Ok(())
            }
            begun => Ok(begun?),
        }
    }

    /// The client asks for a subscription: from now on what ends it is not forgotten until [`answered`](Self::answered).
    pub(crate) fn asked(&self, topic: &Topic) -> Result<(), SubscribeError> {
        Ok(self.subscriptions().ask(topic)?)
    }

    /// The client has the answer to what it asked.
    pub(crate) fn answered(&self, topic: &str) {
        self.subscriptions().settle(topic);
    }

    /// Where the subscription to a topic is, and the newest offset that it could have; `None` if there is none.
    pub(crate) fn place(&self, topic: &str) -> Option<(Position, u64)> {
        self.subscriptions().handle(topic).map(Subscription::place)
    }

    /// Ends a subscription, whoever owns it, also one that the client has asked for and has no answer to: that is refused with `forbidden`.
    /// Returns whether there was one.
    pub fn unsubscribe(&self, topic: &str) -> bool {
        self.revoke(topic, ErrorCode::FORBIDDEN)
    }

    /// Ends a subscription and tells the client why. Returns whether there was one.
    pub(crate) fn revoke(&self, topic: &str, code: ErrorCode) -> bool {
        self.revoke_from(topic, code, self.subscriptions())
    }

    /// The same, unless it is the server's own.
    pub(crate) fn revoke_own(&self, topic: &str, code: ErrorCode) {
        let subscriptions = self.subscriptions();
        if subscriptions.owner(topic) == Some(Owner::Client) {
            self.revoke_from(topic, code, subscriptions);
        }
    }

    fn revoke_from(
        &self,
        topic: &str,
        code: ErrorCode,
        mut subscriptions: MutexGuard<'_, Subscriptions<Subscription>>,
    ) -> bool {
        let ended = subscriptions.remove(topic);
        let (was_there, had_begun) = (ended.is_some(), matches!(ended, Some(Some(_))));
        drop(ended);
        if had_begun && self.is_full() {
            // While the table is locked: the next subscription's answer comes behind this.
            self.answer(&server::write_unsubscribed(topic, code));
        }
        drop(subscriptions);
        self.leave(topic);
        was_there
    }

    /// Ends a subscription at the client's wish. `false` if it is the server's.
    pub(crate) fn unsubscribe_own(&self, topic: &str) -> bool {
        let mut subscriptions = self.subscriptions();
        let is_own = subscriptions.owner(topic) != Some(Owner::Server);
        if is_own {
            drop(subscriptions.remove(topic));
            drop(subscriptions);
            self.leave(topic);
        }
        is_own
    }

    /// The topics that the session is subscribed to, in order of their names.
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        self.subscriptions().iter().map(|(topic, ..)| topic.clone()).collect()
    }

    /// Ends the session. What is queued for it is delivered first, then a close frame with `code` and `reason` (at most 123
    /// bytes). `code` is one of the application's (4500–4999), of the table, or 1000; one that RFC 6455 does not let
    /// anybody send is sent as 1000.
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

    /// Whose a publish of this session is, when it is sent again: the user's, else the client instance's; of a plain session without a
    /// user nobody's.
    pub(crate) fn scope(&self) -> Option<Arc<str>> {
        let of = match (&self.inner.user, self.inner.client.get()) {
            (Some(_), _) => "user:",
            (None, Some(_)) => "client:",
            (None, None) => return None,
        };
        Some(self.named(of).into())
    }

    /// By what the session's user is known as a member.
    fn member_key(&self) -> String {
        self.named("")
    }

    /// The user's key behind `of`, else the client instance, else the session's id.
    fn named(&self, of: &str) -> String {
        let mut name = String::with_capacity(64);
        name.push_str(of);
        match (&self.inner.user, self.inner.client.get()) {
            (Some(user), _) => name.push_str(user),
            (None, Some(client)) => hex::write(*client, &mut name),
            (None, None) => name.push_str(self.id()),
        }
        name
    }

    /// The hello has said which client instance it is.
    pub(crate) fn handle_client(&self, client: u128) {
        let _ = self.inner.client.set(client.to_be_bytes());
    }

    pub(crate) fn is_full(&self) -> bool {
        self.inner.is_full.load(Ordering::Acquire)
    }

    /// The client has said hello: what the application subscribed it to before goes on with positions.
    pub(crate) fn go_full(&self) {
        self.inner.is_full.store(true, Ordering::Release);
        for (topic, _, subscription) in self.subscriptions().iter() {
            subscription
                .go_full(|position| self.answer(&server::write_subscribed(topic, &position)));
        }
    }

    /// The same session under another id, before anybody has seen it.
    pub(crate) fn with_id(self, id: String) -> Self {
        let Self { inner } = self;
        match Arc::try_unwrap(inner) {
            Ok(inner) => Self { inner: Arc::new(Inner { id: id.into(), ..inner }) },
            Err(inner) => Self { inner },
        }
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.inner.outbox
    }

    /// Sends a text frame that the session owes its client.
    pub(crate) fn answer(&self, text: &str) {
        self.inner.outbox.answer_text(text);
    }

    /// Asks again for every subscription of the client's whether it is allowed, and ends those that no longer are. Resolves
    /// when that is done, or the session is closed. Hooks of this session that run already end first; called from one of
    /// them, do not wait for it.
    pub async fn recheck(&self) {
        // The sender is dropped when the job is done, or with the session.
        let _ = self.request_recheck(None).await;
    }

    /// The topics that the client has subscribed to itself.
    pub(crate) fn own_topics(&self) -> Vec<Topic> {
        let subscriptions = self.subscriptions();
        let own = subscriptions.iter().filter(|(_, owner, _)| *owner == Owner::Client);
        own.map(|(topic, ..)| topic.clone()).collect()
    }

    /// Who it is has become known anew. `false`, and nothing changes, if it is another user.
    pub(crate) fn replace_value(&self, value: V) -> bool {
        if self.inner.live.user_of(&value).as_deref() != self.user() {
            return false;
        }
        let earlier = std::mem::replace(&mut *self.lock_value(), Arc::new(value));
        // What its end does is the application's.
        drop(earlier);
        true
    }

    fn lock_value(&self) -> MutexGuard<'_, Arc<V>> {
        self.inner.value.lock().expect("no panic while a value is replaced")
    }

    /// Ends all subscriptions for good.
    pub(crate) fn end_subscriptions(&self) {
        let ended = self.subscriptions().close();
        drop(ended);
        self.end_work();
    }

    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions<Subscription>> {
        self.inner.subscriptions.lock().expect("no panic while a session's table is locked")
    }
}

fn unavailable(why: impl fmt::Display) -> SubscribeError {
    SubscribeError::Unavailable(why.to_string())
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
