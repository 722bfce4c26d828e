//! The client's end of the pipe: a task that reads and writes it beside the test, as a browser does beside its page.
//!
//! What the server sends is taken as it comes, without a bound, unless the test tells the client to stop reading: then it backs
//! up in the pipe, and behind that in the server, as it would with a socket.

use bytes::Bytes;
use tidewire_protocol::{
    code::CloseCode,
    frame::{client::write_pong, server::PING},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split},
    sync::{mpsc, watch},
};

use super::frame::{Close, Frame};
use crate::ws::{Decoder, Event, Opcode, encode};

/// Frames that may wait for the pipe.
const OUTGOING: usize = 64;
/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;

/// Masks hide frames from proxies; here there are none, but the server must still undo them.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x96];

/// What came from the server.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Frame),
    /// A ping, answered or not.
    Ping,
    Pong,
    Close(Close),
}

/// What goes to the server.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Bytes),
    /// The last one; after it the stream ends.
    Last(Bytes),
}

/// How the client behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conduct {
    pub(super) reads: bool,
    pub(super) answers_pings: bool,
}

/// The test's side of the task. The connection is lost when it is dropped.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    pub(super) incoming: mpsc::UnboundedReceiver<Incoming>,
    pub(super) conduct: watch::Sender<Conduct>,
}

impl Wire {
    pub(super) fn start(stream: DuplexStream) -> Self {
        let (outgoing, to_write) = mpsc::channel(OUTGOING);
        let (received, incoming) = mpsc::unbounded_channel();
        let (conduct, conducts) = watch::channel(Conduct { reads: true, answers_pings: true });
        let (read_half, write_half) = split(stream);
        let reader = Reader {
            stream: read_half,
            decoder: Decoder::client(usize::MAX),
            outgoing: outgoing.downgrade(),
            received,
            conduct: conducts,
        };
        // The stream ends with its writing side, when the test lets go of it or the closing handshake is done.
        tokio::spawn(async move {
            tokio::select! {
                () = write(write_half, to_write) => {}
                () = reader.run() => {}
            }
        });
        Self { outgoing, incoming, conduct }
    }
}

pub(super) fn masked(opcode: Opcode, payload: &[u8]) -> Outgoing {
    Outgoing::Frame(encode::masked(opcode, payload, MASK))
}

/// Writes until the last frame is written or the test lets go of the client.
async fn write(mut stream: WriteHalf<DuplexStream>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(next) = outgoing.recv().await {
        let (bytes, is_last) = match next {
            Outgoing::Frame(bytes) => (bytes, false),
            Outgoing::Last(bytes) => (bytes, true),
        };
        // A server that takes no more may still have something to be read.
        let _ = stream.write_all(&bytes).await;
        if is_last {
            return;
        }
    }
}

struct Reader {
    stream: ReadHalf<DuplexStream>,
    decoder: Decoder,
    /// Weak, so that the writing side ends with the test's handle.
    outgoing: mpsc::WeakSender<Outgoing>,
    received: mpsc::UnboundedSender<Incoming>,
    conduct: watch::Receiver<Conduct>,
}

impl Reader {
    /// Reads until the connection has ended, and leaves it to the writing side to end the stream.
    async fn run(mut self) {
        let mut buffer = vec![0; READ_BYTES];
        let answer = loop {
            let Some(read) = self.read(&mut buffer).await else { break Bytes::new() };
            if let Some(close) = self.take(&mut buffer[..read]).await {
                let payload = encode::close_payload(close.code.0, "");
                self.hand_over(Incoming::Close(close));
                break encode::masked(Opcode::Close, &payload, MASK);
            }
        };
        self.send(Outgoing::Last(answer)).await;
        drop(self);
        std::future::pending().await
    }

    /// How much was read, when the test lets it; `None` at the end.
    async fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            self.conduct.wait_for(|conduct| conduct.reads).await.ok()?;
            tokio::select! {
                biased;
                changed = self.conduct.changed() => changed.ok()?,
                read = self.stream.read(buffer) => return read.ok().filter(|read| *read > 0),
            }
        }
    }

    /// Takes what was read, up to the server's close frame.
    async fn take(&mut self, mut bytes: &mut [u8]) -> Option<Close> {
        loop {
            let event = self.decoder.decode(&mut bytes).expect("the server's frames are valid");
            match event? {
                Event::Text(text) if text == PING => {
                    let pong = masked(Opcode::Text, write_pong().as_bytes());
                    self.take_ping(pong).await;
                }
                Event::Text(text) => {
                    let frame = serde_json::from_str(&text).expect("the server's texts are frames");
                    self.hand_over(Incoming::Frame(frame));
                }
                Event::Ping(payload) => {
                    let pong = masked(Opcode::Pong, &payload);
                    self.take_ping(pong).await;
                }
                Event::Pong(_) => self.hand_over(Incoming::Pong),
                Event::Binary(_) => unreachable!("the live server sends no binary messages"),
                Event::Close(frame) => {
                    let frame = frame.expect("the live server gives a code");
                    let code = CloseCode(frame.code);
                    return Some(Close { code, reason: frame.reason.into_owned() });
                }
            }
        }
    }

    async fn take_ping(&self, pong: Outgoing) {
        self.hand_over(Incoming::Ping);
        if self.conduct.borrow().answers_pings {
            self.send(pong).await;
        }
    }

    fn hand_over(&self, incoming: Incoming) {
        // The test may have let go of the client.
        let _ = self.received.send(incoming);
    }

    async fn send(&self, outgoing: Outgoing) {
        if let Some(queue) = self.outgoing.upgrade() {
            let _ = queue.send(outgoing).await;
        }
    }
}
