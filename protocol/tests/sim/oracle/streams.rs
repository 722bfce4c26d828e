//! What became of streams, by what the application gave and what their users were told.

use std::collections::{BTreeMap, BTreeSet};

use tidewire_protocol::{Millis, code::ErrorCode};

use super::Oracle;

#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<u64, Stream>,
    /// The sockets that clients have left.
    left: BTreeSet<usize>,
    /// Until when the server of a socket that asked its client to move goes on.
    moves: BTreeMap<usize, Millis>,
}

#[derive(Debug)]
struct Stream {
    client: usize,
    /// How long its user waits, and until when; and until when the server goes on.
    timeout_ms: Option<Millis>,
    until: Option<Millis>,
    runs_until: Option<Millis>,
    /// The socket on which it was asked for.
    sent_on: Option<usize>,
    has_run: bool,
    /// Items that the application gave, that came to the client, and that its user read: each in order from 0.
    given: u64,
    came: u64,
    read: u64,
    /// What the server ended it with.
    end: Option<Result<(), ErrorCode>>,
    /// Its user wants it no more.
    is_left: bool,
    /// The client knows what became of it, and its user too.
    outcome: Option<Result<(), ErrorCode>>,
    is_over: bool,
}

impl Streams {
    pub(super) fn begun(
        &mut self,
        client: usize,
        payload: u64,
        timeout_ms: Option<Millis>,
        now: Millis,
    ) {
        let stream = Stream {
            client,
            timeout_ms,
            until: timeout_ms.map(|ms| now + ms),
            runs_until: None,
            sent_on: None,
            has_run: false,
            given: 0,
            came: 0,
            read: 0,
            end: None,
            is_left: false,
            outcome: None,
            is_over: false,
        };
        self.streams.insert(payload, stream);
    }

    /// A client has let go of a socket.
    pub(super) fn left_socket(&mut self, socket: usize) {
        self.left.insert(socket);
    }

    pub(super) fn asked_to_move(&mut self, socket: usize, until: Millis) {
        let first = self.moves.entry(socket).or_insert(until);
        *first = until.min(*first);
    }

    /// A client that hears nothing for half a second may leave, whatever it was asked before.
    pub(super) fn asked_for_life(&mut self, socket: usize) {
        self.moves.insert(socket, 0);
    }

    /// A client ends a connection of itself.
    pub(super) fn shuts(&self, socket: usize, now: Millis) -> Result<(), String> {
        let is_early = self.moves.get(&socket).is_some_and(|&until| now < until);
        let is_cut = |(_, stream): &(&u64, &Stream)| {
            stream.sent_on == Some(socket) && stream.outcome.is_none()
        };
        match self.streams.iter().find(is_cut).filter(|_| is_early) {
            Some((payload, _)) => Err(format!("a move cuts stream {payload} off")),
            None => Ok(()),
        }
    }

    /// Looks at a stream, changes it, and looks whether that `holds`.
    fn step(
        &mut self,
        payload: u64,
        what: &str,
        holds: impl FnOnce(&mut Stream) -> bool,
    ) -> Result<(), String> {
        let stream = self.streams.get_mut(&payload).ok_or("nobody asked for that stream")?;
        if holds(stream) {
            return Ok(());
        }
        Err(format!("stream {payload} {what}: {stream:?}"))
    }

    pub(super) fn sent(&mut self, payload: u64, socket: usize) -> Result<(), String> {
        self.step(payload, "is sent", |stream| {
            stream.sent_on.replace(socket).is_none() && stream.outcome.is_none()
        })
    }

    pub(super) fn runs(&mut self, payload: u64, now: Millis) -> Result<(), String> {
        self.step(payload, "runs again", |stream| {
            stream.runs_until = stream.timeout_ms.map(|ms| now + ms);
            !std::mem::replace(&mut stream.has_run, true)
        })
    }

    /// The server takes an item from the application.
    pub(super) fn gives(&mut self, payload: u64, number: u64, now: Millis) -> Result<(), String> {
        self.step(payload, "gives an item", |stream| {
            let is_next = stream.has_run && stream.end.is_none() && stream.given == number;
            stream.given += 1;
            is_next && stream.runs_until.is_none_or(|until| now < until)
        })
    }

    pub(super) fn gives_end(
        &mut self,
        payload: u64,
        end: Result<(), ErrorCode>,
    ) -> Result<(), String> {
        self.step(payload, "gives an end", |stream| stream.end.replace(end).is_none())
    }

    pub(super) fn came(&mut self, payload: u64, number: u64) -> Result<(), String> {
        self.step(payload, &format!("gets item {number}"), |stream| {
            let is_next = stream.came == number && number < stream.given;
            stream.came += 1;
            is_next && stream.outcome.is_none() && !stream.is_left
        })
    }

    pub(super) fn read(&mut self, payload: u64, number: u64) -> Result<(), String> {
        self.step(payload, &format!("shows item {number}"), |stream| {
            let is_next = stream.read == number && number < stream.came;
            stream.read += 1;
            is_next && !stream.is_over && !stream.is_left
        })
    }

