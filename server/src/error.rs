//! Errors of the public API, one per operation, and [`Refusal`], with which a hook says no.

use std::borrow::Cow;

use http::StatusCode;
use tidewire_protocol::{
    code::{CloseCode, ErrorCode},
    frame::server,
    name::Topic,
};

use crate::broker::BrokerError;

/// Why [`Session::send`](crate::Session::send) did not take a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// The session's queue is full; the session lives on.
    #[error("the session's queue is full")]
    QueueFull,
    /// The data cannot be JSON.
    #[error("the data cannot be written as JSON")]
    InvalidData,
    /// The name cannot be that of a message.
    #[error("the name is not valid")]
    InvalidTopic,
}

/// Why a publish was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic's name is not valid, or a parameter of it is empty or too long.
    #[error("the topic is not valid")]
    InvalidTopic,
    /// The data cannot be JSON.
    #[error("the data cannot be written as JSON")]
    InvalidData,
    /// The event of a keyed topic has no key, or one that is longer than 255 bytes; a removal is of no keyed topic; or the key of
    /// [`once`](crate::Publishing::once) is not 1 to 64 bytes.
    #[error("the key is missing or too long")]
    InvalidKey,
    /// More events of the topic wait for the processor than should; only where the publish was not to wait.
    #[error("too many events of the topic wait")]
    Busy,
    /// The topic has as many keys as it may, or there are as many topics as there may be.
    #[error("a limit of the broker is reached: {0}")]
    Limit(String),
    /// The topic is in another epoch than the one that the publish was made for: whether it was published before is not known.
    #[error("the topic has begun a new epoch: whether it was published is not known")]
    OtherEpoch,
    /// It was made before, so long ago or so many others since that whether it was published is not known.
    #[error("whether it was published before is no longer remembered")]
    Forgotten,
    /// The broker cannot be reached: whether it was published is not known.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
}

impl PublishError {
    /// The code that tells a client.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidTopic => ErrorCode::INVALID_TOPIC,
            Self::InvalidData => ErrorCode::INTERNAL,
            Self::InvalidKey => ErrorCode::INVALID_DATA,
            Self::Busy | Self::Limit(_) => ErrorCode::LIMIT,
            Self::OtherEpoch | Self::Forgotten => ErrorCode::UNKNOWN,
            Self::Unavailable(_) => ErrorCode::UNAVAILABLE,
        }
    }
}

impl From<BrokerError> for PublishError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Unreachable(why) => Self::Unavailable(why),
            BrokerError::TooManyTopics | BrokerError::TooManyKeys => Self::Limit(error.to_string()),
            BrokerError::OtherEpoch => Self::OtherEpoch,
            BrokerError::Forgotten => Self::Forgotten,
        }
    }
}

/// Why [`Session::subscribe`](crate::Session::subscribe) failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// The session has as many subscriptions as it may.
    #[error("the session has as many subscriptions as it may")]
    Limit,
    /// The topic's name is not valid.
    #[error("the topic is not valid")]
    InvalidTopic,
    /// The broker cannot be reached, or has no room for another topic.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// The application has ended it before it began.
    #[error("the subscription was ended")]
    Ended,
}

impl SubscribeError {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Closed => ErrorCode::CLOSED,
            Self::Limit => ErrorCode::LIMIT,
            Self::InvalidTopic => ErrorCode::INVALID_TOPIC,
            Self::Unavailable(_) => ErrorCode::UNAVAILABLE,
            Self::Ended => ErrorCode::FORBIDDEN,
        }
    }
}

impl From<tidewire_protocol::session::SubscribeError> for SubscribeError {
    fn from(error: tidewire_protocol::session::SubscribeError) -> Self {
        match error {
            tidewire_protocol::session::SubscribeError::Limit => Self::Limit,
            tidewire_protocol::session::SubscribeError::Ended => Self::Ended,
            _ => Self::Closed,
        }
    }
}

/// Why a topic's history was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The topic's name is not valid, or a parameter of it is empty or too long.
    #[error("the topic is not valid")]
    InvalidTopic,
    /// An event there is not of the topic's type: it was published without one.
    #[error("the event at {offset} is not of the topic's type: {message}")]
    InvalidData {
        /// Its offset.
        offset: u64,
        /// What is wrong with it.
        message: String,
    },
    /// The broker cannot be reached, or has no room for another topic.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
}

/// A hook's no: a code, words for the client, and for `on_auth` the HTTP status.
///
/// Any error converts into it by `?`: the client is then told `internal` and nothing else, and the error goes to the log.
///
/// ```
/// use tidewire::{ErrorCode, Refusal};
/// let refusal = Refusal::forbidden().message("only members write here");
/// assert_eq!(refusal.code(), ErrorCode::FORBIDDEN);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: ErrorCode,
    message: Option<Cow<'static, str>>,
    status: Option<StatusCode>,
}

impl Refusal {
    /// A refusal with a code, of the table or one of the application's (1000 and up).
    #[must_use]
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, message: None, status: None }
    }

    /// It is not known who asks.
    #[must_use]
    pub const fn unauthorized() -> Self {
        Self::new(ErrorCode::UNAUTHORIZED)
    }

    /// Who asks may not do this.
    #[must_use]
    pub const fn forbidden() -> Self {
        Self::new(ErrorCode::FORBIDDEN)
    }

    /// The data is of the right type, but not acceptable.
    #[must_use]
    pub const fn invalid_data() -> Self {
        Self::new(ErrorCode::INVALID_DATA)
    }

    /// The data could not be read as its type.
    pub(crate) fn undecodable(error: &serde_json::Error) -> Self {
        Self::invalid_data().message(server::shorten(&error.to_string(), server::WORDS_BYTES))
    }

    /// Adds words that the client may show to a person.
    #[must_use]
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// With words that name the topic where there are none: who subscribes to many is to see which was refused.
    pub(crate) fn about(self, topic: &Topic) -> Self {
        let known = ErrorCode::ALL.iter().find(|(code, ..)| *code == self.code);
        let meaning = known.map_or("Refused", |(_, _, meaning)| meaning.trim_end_matches('.'));
        if self.message.is_some() { self } else { self.message(format!("{meaning}: {topic}")) }
    }

    /// Sets the status of the HTTP answer; only `on_auth` has one. 401 by default.
    #[must_use]
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The close code for a client that is not let in: what may pass later is no reason for a page to stop trying.
    pub(crate) fn close_code(&self) -> CloseCode {
        if self.code.may_retry() { CloseCode::OVERLOADED } else { CloseCode::UNAUTHORIZED }
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        self.status.unwrap_or(StatusCode::UNAUTHORIZED)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Refusal {
    fn from(error: E) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a hook failed");
        Self::new(ErrorCode::INTERNAL)
    }
}

/// A subscribe hook's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// The session may subscribe.
    Allow,
    /// It may not.
    Deny(Refusal),
}
