//! A client that allocates nothing which is counted: a socket, and room for what comes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tidewire::ws::{Opcode, encode};
use tokio::task::yield_now;

/// Longer than anything here takes; a client that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

const ROOM_BYTES: usize = 4 * 1024;

const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const HELLO: &str =
    r#"{"topic":"$hello","id":1,"data":{"version":1,"client":"0123456789abcdef0123456789abcdef"}}"#;

pub(crate) struct Client {
    stream: TcpStream,
    room: Box<[u8]>,
    filled: usize,
}

/// A text frame as a client sends it.
pub(crate) fn text(text: &str) -> Vec<u8> {
    encode::masked(Opcode::Text, text.as_bytes(), [1, 2, 3, 4]).to_vec()
}

/// Makes something of the client's.
fn uncounted<T>(make: impl FnOnce() -> T) -> T {
    let mut made = None;
    allocation_counter::opt_out(|| made = Some(make()));
    made.expect("it is made")
}

impl Client {
    /// A client that has not said hello.
    pub(crate) async fn plain(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("it is a socket");
        stream.set_nonblocking(true).expect("it is a socket");
        let room = uncounted(|| vec![0; ROOM_BYTES].into_boxed_slice());
        let mut client = Self { stream, room, filled: 0 };
        client.send(UPGRADE);
        client.until(|came| came.ends_with(b"\r\n\r\n")).await;
        client
    }

    pub(crate) async fn full(address: SocketAddr) -> Self {
        let mut client = Self::plain(address).await;
        client.request(HELLO).await;
        client
    }

    /// Sends a text that one frame answers.
    pub(crate) async fn request(&mut self, request: &str) {
        let frame = uncounted(|| text(request));
        self.send(&frame);
        self.frames(1).await;
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the socket takes so little");
    }

    /// Waits until exactly so many whole frames have come.
    pub(crate) async fn frames(&mut self, count: usize) {
        self.until(|came| whole_frames(came) == Some(count)).await;
    }

    async fn until(&mut self, mut has_all: impl FnMut(&[u8]) -> bool) {
        let start = Instant::now();
        while !has_all(&self.room[..self.filled]) {
            match self.stream.read(&mut self.room[self.filled..]) {
                Ok(0) => panic!("the connection ended"),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
                Err(error) => panic!("{error}"),
            }
            let came = &self.room[..self.filled];
            assert!(start.elapsed() < PATIENCE, "only {:?}", String::from_utf8_lossy(came));
        }
        self.filled = 0;
    }
}

/// How many frames these bytes are, if the last one is whole.
fn whole_frames(mut bytes: &[u8]) -> Option<usize> {
    let mut frames = 0;
    while !bytes.is_empty() {
        let (length, rest) = match *bytes {
            [0x81, 126, a, b, ref rest @ ..] => (usize::from(u16::from_be_bytes([a, b])), rest),
            [0x81, length @ ..126, ref rest @ ..] => (usize::from(length), rest),
            _ => return None,
        };
        bytes = rest.get(length..)?;
        frames += 1;
    }
    Some(frames)
}
