//! Calls: the rules an application gives each, with their types erased.

use std::{fmt, future::Future, time::Duration};

use serde_json::value::RawValue;
use tidewire_protocol::schema::{Call, Versions};

use crate::{
    error::Refusal,
    hooks::{BoxFuture, Context},
    session::Session,
};

type CallHook<V> = Box<
    dyn Fn(Session<V>, &RawValue) -> Result<BoxFuture<Result<Box<RawValue>, Refusal>>, Refusal>
        + Send
        + Sync,
>;

/// One schema entry's rule.
pub(crate) struct CallRule<V> {
    pub(crate) name: &'static str,
    pub(crate) versions: Versions,
    pub(crate) hook: CallHook<V>,
}

impl<V: Send + Sync + 'static> CallRule<V> {
    pub(crate) fn new<C, S, F, R>(context: Context<S>, hook: F) -> Self
    where
        C: Call,
        S: Send + Sync + 'static,
        F: Fn(Context<S>, Session<V>, C::Args) -> R + Send + Sync + 'static,
        R: Future<Output = Result<C::Reply, Refusal>> + Send + 'static,
    {
        let hook: CallHook<V> = Box::new(move |session, args| {
            let args =
                serde_json::from_str(args.get()).map_err(|error| Refusal::undecodable(&error))?;
            let reply = hook(context.clone(), session, args);
            Ok(Box::pin(async move { Ok(serde_json::value::to_raw_value(&reply.await?)?) }))
        });
        Self { name: C::NAME, versions: C::versions(), hook }
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
