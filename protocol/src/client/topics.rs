//! Subscriptions over the life of the client: asked for, followed, recovered, retried, ended.

use super::{
    Client, Output,
    connection::Stage,
    frame::{Frame, Kind, Verdict},
    output::{Cause, Continuity, Position},
    subscription::{DROPPED, Phase, Step, Subscription},
    table::Ask,
    time::NEVER,
};
use crate::{Millis, code::ErrorCode};

/// Topics that a server may subscribe of itself; beyond, it must not fill the client's memory.
const MOST_SERVER_TOPICS: u32 = 4_096;

impl Client {
    /// One more local subscription of a topic. Equal ones share one on the wire.
    pub fn subscribe(&mut self, topic: u32, now: Millis) {
        self.clock.advance(now);
        let Some(subscription) = self.topics.entry(topic) else { return };
        subscription.count += 1;
        match subscription.phase {
            Phase::Live => {
                let at = subscription.position();
                self.outputs.push(Output::Subscribed { topic, how: Continuity::Fresh, at });
            }
            Phase::Off if subscription.count == 1 => {
                self.turn(self.asking());
                self.ask(topic);
            }
            _ => {}
        }
    }

    /// One local subscription fewer. The last ends the topic's subscription, unless it is the server's.
    pub fn unsubscribe(&mut self, topic: u32, now: Millis) {
        self.clock.advance(now);
        let Some(subscription) = self.topics.find(topic) else { return };
        subscription.count = subscription.count.saturating_sub(1);
        if subscription.count > 0 || subscription.server {
            return;
        }
        let Subscription { phase, link, moving, .. } = *subscription;
        if phase != Phase::Off {
            self.stop(topic, link);
        }
        if moving != 0 {
            self.stop(topic, link ^ 1);
        }
        self.end_topic(topic);
        self.end_drain();
    }

    fn stop(&mut self, topic: u32, link: u8) {
        self.turn(link);
        let id = self.requests.push(Ask::Unsubscribe, link, NEVER);
        self.speak().push(Output::Unsubscribe { id, topic });
    }

    /// A frame that is no event.
    pub(super) fn take(&mut self, frame: Frame) -> Verdict {
        if frame.kind == Kind::Malformed {
            self.malformed = self.malformed.saturating_add(1);
            if self.malformed.is_power_of_two() {
                self.outputs.push(Output::Malformed { count: self.malformed });
            }
        }
        match self.link.stage {
            Stage::Greeting => return self.greet(frame),
            Stage::Connected => {}
            _ => return Verdict::Ignore,
        }
        match frame.kind {
            Kind::Message => return Verdict::Deliver,
            Kind::Error if frame.re == 0 => return Verdict::Deliver,
            Kind::Reply | Kind::Error => self.answer(frame),
            Kind::Gap => self.gap(frame),
            Kind::Drain => self.drain(frame.ms),
            Kind::Ping => self.speak().push(Output::Pong),
            Kind::Subscribed => self.server_subscribed(frame),
            Kind::Unsubscribed => self.server_unsubscribed(frame),
            _ => {}
        }
        Verdict::Ignore
    }

    /// An event that does not simply follow the last one.
    pub(super) fn odd_event(&mut self, topic: u32, offset: u64, prev: u64) -> Verdict {
        let (now, at) = (self.clock.now(), self.at);
        let Some(subscription) = self.topics.find(topic).filter(|s| s.link == at) else {
            return Verdict::Ignore;
        };
        let after = subscription.offset;
        match subscription.event(offset, prev, now) {
            Step::Drop => return Verdict::Ignore,
            Step::Recover => {
                self.recover(topic);
                return Verdict::Ignore;
            }
            Step::GiveUp => {
                subscription.offset = offset;
                let to = prev.max(after);
                self.outputs.push(Output::Gap { topic, after, to, cause: Cause::Lost });
            }
            Step::Deliver => subscription.offset = offset,
        }
        Verdict::Deliver
    }

    fn gap(&mut self, Frame { topic, offset, to, code, .. }: Frame) {
        let (now, at) = (self.clock.now(), self.at);
        let Some(subscription) = self.topics.find(topic).filter(|s| s.link == at) else { return };
        let mut after = offset;
        let cause = match subscription.gap(offset, to, code, now) {
            Step::Drop => return,
            Step::Recover => return self.recover(topic),
            Step::GiveUp => {
                after = subscription.offset;
                Cause::Lost
            }
            Step::Deliver if code == DROPPED => Cause::Dropped,
            Step::Deliver => Cause::Conflated,
        };
        subscription.waived = subscription.waived.max(to);
        self.outputs.push(Output::Gap { topic, after, to, cause });
    }

