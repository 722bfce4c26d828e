//! What a client asks for, one frame at a time: subscribe, unsubscribe, publish, message.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidewire_protocol::{
    MAX_INTEGER,
    code::{CloseCode, ErrorCode},
    frame::{
        client::{ClientFrame, Kind, MID_BYTES, Token, TopicOnly},
        server::{self, ErrorData, TokenTaken},
    },
    message::Message,
    name::{Topic, TopicError},
    session::Mode,
};

use super::Connection;
use crate::{
    broker::{BrokerError, Event, Once, Publish},
    clock::millis,
    close::CloseReason,
    error::{PublishError, Refusal},
    identity::Identity,
    live::Live,
    metrics::{Hook, Hooked},
    outbox::Outbox,
    rights,
    session::Session,
    topics::NewPublish,
    ws::encode,
};

/// The schema entries that do not fit this client; mostly none.
#[derive(Clone, Default)]
pub(super) struct Refused(Option<Arc<BTreeSet<String>>>);

impl Refused {
    pub(super) fn contains(&self, entry: &str) -> bool {
        self.0.as_ref().is_some_and(|refused| refused.contains(entry))
    }
}

impl FromIterator<String> for Refused {
    fn from_iter<I: IntoIterator<Item = String>>(entries: I) -> Self {
        let refused: BTreeSet<String> = entries.into_iter().collect();
        Self((!refused.is_empty()).then(|| Arc::new(refused)))
    }
}

/// A client's frame that waits for its turn.
pub(super) struct Frame {
    kind: Kind,
    topic: String,
    pub(super) data: Box<RawValue>,
    pub(super) id: Option<u64>,
    mid: Option<Arc<str>>,
    epoch: Option<Box<str>>,
    after: Option<u64>,
    /// The length of its text.
    pub(super) bytes: usize,
}

impl Frame {
    pub(super) fn new(frame: &ClientFrame<'_>, bytes: usize) -> Self {
        Self {
            kind: frame.kind,
            topic: frame.topic.clone().into_owned(),
            data: frame.data.to_owned(),
            id: frame.id,
            mid: frame.mid.as_deref().map(Into::into),
            epoch: frame.epoch.as_deref().map(Into::into),
            after: frame.after,
            bytes,
        }
    }
}

impl<V: Send + Sync + 'static> Connection<V> {
    /// A frame's turn has come.
    pub(super) fn take(&mut self, frame: Frame) {
        let Some(session) = self.session.clone() else { return };
        // In plain mode nothing is answered.
        let id = frame.id.filter(|_| self.core.mode() == Mode::Full);
        let request = Request { session, refused: self.refused.clone(), id };
        self.run_hook(request.run(frame));
    }
}

/// Answers a request by an error.
pub(super) fn refuse(
    outbox: &Outbox,
    is_full: bool,
    id: Option<u64>,
    topic: &str,
    refusal: &Refusal,
) {
    let mut error = ErrorData::new(refusal.code(), refusal.text().map(Into::into));
    if id.is_none() && !topic.is_empty() {
        error = error.about(server::shorten(topic, server::NAME_BYTES));
    }
    let text =
        if is_full { server::write_error(id, &error) } else { server::write_plain_error(&error) };
    outbox.counters().error_sent(refusal.code());
    outbox.answer(encode::text(&text));
}

pub(super) struct Request<V> {
    pub(super) session: Session<V>,
    refused: Refused,
    pub(super) id: Option<u64>,
}

