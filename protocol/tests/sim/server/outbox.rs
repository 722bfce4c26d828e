//! All that goes out to one socket: it is written as the socket takes it, and what waits is counted by the delivery core.

use std::collections::VecDeque;

use tidewire_protocol::{
    code::CloseCode,
    delivery::{Piece, Queue, QueueLimits, Verdict, leave_out},
};

use super::local::Subscriber;
use crate::{
    frames::{Down, Record},
    network::Network,
    schedule::Schedule,
};

#[derive(Debug)]
pub(crate) struct Outbox {
    socket: usize,
    limits: QueueLimits,
    queue: Queue,
    waiting: VecDeque<Run>,
    pub(crate) closed: Option<CloseCode>,
}

/// Frames that are written as one.
#[derive(Debug)]
struct Run {
    frames: Vec<Down>,
    bytes: usize,
    /// For how many messages it counts.
    counts: usize,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    All,
    Some,
    Nothing,
}

impl Outbox {
    pub(crate) fn new(socket: usize, limits: QueueLimits) -> Self {
        Self { socket, limits, queue: Queue::new(limits), waiting: VecDeque::new(), closed: None }
    }

    /// Sends an answer that the session owes its peer, who is too slow if it does not fit.
    pub(crate) fn answer(&mut self, frame: Down) {
        if self.closed.is_some() {
            return;
        }
        let bytes = frame.bytes();
        if self.queue.push(1, bytes) {
            self.waiting.push_back(Run { frames: vec![frame], bytes, counts: 1 });
        } else {
            self.close(CloseCode::SLOW_CONSUMER);
        }
    }

    /// Sends frames of a subscription that catches up.
    pub(crate) fn send_uncounted(&mut self, frames: Vec<Down>) {
        if self.closed.is_none() && !frames.is_empty() {
            let bytes = frames.iter().map(Down::bytes).sum();
            self.queue.push_uncounted(bytes);
            self.waiting.push_back(Run { frames, bytes, counts: 0 });
        }
    }

    /// Gives a batch of events to a subscription. Whether it lags from now on.
    pub(crate) fn deliver(
        &mut self,
        subscriber: &mut Subscriber,
        topic: usize,
        records: &[Record],
    ) -> bool {
        if self.closed.is_some() {
            return false;
        }
        let offsets: Vec<u64> = records.iter().map(|record| record.offset).collect();
        let frames = subscriber.frames(topic, records, subscriber.delivery.position());
        let length = |from: usize| frames[from..].iter().flatten().map(Down::bytes).sum();
        match subscriber.delivery.handle_events(&offsets, length, &mut self.queue) {
            Verdict::Send(from) => {
                let (counts, bytes) = (records.len() - from, length(from));
                let frames = frames.into_iter().skip(from).flatten().collect();
                self.waiting.push_back(Run { counts, bytes, frames });
            }
            Verdict::Close => self.close(CloseCode::SLOW_CONSUMER),
            Verdict::Lag => return true,
            _ => {}
        }
        false
    }

    /// What waits is dropped where the peer does not read, and a close frame goes out.
    pub(crate) fn close(&mut self, code: CloseCode) {
        if self.closed.is_none() {
            if code == CloseCode::SLOW_CONSUMER {
                while let Some(run) = self.waiting.pop_front() {
                    self.sent(&run);
                }
            }
            self.send_uncounted(vec![Down::Closed { code }]);
            self.closed = Some(code);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn flush(&mut self, network: &mut Network, schedule: &mut Schedule) -> Flushed {
        let mut flushed = Flushed::Nothing;
        while !self.waiting.is_empty() {
            if !network.sockets[self.socket].down.has_room() {
                return flushed;
            }
            let Some(run) = self.waiting.pop_front() else { break };
            self.sent(&run);
            for frame in run.frames {
                network.send_down(self.socket, frame, schedule);
            }
            flushed = Flushed::Some;
        }
        Flushed::All
    }

    fn sent(&mut self, run: &Run) {
        if run.counts > 0 {
            self.queue.pop(run.counts, run.bytes);
        } else {
            self.queue.pop_uncounted(run.bytes);
        }
    }

    /// What waits and counts, by its own count: whether it is within the bounds. One run may be larger, if it stood alone.
    pub(crate) fn is_bounded(&self) -> bool {
        let counted = || self.waiting.iter().filter(|run| run.counts > 0);
        let messages: usize = counted().map(|run| run.counts).sum();
        let bytes: usize = counted().map(|run| run.bytes).sum();
        counted().count() <= 1 || (messages <= self.limits.messages && bytes <= self.limits.bytes)
    }
}

impl Subscriber {
    /// The frames after an offset of what it is given of a batch, by the batch's events.
    pub(crate) fn frames(&self, topic: usize, records: &[Record], after: u64) -> Vec<Option<Down>> {
        let event = |record: &Record| Some(Down::Event { topic, record: record.clone() });
        let has = |record: &Record| self.included.has(record.event.version);
        if !records.iter().any(has) {
            return records.iter().map(event).collect();
        }
        let pieces = leave_out(records, after, |record| (record.prev, record.offset), has);
        let frame = |(record, piece): (&Record, _)| match piece {
            Piece::Event => event(record),
            Piece::Gap { after, to } => Some(Down::Gap { topic, after, to, cause: 4 }),
            Piece::Nothing => None,
        };
        records.iter().zip(pieces).map(frame).collect()
    }
}
