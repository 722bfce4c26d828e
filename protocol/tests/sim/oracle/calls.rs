//! What became of calls, by what their users were told and what ran.

use std::collections::BTreeMap;

use tidewire_protocol::{Millis, code::ErrorCode};

use crate::frames::answer_to;

#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<u64, Call>);

#[derive(Debug)]
struct Call {
    client: usize,
    /// When its user waits no longer.
    until: Option<Millis>,
    times_sent: u32,
    times_run: u32,
    has_ended: bool,
}

impl Calls {
    pub(super) fn begun(&mut self, client: usize, payload: u64, until: Option<Millis>) {
        let call = Call { client, until, times_sent: 0, times_run: 0, has_ended: false };
        self.0.insert(payload, call);
    }

    fn call(&mut self, payload: u64) -> Result<&mut Call, String> {
        self.0.get_mut(&payload).ok_or_else(|| format!("nobody made call {payload}"))
    }

    pub(super) fn sent(&mut self, payload: u64) -> Result<(), String> {
        let call = self.call(payload)?;
        call.times_sent += 1;
        if call.times_sent > 1 || call.has_ended {
            return Err(format!("call {payload} is sent, which was {call:?}"));
        }
        Ok(())
    }

    pub(super) fn runs(&mut self, payload: u64) -> Result<(), String> {
        let call = self.call(payload)?;
        call.times_run += 1;
        if call.times_run > 1 {
            return Err(format!("call {payload} runs again"));
        }
        Ok(())
    }

    fn end(&mut self, payload: u64) -> Result<&mut Call, String> {
        let call = self.call(payload)?;
        if std::mem::replace(&mut call.has_ended, true) {
            return Err(format!("call {payload} ended twice"));
        }
        Ok(call)
    }

    pub(super) fn answered(&mut self, payload: u64, answer: u64) -> Result<(), String> {
        let call = self.end(payload)?;
        if call.times_run != 1 || answer != answer_to(payload) {
            return Err(format!("{answer} is not the answer to call {payload}, {call:?}"));
        }
        Ok(())
    }

    pub(super) fn rejected(
        &mut self,
        payload: u64,
        code: ErrorCode,
        now: Millis,
    ) -> Result<(), String> {
        let call = self.end(payload)?;
        let is_true = match code {
            ErrorCode::NOT_SENT | ErrorCode::OFFLINE_QUEUE_FULL | ErrorCode::CLOSED => {
                call.times_sent == 0
            }
            ErrorCode::UNKNOWN => call.times_sent == 1,
            ErrorCode::TIMEOUT | ErrorCode::CANCELLED => true,
            _ => call.times_run == 0,
        };
        let is_late = call.until.is_some_and(|until| now > until);
        if !is_true || is_late {
            return Err(format!("call {payload} ended with {code:?} at {now}, {call:?}"));
        }
        Ok(())
    }

    /// Each has ended.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.0.iter().find(|(_, call)| !call.has_ended) {
            Some((payload, call)) => {
                Err(format!("call {payload} of client {} never ended", call.client))
            }
            None => Ok(()),
        }
    }
}
