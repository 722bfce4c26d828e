//! Moving to another connection because the server asks for it, while the old one goes on.
//!
//! The old link stays the main one until it is not needed: each topic's events come from it until the new one has answered
//! the topic's `$subscribe`, and what the user asks once the new one stands waits until the old one owes no answer.

use super::{
    Client,
    connection::{Link, Stage},
    time::NEVER,
};
use crate::{Millis, code::Retry};

impl Client {
    /// The server asks to move within this time.
    pub(super) fn drain(&mut self, deadline_ms: Millis) {
        if self.at == self.main && self.drain_until == NEVER {
            self.drain_until = self.clock.after(deadline_ms);
            self.turn(self.main ^ 1);
            self.open();
        }
    }

    /// The link that is asked for topics; where it is not the main one, what the user asks has to wait.
    pub(super) fn asking(&self) -> u8 {
        let new = if self.at == self.main { &self.other } else { &self.link };
        // Out of a drain the other link is idle.
        if new.is_connected() { self.main ^ 1 } else { self.main }
    }

    /// Ends a drain when nothing needs the old link any more.
    pub(super) fn end_drain(&mut self) {
        if self.asking() == self.main || self.requests.owes(self.main) || self.topics.any_moves() {
            return;
        }
        self.turn(self.main);
        self.hang_up();
        self.move_over();
    }

    /// The old connection is gone: the new one takes its place, however far it is.
    pub(super) fn move_over(&mut self) {
        self.turn(self.main);
        self.drain_until = NEVER;
        self.main ^= 1;
        self.leave();
        self.turn(self.main);
        if self.link.is_connected() {
            // What was begun meanwhile on a topic that the old server had subscribed of itself.
            self.ask_all();
            self.send_waiting();
        } else {
            self.tell_state();
        }
    }

    /// The new connection failed: the old one has everything again, and until the deadline another is tried.
    pub(super) fn fail_to_move(&mut self, retry: Retry) {
        self.leave();
        if retry != Retry::Stop {
            self.link.stage = Stage::Waiting;
            self.link.moment = self.back_off();
        }
        self.turn(self.main);
        self.ask_all();
        self.send_waiting();
    }

    /// Gives up the new connection, if there is one, and turns to the old one.
    pub(super) fn stay(&mut self) {
        self.drain_until = NEVER;
        self.turn(self.main ^ 1);
        self.hang_up();
        self.leave();
        self.turn(self.main);
    }

    /// Takes all that hung on the link at hand off it.
    fn leave(&mut self) {
        self.link = Link::new();
        self.end_requests(self.at, None);
        self.detach_topics(self.at);
    }
}
