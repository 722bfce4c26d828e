//! [`Io`]: the byte stream under a connection.
//!
//! A TCP stream can be written by whoever has an event for it, without waking the connection's task. Any other stream (TLS,
//! a pipe in tests) is read and written by that task alone.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

pub(crate) enum Io {
    Tcp(TcpStream),
    Stream(Box<dyn Stream>),
}

impl Io {
    pub(crate) fn stream(stream: impl Stream) -> Self {
        Self::Stream(Box::new(stream))
    }

    /// Reads what is there into `buffer`. For the connection's task.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        // Tokio takes a read that leaves room for a sign that a TCP socket is empty, and does not ask again.
        match self {
            Self::Tcp(tcp) => ready!(Pin::new(tcp).poll_read(cx, &mut buffer))?,
            Self::Stream(stream) => ready!(Pin::new(stream).poll_read(cx, &mut buffer))?,
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Whether a read may bring something; only a read can tell of a stream. For the connection's task.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(tcp) => tcp.poll_read_ready(cx).map(drop),
            Self::Stream(_) => Poll::Ready(()),
        }
    }

    /// Writes what the socket takes, and is woken when it takes more. For the connection's task.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => loop {
                ready!(tcp.poll_write_ready(cx))?;
                match tcp.try_write_vectored(slices) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => return Poll::Ready(other),
                }
            },
            Self::Stream(stream) => {
                let stream = Pin::new(stream);
                if stream.is_write_vectored() {
                    return stream.poll_write_vectored(cx, slices);
                }
                let first = slices.iter().find(|slice| !slice.is_empty());
                first.map_or(Poll::Ready(Ok(0)), |slice| stream.poll_write(cx, slice))
            }
        }
    }

    /// Sends on what a stream buffers itself. For the connection's task.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Stream(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends the sending side. For the connection's task.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => {
                Poll::Ready(socket2::SockRef::from(&*tcp).shutdown(std::net::Shutdown::Write))
            }
            Self::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Writes at once, from any thread; `None` where only the connection's task may write, or the socket takes nothing now.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> Option<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => match tcp.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                other => Some(other),
            },
            Self::Stream(_) => None,
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Io::Tcp",
            Self::Stream(_) => "Io::Stream",
        })
    }
}
