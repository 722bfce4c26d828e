//! What a call streams.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use crate::{RequestError, request::read, shared::Shared};

/// The items of a call that streams, in order; after an error, or the end of the server's stream, there is none.
///
/// The call is made from the start on. At most 256 items wait to be read, and the server sends no more than there is room for: whoever reads slowly
/// slows its stream. Dropping this cancels the call.
#[must_use = "a stream that is dropped is cancelled"]
pub struct Items<T> {
    state: Progress,
    item: PhantomData<fn() -> T>,
}

enum Progress {
    Open { shared: Arc<Shared>, id: u32 },
    Failed(RequestError),
    Over,
}

impl<T> Items<T> {
    /// Items that wait to be read.
    pub(crate) const ROOM: usize = 256;

    pub(crate) fn new(shared: Arc<Shared>, id: u32) -> Self {
        Self { state: Progress::Open { shared, id }, item: PhantomData }
    }

    pub(crate) fn failed(error: RequestError) -> Self {
        Self { state: Progress::Failed(error), item: PhantomData }
    }

    fn leave(&mut self) -> Progress {
        let left = std::mem::replace(&mut self.state, Progress::Over);
        if let Progress::Open { shared, id } = &left {
            shared.turn(|engine, now| engine.leave_stream(*id, now));
        }
        left
    }
}

impl<T: DeserializeOwned> Stream for Items<T> {
    type Item = Result<T, RequestError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let polled = match &this.state {
            Progress::Open { shared, id } => shared.turn(|engine, _| engine.poll_item(*id, cx)),
            _ => {
                return Poll::Ready(match this.leave() {
                    Progress::Failed(error) => Some(Err(error)),
                    _ => None,
                });
            }
        };
        let item = std::task::ready!(polled).map(|item| match item {
            Ok(data) => read(&data).map_err(RequestError::Answer),
            Err(refusal) => Err(RequestError::Refused(refusal)),
        });
        if !matches!(item, Some(Ok(_))) {
            this.leave();
        }
        Poll::Ready(item)
    }
}

impl<T> Unpin for Items<T> {}

impl<T> Drop for Items<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}
