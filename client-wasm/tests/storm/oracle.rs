//! What may be: known from what publishers were answered and what readers were told, and from nothing else.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// A message by its publisher and its number there.
pub(crate) type Id = (u64, u64);

/// What is shown of a reader that was told something wrong.
const TRACE: usize = 12;

type Check = Result<(), String>;

/// The oracle, as those who report to it share it.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Oracle>>);

impl Shared {
    pub(crate) fn new(topics: usize) -> Self {
        let topics = (0..topics).map(|_| Topic::default()).collect();
        let oracle = Oracle {
            topics,
            open: BTreeSet::new(),
            readers: Vec::new(),
            told: 0,
            states: 0,
            recovered: 0,
            caught_up: 0,
            fault: None,
        };
        Self(Arc::new(Mutex::new(oracle)))
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Oracle) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps the first fault.
    pub(crate) fn check(&self, act: impl FnOnce(&mut Oracle) -> Check) {
        self.with(|oracle| {
            if let Err(fault) = act(oracle) {
                oracle.fault.get_or_insert(fault);
            }
        });
    }
}

pub(crate) struct Oracle {
    topics: Vec<Topic>,
    /// What was published and not answered, with its topic.
    open: BTreeSet<(Id, usize)>,
    readers: Vec<Reader>,
    /// Events that readers were told, and states.
    told: u64,
    states: u64,
    /// How often a subscription went on after a lost connection, and how often that brought what was missed.
    pub(crate) recovered: u64,
    caught_up: u64,
    pub(crate) fault: Option<String>,
}

#[derive(Default)]
struct Topic {
    /// There is one: nothing here ends a topic's life.
    epoch: Option<String>,
    /// By the answers to publishers.
    log: BTreeMap<u64, Id>,
    /// By what readers were told.
    told: BTreeMap<u64, Id>,
    /// States that readers were told, and as of what.
    states: Vec<(u64, Vec<Id>)>,
}

struct Reader {
    topic: usize,
    /// The last offset that it has; `None` until it is told where it begins.
    at: Option<u64>,
    /// It has just come back, to this offset.
    back_at: Option<u64>,
    is_done: bool,
    /// What it was told last, for whoever looks for a fault.
    trace: VecDeque<String>,
}

impl Reader {
    fn trace(&mut self, what: String) {
        if self.trace.len() >= TRACE {
            self.trace.pop_front();
        }
        self.trace.push_back(what);
    }
}

impl Oracle {
    pub(crate) fn enter(&mut self, topic: usize) -> usize {
        let (at, back_at, trace) = (None, None, VecDeque::new());
        self.readers.push(Reader { topic, at, back_at, is_done: false, trace });
        self.readers.len() - 1
    }

    fn in_epoch(&mut self, topic: usize, epoch: &str) -> Check {
        let known = self.topics[topic].epoch.get_or_insert_with(|| epoch.to_owned());
        if known == epoch {
            return Ok(());
        }
        Err(format!("topic {topic} is said to have a new epoch"))
    }

    pub(crate) fn publishes(&mut self, topic: usize, id: Id) {
        self.open.insert((id, topic));
    }

    pub(crate) fn answered(&mut self, topic: usize, id: Id, epoch: &str, offset: u64) -> Check {
        self.in_epoch(topic, epoch)?;
        self.open.remove(&(id, topic));
        match self.topics[topic].log.insert(offset, id) {
            None => Ok(()),
            Some(other) => {
                Err(format!("{id:?} and {other:?} are both at {offset} of topic {topic}"))
            }
        }
    }

    /// A reader subscribes, or its events flow again.
    pub(crate) fn begins(&mut self, reader: usize, epoch: &str, at: u64) -> Check {
        self.in_epoch(self.readers[reader].topic, epoch)?;
        let reader = &mut self.readers[reader];
        reader.trace(format!("begins at {at}"));
        (reader.at, reader.back_at) = (Some(at), None);
        Ok(())
    }

    pub(crate) fn comes_back(&mut self, reader: usize, epoch: &str, at: u64) -> Check {
        self.in_epoch(self.readers[reader].topic, epoch)?;
        self.recovered += 1;
        let Reader { at: before, .. } = self.readers[reader];
        self.readers[reader].back_at = Some(at);
        self.readers[reader].trace(format!("comes back to {at}"));
        if before == Some(at) {
            return Ok(());
        }
        Err(self.wrong(reader, "is not there"))
    }