    /// The answer to the `$subscribe` with this number.
    pub(super) fn subscribe_answered(&mut self, topic: u32, id: u32, frame: Frame) {
        let Some(subscription) = self.topics.find(topic) else { return };
        if subscription.moving == id {
            subscription.move_on();
        }
        // A number may belong to another topic by now, or its topic to a later request.
        if subscription.request != id {
            return;
        }
        if frame.kind != Kind::Reply {
            return self.refused(topic, ErrorCode(frame.code));
        }
        let leaves_out = frame.flags & Frame::VERSION != 0;
        if (subscription.phase == Phase::Live && subscription.is_ahead(frame))
            || (leaves_out && subscription.continues(frame))
        {
            // The position that was asked from counts no more: the server's own subscription came meanwhile, or the events go on
            // here from behind a snapshot, which is not taken, and of which nothing follows.
            return self.ask(topic);
        }
        self.settle(Frame { topic, ..frame });
    }

    /// The topic's events flow from the frame's position on.
    fn settle(&mut self, frame: Frame) {
        let Frame { topic, epoch, offset, .. } = frame;
        let Some(subscription) = self.topics.find(topic) else { return };
        let (old, after) = (subscription.epoch, subscription.offset);
        let how = if old == 0 {
            Continuity::Fresh
        } else if subscription.continues(frame) {
            Continuity::Recovered
        } else {
            Continuity::Lost
        };
        subscription.attach();
        if how != Continuity::Recovered {
            (subscription.epoch, subscription.offset) = (epoch, offset);
        }
        let at = Position { epoch, offset: subscription.offset };
        self.epochs.hold(epoch);
        self.let_go(old);
        if how == Continuity::Lost {
            let cause = if old == epoch { Cause::Lost } else { Cause::NewEpoch };
            self.outputs.push(Output::Gap { topic, after, to: offset, cause });
        }
        self.outputs.push(Output::Subscribed { topic, how, at });
    }

    /// The server refused a `$subscribe`, or ended the client's subscription.
    fn refused(&mut self, topic: u32, code: ErrorCode) {
        let now = self.clock.now();
        let Some(subscription) = self.topics.find(topic) else { return };
        subscription.request = 0;
        let flows = subscription.server;
        if flows && !code.may_retry() {
            // Only a hole in the events cannot be filled.
            subscription.phase = Phase::Live;
            subscription.stop_recovering(now);
            return;
        }
        subscription.phase = if flows { Phase::Stale } else { Phase::Off };
        if !code.may_retry() {
            self.outputs.push(Output::Refused { topic, code, retry_at: None });
            self.end_topic(topic);
            return;
        }
        let refusals = subscription.refusals;
        subscription.refusals = refusals.saturating_add(1);
        let at = self.ask_later(topic, refusals.saturating_add(1));
        let retry_at = Some(self.clock.for_driver(at));
        self.outputs.push(Output::Refused { topic, code, retry_at });
    }

    fn server_subscribed(&mut self, frame: Frame) {
        let topic = frame.topic;
        // Numbers are used again, so a large one says how many are in use.
        if topic > MOST_SERVER_TOPICS && self.topics.find(topic).is_none() {
            return;
        }
        let (at, main) = (self.at, self.main);
        let Some(subscription) = self.topics.entry(topic) else { return };
        if subscription.link != at && subscription.phase != Phase::Off {
            if at == main {
                return;
            }
            if !subscription.move_on() {
                subscription.phase = Phase::Off;
            }
        }
        subscription.go_to(at);
        subscription.server = true;
        let asked = subscription.request;
        if !subscription.is_ahead(frame) {
            self.settle(frame);
            // A `$subscribe` on its way begins anew what begins here: its answer says where.
            if let Some(subscription) = self.topics.find(topic) {
                subscription.request = asked;
            }
        } else if asked == 0 {
            // What was missed since an earlier connection may still be in the history.
            self.ask(topic);
        }
    }

