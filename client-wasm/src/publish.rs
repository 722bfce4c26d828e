//! A publish and its outcome.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tidewire_protocol::{code::ErrorCode, frame::Position, name::FillError};

use crate::{engine::Answer, shared::Shared};

/// Why something was not done: the server's word, or the client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code. Its range says whether to try again: [`ErrorCode::may_retry`].
    pub code: ErrorCode,
    /// What the server said, for people; with [`NOT_SENT`](ErrorCode::NOT_SENT) why there is no connection.
    pub message: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => self.code.fmt(f),
        }
    }
}

/// Why a publish failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic's parameters give no valid name.
    #[error(transparent)]
    Topic(#[from] FillError),
    /// The name is no topic's.
    #[error(transparent)]
    Name(#[from] tidewire_protocol::name::TopicError),
    /// The data cannot be JSON.
    #[error("the data cannot be written as JSON")]
    Data(#[from] serde_json::Error),
    /// The server refused it, or the connection ended. With [`ErrorCode::UNKNOWN`] nobody can say whether it was done.
    #[error("{0}")]
    Refused(Refusal),
}

/// A publish on its way: resolves with the event's position once the server has appended it.
///
/// It is on its way from the call on, in the order of the calls; dropping this only forgets the outcome. Where the answer is
/// lost with the connection it is sent again, under the same name, so that the server appends it once.
#[derive(Debug)]
#[must_use = "the outcome tells whether it was done"]
pub struct Publish {
    state: Progress,
}

#[derive(Debug)]
enum Progress {
    Open { shared: Arc<Shared>, id: u32 },
    Failed(PublishError),
    Over,
}

impl Publish {
    pub(crate) fn new(shared: Arc<Shared>, id: u32) -> Self {
        Self { state: Progress::Open { shared, id } }
    }

    pub(crate) fn failed(error: PublishError) -> Self {
        Self { state: Progress::Failed(error) }
    }
}

impl Future for Publish {
    type Output = Result<Position, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Progress::Open { shared, id } = &self.state {
            let polled = shared.turn(|engine, _| engine.poll_request(*id, cx));
            return polled.map(|outcome| {
                self.state = Progress::Over;
                match outcome.map_err(PublishError::Refused)? {
                    Answer::Appended(at) => Ok(at),
                    // The core acknowledges publishes in no other way.
                    Answer::Data(_) => Ok(Position { epoch: String::new(), offset: 0 }),
                }
            });
        }
        match std::mem::replace(&mut self.state, Progress::Over) {
            Progress::Failed(error) => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Publish {
    fn drop(&mut self) {
        if let Progress::Open { shared, id } = &self.state {
            shared.turn(|engine, _| engine.abandon(*id));
        }
    }
}
