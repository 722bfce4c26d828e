//! What each kind of server speaks on top of WebSocket, so that the same load can be put on all of them.
//!
//! - `raw`: no envelope at all, for the programs in `peers/` that are written by hand. `+name` subscribes, `>name` says where
//!   the connection's payloads are published from now on, `!` asks for a garbage collection; each is answered by itself. `?` asks
//!   a timer how late it was; who has none answers it by itself too. A payload is published, or sent back where nothing was said
//!   by `>`.
//! - `full` and `plain`: Tidewire's own, of docs/wire.md.
//! - `socket.io`: Socket.IO 4 over Engine.IO 4, WebSocket only.

use crate::payload::Stamp;

/// The number of every request that is not a publish: a connection has one of them at a time.
const REQUEST: u64 = 1;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Raw,
    Full,
    Plain,
    SocketIo,
}

/// A message from a server, as the load sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// The last request of this connection is done.
    Confirmed,
    /// A payload: an event of the connection's topic, or what it sent comes back.
    Payload {
        stamp: Stamp,
        /// The offset of an event and of the one before it.
        chain: Option<(u64, u64)>,
    },
    /// A publish of this connection is acknowledged.
    Acknowledged,
    /// Events were left out, and the connection is told so.
    Gap,
    /// By how many nanoseconds each wake of the server's timer was late; `None` from a server that has no such timer.
    Late(Option<Vec<u64>>),
    /// To be answered by this text.
    Answer(&'static str),
}

/// How the opening of a connection goes on after a message from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Done,
    Say(&'static str),
    Unexpected,
}

