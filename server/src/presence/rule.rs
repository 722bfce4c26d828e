//! What an application says of a topic's members.

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tidewire_protocol::{code::ErrorCode, name::Params, presence::Timing};

use super::nothing;
use crate::{
    broker::Shows,
    error::Refusal,
    hooks::BoxFuture,
    metrics::{Counters, Hook, Hooked},
    session::Session,
};

/// What is shown of one member may be so long: it is sent to every other one.
const MEMBER_BYTES: usize = 4 * 1024;

/// Makes what is shown of a member, as JSON. `None` if the topic's name is not the hook's.
pub(crate) type PresenceHook<V> = Box<
    dyn Fn(Session<V>, &Params<'_>, Wish) -> Option<BoxFuture<Result<Arc<str>, Refusal>>>
        + Send
        + Sync,
>;

/// A topic that has members.
pub(crate) struct PresenceRule<V> {
    /// What is shown of each; nothing where they are counted.
    pub(crate) hook: Option<PresenceHook<V>>,
    pub(crate) timing: Timing,
}

/// What a client wishes to be shown as: any JSON, read as the application likes.
///
/// It is the client's word: what is shown is what the hook makes of it.
#[derive(Clone)]
pub struct Wish(Box<RawValue>);

impl Wish {
    /// Reads the wish as a type.
    ///
    /// # Errors
    /// A refusal with `invalid_data`, if it is none.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_str(self.0.get()).map_err(|error| Refusal::undecodable(&error))
    }

    /// The JSON as it was sent.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for Wish {
    fn from(json: Box<RawValue>) -> Self {
        Self(json)
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wish").field(&self.as_json()).finish()
    }
}

impl<V: Send + Sync + 'static> PresenceRule<V> {
    pub(crate) fn shows(&self) -> Shows {
        if self.hook.is_some() { Shows::Members } else { Shows::Count }
    }

    /// What is shown of a session's user.
    ///
    /// # Errors
    /// What the hook says, or if it is too much.
    pub(crate) async fn data(
        &self,
        session: &Session<V>,
        params: Params<'_>,
        wish: Wish,
        counters: &Arc<Counters>,
    ) -> Result<Arc<str>, Refusal> {
        let Some(hook) = &self.hook else { return Ok(nothing()) };
        let data = hook(session.clone(), &params, wish);
        drop(params);
        let data = data.ok_or(Refusal::new(ErrorCode::UNKNOWN_TOPIC))?;
        let data = data.timed(counters, Hook::Presence).await?;
        if data.len() > MEMBER_BYTES {
            let message = format!("what is shown of a member has at most {MEMBER_BYTES} bytes");
            return Err(Refusal::new(ErrorCode::TOO_LARGE).message(message));
        }
        Ok(data)
    }
}
