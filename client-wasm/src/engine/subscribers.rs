//! Who reads which topic, and what waits for each.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    code::ErrorCode,
    frame::Position,
};

use super::{
    held::Held,
    inbox::{Full, Inbox},
};
use crate::{Gap, Refusal};

/// A state that the server cannot give now is asked for again after this long, then twice as long, five times over.
const RETRY_MS: Millis = 1_000;
const MOST_DOUBLINGS: u32 = 5;

/// The reply to a question for a topic's state.
#[derive(Debug, Deserialize)]
struct State {
    #[serde(flatten)]
    at: Position,
    #[serde(default)]
    snapshot: Option<Box<RawValue>>,
}

/// What of a topic a reader wants to have whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// What comes from now on.
    Events,
    /// Its state first, and again where events are missing.
    State,
    /// The same, of a state that the last event of each key keeps whole: what was conflated is not missing.
    Keys,
}

/// An event before its data is decoded.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    Live { continuity: Continuity, at: Position },
    Message { data: Arc<RawValue>, offset: u64 },
    Removed { key: String, offset: u64 },
    Snapshot { state: Arc<RawValue>, at: Position },
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
    /// What the user wishes to be shown as where he is a member.
    wishes: HashMap<u32, Box<RawValue>>,
    /// The topics that were asked for their state with their events.
    stateful: HashSet<u32>,
    /// Readers that need the topic's state, and those for which it was asked, by the number of the request.
    needy: Vec<u64>,
    asked: HashMap<u32, u64>,
    /// Readers for which it is asked later, and when.
    later: Vec<(Millis, u64)>,
    /// Readers that do not keep up, and for which what comes is held up.
    crowded: HashSet<u64>,
    wakers: Vec<Waker>,
}

struct Reader {
    topic: u32,
    /// Events flow to it.
    live: bool,
    inbox: Inbox<Raw>,
    want: Want,
    /// It has not read for so long that nobody waits for it.
    given_up: bool,
    /// Up to here the state that it was given has everything: the stream may still be on its way there.
    covered: u64,
    /// What has come since the state was asked for.
    held: Option<Held>,
    /// States in a row that could not be had.
    failures: u32,
}

impl Reader {
    fn new(topic: u32, inbox: Inbox<Raw>, want: Want) -> Self {
        Self {
            topic,
            live: false,
            inbox,
            want,
            given_up: false,
            covered: 0,
            held: None,
            failures: 0,
        }
    }

    fn is_stateful(&self) -> bool {
        self.want != Want::Events
    }

    /// Whether a gap takes something from the state that it has.
    fn misses(&self, cause: Cause) -> bool {
        match self.want {
            Want::Events => false,
            Want::State => true,
            Want::Keys => cause != Cause::Conflated,
        }
    }

    /// Gives it something that is news from an offset on, or holds it back until the state is there.
    fn give(&mut self, offset: u64, raw: Raw) -> Result<Option<Waker>, Full> {
        match &mut self.held {
            Some(held) => {
                held.push(offset, raw);
                Ok(None)
            }
            None => self.inbox.push(raw),
        }
    }
}

impl Subscribers {
    pub(super) fn begin(&mut self, id: u64, topic: u32, room: usize, want: Want) {
        self.readers.insert(id, Reader::new(topic, Inbox::new(room), want));
        self.topics.entry(topic).or_default().push(id);
    }

    /// A reader whose subscription is over.
    pub(super) fn refuse(&mut self, id: u64, refusal: Refusal) {
        let mut inbox = Inbox::new(0);
        inbox.end(Some(Raw::Ended(refusal)));
        self.readers.insert(id, Reader::new(0, inbox, Want::Events));
    }

    /// Forgets a reader; gives the topic that it was still subscribed to.
    pub(super) fn remove(&mut self, id: u64) -> Option<u32> {
        self.crowded.remove(&id);
        let topic = self.readers.remove(&id)?.topic;
        self.leave(id, topic).then_some(topic)
    }

    pub(super) fn poll(&mut self, id: u64, cx: &mut Context<'_>) -> Poll<Option<Raw>> {
        let Some(reader) = self.readers.get_mut(&id) else { return Poll::Ready(None) };
        let polled = reader.inbox.poll(cx);
        if !reader.inbox.is_crowded() {
            reader.given_up = false;
            self.crowded.remove(&id);
        }
        polled
    }

    /// Whether somebody does not keep up with what comes, and may yet.
    pub(super) fn are_crowded(&self) -> bool {
        !self.crowded.is_empty()
    }