impl Dialect {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "raw" => Some(Self::Raw),
            "full" => Some(Self::Full),
            "plain" => Some(Self::Plain),
            "socket.io" => Some(Self::SocketIo),
            _ => None,
        }
    }

    /// The target of the upgrade request.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Raw => "/",
            Self::Full | Self::Plain => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// What the client of a connection says first.
    pub(crate) fn hello(self, connection: usize) -> Option<String> {
        let client = client_of(connection);
        let hello =
            || format!(r#"{{"topic":"$hello","id":1,"data":{{"version":1,"client":"{client}"}}}}"#);
        (self == Self::Full).then(hello)
    }

    /// Whether a connection is open only after messages from the server.
    pub(crate) fn has_opening(self) -> bool {
        matches!(self, Self::Full | Self::SocketIo)
    }

    pub(crate) fn handle_opening(self, text: &[u8]) -> Opening {
        match self {
            Self::Full if text.starts_with(br#"{"topic":"$hello","#) => Opening::Done,
            Self::SocketIo if text.starts_with(b"0{") => Opening::Say("40"),
            Self::SocketIo if text.starts_with(b"40") => Opening::Done,
            // One of the two servers pings at once.
            Self::SocketIo if text == b"2" => Opening::Say("3"),
            _ => Opening::Unexpected,
        }
    }

    /// Whether every publish is acknowledged.
    pub(crate) fn acknowledges(self) -> bool {
        self == Self::Full
    }

    /// What subscribes a connection: one [`Incoming::Confirmed`] answers it.
    pub(crate) fn subscribe(self, topic: &str) -> Vec<String> {
        match self {
            Self::Raw => vec![format!("+{topic}")],
            Self::Full => vec![format!(
                r#"{{"topic":"$subscribe","id":{REQUEST},"data":{{"topic":"{topic}"}}}}"#
            )],
            // In plain mode success is silent, but messages are handled in the order in which they came.
            Self::Plain => vec![
                format!(r#"{{"topic":"subscribe","data":{{"topic":"{topic}"}}}}"#),
                r#"{"topic":"sync"}"#.to_owned(),
            ],
            Self::SocketIo => vec![format!(r#"42{REQUEST}["join","{topic}"]"#)],
        }
    }

    /// What says where a connection publishes, if not each publish does: [`Incoming::Confirmed`] answers it.
    pub(crate) fn target(self, topic: &str) -> Option<String> {
        (self == Self::Raw).then(|| format!(">{topic}"))
    }

    /// Asks for a garbage collection, where there is garbage; [`Incoming::Confirmed`] answers it.
    pub(crate) fn collect(self) -> String {
        match self {
            Self::Raw => "!".to_owned(),
            Self::Full | Self::Plain => r#"{"topic":"sync"}"#.to_owned(),
            Self::SocketIo => format!(r#"42{REQUEST}["collect"]"#),
        }
    }

    /// Publishes a payload.
    pub(crate) fn publish(self, topic: &str, stamp: &Stamp) -> String {
        // The numbers of publishes begin behind that of other requests.
        let id = REQUEST + 1 + stamp.seq;
        match self {
            Self::Raw => around("", stamp, ""),
            Self::Full => {
                // As our clients do, so that it counts once however often it is sent.
                let mid = mid_of(stamp);
                let before = format!(r#"{{"topic":"{topic}","id":{id},"mid":"{mid}","data":"#);
                around(&before, stamp, "}")
            }
            Self::Plain => around(&format!(r#"{{"topic":"{topic}","data":"#), stamp, "}"),
            Self::SocketIo => around(&format!(r#"42["publish","{topic}","#), stamp, "]"),
        }
    }

    /// Sends a payload that the server sends back to this connection alone.
    pub(crate) fn echo(self, stamp: &Stamp) -> String {
        match self {
            Self::Raw => around("", stamp, ""),
            Self::Full | Self::Plain => around(r#"{"topic":"echo","data":"#, stamp, "}"),
            Self::SocketIo => around(&format!(r#"42{REQUEST}["echo","#), stamp, "]"),
        }
    }

    /// Calls for a payload, which the server sends back as the reply; where there are no calls, as a message.
    pub(crate) fn call(self, stamp: &Stamp) -> String {
        let id = REQUEST + 1 + stamp.seq;
        match self {
            Self::Full => {
                let before =
                    format!(r#"{{"topic":"$call","id":{id},"data":{{"call":"echo","args":"#);
                around(&before, stamp, "}}")
            }
            _ => self.echo(stamp),
        }
    }

    /// Asks the server's timer how late it was: [`Incoming::Late`] answers it. `None` where no server has one.
    pub(crate) fn late(self) -> Option<&'static str> {
        match self {
            Self::Raw => Some("?"),
            Self::Full | Self::Plain => Some(r#"{"topic":"timer","data":null}"#),
            Self::SocketIo => None,
        }
    }

    /// Reads a message of an open connection that is subscribed to `topic`; `None` if it is not what such a server sends.
    pub(crate) fn read(self, topic: &str, text: &[u8]) -> Option<Incoming> {
        match self {
            Self::Raw => match text.first()? {
                b'+' | b'>' | b'!' => Some(Incoming::Confirmed),
                b'?' => Some(Incoming::Late(serde_json::from_slice(&text[1..]).ok())),
                _ => alone(text, b""),
            },
            Self::Full | Self::Plain => read_tidewire(topic, text, self == Self::Full),
            Self::SocketIo => read_socket_io(text),
        }
    }
}

fn around(before: &str, stamp: &Stamp, after: &str) -> String {
    let mut text = String::with_capacity(before.len() + crate::payload::BYTES + after.len());
    text.push_str(before);
    stamp.write(&mut text);
    text.push_str(after);
    text
}

/// A payload with nothing but `after` behind it.
fn alone(text: &[u8], after: &[u8]) -> Option<Incoming> {
    let (stamp, rest) = Stamp::read(text)?;
    (rest == after).then_some(Incoming::Payload { stamp, chain: None })
}

/// The id of a connection's client instance.
fn client_of(connection: usize) -> String {
    format!("{connection:032x}")
}

/// The id of a publish.
fn mid_of(stamp: &Stamp) -> String {
    format!("{}-{}", client_of(stamp.from), stamp.seq)
}

/// What follows the key of an event that has one.
fn without_key(rest: &[u8]) -> Option<&[u8]> {
    let Some(key) = rest.strip_prefix(br#","key":""#) else { return Some(rest) };
    number(key)?.1.strip_prefix(b"\"")
}

/// In full mode each event has its place and its publish's id, in plain mode neither.
fn read_tidewire(topic: &str, text: &[u8], is_full: bool) -> Option<Incoming> {
    let named = text.strip_prefix(br#"{"topic":""#)?;
    if let Some(event) = named.strip_prefix(topic.as_bytes()).filter(|_| !topic.is_empty()) {
        let (stamp, rest) = Stamp::read(event.strip_prefix(br#"","data":"#)?)?;
        if !is_full {
            return (rest == b"}").then_some(Incoming::Payload { stamp, chain: None });
        }
        let (offset, rest) = number(rest.strip_prefix(br#","offset":"#)?)?;
        let (prev, rest) = number(rest.strip_prefix(br#","prev":"#)?)?;
        let rest = without_key(rest)?;
        let mid = rest.strip_prefix(br#","mid":""#)?.strip_suffix(br#""}"#)?;
        return (mid == mid_of(&stamp).as_bytes())
            .then_some(Incoming::Payload { stamp, chain: Some((offset, prev)) });
    }
    if let Some(reply) = named.strip_prefix(br#"$reply","re":"#) {
        let (id, rest) = number(reply)?;
        let returned = rest.strip_prefix(br#","data":"#).and_then(|data| alone(data, b"}"));
        let other = if id == REQUEST { Incoming::Confirmed } else { Incoming::Acknowledged };
        return Some(returned.unwrap_or(other));
    }
    if let Some(echo) = named.strip_prefix(br#"echo","data":"#) {
        return alone(echo, b"}");
    }
    if let Some(late) = named.strip_prefix(br#"timer","data":"#) {
        return Some(Incoming::Late(serde_json::from_slice(late.strip_suffix(b"}")?).ok()));
    }
    match named {
        [b's', b'y', b'n', b'c', b'"', ..] => Some(Incoming::Confirmed),
        [b'$', b'g', b'a', b'p', b'"', ..] => Some(Incoming::Gap),
        br#"$ping"}"# => Some(Incoming::Answer(r#"{"topic":"$pong"}"#)),
        _ => None,
    }
}

fn read_socket_io(text: &[u8]) -> Option<Incoming> {
    if let Some(event) = text.strip_prefix(br#"42["event","#) {
        return alone(event, b"]");
    }
    if let Some(reply) = text.strip_prefix(b"43") {
        let (id, reply) = number(reply)?;
        return match reply {
            b"[]" | b"[null]" if id == REQUEST => Some(Incoming::Confirmed),
            _ => alone(reply.strip_prefix(b"[")?, b"]"),
        };
    }
    (text == b"2").then_some(Incoming::Answer("3"))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(digits);
    let text = std::str::from_utf8(digits).ok()?;
    Some((text.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { from: 3, seq: 7, at_ns: 11 };
    const TOPIC: &str = "feed:a";

    fn check(dialect: Dialect, text: &str, expected: Option<Incoming>) {
        let text = text.replace("PAYLOAD", &around("", &STAMP, ""));
        assert_eq!(dialect.read(TOPIC, text.as_bytes()), expected, "{dialect:?}: {text}");
    }

    fn payload(chain: Option<(u64, u64)>) -> Option<Incoming> {
        Some(Incoming::Payload { stamp: STAMP, chain })
    }

    #[test]
    fn raw_messages_are_their_payload() {
        check(Dialect::Raw, "PAYLOAD", payload(None));
        check(Dialect::Raw, "PAYLOAD ", None);
        check(Dialect::Raw, "+feed:a", Some(Incoming::Confirmed));
        check(Dialect::Raw, "?[70,8]", Some(Incoming::Late(Some(vec![70, 8]))));
        check(Dialect::Raw, "?", Some(Incoming::Late(None)));
        check(Dialect::Raw, "", None);
        assert_eq!(Dialect::Raw.publish(TOPIC, &STAMP), Dialect::Raw.echo(&STAMP));
    }

    #[test]
    fn tidewires_messages_are_checked_to_the_last_byte() {
        let full = Dialect::Full;
        check(
            full,
            r#"{"topic":"feed:a","data":PAYLOAD,"offset":8,"prev":7,"mid":"00000000000000000000000000000003-7"}"#,
            payload(Some((8, 7))),
        );
        check(
            full,
            r#"{"topic":"feed:a","data":PAYLOAD,"offset":8,"prev":7,"key":"3","mid":"00000000000000000000000000000003-7"}"#,
            payload(Some((8, 7))),
        );
        check(full, r#"{"topic":"feed:a","data":PAYLOAD,"offset":8,"prev":7}"#, None);
        check(full, r#"{"topic":"feed:a","data":PAYLOAD}"#, None);
        check(Dialect::Plain, r#"{"topic":"feed:a","data":PAYLOAD}"#, payload(None));
        check(full, r#"{"topic":"feed:b","data":PAYLOAD}"#, None);
        check(full, r#"{"topic":"feed:a","data":PAYLOAD,"offset":8}"#, None);
        check(full, r#"{"topic":"echo","data":PAYLOAD}"#, payload(None));
        check(full, r#"{"topic":"$reply","re":1,"data":{"offset":0}}"#, Some(Incoming::Confirmed));
        check(
            full,
            r#"{"topic":"$reply","re":9,"data":{"offset":1}}"#,
            Some(Incoming::Acknowledged),
        );
        check(full, r#"{"topic":"$reply","re":9,"data":PAYLOAD}"#, payload(None));
        check(full, r#"{"topic":"timer","data":[5]}"#, Some(Incoming::Late(Some(vec![5]))));
        check(full, r#"{"topic":"$error","re":9,"data":{"code":201}}"#, None);
        check(full, r#"{"topic":"$ping"}"#, Some(Incoming::Answer(r#"{"topic":"$pong"}"#)));
        check(full, r#"{"topic":"$gap","data":{"topic":"feed:a"}}"#, Some(Incoming::Gap));
        check(Dialect::Plain, r#"{"topic":"sync","data":null}"#, Some(Incoming::Confirmed));
        assert!(full.publish(TOPIC, &STAMP).starts_with(
            r#"{"topic":"feed:a","id":9,"mid":"00000000000000000000000000000003-7","data":{"#
        ));
    }

    #[test]
    fn socket_ios_packets_are_read() {
        let socket_io = Dialect::SocketIo;
        check(socket_io, r#"42["event",PAYLOAD]"#, payload(None));
        check(socket_io, "431[PAYLOAD]", payload(None));
        check(socket_io, "431[]", Some(Incoming::Confirmed));
        check(socket_io, "431[null]", Some(Incoming::Confirmed));
        check(socket_io, "2", Some(Incoming::Answer("3")));
        check(socket_io, "41", None);
        assert_eq!(socket_io.handle_opening(br#"0{"sid":"x"}"#), Opening::Say("40"));
        assert_eq!(socket_io.handle_opening(br#"40{"sid":"x"}"#), Opening::Done);
        assert_eq!(socket_io.handle_opening(b"44"), Opening::Unexpected);
    }
}
