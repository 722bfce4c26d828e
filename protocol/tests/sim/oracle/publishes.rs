//! What became of the publishes of clients, by what their users were told.

use std::collections::BTreeMap;

use tidewire_protocol::code::ErrorCode;

use super::Truth;
use crate::frames::At;

#[derive(Debug, Default)]
pub(super) struct Publishes(BTreeMap<u64, Publish>);

/// A publish; payloads grow in the order in which a client's user published them.
#[derive(Debug)]
struct Publish {
    client: usize,
    topic: usize,
    outcome: Option<Outcome>,
    appended: Vec<At>,
    /// It was refused before: others of its publisher may be done by then, as it was not.
    turned_away: bool,
    /// It was written to a socket.
    is_sent: bool,
    /// Its first copy came to the broker when a later one had been appended, and so many others since that this was forgotten.
    is_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Acknowledged,
    /// It may have been done.
    Unknown,
    /// It was not done.
    Rejected,
}

impl Outcome {
    pub(super) fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::UNKNOWN | ErrorCode::CANCELLED => Self::Unknown,
            _ => Self::Rejected,
        }
    }
}

impl Publishes {
    pub(super) fn begun(&mut self, client: usize, topic: usize, payload: u64) {
        let publish = Publish {
            client,
            topic,
            outcome: None,
            appended: Vec::new(),
            turned_away: false,
            is_sent: false,
            is_late: false,
        };
        self.0.insert(payload, publish);
    }

    /// It is sent, `again` or for the first time.
    pub(super) fn sent(&mut self, payload: u64, again: bool) -> Result<(), String> {
        let publish = self.0.get_mut(&payload).ok_or("nobody made this publish")?;
        if std::mem::replace(&mut publish.is_sent, true) != again || publish.outcome.is_some() {
            return Err(format!(
                "publish {payload} is sent, again: {again}, which was {publish:?}"
            ));
        }
        Ok(())
    }

    pub(super) fn turned_away(&mut self, payload: u64) {
        if let Some(publish) = self.0.get_mut(&payload) {
            publish.turned_away = true;
        }
    }

    /// Its first copy comes to the broker. Whether a later one was there before.
    pub(super) fn comes_first(&mut self, payload: u64) -> bool {
        let publish = self.0.get_mut(&payload).filter(|publish| !publish.appended.is_empty());
        publish.map(|publish| publish.is_late = true).is_some()
    }

    /// The server's own publishes are not counted here.
    pub(super) fn appended(&mut self, payload: u64, at: At) {
        if let Some(publish) = self.0.get_mut(&payload) {
            publish.appended.push(at);
        }
    }

    pub(super) fn ended(&mut self, payload: u64, outcome: Outcome) -> Result<(), String> {
        let publish = self.0.get_mut(&payload).ok_or("an outcome of nothing")?;
        match publish.outcome.replace(outcome) {
            None => Ok(()),
            Some(first) => Err(format!("publish {payload} ended twice: {first:?}, {outcome:?}")),
        }
    }

    /// Each has one outcome, which is true; and of those that are known to be done, each publisher's are in order.
    pub(super) fn check(&self, truth: &Truth) -> Result<(), String> {
        let mut last: BTreeMap<(usize, usize, u64), u64> = BTreeMap::new();
        for (&payload, publish) in &self.0 {
            let Publish { client, topic, outcome, appended, turned_away, .. } = publish;
            let times = match appended.len() {
                2 if publish.is_late => 1,
                times => times,
            };
            let is_true = match outcome {
                None => return Err(format!("publish {payload} of client {client} never ended")),
                Some(Outcome::Acknowledged) => times == 1,
                Some(Outcome::Unknown) => times <= 1,
                Some(Outcome::Rejected) => times == 0,
            };
            if !is_true {
                return Err(format!("publish {payload} ended as {outcome:?}, done {times} times"));
            }
            if let (Some(Outcome::Acknowledged), Some(&at)) = (outcome, appended.first()) {
                truth.is_at(*topic, at, payload)?;
                if *turned_away {
                    continue;
                }
                let before = last.insert((*client, *topic, at.epoch), at.offset).unwrap_or(0);
                if before >= at.offset {
                    return Err(format!(
                        "publish {payload} of client {client} is at {}, before an earlier one at {before}",
                        at.offset
                    ));
                }
            }
        }
        Ok(())
    }
}
