//! Processes that begin and end: which one takes a new socket, restarts, and replacing one without anybody's notice.

use tidewire_protocol::{Millis, code::CloseCode};

use super::{Connection, Node, Server};
use crate::{frames::Down, schedule::Wake, world::Env};

/// How long a load balancer may still send clients to a server that drains.
const LAG_MS: Millis = 60;

impl Server {
    /// A new socket goes to one of the servers, which may turn it away.
    pub(super) fn accept(&mut self, socket: usize, env: &mut Env) -> Option<Connection> {
        let now = env.schedule.now;
        let listens = |&node: &usize| self.nodes[node].down_until <= now;
        let open: Vec<usize> = (0..self.nodes.len()).filter(listens).collect();
        let fresh: Vec<usize> =
            open.iter().copied().filter(|&node| self.nodes[node].drains_until.is_none()).collect();
        let lags = self.random.percent(30);
        let from = if fresh.is_empty() || lags { &open } else { &fresh };
        let code = match from.get(self.random.index(from.len().max(1))) {
            None => CloseCode::ABNORMAL,
            Some(&node) if self.nodes[node].drains_until.is_some() => {
                env.oracle.saw("sent away by a server that drains");
                CloseCode::DRAIN
            }
            Some(&node) => {
                let client = env.network.sockets[socket].client;
                return Some(Connection::new(socket, node, client, &self.setup, now));
            }
        };
        env.network.send_down(socket, Down::Closed { code }, &mut env.schedule);
        env.network.end(socket);
        None
    }

    /// A process ends and another begins: sockets are cut, memory is gone; the broker's too, if it is in there.
    pub(crate) fn restart(&mut self, node: usize, down_ms: Millis, env: &mut Env) {
        for socket in 0..self.connections.len() {
            if self.connections[socket].as_ref().is_none_or(|connection| connection.node != node) {
                continue;
            }
            self.end_member(socket, true, env);
            if self.connections[socket].take().is_some_and(|connection| !connection.is_gone) {
                env.network.cut(socket, false, &mut env.schedule);
                env.network.end(socket);
            }
        }
        self.begun += 1;
        let fresh = Node::new(self.begun, &self.setup);
        let old = std::mem::replace(&mut self.nodes[node], fresh);
        self.nodes[node].down_until = env.schedule.now + down_ms;
        if self.nodes.len() == 1 {
            self.broker.trouble_until = 0;
            self.broker.forget_topics(&self.setup);
        } else {
            // It may not have told of members who came back to it, until their time was over.
            env.oracle.trouble(env.schedule.now + self.setup.presence.grace_ms);
            self.lose_members(old.number, env);
        }
    }

    /// A server asks its clients to move, at moments that are spread out, and ends at the deadline. One at a time, and not the only one.
    pub(crate) fn deploy(&mut self, node: usize, deadline_ms: Millis, env: &mut Env) {
        let now = env.schedule.now;
        let other_stays = self.nodes.iter().enumerate().any(|(number, other)| {
            number != node && other.drains_until.is_none() && other.down_until <= now
        });
        if !other_stays || self.nodes[node].drains_until.is_some() {
            return;
        }
        env.oracle.saw("deployed");
        self.nodes[node].drains_until = Some(now + deadline_ms);
        env.schedule.at(now + deadline_ms, Wake::Drain(node));
        let spread = (deadline_ms / 2).max(1);
        for connection in self.connections.iter_mut().flatten() {
            if connection.node == node {
                let asked_at = now + LAG_MS.min(deadline_ms / 2) + self.random.below(spread);
                connection.asked_to_move_at = Some((asked_at, now + deadline_ms));
                env.schedule.at(asked_at, Wake::Connection(connection.socket));
            }
        }
    }

    /// The deadline, or, once all sessions have had the time to close, the end of the process.
    pub(crate) fn end_drain(&mut self, node: usize, env: &mut Env) {
        let now = env.schedule.now;
        let Some(until) = self.nodes[node].drains_until.filter(|&until| until <= now) else {
            return;
        };
        let is_left = self.connections.iter().flatten().any(|connection| connection.node == node);
        if until == now || (is_left && now < until + 10_000) {
            for connection in self.connections.iter_mut().flatten() {
                if connection.node == node {
                    connection.outbox.close(CloseCode::DRAIN);
                    env.schedule.soon(Wake::Connection(connection.socket));
                }
            }
            env.schedule.at(now + 1_000, Wake::Drain(node));
            return;
        }
        self.restart(node, 0, env);
    }
}
