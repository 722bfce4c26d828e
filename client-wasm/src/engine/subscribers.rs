//! Who reads which topic, and what waits for each.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use serde_json::value::RawValue;
use tidewire_protocol::{Millis, client::Continuity, code::ErrorCode, frame::Position};

use super::inbox::Inbox;
use crate::{Gap, Refusal};

/// An event before its data is decoded.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Live { continuity: Continuity, at: Position },
    Message { data: Arc<RawValue>, offset: u64 },
    Gap(Gap),
    Refused { refusal: Refusal, retry_at: Millis },
    Ended(Refusal),
}

#[derive(Default)]
pub(super) struct Subscribers {
    readers: HashMap<u64, Reader>,
    /// The readers of each topic's number.
    topics: HashMap<u32, Vec<u64>>,
    /// The topics of readers that did not read: their subscriptions are over.
    left: Vec<u32>,
    wakers: Vec<Waker>,
}

struct Reader {
    topic: u32,
    /// Events flow to it.
    live: bool,
    inbox: Inbox<Raw>,
}

impl Subscribers {
    pub(super) fn begin(&mut self, id: u64, topic: u32, room: usize) {
        self.readers.insert(id, Reader { topic, live: false, inbox: Inbox::new(room) });
        self.topics.entry(topic).or_default().push(id);
    }

    /// A reader whose subscription is over.
    pub(super) fn refuse(&mut self, id: u64, refusal: Refusal) {
        let mut inbox = Inbox::new(0);
        inbox.end(Some(Raw::Ended(refusal)));
        self.readers.insert(id, Reader { topic: 0, live: false, inbox });
    }

    /// Forgets a reader; gives the topic that it was still subscribed to.
    pub(super) fn remove(&mut self, id: u64) -> Option<u32> {
        let topic = self.readers.remove(&id)?.topic;
        self.leave(id, topic).then_some(topic)
    }

    pub(super) fn poll(&mut self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Raw>> {
        self.readers.get_mut(&id).map_or(Poll::Ready(None), |reader| reader.inbox.poll(cx))
    }

    pub(super) fn event(&mut self, topic: u32, offset: u64, data: &RawValue) {
        let data: Arc<RawValue> = data.to_owned().into();
        self.tell(topic, |_| Some(Raw::Message { data: data.clone(), offset }));
    }

    pub(super) fn gap(&mut self, topic: u32, gap: Gap) {
        self.tell(topic, |live| live.then_some(Raw::Gap(gap)));
    }

    /// The topic's events flow: again, or to readers that have come since.
    pub(super) fn flows(&mut self, topic: u32, continuity: Continuity, at: &Position) {
        self.tell(topic, |live| match (live, continuity) {
            (true, Continuity::Fresh) => None,
            (true, continuity) => Some(Raw::Live { continuity, at: at.clone() }),
            (false, _) => Some(Raw::Live { continuity: Continuity::Fresh, at: at.clone() }),
        });
        for id in self.topics.get(&topic).into_iter().flatten() {
            if let Some(reader) = self.readers.get_mut(id) {
                reader.live = true;
            }
        }
    }

    /// The server refused the topic, or ended it: for good if it is not asked again.
    pub(super) fn refused(&mut self, topic: u32, refusal: &Refusal, retry_at: Option<Millis>) {
        let Some(retry_at) = retry_at else {
            for id in self.topics.remove(&topic).unwrap_or_default() {
                self.end(id, refusal.clone());
            }
            return;
        };
        self.tell(topic, |_| Some(Raw::Refused { refusal: refusal.clone(), retry_at }));
    }

    pub(super) fn end_all(&mut self, refusal: &Refusal) {
        for id in std::mem::take(&mut self.topics).into_values().flatten() {
            self.end(id, refusal.clone());
        }
    }

    /// The topic of a reader that did not read.
    pub(super) fn next_left(&mut self) -> Option<u32> {
        self.left.pop()
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }

    /// Gives something to every reader of a topic; `what` is told whether events flow to it.
    fn tell(&mut self, topic: u32, what: impl Fn(bool) -> Option<Raw>) {
        let mut full = Vec::new();
        for &id in self.topics.get(&topic).into_iter().flatten() {
            let Some(reader) = self.readers.get_mut(&id) else { continue };
            let Some(raw) = what(reader.live) else { continue };
            match reader.inbox.push(raw) {
                Ok(waker) => self.wakers.extend(waker),
                Err(_) => full.push(id),
            }
        }
        for id in full {
            self.leave(id, topic);
            self.left.push(topic);
            let message = Some("the subscription was not read".into());
            self.end(id, Refusal { code: ErrorCode::LIMIT, message });
        }
    }

    /// Takes a reader off its topic; says whether it was there.
    fn leave(&mut self, id: u64, topic: u32) -> bool {
        let Some(readers) = self.topics.get_mut(&topic) else { return false };
        let before = readers.len();
        readers.retain(|&other| other != id);
        let left = readers.len() < before;
        if readers.is_empty() {
            self.topics.remove(&topic);
        }
        left
    }

    fn end(&mut self, id: u64, refusal: Refusal) {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.topic = 0;
            self.wakers.extend(reader.inbox.end(Some(Raw::Ended(refusal))));
        }
    }
}