    fn server_unsubscribed(&mut self, Frame { topic, code, .. }: Frame) {
        let at = self.at;
        let Some(subscription) = self.topics.find(topic).filter(|s| s.link == at) else { return };
        subscription.server = false;
        let (used, asked) = (subscription.count > 0, subscription.request != 0);
        if !used {
            self.end_topic(topic);
        } else if !subscription.move_on() && !asked {
            self.refused(topic, ErrorCode(code));
        }
    }

    /// Asks for the topic again from the last seen event; the first time at once.
    fn recover(&mut self, topic: u32) {
        let Some(subscription) = self.topics.find(topic) else { return };
        let tries = subscription.recoveries;
        // The other link's answer goes on from before the hole.
        if !subscription.move_on() {
            if tries > 1 {
                self.ask_later(topic, tries - 1);
            } else {
                self.ask(topic);
            }
        }
    }

    fn ask_later(&mut self, topic: u32, tries: u8) -> Millis {
        let delay = self.backoff.delay(tries);
        let at = self.clock.after(delay);
        if let Some(subscription) = self.topics.find(topic) {
            subscription.retry_at = at;
        }
        self.retry_at = self.retry_at.min(at);
        at
    }

    /// Sends a `$subscribe` if there is a connection; else the next one does.
    fn ask(&mut self, topic: u32) {
        if !self.link.is_connected() {
            return;
        }
        let link = self.at;
        let id = self.requests.push(Ask::Subscribe { topic }, link, NEVER);
        let Some(subscription) = self.topics.find(topic) else { return };
        if link != self.main && link != subscription.link && subscription.phase == Phase::Live {
            subscription.moving = id;
        } else {
            subscription.go_to(link);
            subscription.request = id;
            subscription.phase = Phase::Asked;
            subscription.retry_at = NEVER;
        }
        let at = subscription.position();
        let since = (at.epoch != 0).then_some(at);
        self.speak().push(Output::Subscribe { id, topic, since });
    }

    /// Asks for every topic with a local subscription that the link does not have. The server announces its own.
    pub(super) fn ask_all(&mut self) {
        let at = self.at;
        for topic in self.topics.numbers() {
            let has = |s: &Subscription| s.link == at && s.phase != Phase::Off;
            // One that was refused for now has its time.
            let lacks = |s: &mut Subscription| s.count > 0 && s.retry_at == NEVER && !has(s);
            if self.topics.find(topic).is_some_and(lacks) {
                self.ask(topic);
            }
        }
    }

    /// Asks for the topics whose time has come.
    pub(super) fn ask_due(&mut self, now: Millis) {
        self.retry_at = NEVER;
        for topic in self.topics.numbers() {
            let Some(&mut Subscription { retry_at, count, link, .. }) = self.topics.find(topic)
            else {
                continue;
            };
            if retry_at <= now {
                // Only the server's own link may be asked for its own topic.
                let link = if count == 0 { link } else { self.asking() };
                self.turn(link);
                self.ask(topic);
            } else {
                self.retry_at = self.retry_at.min(retry_at);
            }
        }
    }

    /// A link's connection is gone.
    pub(super) fn detach_topics(&mut self, link: u8) {
        self.retry_at = NEVER;
        for topic in self.topics.numbers() {
            let Some(subscription) = self.topics.find(topic) else { continue };
            if subscription.link != link {
                subscription.moving = 0;
                self.retry_at = self.retry_at.min(subscription.retry_at);
            } else if !subscription.move_on() {
                // The server's topics are kept over one connection, so that the next can go on from their position.
                let unused = subscription.count == 0 && !subscription.server;
                subscription.server = false;
                subscription.detach();
                subscription.link = self.main;
                if unused {
                    self.end_topic(topic);
                }
            }
        }
    }

    /// Nobody subscribes any more: the number is to be released.
    pub(super) fn end_topic(&mut self, topic: u32) {
        let Some(subscription) = self.topics.entry(topic) else { return };
        let epoch = core::mem::take(&mut subscription.epoch);
        subscription.phase = Phase::Gone;
        self.let_go(epoch);
        self.outputs.push(Output::ReleaseTopic { topic });
    }

    pub(super) fn let_go(&mut self, epoch: u32) {
        if self.epochs.let_go(epoch) {
            self.outputs.push(Output::ReleaseEpoch { epoch });
        }
    }
}
