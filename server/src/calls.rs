//! Calls: the rules an application gives each, with their types erased.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tidewire_protocol::schema::{Call, StreamingCall, Versions};

use crate::{
    error::Refusal,
    hooks::{BoxFuture, Context},
    session::Session,
};

/// How a call is answered.
pub(crate) enum Answer {
    /// By its reply.
    Reply(Box<RawValue>),
    /// By what a stream gives, and then by its end.
    Items(Items),
}

/// The items of a call that streams, as they go out. A refusal ends them.
pub(crate) type Items = Pin<Box<dyn Stream<Item = Result<Box<RawValue>, Refusal>> + Send>>;

type CallHook<V> = Box<
    dyn Fn(Session<V>, &RawValue) -> Result<BoxFuture<Result<Answer, Refusal>>, Refusal>
        + Send
        + Sync,
>;

/// One schema entry's rule.
pub(crate) struct CallRule<V> {
    pub(crate) name: &'static str,
    pub(crate) versions: Versions,
    pub(crate) hook: CallHook<V>,
}

/// What the stream of a call may give: items, or a `Result` of each, whose first error ends the stream.
pub trait IntoItem<T> {
    /// The item, or why the stream ends.
    ///
    /// # Errors
    /// Where there is no item.
    fn into_item(self) -> Result<T, Refusal>;
}

impl<T> IntoItem<T> for T {
    fn into_item(self) -> Result<T, Refusal> {
        Ok(self)
    }
}

impl<T, E: Into<Refusal>> IntoItem<T> for Result<T, E> {
    fn into_item(self) -> Result<T, Refusal> {
        self.map_err(Into::into)
    }
}

impl<V: Send + Sync + 'static> CallRule<V> {
    pub(crate) fn call<C, S, F, R>(context: Context<S>, hook: F) -> Self
    where
        C: Call,
        S: Send + Sync + 'static,
        F: Fn(Context<S>, Session<V>, C::Args) -> R + Send + Sync + 'static,
        R: Future<Output = Result<C::Reply, Refusal>> + Send + 'static,
    {
        let reply = |reply: C::Reply| Ok(Answer::Reply(to_raw_value(&reply)?));
        Self::new(
            C::NAME,
            C::versions(),
            move |session, args| hook(context.clone(), session, args),
            reply,
        )
    }

    pub(crate) fn stream<C, S, F, R, T>(context: Context<S>, hook: F) -> Self
    where
        C: StreamingCall,
        S: Send + Sync + 'static,
        F: Fn(Context<S>, Session<V>, C::Args) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, Refusal>> + Send + 'static,
        T: Stream<Item: IntoItem<C::Item>> + Send + 'static,
    {
        let items = |stream: T| {
            let items = stream.map(|item| Ok(to_raw_value(&item.into_item()?)?));
            Ok(Answer::Items(Box::pin(items)))
        };
        Self::new(
            C::NAME,
            C::versions(),
            move |session, args| hook(context.clone(), session, args),
            items,
        )
    }

    fn new<Args, R, T>(
        name: &'static str,
        versions: Versions,
        hook: impl Fn(Session<V>, Args) -> R + Send + Sync + 'static,
        answer: impl Fn(T) -> Result<Answer, Refusal> + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Args: DeserializeOwned,
        R: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let hook: CallHook<V> = Box::new(move |session, args| {
            let args =
                serde_json::from_str(args.get()).map_err(|error| Refusal::undecodable(&error))?;
            let answered = hook(session, args);
            Ok(Box::pin(async move { answer(answered.await?) }))
        });
        Self { name, versions, hook }
    }
}

impl<V> fmt::Debug for CallRule<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRule").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long a call may run: as long as any hook, or as its client waits.
pub(crate) fn time_of(hook_timeout: Duration, timeout_ms: Option<u64>) -> Duration {
    timeout_ms.map_or(hook_timeout, |ms| hook_timeout.min(Duration::from_millis(ms)))
}