    /// Waits no longer for those that do not keep up, until they read again.
    pub(super) fn give_up_on_crowded(&mut self) {
        for id in self.crowded.drain() {
            if let Some(reader) = self.readers.get_mut(&id) {
                reader.given_up = true;
            }
        }
    }

    pub(super) fn event(
        &mut self,
        topic: u32,
        offset: u64,
        data: &RawValue,
        removed: Option<&str>,
    ) {
        let raw = match removed {
            Some(key) => Raw::Removed { key: key.into(), offset },
            None => Raw::Message { data: data.to_owned().into(), offset },
        };
        for id in self.readers_of(topic) {
            if !self.covers(id, offset) {
                self.give(id, offset, raw.clone());
            }
        }
    }

    /// Events are missing; `continues` if the topic's state does not come by itself.
    pub(super) fn gap(&mut self, topic: u32, gap: Gap, continues: bool) {
        let Gap { to, cause, .. } = gap;
        for id in self.readers_of(topic) {
            let Some(reader) = self.readers.get(&id) else { continue };
            // What the server left out of the stream may be in the state that this reader has.
            let is_covered =
                to <= reader.covered && matches!(cause, Cause::Dropped | Cause::Conflated);
            if !reader.live || is_covered {
                continue;
            }
            let misses = continues && reader.misses(cause);
            if self.give(id, to, Raw::Gap(gap)) && misses {
                self.need(id);
            }
        }
    }

    /// The topic's events flow: again, or to readers that have come since. `state` came with the answer, `answered` says that
    /// there was one.
    pub(super) fn flows(
        &mut self,
        topic: u32,
        continuity: Continuity,
        at: &Position,
        state: Option<&RawValue>,
        answered: bool,
    ) {
        let has_none = answered
            && continuity != Continuity::Recovered
            && self.stateful.contains(&topic)
            && state.is_none();
        let state: Option<Arc<RawValue>> = state.map(|state| state.to_owned().into());
        for id in self.readers_of(topic) {
            let Some(reader) = self.readers.get_mut(&id) else { continue };
            let continuity = match (reader.live, continuity) {
                // Said for another reader.
                (true, Continuity::Fresh) if !answered => continue,
                // A server had named no epoch, so there was nothing from which to go on.
                (true, Continuity::Fresh) => Continuity::Lost,
                (true, continuity) => continuity,
                (false, _) => Continuity::Fresh,
            };
            reader.live = true;
            let mut at = at.clone();
            if continuity == Continuity::Recovered {
                // The state was ahead of the stream that was lost.
                at.offset = at.offset.max(reader.covered);
            } else {
                reader.covered = 0;
                if reader.held.take().is_some() {
                    self.asked.retain(|_, other| *other != id);
                    self.later.retain(|(_, other)| *other != id);
                }
            }
            let live = Raw::Live { continuity, at: at.clone() };
            let gave = self.give(id, at.offset, live);
            if !gave || continuity == Continuity::Recovered || has_none || !self.is_stateful(id) {
                continue;
            }
            match &state {
                Some(state) => self.give_state(id, state.clone(), at),
                None => self.need(id),
            }
        }
    }

    /// Whether `$subscribe` is to ask for the topic's state too; it is taken for asked.
    pub(super) fn wants_state(&mut self, topic: u32) -> bool {
        let wants = self.readers_of(topic).iter().any(|&id| self.is_stateful(id));
        if wants {
            self.stateful.insert(topic);
        } else {
            self.stateful.remove(&topic);
        }
        wants
    }

    /// What the user wishes to be shown as; `None` where he is no member.
    pub(super) fn wish(&self, topic: u32) -> Option<&RawValue> {
        self.wishes.get(&topic).map(|wish| &**wish)
    }

    /// The topic of a reader whose user is a member from now on.
    pub(super) fn make_wish(&mut self, id: u64, wish: Box<RawValue>) -> Option<u32> {
        let topic = self.readers.get(&id)?.topic;
        (topic != 0).then(|| {
            self.wishes.insert(topic, wish);
            topic
        })
    }

    /// A reader that needs the topic's state, and the topic.
    pub(super) fn next_needy(&mut self) -> Option<(u64, u32)> {
        let id = self.needy.pop()?;
        Some((id, self.readers.get(&id)?.topic))
    }

    /// When a state is to be asked for again.
    pub(super) fn next_ask(&self) -> Option<Millis> {
        self.later.iter().map(|(at, _)| *at).min()
    }

    /// States whose time has come are asked for again.
    pub(super) fn elapsed(&mut self, now: Millis) {
        let readers = &self.readers;
        self.needy.extend(self.later.extract_if(.., |(at, _)| *at <= now).filter_map(|(_, id)| {
            let waits = readers.get(&id).is_some_and(|reader| reader.held.is_some());
            waits.then_some(id)
        }));
    }

