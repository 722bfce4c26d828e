//! Errors of a test's client.

use tidewire_protocol::{code::ErrorCode, name::FillError};

use super::{frame::Close, patience::NeverCame};

/// Why what was waited for will not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The connection is closed.
    #[error("waited for {what}, but the connection is closed: {close}")]
    Closed {
        /// What was waited for.
        what: String,
        /// How it was closed.
        close: Close,
    },
    /// It did not come in time.
    #[error(transparent)]
    NeverCame(#[from] NeverCame),
    /// The client reads nothing now.
    #[error("waited for {0}, but the client does not read: call `resume_reading` first")]
    Paused(String),
    /// It came, and is not of the type that the schema declares.
    #[error("an event of {topic} is not of its type: {message}")]
    InvalidData {
        /// The topic's name.
        topic: String,
        /// What is wrong.
        message: String,
    },
}

/// Why a request was not done, or it is not known whether it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused it.
    #[error("refused: {code}{}", .message.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// Why.
        code: ErrorCode,
        /// In words, if the server gave any.
        message: Option<String>,
    },
    /// Requests are answered in full mode only.
    #[error("a plain client's requests are not answered: connect with `.hello()`")]
    Plain,
    /// A parameter of the topic is empty, or its name too long.
    #[error(transparent)]
    InvalidTopic(#[from] FillError),
    /// The data cannot be JSON, or the answer is not what was expected.
    #[error("the data is not valid: {0}")]
    InvalidData(String),
    /// No answer came.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

impl RequestError {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl From<serde_json::Error> for RequestError {
    fn from(error: serde_json::Error) -> Self {
        Self::InvalidData(error.to_string())
    }
}
