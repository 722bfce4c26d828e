//! Every error code and close code of the wire, in one table that both sides read.
//!
//! The range of a code says whether to try again, so that a code which is newer than its reader is still understood.
//! `docs/wire.md` and `npm/src/codes.ts` are written from these tables and checked against them.

use core::fmt;

macro_rules! codes {
    ($(#[$meta:meta])* $kind:ident { $($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $meaning:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $kind(pub u16);

        impl $kind {
            $(#[doc = $meaning] pub const $name: Self = Self($number);)*

            /// Every code of the table with its name and meaning, in order.
            pub const ALL: &'static [(Self, &'static str, &'static str)] = &[$((Self::$name, $text, $meaning)),*];

            /// The code's name on the wire and in logs; `"other"` for one that is not in the table.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self.0 { $($number => $text,)* _ => "other" }
            }
        }

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} {})", stringify!($kind), self.0, self.name())
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} ({})", self.name(), self.0)
            }
        }
    };
}

codes! {
    /// Why a request was not done: 1xx the request itself is at fault, 2xx it is not allowed, 3xx it may work later,
    /// 4xx the client's own verdicts, 1000 and up the application's.
    ErrorCode {
        MALFORMED = 100, "malformed", "The frame is not a JSON object of the protocol.";
        INVALID_TOPIC = 101, "invalid_topic", "The topic's name is empty, too long or has control characters.";
        RESERVED_TOPIC = 102, "reserved_topic", "The topic begins with `$` and is no request of this version.";
        UNKNOWN_TOPIC = 103, "unknown_topic", "No pattern of the schema and no hook covers the topic.";
        INVALID_DATA = 104, "invalid_data", "The data is not of the type that the schema declares.";
        INCOMPATIBLE = 105, "incompatible", "Client and server were built with different schemas of this entry.";
        TOO_LARGE = 106, "too_large", "The message is larger or nested deeper than the limit.";
        NOT_READY = 107, "not_ready", "The request came before the hello was answered, or a second hello came.";
        UNKNOWN_CALL = 108, "unknown_call", "No call of the schema has this name.";
        UNAUTHORIZED = 200, "unauthorized", "It is not known who asks.";
        FORBIDDEN = 201, "forbidden", "The session may not do this.";
        LIMIT = 300, "limit", "A limit of the session is reached.";
        RATE_LIMITED = 301, "rate_limited", "Too many messages or bytes in too short a time.";
        INTERNAL = 302, "internal", "The server failed.";
        UNAVAILABLE = 303, "unavailable", "The broker cannot be reached.";
        TIMEOUT = 304, "timeout", "The server did not finish in time.";
        NOT_SENT = 400, "not_sent", "The connection ended before the request was sent: it was not done.";
        UNKNOWN = 401, "unknown", "The connection ended before the answer came: it may have been done.";
        CLOSED = 402, "closed", "The client was closed.";
        OFFLINE_QUEUE_FULL = 403, "offline_queue_full", "Too many requests wait for a connection.";
        CANCELLED = 404, "cancelled", "Who asked no longer wants the answer; what was asked may have been done.";
    }
}

codes! {
    /// Why a connection ended. Numbers below 4000 are those of RFC 6455.
    CloseCode {
        NORMAL = 1000, "normal", "Closed on purpose by either side.";
        GOING_AWAY = 1001, "going_away", "The server stops, or the page is left.";
        PROTOCOL = 1002, "protocol", "The peer broke the WebSocket protocol.";
        UNSUPPORTED = 1003, "unsupported", "A binary message came.";
        ABNORMAL = 1006, "abnormal", "The connection was lost without a close frame; never sent.";
        INVALID_UTF8 = 1007, "invalid_utf8", "A text message was not UTF-8.";
        TOO_BIG = 1009, "too_big", "A message was over the read limit.";
        INTERNAL = 1011, "internal", "A hook of the server panicked.";
        DRAIN = 4000, "drain", "The node is being replaced.";
        SLOW_CONSUMER = 4001, "slow_consumer", "The client did not read as fast as its queue filled.";
        TOKEN_EXPIRED = 4002, "token_expired", "The token ran out: come back with a fresh one.";
        OVERLOADED = 4100, "overloaded", "The server has no room for another session.";
        RATE_LIMITED = 4101, "rate_limited", "The client kept sending faster than its limit.";
        HOOK_TIMEOUT = 4102, "hook_timeout", "A hook of the server did not end in time.";
        DEAD_PEER = 4103, "dead_peer", "The peer did not answer a ping.";
        WRITE_TIMEOUT = 4104, "write_timeout", "The peer took no bytes for too long.";
        UNAUTHORIZED = 4200, "unauthorized", "Authentication was refused.";
        FORBIDDEN_ORIGIN = 4201, "forbidden_origin", "The page's origin is not allowed.";
        BAD_HELLO = 4202, "bad_hello", "The hello was malformed, too large or of another protocol version.";
        HELLO_TIMEOUT = 4203, "hello_timeout", "No hello came in time.";
        KICKED = 4204, "kicked", "The application ended the session.";
        USER_CHANGED = 4205, "user_changed", "A fresh token named another user.";
    }
}

/// What a client does after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Connect again at once.
    Now,
    /// Connect again after a growing, random delay.
    BackOff,
    /// Do not connect again by itself.
    Stop,
}

impl CloseCode {
    /// What a client does after this close, judged by the code's range.
    ///
    /// ```
    /// use tidewire_protocol::code::{CloseCode, Retry};
    /// assert_eq!(CloseCode::DRAIN.retry(), Retry::Now);
    /// assert_eq!(CloseCode::ABNORMAL.retry(), Retry::BackOff);
    /// assert_eq!(CloseCode(4299).retry(), Retry::Stop);
    /// ```
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self.0 {
            1000 | 4200..=4299 | 4500..=4999 => Retry::Stop,
            4000..=4099 => Retry::Now,
            _ => Retry::BackOff,
        }
    }
}

impl ErrorCode {
    /// Whether the same request may succeed later, judged by the code's range.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        matches!(self.0, 300..=399)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_table<T: Copy>(all: &[(T, &str, &str)], number: impl Fn(T) -> u16) {
        assert!(
            all.windows(2).all(|pair| number(pair[0].0) < number(pair[1].0)),
            "sorted, none twice"
        );
        for (_, name, meaning) in all {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
                "{name}"
            );
            assert!(meaning.ends_with('.'), "{meaning}");
        }
    }

    #[test]
    fn tables_are_sorted_and_named() {
        check_table(ErrorCode::ALL, |code| code.0);
        check_table(CloseCode::ALL, |code| code.0);
    }

    #[test]
    fn unknown_codes_are_judged_by_their_range() {
        for (code, retry) in [
            (4050, Retry::Now),
            (4150, Retry::BackOff),
            (4250, Retry::Stop),
            (4700, Retry::Stop),
            (1012, Retry::BackOff),
        ] {
            assert_eq!(CloseCode(code).retry(), retry, "{code}");
        }
        assert!(ErrorCode(399).may_retry() && !ErrorCode(199).may_retry());
        assert_eq!(CloseCode(4050).name(), "other");
    }
}
