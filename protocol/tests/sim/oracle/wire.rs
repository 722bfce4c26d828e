//! What the server sends on one socket, judged by docs/wire.md alone: a client that knows less than ours has to be served as well.

use std::collections::BTreeMap;

use tidewire_protocol::delivery::Overflow;

use super::{Truth, truth::Published};
use crate::{
    frames::{At, Down, Record, Reply, Up},
    setup::Content,
};

#[derive(Debug, Default)]
pub(super) struct Wire {
    flows: BTreeMap<usize, Flow>,
    asks: BTreeMap<u32, Ask>,
}

/// A topic's events on this socket.
#[derive(Clone, Copy, Debug)]
struct Flow {
    /// Of the snapshot that the client has: what is not newer does not come.
    version: Option<u64>,
    /// The last event's, or where they begin.
    at: At,
    /// What a `$gap` has spoken of.
    waived: u64,
    is_servers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Subscribe {
        topic: usize,
        since: Option<At>,
        version: Option<u64>,
    },
    ReadState {
        topic: usize,
    },
    Unsubscribe {
        topic: usize,
    },
    /// For how many more items there is room, `None` for any number.
    Stream {
        room: Option<u64>,
    },
    Other,
}

impl Wire {
    pub(super) fn sent(&mut self, frame: &Up) {
        let ask = match *frame {
            Up::Subscribe { topic, since, version, .. } => Ask::Subscribe { topic, since, version },
            Up::ReadState { topic, .. } => Ask::ReadState { topic },
            Up::Unsubscribe { topic, .. } => Ask::Unsubscribe { topic },
            Up::Stream { items, .. } => Ask::Stream { room: items },
            Up::More { id, items } => {
                if let Some(Ask::Stream { room: Some(room) }) = self.asks.get_mut(&id) {
                    *room += items;
                }
                return;
            }
            Up::Cancel { .. } | Up::Pong | Up::Closed { .. } => return,
            _ => Ask::Other,
        };
        self.asks.insert(frame.id(), ask);
    }

    /// Which topic a request that has no answer would subscribe.
    pub(super) fn subscribes(&self, id: u32) -> Option<usize> {
        match self.asks.get(&id)? {
            &Ask::Subscribe { topic, .. } => Some(topic),
            _ => None,
        }
    }

    pub(super) fn received(&mut self, truth: &Truth, frame: &Down) -> Result<(), String> {
        match *frame {
            Down::Reply { re, ref reply } => match (self.asks.remove(&re), reply) {
                (None, _) => return Err("it answers nothing".into()),
                (Some(Ask::Subscribe { topic, since, version }), Some(reply)) => {
                    self.subscribed(truth, topic, (since, version), reply)?;
                }
                (Some(Ask::ReadState { topic }), Some(_)) if !self.flows.contains_key(&topic) => {
                    return Err("there is no subscription beside which it was read".into());
                }
                (Some(Ask::Stream { room: Some(0) }), _) => return Err("no room".into()),
                (Some(Ask::Subscribe { .. }), None) => return Err("no position".into()),
                (Some(Ask::Unsubscribe { topic }), _) => drop(self.flows.remove(&topic)),
                _ => {}
            },
            Down::Error { re, .. } => match self.asks.remove(&re) {
                None => return Err("it answers nothing".into()),
                // A refusal ends the client's own.
                Some(Ask::Subscribe { topic, .. }) => {
                    self.flows.retain(|&of, flow| of != topic || flow.is_servers);
                }
                Some(_) => {}
            },
            Down::Hello { re, .. } | Down::Answer { re, .. } | Down::Events { re, .. } => {
                if self.asks.remove(&re).is_none() {
                    return Err("it answers nothing".into());
                }
            }
            Down::Item { re, .. } => match self.asks.get_mut(&re) {
                Some(Ask::Stream { room: Some(0) }) => return Err("no room".into()),
                Some(Ask::Stream { room }) => *room = room.map(|room| room - 1),
                _ => return Err("it is of no stream".into()),
            },
            Down::Subscribed { topic, at } => {
                truth.exists(topic, at)?;
                self.flows.insert(topic, Flow { version: None, at, waived: 0, is_servers: true });
            }
            Down::Unsubscribed { topic, .. } => drop(self.flows.remove(&topic)),
            Down::Event { topic, ref record } => return self.event(truth, topic, record),
            Down::Gap { topic, after, to, cause } => {
                return self.gap(truth, topic, (after, to), cause);
            }
            Down::Ping | Down::Drain { .. } | Down::Closed { .. } => {}
        }
        Ok(())
    }

