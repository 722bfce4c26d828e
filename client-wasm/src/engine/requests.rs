//! What waits for an answer, from the call to the outcome.

use std::{
    collections::HashMap,
    task::{Context, Poll, Waker},
};

use serde_json::value::RawValue;
use tidewire_protocol::frame::{
    Position,
    client::{write_data, write_publish},
};

use crate::Refusal;

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A publish was appended.
    Appended(Position),
    /// The data of the reply.
    Data(Box<RawValue>),
}

pub(crate) type Outcome = Result<Answer, Refusal>;

/// The frame of a request but for its number.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) topic: String,
    pub(crate) data: Box<RawValue>,
    /// A publish's name; without one it is no publish.
    pub(crate) mid: Option<String>,
}

#[derive(Default)]
pub(super) struct Requests {
    open: HashMap<u32, Request>,
}

enum Request {
    /// Not sent yet, or sent and not answered.
    Waiting {
        ask: Ask,
        waker: Option<Waker>,
        abandoned: bool,
    },
    Done(Outcome),
}

impl Requests {
    pub(super) fn begin(&mut self, id: u32, ask: Ask) {
        self.open.insert(id, Request::Waiting { ask, waker: None, abandoned: false });
    }

    /// The text of the frame; with the epoch if it is sent again.
    pub(super) fn frame(&self, id: u32, again: Option<&Position>) -> Option<String> {
        match self.open.get(&id)? {
            Request::Waiting { ask, .. } => Some(ask.frame(id, again)),
            Request::Done(_) => None,
        }
    }

    pub(super) fn settle(&mut self, id: u32, outcome: Outcome) -> Option<Waker> {
        match self.open.remove(&id)? {
            Request::Waiting { abandoned: true, .. } => None,
            Request::Waiting { waker, .. } => {
                self.open.insert(id, Request::Done(outcome));
                waker
            }
            done @ Request::Done(_) => {
                self.open.insert(id, done);
                None
            }
        }
    }

    /// The outcome, once; it is not polled again.
    pub(super) fn poll(&mut self, id: u32, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.open.remove(&id) {
            Some(Request::Done(outcome)) => Poll::Ready(outcome),
            Some(Request::Waiting { ask, abandoned, .. }) => {
                let waker = Some(cx.waker().clone());
                self.open.insert(id, Request::Waiting { ask, waker, abandoned });
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }

    /// Nobody waits for the outcome; what waits to be sent is sent all the same.
    pub(super) fn abandon(&mut self, id: u32) {
        match self.open.get_mut(&id) {
            Some(Request::Waiting { abandoned, .. }) => *abandoned = true,
            Some(Request::Done(_)) => {
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

impl Ask {
    fn frame(&self, id: u32, again: Option<&Position>) -> String {
        let Self { topic, data, mid } = self;
        match mid {
            None => write_data(topic, Some(id.into()), data),
            Some(mid) => write_publish(topic, id.into(), mid, again, data),
        }
    }
}
