//! What the server sends on one socket, judged by docs/wire.md alone: a client that knows less than ours has to be served as well.

use std::collections::BTreeMap;

use tidewire_protocol::delivery::Overflow;

use super::Truth;
use crate::frames::{At, Down, Record, Reply, Up};

#[derive(Debug, Default)]
pub(super) struct Wire {
    flows: BTreeMap<usize, Flow>,
    asks: BTreeMap<u32, Ask>,
}

/// A topic's events on this socket.
#[derive(Clone, Copy, Debug)]
struct Flow {
    /// The last event's, or where they begin.
    at: At,
    /// What a `$gap` has spoken of.
    waived: u64,
    is_servers: bool,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Subscribe { topic: usize, since: Option<At> },
    ReadState { topic: usize },
    Unsubscribe { topic: usize },
}

impl Wire {
    pub(super) fn sent(&mut self, frame: &Up) {
        let ask = match *frame {
            Up::Subscribe { topic, since, .. } => Ask::Subscribe { topic, since },
            Up::ReadState { topic, .. } => Ask::ReadState { topic },
            Up::Unsubscribe { topic, .. } => Ask::Unsubscribe { topic },
            _ => return,
        };
        self.asks.insert(frame.id(), ask);
    }

    pub(super) fn received(&mut self, truth: &Truth, frame: &Down) -> Result<(), String> {
        match *frame {
            Down::Reply { re, ref reply } => match (self.asks.remove(&re), reply) {
                (Some(Ask::Subscribe { topic, since }), Some(reply)) => {
                    self.subscribed(truth, topic, since, reply)?;
                }
                // Where there is no subscription, this begins one.
                (Some(Ask::ReadState { topic }), Some(reply))
                    if !self.flows.contains_key(&topic) =>
                {
                    self.subscribed(truth, topic, None, reply)?;
                }
                (Some(Ask::Subscribe { .. }), None) => return Err("no position".into()),
                (Some(Ask::Unsubscribe { topic }), _) => drop(self.flows.remove(&topic)),
                _ => {}
            },
            Down::Error { re, .. } => {
                if let Some(Ask::Subscribe { topic, .. }) = self.asks.remove(&re) {
                    // A refusal ends the client's own.
                    self.flows.retain(|&of, flow| of != topic || flow.is_servers);
                }
            }
            Down::Subscribed { topic, at } => {
                truth.exists(topic, at)?;
                self.flows.insert(topic, Flow { at, waived: 0, is_servers: true });
            }
            Down::Unsubscribed { topic, .. } => drop(self.flows.remove(&topic)),
            Down::Event { topic, ref record } => return self.event(truth, topic, record),
            Down::Gap { topic, after, to, cause } => {
                return self.gap(truth, topic, (after, to), cause);
            }
            Down::Hello { .. } | Down::Ping | Down::Drain { .. } | Down::Closed { .. } => {}
        }
        Ok(())
    }

    fn subscribed(
        &mut self,
        truth: &Truth,
        topic: usize,
        since: Option<At>,
        reply: &Reply,
    ) -> Result<(), String> {
        let Reply { at, head, recovered, ref snapshot } = *reply;
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
        self.flows.insert(topic, Flow { at, waived: 0, is_servers });
        Ok(())
    }

    fn event(&mut self, truth: &Truth, topic: usize, record: &Record) -> Result<(), String> {
        let flow = self.flows.get_mut(&topic).ok_or("it is not subscribed")?;
        truth.is_event(topic, flow.at.epoch, record)?;
        if record.offset <= flow.at.offset {
            return Err(format!("it came before, {:?} was the last", flow.at));
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