impl<V: Send + Sync + 'static> Request<V> {
    async fn run(self, mut frame: Frame) {
        let is_plain = !self.session.is_full();
        let result = match (frame.kind, &*frame.topic) {
            // In boxes: else every request would take as much memory as these.
            (Kind::Subscribe, _) => Box::pin(self.subscribe(&frame.data)).await,
            (Kind::Unsubscribe, _) => self.unsubscribe(&frame.data),
            (Kind::Token, _) => self.token(&frame.data).await,
            (Kind::History, _) => Box::pin(self.history(&frame.data)).await,
            (Kind::Other, "subscribe") if is_plain && self.handles_plain() => {
                Box::pin(self.subscribe(&frame.data)).await
            }
            (Kind::Other, "unsubscribe") if is_plain && self.handles_plain() => {
                self.unsubscribe(&frame.data)
            }
            _ => self.publish_or_message(&mut frame).await,
        };
        if let Err(refusal) = result {
            refuse(self.session.outbox(), !is_plain, self.id, &frame.topic, &refusal);
        }
    }

    pub(super) fn live(&self) -> &Live<V> {
        self.session.live()
    }

    /// Answers, if an answer was asked for.
    pub(super) fn reply(&self, data: &impl Serialize) {
        if let Some(id) = self.id {
            self.session.answer(&server::write_reply(id, data));
        }
    }

    /// Whether `subscribe` and `unsubscribe` in plain mode are the server's.
    fn handles_plain(&self) -> bool {
        let shared = self.live().shared();
        !shared.rules.is_empty() || shared.hooks.on_subscribe.is_some()
    }

    /// A fresh token: the same user, known anew.
    async fn token(&self, data: &RawValue) -> Result<(), Refusal> {
        let Token { token } = decode(data)?;
        let Some(on_token) = &self.live().shared().hooks.on_token else {
            return Err(Refusal::forbidden().message("tokens have no meaning here"));
        };
        let Identity { value, expires_in } =
            match on_token(Some(token)).timed(self.live().counters(), Hook::Token).await {
                Ok(identity) => identity,
                Err(refusal) => {
                    refuse(self.session.outbox(), true, self.id, "$token", &refusal);
                    self.session.outbox().close(CloseReason::token_refused(&refusal));
                    return Ok(());
                }
            };
        if !self.session.replace_value(value) {
            self.session.outbox().close(CloseReason::Refused(CloseCode::USER_CHANGED));
            return Ok(());
        }
        self.session.renew(expires_in);
        rights::recheck(&self.session, self.session.own_topics()).await;
        self.reply(&TokenTaken {
            token_ms: expires_in.map(|for_so_long| millis(for_so_long).min(MAX_INTEGER)),
        });
        Ok(())
    }

    fn unsubscribe(&self, data: &RawValue) -> Result<(), Refusal> {
        let TopicOnly { topic } = decode(data)?;
        if !self.session.unsubscribe_own(&topic) {
            return Err(Refusal::forbidden().message("the subscription is the server's"));
        }
        self.reply(&());
        Ok(())
    }

    async fn publish_or_message(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let topic = parse_topic(&frame.topic)?;
        if topic.present_in().is_some() {
            return self.wish(&topic, std::mem::take(&mut frame.data)).await;
        }
        let live = self.live();
        let Some((rule, params)) = live.rule_of(&topic) else { return self.message(frame).await };
        self.check_schema(rule.pattern.as_str())?;
        let Some(hook) = &rule.on_publish else {
            return Err(Refusal::forbidden().message("clients do not publish to this topic"));
        };
        let (mid, epoch) = (frame.mid.take(), frame.epoch.take());
        // Without it nothing may have been forgotten.
        let after = epoch.as_ref().map(|_| frame.after.unwrap_or(0));
        if mid.as_ref().is_some_and(|mid| mid.is_empty() || mid.len() > MID_BYTES) {
            return Err(Refusal::invalid_data().message("a mid has 1 to 64 bytes"));
        }
        let once = mid.and_then(|name| Some(Once { scope: self.session.scope()?, name }));
        let publish = async {
            if let Some(epoch) = &epoch {
                self.check_epoch(&topic, epoch).await?;
            }
            let mid = once.as_ref().map(|once| Arc::clone(&once.name));
            let new = NewPublish { data: &frame.data, mid: mid.clone() };
            let event = hook(self.session.clone(), &params, new)?;
            let event = event.timed(live.counters(), Hook::Publish).await?;
            let event = Arc::new(Event { mid, ..event });
            let once = once.clone();
            let publish = |keep| Publish { once, epoch, after, ..Publish::new(event, keep) };
            live.append(&topic, Some(rule), publish).await.map_err(not_done)
        };
        let position = match &once {
            // Boxed: most publishes have no `mid`, and are not to pay for the size of this.
            Some(once) => Box::pin(live.shared().in_flight.run(&topic, once, publish)).await?,
            None => publish.await?,
        };
        self.reply(&position);
        Ok(())
    }

    /// Refuses what the broker will refuse for its epoch, before the hook stores what would then never be published.
    async fn check_epoch(&self, topic: &Topic, epoch: &str) -> Result<(), Refusal> {
        let start = self.live().hub().broker().start(topic, None).await;
        let (_, place) = start.map_err(|error| not_done(error.into()))?;
        if place.epoch.as_str() == epoch {
            Ok(())
        } else {
            Err(not_done(BrokerError::OtherEpoch.into()))
        }
    }

    /// Takes the frame's topic and data, unless it refuses it.
    async fn message(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let Some(hook) = &self.live().shared().hooks.on_message else {
            return Err(Refusal::new(ErrorCode::UNKNOWN_TOPIC));
        };
        let message = Message {
            topic: std::mem::take(&mut frame.topic),
            data: std::mem::take(&mut frame.data),
        };
        hook(self.session.clone(), message).timed(self.live().counters(), Hook::Message).await;
        self.reply(&());
        Ok(())
    }

    pub(super) fn check_schema(&self, entry: &str) -> Result<(), Refusal> {
        if self.refused.contains(entry) {
            let message =
                format!("client and server were built with different schemas of `{entry}`");
            return Err(Refusal::new(ErrorCode::INCOMPATIBLE).message(message));
        }
        Ok(())
    }
}

/// What the broker has not done.
fn not_done(error: PublishError) -> Refusal {
    Refusal::new(error.code()).message(error.to_string())
}

pub(super) fn decode<'a, T: Deserialize<'a>>(data: &'a RawValue) -> Result<T, Refusal> {
    // serde would also take an array for a struct.
    if !data.get().starts_with('{') {
        return Err(Refusal::invalid_data().message("the data is an object"));
    }
    serde_json::from_str(data.get()).map_err(|error| Refusal::undecodable(&error))
}

pub(super) fn parse_topic(name: &str) -> Result<Topic, Refusal> {
    Topic::parse_with_presence(name).map_err(|error| {
        let code = if error == TopicError::Reserved {
            ErrorCode::RESERVED_TOPIC
        } else {
            ErrorCode::INVALID_TOPIC
        };
        Refusal::new(code).message(error.to_string())
    })
}