    pub(crate) fn reads_state(&mut self, reader: usize, at: u64, state: Vec<Id>) -> Check {
        let Reader { topic, at: before, .. } = self.readers[reader];
        self.readers[reader].trace(format!("a state of {} events as of {at}", state.len()));
        self.readers[reader].at = Some(at);
        self.states += 1;
        self.topics[topic].states.push((at, state));
        if before.is_none_or(|before| before > at) {
            return Err(self.wrong(reader, "is further"));
        }
        Ok(())
    }

    pub(crate) fn reads(&mut self, reader: usize, offset: u64, id: Id) -> Check {
        let entry = &mut self.readers[reader];
        entry.trace(format!("{offset}"));
        let (topic, expected) = (entry.topic, entry.at.map(|at| at + 1));
        entry.at = Some(offset);
        self.told += 1;
        if entry.back_at.take().is_some() {
            self.caught_up += 1;
        }
        if expected != Some(offset) {
            return Err(self.wrong(reader, "expects another event"));
        }
        match self.topics[topic].told.insert(offset, id) {
            Some(other) if other != id => Err(format!(
                "{offset} of topic {topic} is {other:?} to one reader and {id:?} to another"
            )),
            _ => Ok(()),
        }
    }

    fn wrong(&self, reader: usize, what: &str) -> String {
        let Reader { topic, trace, .. } = &self.readers[reader];
        format!("reader {reader} of topic {topic} {what}: {trace:?}")
    }

    /// Whether a reader has come as far; further is a fault that the end shows.
    pub(crate) fn has_reached(&self, reader: usize, offset: u64) -> bool {
        self.readers[reader].at.is_some_and(|at| at >= offset)
    }

    pub(crate) fn finishes(&mut self, reader: usize) {
        self.readers[reader].is_done = true;
    }

    /// The last offset of each topic, by the answers.
    pub(crate) fn heads(&self) -> Vec<u64> {
        self.topics.iter().map(|topic| topic.log.len() as u64).collect()
    }

    pub(crate) fn unanswered(&self) -> String {
        let some: Vec<_> = self.open.iter().take(5).collect();
        format!("{} publishes have no answer: {some:?} …", self.open.len())
    }

    pub(crate) fn unfinished(&self) -> String {
        let heads = self.heads();
        let open = self.readers.iter().enumerate().filter(|(_, reader)| !reader.is_done);
        let open: Vec<_> = open
            .map(|(number, Reader { topic, at, .. })| {
                format!("{number} of topic {topic} is at {at:?} of {}", heads[*topic])
            })
            .collect();
        let some = open.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        format!("{} readers do not have everything: {some} …", open.len())
    }

    /// Everything at the end, when nothing is under way.
    pub(crate) fn verify(&mut self) -> Check {
        if !self.open.is_empty() {
            return Err(self.unanswered());
        }
        for (number, topic) in self.topics.iter().enumerate() {
            topic.verify().map_err(|fault| format!("topic {number}: {fault}"))?;
        }
        Ok(())
    }

    pub(crate) fn report(&self) -> String {
        let published: usize = self.topics.iter().map(|topic| topic.log.len()).sum();
        format!(
            "{published} messages published, {} read; {} states; {} recoveries, {} of them with what was missed",
            self.told, self.states, self.recovered, self.caught_up
        )
    }
}

impl Topic {
    fn verify(&self) -> Check {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for ((&offset, &(by, number)), expected) in self.log.iter().zip(1..) {
            if offset != expected {
                return Err(format!("nobody was answered for {expected}"));
            }
            // In the order published, and by that each once.
            if last.insert(by, number).is_some_and(|last| last >= number) {
                return Err(format!("{:?} is at {offset}, after a later one", (by, number)));
            }
        }
        for (offset, id) in &self.told {
            if self.log.get(offset) != Some(id) {
                return Err(format!(
                    "{offset} is {id:?} to readers, but {:?}",
                    self.log.get(offset)
                ));
            }
        }
        for (at, state) in &self.states {
            let first = (at + 1).saturating_sub(state.len() as u64);
            let log = self.log.range(first..*at + 1).map(|(_, id)| id);
            if (state.is_empty() && *at > 0) || !log.eq(state) {
                return Err(format!(
                    "a state of {} events as of {at} is not the history",
                    state.len()
                ));
            }
        }
        Ok(())
    }
}
