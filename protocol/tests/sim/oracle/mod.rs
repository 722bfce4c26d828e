//! The oracle: what the guarantees allow, known from what was published and what each client was told, and from nothing else.
//!
//! It shares no code with the cores and looks into none of them. The first fault that it finds is kept; the world stops there.

mod account;
mod calls;
mod history;
mod members;
mod publishes;
mod streams;
mod truth;
mod wire;

use std::collections::BTreeMap;

use tidewire_protocol::{
    Millis,
    client::{Cause, Continuity},
    code::ErrorCode,
};

use crate::{
    frames::{At, Down, Range, Record, Reply, Shown, Snapshot, Up, User},
    setup::{MEMBERS, Setup},
};
use account::{Account, Hole};
use calls::Calls;
use members::{Members, Part};
use publishes::Publishes;
use streams::Streams;
use truth::Truth;
use wire::Wire;

/// A client that finds as many holes within a while may give up what is missing.
const LOSSES_TO_GIVE_UP: usize = 5;

pub(crate) struct Oracle {
    truth: Truth,
    publishes: Publishes,
    calls: Calls,
    streams: Streams,
    members: Members,
    /// By client and topic: what its handlers follow.
    accounts: Vec<Vec<Option<Account>>>,
    /// By socket: what it brings.
    wires: BTreeMap<usize, Wire>,
    /// By client and topic: how often a recovery could come to nothing.
    losses: Vec<Vec<usize>>,
    /// By client and topic: how many more asks there are reasons for.
    reasons: Vec<Vec<i64>>,
    fault: Option<String>,
    /// What has happened, to see that a simulation is not an idle one.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

impl Oracle {
    pub(crate) fn new(setup: &Setup) -> Self {
        let topics = setup.topics.len();
        Self {
            truth: Truth::new(setup),
            publishes: Publishes::default(),
            calls: Calls::default(),
            streams: Streams::default(),
            members: Members::new(setup.presence),
            accounts: vec![vec![None; topics]; setup.clients],
            wires: BTreeMap::new(),
            losses: vec![vec![0; topics]; setup.clients],
            reasons: vec![vec![0; topics]; setup.clients],
            fault: None,
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn fail(&mut self, fault: impl Into<String>) {
        self.fault.get_or_insert(fault.into());
    }

    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn check(&mut self, result: Result<(), String>) {
        if let Err(fault) = result {
            self.fail(fault);
        }
    }

    pub(crate) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The broker has appended an event.
    pub(crate) fn appended(&mut self, topic: usize, epoch: u64, record: &Record, now: Millis) {
        let result = self.truth.appended(topic, epoch, record, now);
        self.check(result);
        if topic == MEMBERS {
            let leaves = record.event.members.iter().any(|(_, shown)| shown.is_none());
            self.saw(if leaves { "left" } else { "joined" });
            let result = self.members.told(&self.truth, epoch, record, now);
            self.check(result);
        }
        self.publishes.appended(record.event.payload, At { epoch, offset: record.offset });
    }

    /// A client's user publishes.
    pub(crate) fn publishes(&mut self, client: usize, topic: usize, payload: u64) {
        self.publishes.begun(client, topic, payload);
    }

    /// It is sent; `again`, if it was before.
    pub(crate) fn publish_sent(&mut self, payload: u64, again: Option<At>) {
        let result = self.publishes.sent(payload, again.is_some());
        self.check(result);
    }

    /// The first copy of a publish comes to the broker.
    pub(crate) fn publish_comes_first(&mut self, payload: u64) {
        if self.publishes.comes_first(payload) {
            self.saw("first copy late");
        }
    }

    /// A client's user calls, and waits until then.
    pub(crate) fn calls(&mut self, client: usize, payload: u64, until: Option<Millis>) {
        self.calls.begun(client, payload, until);
    }

    pub(crate) fn call_sent(&mut self, payload: u64) {
        let result = self.calls.sent(payload);
        self.check(result);
    }

    pub(crate) fn call_runs(&mut self, payload: u64) {
        let result = self.calls.runs(payload);
        self.check(result);
    }

    pub(crate) fn call_answered(&mut self, payload: u64, answer: u64) {
        self.saw("called");
        let result = self.calls.answered(payload, answer);
        self.check(result);
    }

    pub(crate) fn call_rejected(&mut self, payload: u64, code: ErrorCode, now: Millis) {
        self.saw(match code {
            ErrorCode::NOT_SENT => "call not sent",
            ErrorCode::UNKNOWN => "call unknown",
            ErrorCode::TIMEOUT => "call timed out",
            _ => "call rejected",
        });
        let result = self.calls.rejected(payload, code, now);
        self.check(result);
    }

    /// The application has stored a payload.
    pub(crate) fn stored(&mut self, payload: u64) {
        self.truth.stored(payload);
    }

    /// The broker cannot be reached until then.
    pub(crate) fn trouble(&mut self, until: Millis) {
        self.members.trouble(until);
    }

    /// A session makes its user a member.
    pub(crate) fn joined(&mut self, user: User, part: Part, shown: Shown, now: Millis) {
        self.members.joined(user, part, shown, now);
    }

    /// It no longer does.
    pub(crate) fn parted(&mut self, user: User, part: Part, is_lost: bool, now: Millis) {
        self.members.parted(user, part, is_lost, now);
    }

    /// A client's user is given a range of history.
    pub(crate) fn history_read(
        &mut self,
        topic: usize,
        range: Range,
        answer: (At, &[Record]),
        asked_at: Millis,
        now: Millis,
    ) {
        self.saw(if answer.1.is_empty() { "no history" } else { "history" });
        let result = history::check(&self.truth, topic, range, answer, asked_at, now);
        self.check(result.map_err(|fault| format!("history of topic {topic}: {fault}")));
    }

    /// The server has refused a publish, and may take it when it is sent again.
    pub(crate) fn turned_away(&mut self, payload: u64) {
        self.publishes.turned_away(payload);
    }

    pub(crate) fn acknowledged(&mut self, topic: usize, payload: u64, at: At) {
        self.saw("acknowledged");
        let result = self
            .truth
            .is_at(topic, at, payload)
            .and_then(|()| self.publishes.ended(payload, publishes::Outcome::Acknowledged));
        self.check(result);
    }

    pub(crate) fn rejected(&mut self, payload: u64, code: ErrorCode) {
        let outcome = publishes::Outcome::of(code);
        self.saw(if outcome == publishes::Outcome::Unknown { "unknown" } else { "rejected" });
        let result = self.publishes.ended(payload, outcome);
        self.check(result);
    }

    /// A user subscribes.
    pub(crate) fn wanted(&mut self, client: usize, topic: usize) {
        self.reasons[client][topic] += 1;
    }

    /// A client has a new socket.
    pub(crate) fn connected(&mut self, client: usize) {
        self.saw("connected");
        self.may_ask_for_all(client);
    }

    /// A client has lost one of two sockets: the other has to do.
    pub(crate) fn falls_back(&mut self, client: usize) {
        self.saw("falls back");
        self.may_ask_for_all(client);
    }

    fn may_ask_for_all(&mut self, client: usize) {
        for reasons in &mut self.reasons[client] {
            *reasons += 1;
        }
    }

    /// A client asks for a topic.
    pub(crate) fn asked(&mut self, client: usize, topic: usize, since: Option<At>) {
        if let (Some(account), Some(since)) = (&mut self.accounts[client][topic], since) {
            account.asked(since);
        }
        let reasons = &mut self.reasons[client][topic];
        *reasons -= 1;
        if *reasons < 0 {
            self.fail(format!("client {client} asks for topic {topic} again without a reason"));
        }
    }

    pub(crate) fn sent(&mut self, socket: usize, frame: &Up) {
        if let Up::Ping { .. } = frame {
            self.streams.asked_for_life(socket);
        }
        self.wires.entry(socket).or_default().sent(frame);
    }

    /// The broker has lost an event on its way to the server: whoever finds the hole asks for the topic.
    pub(crate) fn lost_on_the_way(&mut self, topic: usize, epoch: u64, offset: u64) {
        self.saw("lost on the way");
        self.truth.lost_on_the_way(topic, epoch, offset);
        for client in 0..self.reasons.len() {
            self.may_ask_for_lost(client, topic);
        }
    }

    fn may_ask_for_lost(&mut self, client: usize, topic: usize) {
        self.reasons[client][topic] += 1;
        self.losses[client][topic] += 1;
    }

    /// A frame has come to a client: some are reasons to ask.
    pub(crate) fn received(&mut self, client: usize, socket: usize, frame: &Down, now: Millis) {
        let wire = self.wires.entry(socket).or_default();
        if let &Down::Reply { re, reply: Some(Reply { at, version: Some(_), .. }) } = &frame
            && let Some(topic) = wire.subscribes(*re)
            && let Some(account) = &self.accounts[client][topic]
            && account.is_past(*at)
        {
            // It begins anew where the client goes on from further, and what it leaves out is not for that.
            self.reasons[client][topic] += 1;
        }
        let result = wire.received(&self.truth, frame);
        self.check(result.map_err(|fault| format!("client {client} gets {frame:?}: {fault}")));
        match *frame {
            Down::Gap { cause: 4, .. } => self.saw("included"),
            Down::Drain { deadline_ms } => self.streams.asked_to_move(socket, now + deadline_ms),
            Down::Gap { topic, cause: 3, .. } => {
                self.saw("gap lost");
                self.may_ask_for_lost(client, topic);
            }
            Down::Subscribed { topic, .. } => {
                self.saw("subscribed by the server");
                if let Some(account) = &mut self.accounts[client][topic] {
                    account.adopted();
                }
                self.reasons[client][topic] += 1;
            }
            _ => {}
        }
    }

    /// A client's handlers are told that a topic's events flow.
    pub(crate) fn subscribed(
        &mut self,
        client: usize,
        topic: usize,
        how: Continuity,
        at: At,
        now: Millis,
    ) {
        self.saw(match how {
            Continuity::Fresh => "fresh",
            Continuity::Recovered => "recovered",
            Continuity::Lost => "lost",
            _ => "other continuity",
        });
        let account = &mut self.accounts[client][topic];
        let result = match (account.as_mut(), how) {
            (None, Continuity::Fresh) => {
                *account = Some(Account::new(at));
                self.truth.exists(topic, at)
            }
            (None, _) => Err(format!("{how:?} of what was not followed")),
            (Some(account), _) => account.goes_on(&self.truth, topic, how, at, now),
        };
        self.check(result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")));
    }

    /// A client's handlers are given a topic's state.
    pub(crate) fn snapshot(
        &mut self,
        client: usize,
        topic: usize,
        state: (At, &Snapshot, Option<u64>),
        now: Millis,
    ) {
        self.saw(match state {
            (_, Snapshot::Events(_), _) => "snapshot",
            (_, Snapshot::Store(_), None) => "snapshot of the store",
            (_, Snapshot::Store(_), Some(_)) => "snapshot of a version",
            (_, Snapshot::Members(_), _) => "snapshot of the members",
        });
        let result = match &mut self.accounts[client][topic] {
            None => Err("the state of what is not followed".into()),
            Some(account) => account.snapshot(&self.truth, topic, state, now),
        };
        self.check(result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")));
    }

    /// How far a client's handlers have come in a topic that they follow.
    pub(crate) fn position(&self, client: usize, topic: usize) -> Option<At> {
        self.accounts[client][topic].as_ref().map(|account| account.at(&self.truth, topic))
    }

    /// A client's user is given a topic's state that was asked for beside the stream, at a position.
    pub(crate) fn state_read(
        &mut self,
        client: usize,
        topic: usize,
        from: At,
        reply: &Reply,
        now: Millis,
    ) {
        let &Reply { at, snapshot: Some(ref snapshot), version, .. } = reply else { return };
        self.saw("state read");
        let result = match &mut self.accounts[client][topic] {
            Some(account) => {
                account.state_read(&self.truth, topic, from, (at, snapshot, version), now)
            }
            // It is followed no longer.
            None => Ok(()),
        };
        self.check(result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")));
    }

    /// A client's handlers are told that events are missing.
    pub(crate) fn gap(&mut self, client: usize, topic: usize, after: u64, to: u64, cause: Cause) {
        self.saw(match cause {
            Cause::Dropped => "dropped",
            Cause::Conflated => "conflated",
            Cause::NewEpoch => "new epoch",
            _ => "not recovered",
        });
        let result = match &mut self.accounts[client][topic] {
            None => Err("a gap in what is not followed".into()),
            Some(account) => account.gap(&self.truth, topic, Hole { after, to, cause }),
        };
        self.check(result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")));
    }

    /// A client's handlers are given an event.
    pub(crate) fn delivered(&mut self, client: usize, topic: usize, record: &Record) {
        let may_give_up = self.losses[client][topic] >= LOSSES_TO_GIVE_UP;
        let result = match &mut self.accounts[client][topic] {
            None => Err("an event of what is not followed".into()),
            Some(account) => account.event(&self.truth, topic, record, may_give_up),
        };
        self.check(result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")));
    }

    /// A subscription was refused or ended; the client asks again by itself or has given up.
    pub(crate) fn refused(&mut self, client: usize, topic: usize, asks_again: bool) {
        self.saw(if asks_again { "refused for now" } else { "refused" });
        if asks_again {
            self.reasons[client][topic] += 1;
        } else {
            self.accounts[client][topic] = None;
        }
    }

    /// A client follows a topic no longer.
    pub(crate) fn released(&mut self, client: usize, topic: usize, wanted: bool) {
        self.accounts[client][topic] = None;
        if wanted {
            self.fail(format!("client {client} lets go of topic {topic}, which its user wants"));
        }
    }

    /// Whether a client's handlers have come to the topic's head.
    pub(crate) fn is_current(&self, client: usize, topic: usize, head: At) -> bool {
        self.accounts[client][topic]
            .as_ref()
            .is_some_and(|account| account.at(&self.truth, topic) == head)
    }

    /// Why the members of the topic in this epoch are not yet what clients wish, if they are not.
    pub(crate) fn members_left(&self, epoch: u64, wishes: &[(User, Shown)]) -> Option<String> {
        self.members.check(&self.truth, epoch, wishes).err()
    }

    /// All is quiet: what should hold then. `wanted` are the topics that clients follow.
    pub(crate) fn finish(&mut self, wanted: &[(usize, usize)]) {
        let result = self.publishes.check(&self.truth).and_then(|()| self.calls.check());
        self.check(result);
        let result = self.streams.check();
        self.check(result);
        for &(client, topic) in wanted {
            if let Some(account) = &self.accounts[client][topic] {
                let result = account.check_state(&self.truth, topic);
                self.check(
                    result.map_err(|fault| format!("client {client}, topic {topic}: {fault}")),
                );
            }
        }
    }
}
