//! Presence in the application's hands: a topic's rules for it, and who is there.

use std::{collections::BTreeMap, future::Future, time::Duration};

use serde::de::IgnoredAny;
use tidewire_protocol::{presence::Timing, schema::TypedTopic};

use super::{PresenceHook, PresenceRule, Wish};
use crate::{
    broker::Shows,
    clock::millis,
    error::{PublishError, Refusal},
    hooks::Context,
    session::Session,
    topics::{TopicBuilder, TopicHandle},
};

impl<V, S, T> TopicBuilder<V, S, T>
where
    V: Send + Sync + 'static,
    S: Send + Sync + 'static,
    T: TypedTopic,
{
    /// Gives the topic members, of whom subscribers of `$presence:` and its name see what `hook` makes: from the session, and from what its
    /// client wishes to be shown as. A client becomes a member by subscribing with a wish; all sessions of a
    /// [user](crate::LiveBuilder::user_key) are one member (of a client instance, where users have no key), whose latest wish counts.
    ///
    /// Changes are gathered for 200 ms. At most 10,000 members are shown, with 4 KiB of JSON each; [`count_members`](Self::count_members) is
    /// for more.
    #[must_use]
    pub fn presence<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, T, Wish) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T::Presence, Refusal>> + Send + 'static,
    {
        let context = self.context.clone();
        let hook: PresenceHook<V> = Box::new(move |session, params, wish| {
            let member = hook(context.clone(), session, T::from_params(params)?, wish);
            Some(Box::pin(async move { Ok(serde_json::to_string(&member.await?)?.into()) }))
        });
        self.rule.presence = Some(PresenceRule { hook: Some(hook), timing: self.timing() });
        self
    }

    /// Gives the topic members who are counted and not shown: for topics of thousands. At most 100,000 are counted.
    #[must_use]
    pub fn count_members(mut self) -> Self {
        self.rule.presence = Some(PresenceRule { hook: None, timing: self.timing() });
        self
    }

    /// Sets how long a user stays a member whose last connection was lost; 5 s by default, so that a page which reloads is not seen to
    /// leave. Who unsubscribes leaves at once.
    ///
    /// # Panics
    /// If the topic has no members yet: [`presence`](Self::presence) and [`count_members`](Self::count_members) come first.
    #[must_use]
    pub fn presence_grace(mut self, grace: Duration) -> Self {
        let Some(presence) = &mut self.rule.presence else {
            panic!("`{}` has no members to give a grace period", T::PATTERN)
        };
        presence.timing.grace_ms = millis(grace);
        self
    }

    fn timing(&self) -> Timing {
        self.rule.presence.as_ref().map_or_else(Timing::default, |presence| presence.timing)
    }
}

impl<V: Send + Sync + 'static, T: TypedTopic> TopicHandle<'_, V, T> {
    /// The members of the topic, by the user's key, at all nodes that share its broker.
    ///
    /// # Errors
    /// If the topic has no members to show, or the broker fails.
    pub async fn members(&self) -> Result<BTreeMap<String, T::Presence>, PublishError> {
        let (_, members) = self.presence().await?;
        serde_json::from_str(&members).map_err(|_| PublishError::InvalidData)
    }

    /// How many members the topic has, at all nodes that share its broker.
    ///
    /// # Errors
    /// If the topic has no members, or the broker fails.
    pub async fn member_count(&self) -> Result<u64, PublishError> {
        let (shows, members) = self.presence().await?;
        let count = match shows {
            Shows::Count => serde_json::from_str(&members),
            Shows::Members => serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&members)
                .map(|members| members.len() as u64),
        };
        count.map_err(|_| PublishError::InvalidData)
    }

    async fn presence(&self) -> Result<(Shows, String), PublishError> {
        let mut rules = self.live.shared().rules.iter();
        let rule = rules.find(|rule| rule.pattern.as_str() == T::PATTERN);
        let rule = rule.and_then(|rule| rule.presence.as_ref());
        let shows = rule.ok_or(PublishError::InvalidTopic)?.shows();
        let topic = self.name()?.presence().map_err(|_| PublishError::InvalidTopic)?;
        let snapshot = self.live.shared().presence.snapshot(&topic, shows).await;
        let (_, text) = snapshot.map_err(|error| PublishError::Unavailable(error.to_string()))?;
        Ok((shows, text))
    }
}
