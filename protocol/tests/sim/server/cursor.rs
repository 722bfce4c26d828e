//! A subscription that reads its topic's history, a page at a time, until it is live.

use tidewire_protocol::{
    Millis,
    code::ErrorCode,
    delivery::{Hole, Span},
    topic::{Missing, Reading},
};

use super::{Server, broker::Page};
use crate::{
    frames::{At, Down},
    world::Env,
};

/// Whose history is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) topic: usize,
    pub(crate) key: usize,
}

/// A page that comes.
#[derive(Clone, Debug)]
pub(crate) struct PageRead {
    pub(crate) until: Millis,
    cursor: Cursor,
    after: At,
    reading: Reading,
    page: Page,
}

impl Server {
    /// Lets subscriptions that catch up read on while the socket has nothing to write.
    pub(super) fn poll_behind(&mut self, socket: usize, env: &mut Env) -> bool {
        let now = env.schedule.now;
        let mut moved = false;
        while !env.spins() {
            let Some(connection) = self.connection(socket) else { return false };
            if let Some(reading) = &connection.reading {
                if reading.until > now {
                    return moved;
                }
                if let Some(reading) = connection.reading.take() {
                    let cursor = reading.cursor;
                    if !self.handle_page(socket, reading)
                        && let Some(connection) = self.connection(socket)
                    {
                        connection.behind.push_back(cursor);
                    }
                }
                moved = true;
            }
            let Some(connection) = self.connection(socket) else { return false };
            if !connection.outbox.is_empty() {
                return moved;
            }
            let Some(cursor) = connection.behind.pop_front() else { return moved };
            connection.calls.streaming.handle_others_turn();
            let until = now + connection.broker_ms();
            self.read_on(socket, cursor, until, env);
        }
        false
    }

    fn read_on(&mut self, socket: usize, cursor: Cursor, until: Millis, env: &mut Env) {
        let most = self.setup.page;
        let Some(local) = self.local(socket, cursor.topic) else { return };
        let Some(delivery) = local.find(cursor.key, socket).map(|one| one.delivery) else { return };
        let Some(reading) = delivery.reading() else { return };
        let topic = &self.broker.topics[cursor.topic];
        let after = At { epoch: topic.epoch, offset: delivery.position() };
        if self.broker.trouble_until > env.schedule.now {
            return self.revoke(socket, cursor.topic, ErrorCode::UNAVAILABLE, env);
        }
        let page = topic.read(after, reading, most);
        let Some(connection) = self.connection(socket) else { return };
        connection.reading = Some(PageRead { until, cursor, after, reading, page });
    }

    /// Hands a page to the socket. Whether the subscription is live, or over.
    fn handle_page(&mut self, socket: usize, read: PageRead) -> bool {
        let PageRead { cursor: Cursor { topic: number, key }, after, reading, page, .. } = read;
        let Some(local) = self.local(socket, number) else { return true };
        let head = local.position;
        let Some(subscriber) = local.find(key, socket) else { return true };
        let delivery = &mut subscriber.delivery;
        if (delivery.position(), delivery.reading()) != (after.offset, Some(reading)) {
            return false;
        }
        let Page { records, missing, head: read_to } = page;
        let ends = records.first().zip(records.last());
        let events = ends.map(|(first, last)| (first.prev, last.offset));
        let hole = delivery.handle_page(Span { events, missing, head: read_to });
        let gap = hole.map(|Hole { after, to, cause }| {
            let cause = match cause {
                Missing::Dropped => 1,
                Missing::Conflated => 2,
                Missing::Lost => 3,
            };
            Down::Gap { topic: number, after, to, cause }
        });
        let is_live = delivery.handle_head(head);
        let begins = records.first().map_or(0, |first| first.prev);
        let frames = subscriber.frames(number, &records, begins);
        if let Some(connection) = self.connection(socket) {
            connection.outbox.send_uncounted(gap.into_iter().collect());
            connection.outbox.send_uncounted(frames.into_iter().flatten().collect());
        }
        is_live
    }

    /// A subscription has begun to lag, or begins by catching up.
    pub(super) fn fall_behind(&mut self, socket: usize, cursor: Cursor) {
        let Self { nodes, connections, .. } = self;
        let Some(connection) = connections.get_mut(socket).and_then(Option::as_mut) else { return };
        let locals = &mut nodes[connection.node].locals;
        let is_needed = |other: &Cursor| {
            let subscriber = locals[other.topic].find(other.key, socket);
            *other != cursor && subscriber.is_some_and(|one| one.delivery.is_catching_up())
        };
        connection.behind.retain(is_needed);
        connection.behind.push_back(cursor);
    }
}
