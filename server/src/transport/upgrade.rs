//! From an upgrade request to a running connection: handshake, origin, `on_auth`, and the socket under hyper's upgrade.

use std::sync::{Arc, Mutex, MutexGuard};

use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tidewire_protocol::code::CloseCode;
use tokio::net::TcpStream;

use super::stream::HttpStream;
use crate::{
    admission::{self, Admitted},
    connection::{self, Connection},
    hooks::BoxFuture,
    io::Io,
    live::Live,
    ws::{
        Opened, Stream,
        handshake::{Offer, Refusal},
    },
};

/// The subprotocol of clients that are told of a refusal by a close code: a browser hides the status from its page.
const SUBPROTOCOL: &str = "tidewire.1";

/// Answers a request, and starts the connection if it is a good one.
pub(super) async fn answer<V: Send + Sync + 'static>(
    live: Live<V>,
    request: Parts,
    connection: Option<OnUpgrade>,
    after: Option<&AfterHttp>,
) -> Response<String> {
    let malformed = |refusal: Refusal| {
        live.counters().refused("handshake");
        tracing::debug!(%refusal, "an upgrade was refused");
        refusal.response()
    };
    let offer = match Offer::read(&request) {
        Ok(offer) => offer,
        Err(refusal) => return malformed(refusal),
    };
    let protocol = offer.protocol(&[SUBPROTOCOL]);
    let is_ours = protocol.is_some();
    let mut admission = match admit(&live, request, is_ours).await {
        Ok(admission) => admission,
        Err(response) => return response,
    };
    let mut deflate = None;
    if let Ok(admitted) = &mut admission {
        deflate = offer.deflate().filter(|_| live.options().compression);
        admitted.deflate = deflate;
    }
    let response = match offer.accept(protocol, deflate) {
        Ok(response) => response,
        Err(refusal) => return malformed(refusal),
    };
    let Some(connection) = connection else { return malformed(Refusal::Connectionless) };
    let upgrade = async move {
        // An upgrade that fails has no connection to tell.
        let Ok(upgraded) = connection.await else { return };
        let (io, early) = unwrap(upgraded);
        match admission {
            // Who was let in before it began is told in the same way.
            Ok(_) if is_ours && live.shared().stop.is_draining() => {
                connection::refuse(&live, io, CloseCode::DRAIN).await;
            }
            // A task of its own: this one has all that HTTP and an upgrade need, which nobody needs any more.
            Ok(admitted) => drop(tokio::spawn(Connection::new(live, io, admitted, early))),
            Err(code) => connection::refuse(&live, io, code).await,
        }
    };
    match after {
        Some(after) => after.set(Box::pin(upgrade)),
        None => drop(tokio::spawn(upgrade)),
    }
    response.map(|()| String::new())
}

/// What the task of a connection does when it speaks HTTP no more: among a request's extensions under our own host, whose task has
/// nothing else to do then, so that an upgrade needs none of its own.
#[derive(Clone, Default)]
pub(super) struct AfterHttp(Arc<Mutex<Option<BoxFuture<()>>>>);

impl AfterHttp {
    fn lock(&self) -> MutexGuard<'_, Option<BoxFuture<()>>> {
        self.0.lock().expect("no panic while a future is moved")
    }

    fn set(&self, future: BoxFuture<()>) {
        *self.lock() = Some(future);
    }

    pub(super) fn take(&self) -> Option<BoxFuture<()>> {
        self.lock().take()
    }
}

/// A client that is let in, or the code with which one of ours is closed; `Err` is the answer to any other.
async fn admit<V: Send + Sync + 'static>(
    live: &Live<V>,
    request: Parts,
    is_ours: bool,
) -> Result<Result<Admitted<V>, CloseCode>, Response<String>> {
    match admission::admit(live, request).await {
        Ok(admitted) => Ok(Ok(admitted)),
        Err(denied) => match denied.close_code().filter(|_| is_ours) {
            Some(code) => Ok(Err(code)),
            None => {
                let (status, reason) = denied.status();
                Err(text(status, &reason))
            }
        },
    }
}

