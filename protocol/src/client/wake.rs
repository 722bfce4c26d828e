//! Waking: a page that is shown again, a network that is back.
//!
//! What waits is tried now. A connection that stands may be dead without a word, and its heartbeat would notice only in half a
//! minute; so its server is asked. If it says nothing, another connection is opened beside, as in a drain, and the old one stays in use
//! until that is greeted: on a network that is only slow the answer comes first, and no harm is done.

use super::{Client, Output, connection::Stage, time::NEVER};
use crate::{
    Millis,
    code::{CloseCode, Retry},
};

/// A page that wakes tries at once, but not more often than this; half of the second within which it is to be live again.
const WAKE_SPACING_MS: Millis = 500;
/// A server that was heard this long ago, or later, is not asked.
const QUIET_MS: Millis = 1_000;
/// How long the server may take to answer; the other half of that second.
const ANSWER_MS: Millis = 500;
/// What a silent server owes is waited for so long once there is another connection.
const LEAVE_MS: Millis = 1_000;
/// A try to connect that began so long before the wake may hang on the network that was left. Two round trips of a slow one.
const STALE_MS: Millis = 3_000;

impl Client {
    /// The page is visible again or the network came back.
    ///
    /// A reconnect that waits is tried now, or half a second after the last try; a try that has lasted long is begun anew, once in a while;
    /// and a server that has been silent for a second is asked for a sign of life.
    pub fn handle_wake(&mut self, now: Millis) {
        self.handle_timeout(now);
        // What failed before says nothing of now, and a connection that died in the page's sleep may be heard of only after this.
        self.tries = 0;
        for link in [self.main ^ 1, self.main] {
            self.turn(link);
            let passed = self.clock.now();
            let hangs = matches!(self.link.stage, Stage::Opening | Stage::Greeting)
                && passed - self.opened_at >= STALE_MS;
            if hangs && self.may_return() {
                self.returned_at = Some(passed);
                self.hang_up();
                self.lose(CloseCode::ABNORMAL, Retry::BackOff);
                self.turn(link);
            }
            let at = self.opened_at.saturating_add(WAKE_SPACING_MS);
            if self.link.stage == Stage::Waiting && at < self.link.moment {
                self.enter(Stage::Waiting, at);
            }
        }
        self.handle_timeout(now);
        self.turn(self.main);
        self.ask_for_life();
    }

    fn ask_for_life(&mut self) {
        let now = self.clock.now();
        let is_moving = self.drain_until != NEVER || self.asked_at != NEVER;
        if !is_moving && self.link.is_connected() && now - self.link.heard_at >= QUIET_MS {
            self.asked_at = now;
            self.drain_until = self.clock.after(ANSWER_MS);
            // Not kept among the requests: any frame is an answer.
            let id = self.requests.number();
            self.speak().push(Output::Ping { id });
        }
    }

    /// Whether the server that was asked for a sign of life has given one.
    pub(super) fn is_answered(&self) -> bool {
        self.main_link().heard_at >= self.asked_at
    }

    /// Another server has greeted the client: one that was asked for a sign of life and gave none has little time left.
    pub(super) fn leave_silent(&mut self) {
        if self.asked_at != NEVER {
            self.drain_until = self.clock.after(LEAVE_MS);
        }
    }
}
