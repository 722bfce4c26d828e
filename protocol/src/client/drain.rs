//! Moving to another connection because the server asks for it, while the old one goes on.
//!
//! The old link stays the main one until it is not needed: each topic's events come from it until the new one has answered
//! the topic's `$subscribe`, and what the user asks once the new one stands waits until the old one owes no answer. Streams of the old
//! one go on until they end or the server does, and hold up nothing: it may then be there for nothing else.

use super::{
    Client,
    connection::{Link, Stage},
    table::WAITING,
    time::NEVER,
};
use crate::{
    Millis,
    code::{CloseCode, Retry},
};

impl Client {
    /// The server asks to move within this time.
    pub(super) fn drain(&mut self, deadline_ms: Millis) {
        // A client that doubts its server may have begun to move already.
        if self.at == self.main && (self.drain_until == NEVER || self.asked_at != NEVER) {
            self.drain_until = self.clock.after(deadline_ms);
            self.asked_at = NEVER;
            self.open_beside();
        }
    }

    /// Opens the other link, unless it is being tried.
    pub(super) fn open_beside(&mut self) {
        self.turn(self.main ^ 1);
        if self.link.stage == Stage::Idle {
            self.open();
        }
    }

    /// The time of a drain is over, or that of a server which was asked for a sign of life.
    pub(super) fn end_wait(&mut self) {
        if self.asked_at == NEVER || self.asking() != self.main {
            // A server that drains would close the old one now.
            self.turn(self.main);
            self.hang_up();
            self.lose(CloseCode::DRAIN, Retry::Now);
        } else if self.is_answered() {
            self.stay();
        } else {
            self.drain_until = NEVER;
            self.open_beside();
        }
    }

    /// The link that is asked for topics.
    pub(super) fn asking(&self) -> u8 {
        let new = if self.at == self.main { &self.other } else { &self.link };
        // But for a move the other link is idle.
        if new.is_connected() { self.main ^ 1 } else { self.main }
    }

    /// The link that is asked for all else, or [`WAITING`]; the main one is at hand.
    pub(super) fn sending(&self) -> u8 {
        let asking = self.asking();
        let waits =
            if asking == self.main { !self.link.is_connected() } else { self.waits_for_old() };
        if waits { WAITING } else { asking }
    }

    /// Whether topics have yet to move, or answers to come, before the new link has what the user asks.
    fn waits_for_old(&self) -> bool {
        self.topics.any_moves() || self.requests.owes(self.main, false)
    }

    /// Goes over to the new link when nothing waits for the old one any more, and ends the drain when it is there for nothing else.
    pub(super) fn end_drain(&mut self) {
        if self.asking() == self.main || self.waits_for_old() {
            return;
        }
        if self.requests.owes(self.main, true) {
            self.turn(self.main ^ 1);
            return self.send_waiting();
        }
        self.turn(self.main);
        self.hang_up();
        self.move_over();
    }

    /// The old connection is gone: the new one takes its place, however far it is.
    pub(super) fn move_over(&mut self) {
        self.turn(self.main);
        self.stop_moving();
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

    /// The new connection failed: the old one has everything again, and until the deadline, or until the old server is heard, another
    /// is tried.
    pub(super) fn fail_to_move(&mut self, retry: Retry) {
        self.leave();
        if retry == Retry::Stop {
            self.asked_at = NEVER;
        } else {
            self.link.stage = Stage::Waiting;
            self.link.moment = self.back_off();
        }
        self.turn(self.main);
        self.ask_all();
        self.send_waiting();
    }

    /// Gives up the new connection, if there is one, and turns to the old one.
    pub(super) fn stay(&mut self) {
        self.stop_moving();
        self.turn(self.main ^ 1);
        self.hang_up();
        self.leave();
        self.turn(self.main);
    }

    fn stop_moving(&mut self) {
        (self.drain_until, self.asked_at) = (NEVER, NEVER);
    }

    /// Takes all that hung on the link at hand off it.
    fn leave(&mut self) {
        self.link = Link::new();
        self.end_requests(self.at, None);
        self.detach_topics(self.at);
    }
}
