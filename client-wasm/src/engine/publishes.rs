//! Publishes, from the call to the outcome.

use std::{
    collections::HashMap,
    task::{Context, Poll, Waker},
};

use serde_json::value::RawValue;
use tidewire_protocol::frame::{Position, client::write_data};

use crate::Refusal;

type Outcome = Result<Position, Refusal>;

#[derive(Default)]
pub(super) struct Publishes {
    open: HashMap<u32, Publish>,
}

enum Publish {
    /// Not sent yet, or sent and not answered.
    Waiting {
        topic: String,
        data: Option<Box<RawValue>>,
        waker: Option<Waker>,
        abandoned: bool,
    },
    Done(Outcome),
}

impl Publishes {
    pub(super) fn begin(&mut self, id: u32, topic: String, data: Box<RawValue>) {
        let publish = Publish::Waiting { topic, data: Some(data), waker: None, abandoned: false };
        self.open.insert(id, publish);
    }

    /// The text of the frame, which is sent once.
    pub(super) fn frame(&mut self, id: u32) -> Option<String> {
        match self.open.get_mut(&id)? {
            Publish::Waiting { topic, data, .. } => {
                data.take().map(|data| write_data(topic, Some(id.into()), &data))
            }
            Publish::Done(_) => None,
        }
    }

    pub(super) fn settle(&mut self, id: u32, outcome: Outcome) -> Option<Waker> {
        match self.open.remove(&id)? {
            Publish::Waiting { abandoned: true, .. } => None,
            Publish::Waiting { waker, .. } => {
                self.open.insert(id, Publish::Done(outcome));
                waker
            }
            done @ Publish::Done(_) => {
                self.open.insert(id, done);
                None
            }
        }
    }

    /// The outcome, once; it is not polled again.
    pub(super) fn poll(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.open.remove(&id) {
            Some(Publish::Done(outcome)) => Poll::Ready(outcome),
            Some(Publish::Waiting { topic, data, abandoned, .. }) => {
                let waker = Some(cx.waker().clone());
                self.open.insert(id, Publish::Waiting { topic, data, waker, abandoned });
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Nobody waits for the outcome; what waits to be sent is sent all the same.
    pub(super) fn abandon(&mut self, id: u32) {
        match self.open.get_mut(&id) {
            Some(Publish::Waiting { abandoned, .. }) => *abandoned = true,
            Some(Publish::Done(_)) => {
                self.open.remove(&id);
            }
            None => {}
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
