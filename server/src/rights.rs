//! Who may subscribe to what, asked when a client subscribes and again when its rights may have changed.

use tidewire_protocol::{code::ErrorCode, name::Topic};

use crate::{
    error::{Access, Refusal},
    metrics::{Hook, Hooked},
    session::Session,
};

/// Asks who decides about a topic: its rule, or the hook for all others.
///
/// # Errors
/// If nothing covers the topic.
pub(crate) async fn access<V: Send + Sync + 'static>(
    session: &Session<V>,
    topic: &Topic,
) -> Result<Access, Refusal> {
    let live = session.live();
    let of = match topic.present_in() {
        // Who may see a topic may see its members.
        Some(_) if live.presence_of(topic).is_none() => {
            return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC));
        }
        Some(of) => of,
        None => topic,
    };
    let Some((rule, params)) = live.rule_of(of) else {
        return match &live.shared().hooks.on_subscribe {
            Some(hook) => Ok(hook(session.clone(), topic.clone())
                .timed(live.counters(), Hook::Subscribe)
                .await),
            None => Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC)),
        };
    };
    let Some(hook) = &rule.on_subscribe else {
        return Ok(if rule.is_public { Access::Allow } else { Access::Deny(Refusal::forbidden()) });
    };
    let access = hook(session.clone(), &params).ok_or(Refusal::new(ErrorCode::UNKNOWN_TOPIC))?;
    drop(params);
    Ok(access.timed(live.counters(), Hook::Subscribe).await)
}

/// Asks again for each of `topics` that the client subscribed to, and ends what is no longer allowed.
pub(crate) async fn recheck<V: Send + Sync + 'static>(session: &Session<V>, topics: Vec<Topic>) {
    for topic in topics {
        let code = match access(session, &topic).await {
            Ok(Access::Allow) => continue,
            Ok(Access::Deny(refusal)) | Err(refusal) => refusal.code(),
        };
        session.revoke_own(&topic, code);
    }
}