    /// Its user wants it no more.
    pub(super) fn left(&mut self, payload: u64) -> Result<(), String> {
        self.step(payload, "is left twice", |stream| !std::mem::replace(&mut stream.is_left, true))
    }

    /// The client learns what became of it: the server's end, or an interruption of which the code is true.
    pub(super) fn ended(
        &mut self,
        payload: u64,
        outcome: Result<(), ErrorCode>,
        now: Millis,
    ) -> Result<(), String> {
        let Self { streams, left, .. } = self;
        let stream = streams.get_mut(&payload).ok_or("nobody asked for that stream")?;
        let was_cut = stream.sent_on.is_some_and(|socket| left.contains(&socket));
        let is_servers = stream.end == Some(outcome) && stream.came == stream.given;
        let is_true = match outcome {
            Ok(()) => is_servers,
            Err(ErrorCode::NOT_SENT) => stream.sent_on.is_none(),
            Err(ErrorCode::OFFLINE_QUEUE_FULL | ErrorCode::CLOSED) => stream.sent_on.is_none(),
            Err(ErrorCode::UNKNOWN) => was_cut,
            Err(ErrorCode::TIMEOUT) => is_servers || stream.until.is_some_and(|until| now >= until),
            Err(ErrorCode::CANCELLED) => stream.is_left,
            Err(_) => is_servers,
        };
        let is_late = stream.until.is_some_and(|until| now > until);
        if stream.outcome.replace(outcome).is_some() || !is_true || is_late {
            return Err(format!("stream {payload} ends with {outcome:?} at {now}: {stream:?}"));
        }
        Ok(())
    }

    /// Its user is told the end, behind all that came.
    pub(super) fn over(&mut self, payload: u64) -> Result<(), String> {
        self.step(payload, "is over", |stream| {
            let is_first = !std::mem::replace(&mut stream.is_over, true);
            let is_whole = stream.is_left || stream.read == stream.came;
            is_first && is_whole && stream.outcome.is_some()
        })
    }

    /// Each is over.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.streams.iter().find(|(_, stream)| !stream.is_over) {
            Some((payload, stream)) => {
                Err(format!("stream {payload} of client {} never ended", stream.client))
            }
            None => Ok(()),
        }
    }
}

impl Oracle {
    /// A client's user asks for a stream, and waits so long.
    pub(crate) fn streams(
        &mut self,
        client: usize,
        payload: u64,
        timeout_ms: Option<Millis>,
        now: Millis,
    ) {
        self.streams.begun(client, payload, timeout_ms, now);
    }

    pub(crate) fn stream_sent(&mut self, payload: u64, socket: usize) {
        let result = self.streams.sent(payload, socket);
        self.check(result);
    }

    pub(crate) fn stream_runs(&mut self, payload: u64, now: Millis) {
        let result = self.streams.runs(payload, now);
        self.check(result);
    }

    pub(crate) fn stream_gives(&mut self, payload: u64, number: u64, now: Millis) {
        let result = self.streams.gives(payload, number, now);
        self.check(result);
    }

    pub(crate) fn stream_gives_end(&mut self, payload: u64, end: Result<(), ErrorCode>) {
        let result = self.streams.gives_end(payload, end);
        self.check(result);
    }

    pub(crate) fn item_came(&mut self, payload: u64, number: u64) {
        self.saw("item");
        let result = self.streams.came(payload, number);
        self.check(result);
    }

    pub(crate) fn item_read(&mut self, payload: u64, number: u64) {
        let result = self.streams.read(payload, number);
        self.check(result);
    }

    pub(crate) fn stream_left(&mut self, payload: u64) {
        let result = self.streams.left(payload);
        self.check(result);
    }

    pub(crate) fn stream_ended(
        &mut self,
        payload: u64,
        outcome: Result<(), ErrorCode>,
        now: Millis,
    ) {
        self.saw(match outcome {
            Ok(()) => "streamed",
            Err(ErrorCode::NOT_SENT) => "stream not sent",
            Err(ErrorCode::UNKNOWN) => "stream unknown",
            Err(ErrorCode::TIMEOUT) => "stream timed out",
            Err(ErrorCode::CANCELLED) => "stream cancelled",
            Err(ErrorCode::LIMIT) => "one stream too many",
            Err(_) => "stream refused",
        });
        let result = self.streams.ended(payload, outcome, now);
        self.check(result);
    }

    pub(crate) fn stream_over(&mut self, payload: u64) {
        let result = self.streams.over(payload);
        self.check(result);
    }

    /// A client ends a connection of itself.
    pub(crate) fn shuts(&mut self, socket: usize, now: Millis) {
        let result = self.streams.shuts(socket, now);
        self.check(result);
    }

    /// A client has let go of a socket.
    pub(crate) fn left(&mut self, socket: usize) {
        self.streams.left_socket(socket);
    }
}
