//! One topic at one node: its subscribers, and the passes that bring them its events.

use std::rc::Rc;

use tidewire_protocol::{
    delivery::{Delivery, Included},
    name,
};

use crate::frames::Record;

pub(crate) struct Local {
    pub(crate) name: name::Topic,
    /// The newest offset that a pass has begun to hand to the subscribers.
    pub(crate) position: u64,
    pending: Vec<Record>,
    pub(crate) is_delivering: bool,
    /// The pass that is under way, and the place of the next subscriber.
    pub(crate) pass: Option<(Rc<[Record]>, usize)>,
    pub(crate) subscribers: Vec<Option<Subscriber>>,
    /// Subscriptions, those under way included.
    pub(crate) uses: usize,
    /// The broker loses so many events on their way here.
    pub(crate) loses: u64,
}

pub(crate) struct Subscriber {
    pub(crate) socket: usize,
    pub(crate) delivery: Delivery,
    pub(crate) included: Included,
}

impl Local {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            name: name::Topic::parse(&format!("topic:{number}")).expect("a valid name"),
            position: 0,
            pending: Vec::new(),
            is_delivering: false,
            pass: None,
            subscribers: Vec::new(),
            uses: 0,
            loses: 0,
        }
    }

    /// Somebody here is to be told of events: the first of them attaches to the broker, whose head that is.
    pub(crate) fn attach(&mut self, head: u64) {
        if self.uses == 0 {
            self.position = head;
        }
        self.uses += 1;
    }

    pub(crate) fn detach(&mut self) {
        self.uses -= 1;
        if self.uses == 0 {
            self.pending.clear();
        }
    }

    /// The broker hands over an event. Whether it was lost on the way.
    pub(crate) fn take(&mut self, record: &Record) -> bool {
        let is_lost = self.loses > 0;
        if is_lost {
            self.loses -= 1;
        } else if self.uses > 0 {
            self.pending.push(record.clone());
        }
        is_lost
    }

    /// Begins a pass with what is pending, if anything is.
    pub(crate) fn begin_pass(&mut self, most: usize) -> bool {
        let count = self.pending.len().min(most);
        let records: Rc<[Record]> = self.pending.drain(..count).collect();
        let Some(last) = records.last() else {
            self.is_delivering = false;
            return false;
        };
        self.position = last.offset;
        self.pass = Some((records, 0));
        true
    }

    pub(crate) fn insert(&mut self, subscriber: Subscriber) -> usize {
        let free = self.subscribers.iter().position(Option::is_none);
        match free {
            Some(key) => {
                self.subscribers[key] = Some(subscriber);
                key
            }
            None => {
                self.subscribers.push(Some(subscriber));
                self.subscribers.len() - 1
            }
        }
    }

    /// The subscriber under `key`, if it is still this socket's: keys are used again.
    pub(crate) fn find(&mut self, key: usize, socket: usize) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(key)?.as_mut().filter(|one| one.socket == socket)
    }
}
