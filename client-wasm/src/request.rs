//! A call or a question on its way, and its outcome.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tidewire_protocol::name::FillError;

use crate::{Refusal, engine::Answer, shared::Shared};

/// Why a call or a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The topic's parameters give no valid name.
    #[error(transparent)]
    Topic(#[from] FillError),
    /// What was to be sent cannot be JSON.
    #[error("the request cannot be written as JSON")]
    Data(#[source] serde_json::Error),
    /// The answer is not of the type that this build knows.
    #[error("the answer is of another type")]
    Answer(#[source] serde_json::Error),
    /// The server refused it, it took too long, or the connection ended. With
    /// [`ErrorCode::UNKNOWN`](crate::ErrorCode::UNKNOWN) nobody can say whether it was done, with
    /// [`NOT_SENT`](crate::ErrorCode::NOT_SENT) it was not.
    #[error("{0}")]
    Refused(Refusal),
}

/// A request on its way: resolves with the server's answer.
///
/// It is on its way from the call on. Dropping it before the answer says that nobody wants that any more: a call that the
/// server has is cancelled there, though it may have been done.
#[must_use = "a request that is dropped is cancelled"]
pub struct Request<T> {
    state: Progress<T>,
}

/// How an answer is read.
type Read<T> = fn(&RawValue) -> serde_json::Result<T>;

enum Progress<T> {
    Open { shared: Arc<Shared>, id: u32, read: Read<T>, answer: PhantomData<fn() -> T> },
    Failed(RequestError),
    Over,
}

impl<T> Request<T> {
    pub(crate) fn new(shared: Arc<Shared>, id: u32, read: Read<T>) -> Self {
        Self { state: Progress::Open { shared, id, read, answer: PhantomData } }
    }

    pub(crate) fn failed(error: RequestError) -> Self {
        Self { state: Progress::Failed(error) }
    }
}

/// Reads an answer that is JSON of a type.
pub(crate) fn read<T: DeserializeOwned>(data: &RawValue) -> serde_json::Result<T> {
    serde_json::from_str(data.get())
}

impl<T> Future for Request<T> {
    type Output = Result<T, RequestError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Progress::Open { shared, id, read, .. } = &this.state {
            let read = *read;
            let polled = shared.turn(|engine, _| engine.poll_request(*id, cx));
            return polled.map(|outcome| {
                this.state = Progress::Over;
                match outcome.map_err(RequestError::Refused)? {
                    Answer::Data(data) => read(&data).map_err(RequestError::Answer),
                    Answer::Appended(_) => read(RawValue::NULL).map_err(RequestError::Answer),
                }
            });
        }
        match std::mem::replace(&mut this.state, Progress::Over) {
            Progress::Failed(error) => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }
}

impl<T> Unpin for Request<T> {}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        if let Progress::Open { shared, id, .. } = &self.state {
            shared.turn(|engine, now| engine.cancel(*id, now));
        }
    }
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}
