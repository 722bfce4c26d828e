//! From an HTTP request to the stream behind it, under hyper and whatever is built on it.
//!
//! Names `http`, `hyper` and `tower`'s kind of request alone: an axum handler's `Request` is one.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    deflate::Deflate,
    handshake::{Offer, Refusal},
    head::Role,
    socket::{Options, WebSocket},
};

/// A request that asks for a WebSocket, on a connection that can become one.
///
/// ```
/// use axum::{body::Body, extract::Request, response::Response};
/// use tidewire::ws::{Options, Upgrade, handshake::{Origins, Refusal}};
///
/// async fn echo(mut request: Request) -> Result<Response, Response> {
///     upgrade(&mut request).map_err(Refusal::response)
/// }
///
/// fn upgrade(request: &mut Request) -> Result<Response, Refusal> {
///     let upgrade = Upgrade::read(request)?;
///     Origins::Same.check(request.headers())?;
///     let deflate = upgrade.offer().deflate();
///     let (response, pending) = upgrade.accept(None, deflate)?;
///     tokio::spawn(async move {
///         let Ok(mut socket) = pending.socket(Options::default()).await else { return };
///         while let Ok(Some(message)) = socket.recv().await {
///             if socket.send(message).await.is_err() {
///                 break;
///             }
///         }
///     });
///     Ok(response)
/// }
/// # let app: axum::Router = axum::Router::new().route("/ws", axum::routing::any(echo));
/// ```
#[derive(Debug)]
pub struct Upgrade {
    offer: Offer,
    on_upgrade: OnUpgrade,
}

impl Upgrade {
    /// Checks a request, and takes from it the claim to its connection.
    ///
    /// # Errors
    /// Those of [`Offer::read`]; [`Refusal::Connectionless`] where the request is not hyper's, or
    /// something has upgraded it already.
    pub fn read<B>(request: &mut Request<B>) -> Result<Self, Refusal> {
        let offer = Offer::check(request.method(), request.version(), request.headers())?;
        let on_upgrade =
            request.extensions_mut().remove::<OnUpgrade>().ok_or(Refusal::Connectionless)?;
        Ok(Self { offer, on_upgrade })
    }

    /// What the client offers.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Checks the key; gives the answer and the connection that follows it. The connection comes
    /// only after the answer has been sent.
    ///
    /// # Errors
    /// [`Refusal::Key`].
    ///
    /// # Panics
    /// As [`Offer::accept`].
    pub fn accept<B: Default>(
        self,
        protocol: Option<&str>,
        deflate: Option<Deflate>,
    ) -> Result<(Response<B>, Pending), Refusal> {
        let response = self.offer.accept(protocol, deflate)?;
        let pending = Pending { on_upgrade: self.on_upgrade, deflate };
        Ok((response.map(|()| B::default()), pending))
    }
}

/// A connection that becomes a WebSocket when its answer has been sent.
#[derive(Debug)]
pub struct Pending {
    on_upgrade: OnUpgrade,
    deflate: Option<Deflate>,
}

impl Pending {
    /// The connection as a WebSocket, with the compression that was agreed and `TCP_NODELAY`.
    ///
    /// # Errors
    /// hyper's, if the client went away first or the answer was not sent.
    pub async fn socket(self, options: Options) -> Result<WebSocket<Stream>, hyper::Error> {
        let deflate = self.deflate;
        let Opened { stream, leftover } = self.open().await?;
        if let Stream::Tcp(stream) = &stream {
            // It makes things faster, not right: without it they work as well.
            let _ = stream.set_nodelay(true);
        }
        let options = Options { deflate, ..options };
        Ok(WebSocket::new(stream, Role::Server, options).with_leftover(&leftover))
    }

    /// The bare stream, for a driver of its own.
    ///
    /// # Errors
    /// hyper's, if the client went away first or the answer was not sent.
    pub async fn open(self) -> Result<Opened, hyper::Error> {
        Ok(Opened::from(self.on_upgrade.await?))
    }
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Opened {
    /// The stream.
    pub stream: Stream,
    /// What the client sent behind its request, read already: it comes before the stream's bytes.
    pub leftover: Vec<u8>,
}

impl From<Upgraded> for Opened {
    /// Finds the TCP stream below hyper's connection, which may be that of hyper alone or the one
    /// that tells HTTP/1 from HTTP/2, which axum uses.
    fn from(upgraded: Upgraded) -> Self {
        let (stream, leftover) = match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (parts.io, parts.read_buf),
            Err(upgraded) => match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
                Ok(parts) => (parts.io, parts.read_buf),
                Err(upgraded) => {
                    let stream = Stream::Other(TokioIo::new(upgraded));
                    return Self { stream, leftover: Vec::new() };
                }
            },
        };
        // A copy: hyper's own buffer is some kilobytes, and lives as long as a part of it does.
        Self { stream: Stream::Tcp(stream.into_inner()), leftover: leftover.to_vec() }
    }
}

/// The stream of an upgraded connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// TCP itself, free of hyper.
    Tcp(TcpStream),
    /// Anything else, TLS for one, through hyper.
    Other(TokioIo<Upgraded>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
