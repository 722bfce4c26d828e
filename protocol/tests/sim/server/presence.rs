//! Who is a member: what sessions say of it, what a node tells the broker, and draining, which moves them.

use std::sync::Arc;

use tidewire_protocol::Millis;

use super::Server;
use crate::{
    frames::Shown,
    schedule::Wake,
    setup::{HALL, MEMBERS},
    world::Env,
};

/// How long the broker waits for a node that it does not hear.
const LEASE_MS: Millis = 10_000;

/// A session's part in a topic.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    number: u64,
    user: usize,
}

impl Server {
    /// Makes the session's user a member of a topic, or no longer one.
    pub(super) fn settle_member(
        &mut self,
        socket: usize,
        topic: usize,
        wish: Option<Shown>,
        env: &mut Env,
    ) {
        let Some(wish) = wish else { return self.leave(socket, topic, env) };
        let users = self.setup.users;
        self.parts += 1;
        let parts = self.parts;
        let Some(connection) = self.connection(socket) else { return };
        if topic != HALL || connection.has_ended() {
            return;
        }
        let node = connection.node;
        let user = connection.client % users;
        let member = connection.member.get_or_insert(Member { number: parts, user }).clone();
        let (now, name) = (env.schedule.now, Arc::from(user.to_string()));
        self.nodes[node].members.handle_join(&name, member.number, wish, now);
        let holder = self.nodes[node].number;
        env.oracle.joined(user, (holder, member.number), wish, now);
        self.await_members(node, env);
    }

    /// It leaves at once: nobody need wait for it to come back.
    pub(super) fn leave(&mut self, socket: usize, topic: usize, env: &mut Env) {
        if topic == HALL {
            self.end_member(socket, false, env);
        }
    }

    pub(super) fn end_member(&mut self, socket: usize, is_lost: bool, env: &mut Env) {
        let now = env.schedule.now;
        let Some(connection) = self.connection(socket) else { return };
        let node = connection.node;
        let Some(Member { number, user }) = connection.member.take() else { return };
        let members = &mut self.nodes[node].members;
        members.handle_leave(&user.to_string(), &number, is_lost, now);
        let holder = self.nodes[node].number;
        env.oracle.parted(user, (holder, number), is_lost, now);
        self.await_members(node, env);
    }

    pub(super) fn is_member(&mut self, socket: usize) -> bool {
        self.connection(socket).is_some_and(|connection| connection.member.is_some())
    }

    fn await_members(&self, node: usize, env: &mut Env) {
        if let Some(at) = self.nodes[node].members.poll_timeout() {
            env.schedule.at(at.max(env.schedule.now + 1), Wake::Members(node));
        }
    }

    /// A node tells the broker what changed, if it is time.
    pub(crate) fn tell_members(&mut self, number: usize, env: &mut Env) {
        let now = env.schedule.now;
        let node = &mut self.nodes[number];
        let changes = node.members.poll_changes(now);
        if self.broker.trouble_until > now {
            node.members.handle_untold(changes.into_iter().map(|change| change.user), now);
        } else if !changes.is_empty() {
            let told = self.broker.topics[MEMBERS].hold(node.number, changes, now);
            if let Some(record) = told {
                self.hand_over(MEMBERS, &record, env);
            }
        }
        self.await_members(number, env);
    }

    /// The members that a node held which was lost are let go of, after a while.
    pub(super) fn lose_members(&mut self, node: u64, env: &mut Env) {
        env.schedule.at(env.schedule.now + LEASE_MS, Wake::Lease(node));
    }

    pub(crate) fn end_lease(&mut self, node: u64, env: &mut Env) {
        if let Some(record) = self.broker.topics[MEMBERS].lose_node(node, env.schedule.now) {
            self.hand_over(MEMBERS, &record, env);
        }
    }
}
