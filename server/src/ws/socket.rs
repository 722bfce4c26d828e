//! A WebSocket for applications: messages in and out of a stream, pings answered, closed properly.
//!
//! The live server does not use it (it shares frames and writes directly); it is the codec's
//! simplest driver. While it waits it holds no buffer: it reads into one that its thread's sockets
//! share, and keeps only what has been read and not been asked for yet.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use super::{
    decode::Decoder,
    deflate::Deflate,
    encode,
    event::{CloseFrame, DecodeError, Event},
    head::{HeadBytes, Opcode, Role},
    mask,
};

/// What one `read` takes at most.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Payloads above this are sent from where they lie, below it copied behind their head.
const COPIED_PAYLOAD: usize = 4 * 1024;
/// With this many frames waiting to be written, a peer is not read: it only sends pings.
const MAX_WAITING: usize = 64;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

/// How a [`WebSocket`] behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The longest message that is taken, in bytes; a longer one ends the connection with 1009.
    /// 4 MiB by default.
    pub read_limit: usize,
    /// The compression that the handshake agreed on. None by default.
    pub deflate: Option<Deflate>,
    /// How long the peer may take to answer a close frame and to end the connection. 5 s by
    /// default: longer than a slow network, shorter than what would fill a server.
    pub close_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { read_limit: 4 << 20, deflate: None, close_timeout: Duration::from_secs(5) }
    }
}

/// Why a [`WebSocket`] did not receive or send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The peer broke the protocol or the read limit; it has been told, and the connection closed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The stream failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The stream ended without a closing handshake.
    #[error("the connection ended without being closed")]
    Lost,
    /// The peer did not answer the close frame in time.
    #[error("the peer did not close in time")]
    CloseTimeout,
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed,
}

