//! [`Swarm`]: many client connections in one thread, behind one poll.
//!
//! It moves bytes and calls back with each message. Reads go into one shared buffer; a connection keeps bytes of its own only
//! while a frame is incomplete, so that ten thousand of them cost the load little.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, event::Event, net::TcpStream};
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    dialect::{Dialect, Incoming, Opening},
    failure::{Failure, Result, Trying},
    frame::{self, Frame},
};

/// What one read may bring: a burst for one connection.
const SCRATCH_BYTES: usize = 256 * 1024;
const EVENTS: usize = 1024;

/// Connections that are being made, or wait for an answer, at once. A server's backlog holds more.
const IN_FLIGHT: usize = 64;

/// After so long without any progress a load has failed.
pub(crate) const STALLED: Duration = Duration::from_secs(10);

/// What the kernel is to keep for a connection that will not be read, and for one that reads on.
const NARROW_BYTES: usize = 8 * 1024;
const WIDE_BYTES: usize = 256 * 1024;

/// The accept value of the key that [`request`] sends, from RFC 6455 section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) struct Swarm {
    pub(crate) dialect: Dialect,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    scratch: Box<[u8]>,
    connections: Vec<Connection>,
    /// How many are open.
    open: usize,
}

struct Connection {
    stream: TcpStream,
    stage: Stage,
    topic: String,
    partial: Vec<u8>,
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Opening,
    Open,
}

/// What is to be sent in answer to a message, on the same connection.
#[derive(Debug, Default)]
pub(crate) struct Reply(Vec<u8>);

impl Reply {
    pub(crate) fn text(&mut self, text: &str) {
        frame::write_text(&mut self.0, text);
    }
}

impl Swarm {
    pub(crate) fn new(dialect: Dialect, address: SocketAddr) -> Result<Self> {
        Ok(Self {
            dialect,
            address,
            poll: Poll::new().trying("epoll")?,
            events: Events::with_capacity(EVENTS),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            connections: Vec::new(),
            open: 0,
        })
    }

