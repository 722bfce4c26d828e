//! The application's hooks, with the application's state bound to them, and what they are given.

use std::{fmt, future::Future, net::IpAddr, pin::Pin, sync::Arc};

use tidewire_protocol::{message::Message, name::Topic};

use crate::{
    close::CloseReason,
    error::{Access, Refusal},
    identity::Identity,
    request::Request,
    session::Session,
};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// What decides at once, by what it is shown.
pub(crate) type Judge<A, T> = Box<dyn Fn(&A) -> T + Send + Sync>;
/// Who a client is, or why it is not let in.
pub(crate) type Verdict<V> = Result<Identity<V>, Refusal>;
pub(crate) type Hook1<A, T> = Box<dyn Fn(A) -> BoxFuture<T> + Send + Sync>;
pub(crate) type Hook2<A, B, T> = Box<dyn Fn(A, B) -> BoxFuture<T> + Send + Sync>;

/// What every hook is given first: the application's state, as [`state`](crate::LiveBuilder::state) set it.
pub struct Context<S> {
    /// The application's state.
    pub state: Arc<S>,
    pub(crate) mid: Option<Arc<str>>,
}

impl<S> Context<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state: Arc::new(state), mid: None }
    }

    /// The client's name for what it publishes: the same when it sends it again, and its user's alone (its own, where users have no
    /// [key](crate::LiveBuilder::user_key)). `None` in every hook but `on_publish`, and there if the client gave none.
    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.mid.as_deref()
    }

    pub(crate) fn with_mid(&self, mid: Option<Arc<str>>) -> Self {
        Self { state: Arc::clone(&self.state), mid }
    }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), mid: self.mid.clone() }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

pub(crate) struct Hooks<V> {
    pub(crate) check_origin: Option<Judge<Request, bool>>,
    pub(crate) client_address: Option<Judge<Request, Option<IpAddr>>>,
    pub(crate) on_auth: Option<Hook1<Request, Verdict<V>>>,
    pub(crate) on_token: Option<Hook1<Option<String>, Verdict<V>>>,
    pub(crate) anonymous: Option<Box<dyn Fn() -> V + Send + Sync>>,
    pub(crate) user_key: Option<Judge<V, String>>,
    pub(crate) on_connect: Option<Hook1<Session<V>, ()>>,
    pub(crate) on_message: Option<Hook2<Session<V>, Message, ()>>,
    pub(crate) on_subscribe: Option<Hook2<Session<V>, Topic, Access>>,
    pub(crate) on_close: Option<Hook2<Session<V>, CloseReason, ()>>,
}

impl<V> Default for Hooks<V> {
    fn default() -> Self {
        Self {
            check_origin: None,
            client_address: None,
            on_auth: None,
            on_token: None,
            anonymous: None,
            user_key: None,
            on_connect: None,
            on_message: None,
            on_subscribe: None,
            on_close: None,
        }
    }
}