/// A WebSocket connection over any stream.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tidewire::ws::SocketError> {
/// use tidewire::ws::{Message, Options, Role, WebSocket, close_code};
///
/// let (near, far) = tokio::io::duplex(1024);
/// let mut server = WebSocket::new(near, Role::Server, Options::default());
/// let mut client = WebSocket::new(far, Role::Client, Options::default());
///
/// client.send("hello").await?;
/// assert_eq!(server.recv().await?, Some(Message::Text("hello".to_owned())));
///
/// let (closed, received) = tokio::join!(server.close(close_code::NORMAL, "bye"), client.recv());
/// closed?;
/// assert_eq!(received?, None);
/// assert_eq!(client.peer_close(), Some((1000, "bye")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    role: Role,
    decoder: Decoder,
    deflate: Option<Deflate>,
    close_timeout: Duration,
    /// Read from the stream and not decoded yet.
    unread: BytesMut,
    /// Encoded and not written yet.
    waiting: VecDeque<Bytes>,
    peer_close: Option<(u16, String)>,
    /// A close frame has been sent or received, or the stream has failed.
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A connection whose handshake is done.
    pub fn new(stream: S, role: Role, options: Options) -> Self {
        let Options { read_limit, deflate, close_timeout } = options;
        Self {
            stream,
            role,
            decoder: Decoder::new(role, read_limit).with_deflate(deflate.is_some()),
            deflate,
            close_timeout,
            unread: BytesMut::new(),
            waiting: VecDeque::new(),
            peer_close: None,
            closed: false,
        }
    }

    /// Takes bytes that were read from the stream together with the handshake.
    #[must_use]
    pub fn with_leftover(mut self, leftover: &[u8]) -> Self {
        self.unread.extend_from_slice(leftover);
        self
    }

    /// The next message; `None` once the connection is closed. Answers pings, and a close.
    ///
    /// # Errors
    /// What ended the connection; `None` from then on.
    ///
    /// # Cancel safety
    /// No message is lost. A closing handshake that is cancelled is cut short.
    pub async fn recv(&mut self) -> Result<Option<Message>, SocketError> {
        if self.closed {
            return Ok(None);
        }
        let error = match poll_fn(|cx| self.poll_next(cx)).await {
            Ok(Next::Message(message)) => return Ok(Some(message)),
            Ok(Next::Close) => {
                let code = self.peer_close().map(|(code, _)| code);
                let answer = code.map_or_else(Vec::new, |code| encode::close_payload(code, ""));
                // The peer wanted to close, and has; it need not wait for the answer.
                let _ = self.end(answer).await;
                return Ok(None);
            }
            Err(error) => error,
        };
        match error {
            SocketError::Decode(error) => {
                let answer = encode::close_payload(error.close_code(), &error.to_string());
                // The error that the peer made says more than how it takes the answer.
                let _ = self.end(answer).await;
            }
            _ => self.closed = true,
        }
        Err(error)
    }

    /// Sends a message, compressed if that was agreed and makes it shorter. Returns when the
    /// stream has taken it.
    ///
    /// # Errors
    /// [`SocketError::Closed`] after a close, else what failed in the stream.
    ///
    /// # Cancel safety
    /// The connection stays usable; the message may or may not be sent. A peer that does not read
    /// until it has been read keeps this waiting for ever: see [`tokio::time::timeout`].
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SocketError> {
        if self.closed {
            return Err(SocketError::Closed);
        }
        let (opcode, payload) = match message.into() {
            Message::Text(text) => (Opcode::Text, text.into_bytes()),
            Message::Binary(bytes) => (Opcode::Binary, bytes),
        };
        // Before it is queued, so that sends that are cancelled do not pile up.
        self.drain().await?;
        match self.deflate {
            Some(deflate) if self.role == Role::Server => {
                self.waiting.push_back(deflate.frame(opcode, &payload));
            }
            _ => self.queue(opcode, payload)?,
        }
        self.drain().await
    }

    /// Closes the connection, after what was sent before. What the peer still sends is dropped.
    ///
    /// # Errors
    /// [`SocketError::CloseTimeout`] if the peer does not answer, else what failed in the stream.
    /// The connection is closed in any case.
    pub async fn close(&mut self, code: u16, reason: &str) -> Result<(), SocketError> {
        if self.closed {
            return Ok(());
        }
        self.closed = true;
        self.queue(Opcode::Close, encode::close_payload(code, reason))?;
        let limit = self.close_timeout;
        let answered = async {
            self.drain().await?;
            while !matches!(poll_fn(|cx| self.poll_next(cx)).await?, Next::Close) {}
            self.end_stream().await
        };
        timeout(limit, answered).await.unwrap_or(Err(SocketError::CloseTimeout))
    }

    /// The code and reason of the close frame that the peer sent, if it gave a code.
    pub fn peer_close(&self) -> Option<(u16, &str)> {
        self.peer_close.as_ref().map(|(code, reason)| (*code, reason.as_str()))
    }

    /// The stream, for what a WebSocket does not know of: its addresses, its options.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Sends the last frame and ends the stream.
    async fn end(&mut self, close_payload: Vec<u8>) -> Result<(), SocketError> {
        self.closed = true;
        self.queue(Opcode::Close, close_payload)?;
        let limit = self.close_timeout;
        let ended = async {
            self.drain().await?;
            self.end_stream().await
        };
        timeout(limit, ended).await.unwrap_or(Err(SocketError::CloseTimeout))
    }

    /// Ends the stream so that the last frame arrives: a stream dropped with bytes unread is reset,
    /// and what was sent before may be lost. The server ends it first, as the RFC asks.
    async fn end_stream(&mut self) -> Result<(), SocketError> {
        if self.role == Role::Server {
            self.stream.shutdown().await?;
        }
        tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await?;
        if self.role == Role::Client {
            self.stream.shutdown().await?;
        }
        Ok(())
    }

    fn queue(&mut self, opcode: Opcode, mut payload: Vec<u8>) -> io::Result<()> {
        let key = match self.role {
            Role::Server => None,
            Role::Client => {
                let mut key = [0; 4];
                getrandom::fill(&mut key).map_err(io::Error::other)?;
                mask::apply(&mut payload, key, 0);
                Some(key)
            }
        };
        let head = HeadBytes::write(opcode, false, payload.len(), key);
        if payload.len() <= COPIED_PAYLOAD {
            self.waiting.push_back([&head, &payload[..]].concat().into());
        } else {
            self.waiting.push_back(Bytes::copy_from_slice(&head));
            self.waiting.push_back(payload.into());
        }
        Ok(())
    }

    async fn drain(&mut self) -> Result<(), SocketError> {
        Ok(poll_fn(|cx| self.poll_drain(cx)).await?)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = slices.len().min(self.waiting.len());
            for (slice, frame) in slices.iter_mut().zip(&self.waiting) {
                *slice = IoSlice::new(frame);
            }
            let stream = Pin::new(&mut self.stream);
            let mut written = ready!(stream.poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            while let Some(frame) = self.waiting.front_mut()
                && written > 0
            {
                let taken = written.min(frame.len());
                frame.advance(taken);
                written -= taken;
                if frame.is_empty() {
                    self.waiting.pop_front();
                }
            }
        }
        self.waiting = VecDeque::new();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Next, SocketError>> {
        loop {
            if self.poll_drain(cx)?.is_pending() && self.waiting.len() >= MAX_WAITING {
                return Poll::Pending;
            }
            let next = if self.unread.is_empty() {
                ready!(self.poll_read(cx))?
            } else {
                let mut input = &mut self.unread[..];
                let len = input.len();
                let next = decode(&mut self.decoder, &mut input)?;
                let taken = len - input.len();
                self.unread.advance(taken);
                if self.unread.is_empty() {
                    self.unread = BytesMut::new();
                }
                next
            };
            match next {
                Some(Decoded::Message(message)) => return Poll::Ready(Ok(Next::Message(message))),
                Some(Decoded::Ping(_)) if self.closed => {}
                Some(Decoded::Ping(payload)) => self.queue(Opcode::Pong, payload)?,
                Some(Decoded::Close(frame)) => {
                    self.peer_close = frame;
                    return Poll::Ready(Ok(Next::Close));
                }
                None => {}
            }
        }
    }

    /// Reads once, and decodes the first of what has come.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Decoded>, SocketError>> {
        // Taken and put back, so that a stream which is a WebSocket's own finds none and makes one.
        let mut scratch = SCRATCH.take();
        scratch.resize(SCRATCH_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut scratch);
        let outcome = match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                Poll::Ready(Err(SocketError::Lost))
            }
            Poll::Ready(Ok(())) => {
                let mut input = buffer.filled_mut();
                let next = decode(&mut self.decoder, &mut input);
                self.unread.extend_from_slice(input);
                Poll::Ready(next.map_err(SocketError::from))
            }
        };
        SCRATCH.set(scratch);
        outcome
    }
}

/// What a caller of the socket has to know.
enum Next {
    Message(Message),
    Close,
}

/// An event that borrows from no buffer.
enum Decoded {
    Message(Message),
    Ping(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// The next event, but for pongs: they need no answer.
fn decode(decoder: &mut Decoder, input: &mut &mut [u8]) -> Result<Option<Decoded>, DecodeError> {
    while let Some(event) = decoder.decode(input)? {
        return Ok(Some(match event {
            Event::Text(text) => Decoded::Message(Message::Text(text.into_owned())),
            Event::Binary(bytes) => Decoded::Message(Message::Binary(bytes.into_owned())),
            Event::Ping(payload) => Decoded::Ping(payload.into_owned()),
            Event::Pong(_) => continue,
            Event::Close(frame) => {
                Decoded::Close(frame.map(|CloseFrame { code, reason }| (code, reason.into_owned())))
            }
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