    /// A message that the load did not ask for.
    pub(crate) fn unexpected(connection: usize, incoming: &Incoming) -> Failure {
        Failure::Unexpected { connection, what: format!("{incoming:?}") }
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn topic(&self, connection: usize) -> &str {
        &self.connections[connection].topic
    }

    /// Says which topic a connection is subscribed to, or publishes to.
    pub(crate) fn assign(&mut self, connection: usize, topic: String) {
        self.connections[connection].topic = topic;
    }

    /// Opens `count` more connections and waits until they are open.
    pub(crate) fn connect(&mut self, count: usize) -> Result<()> {
        let wanted = self.len() + count;
        let mut watch = Watch::start("open connections", wanted as u64);
        while self.open < wanted {
            while self.len() < wanted && self.len() - self.open < IN_FLIGHT {
                self.begin()?;
            }
            self.turn(STALLED, |connection, incoming, _| {
                Err(Self::unexpected(connection, &incoming))
            })?;
            watch.seen(self.open as u64)?;
        }
        Ok(())
    }

    /// Opens a connection whose socket takes little that is not read.
    pub(crate) fn connect_narrow(&mut self) -> Result<()> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None);
        let socket = socket.trying("socket")?;
        socket.set_recv_buffer_size(NARROW_BYTES).trying("SO_RCVBUF")?;
        socket.connect(&self.address.into()).trying("connect")?;
        socket.set_nonblocking(true).trying("O_NONBLOCK")?;
        self.add(TcpStream::from_std(socket.into()))?;
        self.connect(0)
    }

    fn begin(&mut self) -> Result<()> {
        let stream = TcpStream::connect(self.address).trying("connect")?;
        self.add(stream)
    }

    fn add(&mut self, mut stream: TcpStream) -> Result<()> {
        let token = Token(self.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, token, interest).trying("epoll_ctl")?;
        self.connections.push(Connection {
            stream,
            stage: Stage::Connecting,
            topic: String::new(),
            partial: Vec::new(),
            unsent: Vec::new(),
        });
        Ok(())
    }

    /// Sends frames on a connection; what its socket does not take is sent when it does.
    pub(crate) fn send(&mut self, connection: usize, bytes: &[u8]) -> Result<()> {
        self.connections[connection].send(bytes).map_err(|error| closed(connection, error))
    }

    /// Sends one request on each of these connections, `IN_FLIGHT` at a time, and waits until all are confirmed.
    pub(crate) fn request(
        &mut self,
        connections: std::ops::Range<usize>,
        mut texts: impl FnMut(Dialect, &str) -> Vec<String>,
    ) -> Result<()> {
        let wanted = connections.len() as u64;
        let mut watch = Watch::start("confirmed requests", wanted);
        let (mut waiting, mut confirmed, mut sent) = (connections, 0, 0);
        while confirmed < wanted {
            while sent - confirmed < IN_FLIGHT as u64
                && let Some(connection) = waiting.next()
            {
                let mut bytes = Vec::new();
                for text in texts(self.dialect, self.topic(connection)) {
                    frame::write_text(&mut bytes, &text);
                }
                self.send(connection, &bytes)?;
                sent += 1;
            }
            self.turn(STALLED, |_, incoming, _| {
                confirmed += u64::from(incoming == Incoming::Confirmed);
                Ok(())
            })?;
            watch.seen(confirmed)?;
        }
        Ok(())
    }

    /// Reads nothing more of a connection.
    pub(crate) fn stall(&mut self, connection: usize) -> Result<()> {
        let stream = &mut self.connections[connection].stream;
        self.poll.registry().deregister(stream).trying("epoll_ctl")
    }

    /// Reads a connection that was stalled, until nothing comes for `quiet` or it is closed. Returns how it was closed, if it was.
    pub(crate) fn read_on(
        &mut self,
        connection: usize,
        quiet: Duration,
        mut handle: impl FnMut(Incoming),
    ) -> Result<Option<String>> {
        let Self { dialect, scratch, connections, .. } = self;
        let socket = SockRef::from(&connections[connection].stream);
        // Without room for what waits the server's kernel would send it in small parts, each after a timer.
        socket.set_recv_buffer_size(WIDE_BYTES).trying("SO_RCVBUF")?;
        let mut last = Instant::now();
        while last.elapsed() < quiet {
            let mut handle = |incoming, _: &mut Reply| {
                last = Instant::now();
                handle(incoming);
                Ok(())
            };
            match connections[connection].read(*dialect, connection, scratch, &mut handle) {
                Err(Failure::Closed { how, .. }) => return Ok(Some(how)),
                other => other?,
            }
            thread::sleep(quiet / 100);
        }
        Ok(None)
    }

    /// Waits for at most `wait` until something has come, and handles it.
    pub(crate) fn turn(
        &mut self,
        wait: Duration,
        mut handle: impl FnMut(usize, Incoming, &mut Reply) -> Result<()>,
    ) -> Result<()> {
        let Self { dialect, address, poll, events, scratch, connections, open, .. } = self;
        match poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other.trying("epoll_wait")?,
        }
        for event in events.iter() {
            let index = event.token().0;
            let Some(connection) = connections.get_mut(index) else { continue };
            let was_open = connection.stage == Stage::Open;
            connection
                .handle_ready(event, *dialect, *address)
                .map_err(|error| closed(index, error))?;
            if event.is_readable() {
                let mut handle = |incoming, reply: &mut Reply| handle(index, incoming, reply);
                connection.read(*dialect, index, scratch, &mut handle)?;
            }
            *open += usize::from(!was_open && connection.stage == Stage::Open);
        }
        Ok(())
    }
}