/// An answer in plain words.
pub(super) fn text<B: From<String>>(status: StatusCode, text: &str) -> Response<B> {
    let mut response = Response::new(B::from(format!("{text}\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// The TCP stream under an upgraded connection, where that is what it is, and the bytes that came with the handshake.
fn unwrap(upgraded: Upgraded) -> (Io, Vec<u8>) {
    match upgraded.downcast::<TokioIo<HttpStream>>() {
        // A copy, as hyper's own buffer is some kilobytes.
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner();
            limit_unsent(&stream);
            (Io::Tcp(stream), parts.read_buf.to_vec())
        }
        Err(upgraded) => match Opened::from(upgraded) {
            Opened { stream: Stream::Tcp(stream), leftover } => (tcp(stream), leftover),
            Opened { stream, leftover } => (Io::stream(stream), leftover),
        },
    }
}

fn tcp(stream: TcpStream) -> Io {
    // Small frames must not wait for the acknowledgement of earlier ones. A socket that refuses an option still works.
    let _ = stream.set_nodelay(true);
    limit_unsent(&stream);
    Io::Tcp(stream)
}

/// Keeps in the kernel no more than 16 KiB that it has not sent: what waits beyond is kept where a session's bounds and policies see
/// it. Without this a peer that does not read swallows megabytes before its socket says so.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn limit_unsent(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(16 * 1024);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn limit_unsent(_: &TcpStream) {}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use hyper::{server::conn::http1, service::service_fn};
    use hyper_util::{rt::TokioExecutor, server::conn::auto};
    use tokio::{io::AsyncWriteExt, net::TcpListener, sync::mpsc};

    use super::*;

    enum Below {
        Tidewire,
        Hyper,
        Auto,
        Wrapped,
    }

    /// What an upgraded connection is, under a host that puts the stream below hyper in this way.
    async fn io(below: Below) -> (Io, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\nearly").await.unwrap();
        let (upgrades, mut upgraded) = mpsc::channel(1);
        let service = service_fn(move |mut request: http::Request<_>| {
            let (upgrades, upgrade) = (upgrades.clone(), hyper::upgrade::on(&mut request));
            async move {
                upgrades.send(upgrade).await.unwrap();
                let answer = Response::builder().status(101).body(String::new()).unwrap();
                Ok::<_, Infallible>(answer)
            }
        });
        let http = http1::Builder::new();
        let patience = Duration::from_secs(10);
        match below {
            Below::Tidewire => {
                let io = TokioIo::new(HttpStream::new(stream, patience));
                http.serve_connection(io, service).with_upgrades().await.unwrap();
            }
            Below::Hyper => {
                let io = TokioIo::new(stream);
                http.serve_connection(io, service).with_upgrades().await.unwrap();
            }
            Below::Auto => {
                let auto = auto::Builder::new(TokioExecutor::new());
                let io = TokioIo::new(stream);
                auto.serve_connection_with_upgrades(io, service).await.unwrap();
            }
            Below::Wrapped => {
                let io = TokioIo::new(tokio::io::BufStream::new(stream));
                http.serve_connection(io, service).with_upgrades().await.unwrap();
            }
        }
        unwrap(upgraded.recv().await.unwrap().await.unwrap())
    }

    #[tokio::test]
    async fn a_tcp_stream_is_found_below_every_host() {
        for below in [Below::Tidewire, Below::Hyper, Below::Auto] {
            let (io, early) = io(below).await;
            assert!(matches!(io, Io::Tcp(_)));
            assert_eq!(early, b"early");
        }
    }

    #[tokio::test]
    async fn any_other_stream_is_taken_as_it_is() {
        let (mut io, early) = io(Below::Wrapped).await;
        assert!(early.is_empty());
        let mut bytes = [0; 16];
        let read = std::future::poll_fn(|cx| io.poll_read(cx, &mut bytes)).await.unwrap();
        assert_eq!(&bytes[..read], b"early");
    }
}