    fn subscribed(
        &mut self,
        truth: &Truth,
        topic: usize,
        (since, has): (Option<At>, Option<u64>),
        reply: &Reply,
    ) -> Result<(), String> {
        let Reply { at, head, recovered, ref snapshot, version } = *reply;
        let begins_at_head = at.offset == head || (snapshot.is_some() && at.offset < head);
        let fits = match (since, recovered) {
            (None, None) | (Some(_), Some(false)) => begins_at_head,
            (Some(since), Some(true)) => at == since && at.offset <= head && snapshot.is_none(),
            _ => false,
        };
        if !fits {
            return Err(format!("that does not answer {since:?}"));
        }
        truth.exists(topic, At { offset: head, ..at })?;
        let is_servers = self.flows.get(&topic).is_some_and(|flow| flow.is_servers);
        let content = truth.rule(topic).content;
        let is_versioned = snapshot.is_some() && content == Content::Store { versions: true };
        // Of the server's own nothing is left out.
        if version.is_some() != (is_versioned && !is_servers) {
            return Err(format!("the version {version:?} of what is the server's: {is_servers}"));
        }
        let version = if recovered == Some(true) { has.filter(|_| !is_servers) } else { version };
        self.flows.insert(topic, Flow { version, at, waived: 0, is_servers });
        Ok(())
    }

    fn event(&mut self, truth: &Truth, topic: usize, record: &Record) -> Result<(), String> {
        let flow = self.flows.get_mut(&topic).ok_or("it is not subscribed")?;
        truth.is_event(topic, flow.at.epoch, record)?;
        if record.offset <= flow.at.offset {
            return Err(format!("it came before, {:?} was the last", flow.at));
        }
        if flow.version.is_some() && record.event.version.is_some_and(|of| Some(of) <= flow.version)
        {
            return Err(format!("it is in the snapshot of version {:?}", flow.version));
        }
        let told = |offset| offset <= flow.waived || truth.was_lost(topic, flow.at.epoch, offset);
        let missing = truth.events_between(topic, flow.at, record.offset);
        if let Some(missing) = missing.iter().find(|missing| !told(missing.offset)) {
            return Err(format!("{missing:?} is missing, without a `$gap`"));
        }
        flow.at.offset = record.offset;
        Ok(())
    }

    fn gap(
        &mut self,
        truth: &Truth,
        topic: usize,
        (after, to): (u64, u64),
        cause: u16,
    ) -> Result<(), String> {
        let flow = self.flows.get_mut(&topic).ok_or("it is not subscribed")?;
        if cause == 4 {
            let from = At { offset: after, ..flow.at };
            let has = |event: &Published| event.version.is_some() && event.version <= flow.version;
            let left_out = truth.events_between(topic, from, to + 1);
            // A hole before it can be seen, and is asked about.
            let (epoch, known) = (flow.at.epoch, flow.at.offset.max(flow.waived));
            let before = truth.events_between(topic, At { offset: known, epoch }, after + 1);
            let is_lost = |event: &Published| truth.was_lost(topic, epoch, event.offset);
            if !before.iter().all(is_lost) || !left_out.iter().all(has) {
                return Err(format!("not all of that is in the snapshot of {flow:?}"));
            }
            flow.at.offset = flow.at.offset.max(to);
            return Ok(());
        }
        let is_permitted = match truth.rule(topic).overflow {
            Overflow::DropOldest => cause != 2,
            Overflow::Conflate => cause != 1,
            _ => cause == 3,
        };
        if !is_permitted {
            return Err("the topic's policy does not permit that".into());
        }
        if to <= after || to <= flow.at.offset || after > flow.at.offset.max(flow.waived) {
            return Err(format!("that does not fit {:?}", flow.at));
        }
        flow.waived = flow.waived.max(to);
        Ok(())
    }
}