impl Connection {
    fn handle_ready(
        &mut self,
        event: &Event,
        dialect: Dialect,
        address: SocketAddr,
    ) -> io::Result<()> {
        if self.stage == Stage::Connecting && event.is_writable() {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.stream.set_nodelay(true)?;
            self.stage = Stage::Upgrading;
            return self.send(request(dialect, address).as_bytes());
        }
        if event.is_writable() && !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            return self.send(&unsent);
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let written = match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    fn read(
        &mut self,
        dialect: Dialect,
        index: usize,
        scratch: &mut [u8],
        handle: &mut impl FnMut(Incoming, &mut Reply) -> Result<()>,
    ) -> Result<()> {
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) => return Err(closed(index, ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(closed(index, error)),
            };
            self.take(dialect, index, &scratch[..read], handle)?;
            // A short read has emptied the socket: what comes after it is a new event.
            if read < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Handles the whole frames in what was read, and keeps the rest.
    fn take(
        &mut self,
        dialect: Dialect,
        index: usize,
        bytes: &[u8],
        handle: &mut impl FnMut(Incoming, &mut Reply) -> Result<()>,
    ) -> Result<()> {
        let mut kept = std::mem::take(&mut self.partial);
        if !kept.is_empty() {
            kept.extend_from_slice(bytes);
        }
        let mut rest = if kept.is_empty() { bytes } else { &kept };
        let mut reply = Reply::default();
        if self.stage == Stage::Upgrading
            && !self.handle_upgrade(dialect, index, &mut rest, &mut reply)?
        {
            self.partial = rest.to_vec();
            return Ok(());
        }
        while let Some(frame) = frame::read(&mut rest)
            .map_err(|_| Failure::Unexpected { connection: index, what: "no frame".to_owned() })?
        {
            self.handle_frame(dialect, index, frame, &mut reply, handle)?;
        }
        self.partial = rest.to_vec();
        if reply.0.is_empty() {
            return Ok(());
        }
        self.send(&reply.0).map_err(|error| closed(index, error))
    }

    /// Takes the answer to the upgrade request off `bytes`. Whether it was there.
    fn handle_upgrade(
        &mut self,
        dialect: Dialect,
        index: usize,
        bytes: &mut &[u8],
        reply: &mut Reply,
    ) -> Result<bool> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(false);
        };
        let (head, rest) = bytes.split_at(end + 4);
        *bytes = rest;
        let head = String::from_utf8_lossy(head);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
            return Err(Failure::Unexpected { connection: index, what: head.into_owned() });
        }
        if let Some(hello) = dialect.hello(index) {
            reply.text(&hello);
        }
        self.stage = if dialect.has_opening() { Stage::Opening } else { Stage::Open };
        Ok(true)
    }

    fn handle_frame(
        &mut self,
        dialect: Dialect,
        index: usize,
        frame: Frame<'_>,
        reply: &mut Reply,
        handle: &mut impl FnMut(Incoming, &mut Reply) -> Result<()>,
    ) -> Result<()> {
        let unexpected = |text: &[u8]| Failure::Unexpected {
            connection: index,
            what: String::from_utf8_lossy(text).into_owned(),
        };
        match frame {
            Frame::Ping(payload) => frame::write_pong(&mut reply.0, payload),
            Frame::Close(payload) => {
                let how = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                return Err(Failure::Closed { connection: index, how: format!("{code} {how}") });
            }
            Frame::Text(text) if self.stage == Stage::Opening => {
                match dialect.handle_opening(text) {
                    Opening::Done => self.stage = Stage::Open,
                    Opening::Say(answer) => reply.text(answer),
                    Opening::Unexpected => return Err(unexpected(text)),
                }
            }
            Frame::Text(text) => match dialect.read(&self.topic, text) {
                None => return Err(unexpected(text)),
                Some(Incoming::Answer(answer)) => reply.text(answer),
                Some(incoming) => handle(incoming, reply)?,
            },
        }
        Ok(())
    }
}

/// The request of an upgrade, with what a browser says.
fn request(dialect: Dialect, address: SocketAddr) -> String {
    let path = dialect.path();
    format!(
        "GET {path} HTTP/1.1\r\n\
         Host: {address}\r\n\
         Connection: Upgrade\r\n\
         Pragma: no-cache\r\n\
         Cache-Control: no-cache\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
         Upgrade: websocket\r\n\
         Origin: http://{address}\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\n\
         Accept-Language: en-GB,en;q=0.9\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

fn closed(connection: usize, error: io::Error) -> Failure {
    Failure::Closed { connection, how: error.to_string() }
}

/// Notices when nothing comes any more.
#[derive(Debug)]
pub(crate) struct Watch {
    what: &'static str,
    wanted: u64,
    got: u64,
    since: Instant,
}

impl Watch {
    pub(crate) fn start(what: &'static str, wanted: u64) -> Self {
        Self { what, wanted, got: 0, since: Instant::now() }
    }

    /// Says how many have come by now.
    pub(crate) fn seen(&mut self, got: u64) -> Result<()> {
        if got != self.got {
            (self.got, self.since) = (got, Instant::now());
        } else if self.since.elapsed() >= STALLED {
            let (what, wanted) = (self.what, self.wanted);
            return Err(Failure::Stalled { seconds: STALLED.as_secs(), what, got, wanted });
        }
        Ok(())
    }
}