    /// The state is asked for by this request.
    pub(super) fn ask(&mut self, request: u32, id: u64) {
        self.asked.insert(request, id);
    }

    /// The answer to a request, which may be one for a topic's state.
    pub(super) fn answered(
        &mut self,
        request: u32,
        answer: Result<&RawValue, &Refusal>,
        now: Millis,
    ) {
        let Some(id) = self.asked.remove(&request) else { return };
        let Some(reader) = self.readers.get_mut(&id) else { return };
        match answer {
            Ok(data) => {
                let state: Option<State> = serde_json::from_str(data.get()).ok();
                let state = state.and_then(|State { at, snapshot }| Some((snapshot?, at)));
                let held = reader.held.take().unwrap_or_default();
                if let Some((state, at)) = state {
                    if !held.continues(at.offset) {
                        reader.held = Some(held);
                        self.needy.push(id);
                        return;
                    }
                    self.give_state(id, state.into(), at);
                } else if let Some(gap) = held.gap() {
                    self.give(id, gap.to, Raw::Gap(gap));
                }
                for (offset, raw) in held.into_items() {
                    // Not later than the state: it is in there.
                    if !self.covers(id, offset) && !self.give(id, offset, raw) {
                        break;
                    }
                }
            }
            // It may be that the server has ended the subscription, which begins again.
            Err(refusal) if refusal.code.may_retry() => {
                let delay = RETRY_MS << reader.failures.min(MOST_DOUBLINGS);
                reader.failures += 1;
                self.later.push((now.saturating_add(delay), id));
            }
            Err(refusal) => {
                let topic = reader.topic;
                self.leave(id, topic);
                self.left.push(topic);
                self.end(id, refusal.clone());
            }
        }
    }

    fn give_state(&mut self, id: u64, state: Arc<RawValue>, at: Position) {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.covered = at.offset;
            reader.failures = 0;
        }
        self.give(id, at.offset, Raw::Snapshot { state, at });
    }

    /// Whether the state that a reader has was made after this offset.
    fn covers(&self, id: u64, offset: u64) -> bool {
        self.readers.get(&id).is_some_and(|reader| offset <= reader.covered)
    }

    fn need(&mut self, id: u64) {
        if let Some(reader) = self.readers.get_mut(&id)
            && reader.held.is_none()
        {
            reader.held = Some(Held::default());
            self.needy.push(id);
        }
    }

    fn is_stateful(&self, id: u64) -> bool {
        self.readers.get(&id).is_some_and(Reader::is_stateful)
    }

    fn readers_of(&self, topic: u32) -> Vec<u64> {
        self.topics.get(&topic).cloned().unwrap_or_default()
    }

    /// The server refused the topic, or ended it: for good if it is not asked again.
    pub(super) fn refused(&mut self, topic: u32, refusal: &Refusal, retry_at: Option<Millis>) {
        let Some(retry_at) = retry_at else {
            for id in self.readers_of(topic) {
                self.leave(id, topic);
                self.end(id, refusal.clone());
            }
            return;
        };
        self.tell(topic, u64::MAX, |_| Some(Raw::Refused { refusal: refusal.clone(), retry_at }));
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
    fn tell(&mut self, topic: u32, offset: u64, what: impl Fn(bool) -> Option<Raw>) {
        for id in self.readers_of(topic) {
            if let Some(raw) = self.readers.get(&id).and_then(|reader| what(reader.live)) {
                self.give(id, offset, raw);
            }
        }
    }

    /// Gives something to a reader, which is over if there is no room; says whether it goes on.
    fn give(&mut self, id: u64, offset: u64, raw: Raw) -> bool {
        let Some(reader) = self.readers.get_mut(&id) else { return false };
        match reader.give(offset, raw) {
            Ok(waker) => {
                if reader.inbox.is_crowded() && !reader.given_up {
                    self.crowded.insert(id);
                }
                self.wakers.extend(waker);
                true
            }
            Err(Full) => {
                let topic = reader.topic;
                self.leave(id, topic);
                self.left.push(topic);
                let message = Some("the subscription was not read".into());
                self.end(id, Refusal { code: ErrorCode::LIMIT, message });
                false
            }
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
            self.wishes.remove(&topic);
            self.stateful.remove(&topic);
        }
        left
    }

    fn end(&mut self, id: u64, refusal: Refusal) {
        self.crowded.remove(&id);
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.topic = 0;
            reader.held = None;
            self.wakers.extend(reader.inbox.end(Some(Raw::Ended(refusal))));
        }
    }
}
