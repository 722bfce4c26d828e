//! [`RequestBody`]: a request's body that has to come at some speed, so that a client which sends a byte now and then holds
//! nothing for long.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// The slowest that a body may come for longer than its time-out: slower than any modem.
const BYTES_PER_SECOND: u32 = 1024;

/// The time that the application waits for the body is counted, and no other: it is what the client is slow for.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Incoming,
    timeout: Duration,
    /// How much longer may be waited; each byte that comes earns some more.
    patience: Duration,
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

/// A request's body came too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the request's body came too slowly")]
struct TooSlow;

impl RequestBody {
    pub(super) fn new(body: Incoming, timeout: Duration) -> Self {
        Self { body, timeout, patience: timeout, waiting: None }
    }

    fn handle_bytes(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned = Duration::from_secs(bytes.into()) / BYTES_PER_SECOND;
        self.patience = self.patience.saturating_add(earned).min(self.timeout);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let patience = self.patience;
            let waiting = self.waiting.get_or_insert_with(|| Waiting {
                since: Instant::now(),
                end: Box::pin(tokio::time::sleep(patience)),
            });
            ready!(waiting.end.as_mut().poll(cx));
            return Poll::Ready(Some(Err(TooSlow.into())));
        };
        if let Some(waiting) = self.waiting.take() {
            self.patience = self.patience.saturating_sub(waiting.since.elapsed());
        }
        if let Some(Ok(frame)) = &frame {
            self.handle_bytes(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
