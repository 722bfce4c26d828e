//! [`CloseReason`]: why a session ended, as `on_close` and the session's handle tell it.

use tidewire_protocol::code::CloseCode;

use crate::ws::close_code::may_be_sent;

use crate::error::Refusal;

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed it.
    Client {
        /// The code of its close frame; `None` if that had none.
        code: Option<CloseCode>,
        /// The reason of its close frame.
        reason: String,
    },
    /// The connection was lost without a close frame.
    Lost,
    /// The client broke the WebSocket protocol, or sent a binary message.
    Protocol(CloseCode),
    /// A message of the client was over the read limit.
    TooLarge,
    /// The client did not read as fast as its queue filled.
    SlowConsumer,
    /// Something took too long; the code says what.
    Timeout(CloseCode),
    /// The client kept sending faster than its limit.
    RateLimited,
    /// The client's token ran out and no fresh one came.
    TokenExpired,
    /// The client could not be let in: its hello or its token was refused.
    Refused(CloseCode),
    /// The application ended it, by [`Session::close`](crate::Session::close).
    Application {
        /// The code given.
        code: CloseCode,
        /// The reason given.
        reason: String,
    },
    /// A hook panicked.
    Panic,
    /// The server stops; the code is the one that makes this client come back to another.
    Shutdown(CloseCode),
}

impl CloseReason {
    /// A token was refused; the close frame has the words too, where a page can read them.
    pub(crate) fn token_refused(refusal: &Refusal) -> Self {
        let code = refusal.close_code();
        Self::Application { code, reason: refusal.text().unwrap_or(code.name()).into() }
    }

    /// The server stops: only a client that has said hello knows the protocol's own codes.
    pub(crate) fn shutdown(is_full: bool) -> Self {
        Self::Shutdown(if is_full { CloseCode::DRAIN } else { CloseCode::GOING_AWAY })
    }

    /// The close code that tells it: what the client gets, or gave.
    #[must_use]
    pub fn code(&self) -> CloseCode {
        match self {
            Self::Client { code, .. } => code.unwrap_or(CloseCode::NORMAL),
            Self::Lost => CloseCode::ABNORMAL,
            Self::TooLarge => CloseCode::TOO_BIG,
            Self::SlowConsumer => CloseCode::SLOW_CONSUMER,
            Self::Protocol(code)
            | Self::Timeout(code)
            | Self::Refused(code)
            | Self::Shutdown(code)
            | Self::Application { code, .. } => *code,
            Self::RateLimited => CloseCode::RATE_LIMITED,
            Self::TokenExpired => CloseCode::TOKEN_EXPIRED,
            Self::Panic => CloseCode::INTERNAL,
        }
    }

    /// The code and reason of the close frame that the server sends; none where there is nobody to read it.
    pub(crate) fn close_frame(&self) -> Option<(CloseCode, String)> {
        match self {
            Self::Lost => None,
            // The answer to a close frame carries its code and no words.
            Self::Client { .. } => Some((self.code(), String::new())),
            Self::Application { code, reason } if may_be_sent(code.0) => {
                Some((*code, reason.clone()))
            }
            Self::Application { reason, .. } => Some((CloseCode::NORMAL, reason.clone())),
            _ => Some((self.code(), self.code().name().into())),
        }
    }

    /// Whether what waits in the queue is still sent before the close frame.
    pub(crate) fn delivers_queued(&self) -> bool {
        matches!(
            self,
            Self::Application { .. } | Self::Shutdown(_) | Self::Client { .. } | Self::Refused(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use tidewire_protocol::code::ErrorCode;

    use super::*;

    #[test]
    fn a_refused_token_is_told_in_words() {
        let check = |refusal: Refusal, code: CloseCode, reason: &str| {
            let frame = CloseReason::token_refused(&refusal).close_frame();
            assert_eq!(frame, Some((code, reason.into())));
        };
        check(
            Refusal::unauthorized().message("no such name"),
            CloseCode::UNAUTHORIZED,
            "no such name",
        );
        check(Refusal::unauthorized(), CloseCode::UNAUTHORIZED, "unauthorized");
        check(Refusal::new(ErrorCode::INTERNAL), CloseCode::OVERLOADED, "overloaded");
    }
}
