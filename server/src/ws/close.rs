//! The closing frame's payload and the close codes of RFC 6455 that this layer uses itself.

use std::borrow::Cow;

use super::event::{CloseFrame, DecodeError};

/// The purpose of the connection is fulfilled.
pub const NORMAL: u16 = 1000;
/// The server stops, or the page is left.
pub const GOING_AWAY: u16 = 1001;
/// The peer broke RFC 6455.
pub const PROTOCOL_ERROR: u16 = 1002;
/// The peer sent a kind of data that is not taken.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// A message does not fit its kind: text that is not UTF-8, data that does not decompress.
pub const INVALID_DATA: u16 = 1007;
/// A message breaks a rule of the application.
pub const POLICY_VIOLATION: u16 = 1008;
/// A message is over the read limit.
pub const TOO_LARGE: u16 = 1009;
/// The server failed.
pub const INTERNAL_ERROR: u16 = 1011;

/// The longest reason: a control frame's 125 bytes without the code.
pub(super) const MAX_REASON: usize = super::head::MAX_CONTROL_PAYLOAD - 2;

/// Whether a close frame may carry `code`: those that the RFC and its registry define and do not
/// reserve for use within one side, those registered with IANA, and the private ones.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Reads the payload of a close frame.
pub(super) fn read(payload: Cow<'_, [u8]>) -> Result<Option<CloseFrame<'_>>, DecodeError> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Err(DecodeError::BadClose);
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(DecodeError::BadClose);
    }
    let reason = match &payload {
        Cow::Borrowed(payload) => std::str::from_utf8(&payload[2..]).map(Cow::Borrowed),
        Cow::Owned(_) => std::str::from_utf8(reason).map(|reason| Cow::Owned(reason.to_owned())),
    };
    let reason = reason.map_err(|_| DecodeError::InvalidUtf8)?;
    Ok(Some(CloseFrame { code, reason }))
}

/// The longest beginning of `reason` that fits in a close frame and ends with a whole character.
pub(super) fn fitting(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
