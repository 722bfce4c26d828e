//! From an upgrade request to a running connection: handshake, origin, `on_auth`, and the socket under hyper's upgrade.

use http::{Response, StatusCode, header::HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tidewire_protocol::code::CloseCode;
use tokio::net::TcpStream;

use crate::{
    admission::{self, Admitted},
    connection,
    io::Io,
    live::Live,
    ws::handshake::Offer,
};

/// The subprotocol of clients that are told of a refusal by a close code: a browser hides the status from its page.
const SUBPROTOCOL: &str = "tidewire.1";

/// Answers a request, and starts the connection if it is a good one.
pub(super) async fn upgrade<V, B>(live: Live<V>, mut request: http::Request<B>) -> Response<String>
where
    V: Send + Sync + 'static,
{
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (parts, _) = request.into_parts();
    let offer = match Offer::read(&parts) {
        Ok(offer) => offer,
        Err(refusal) => return refusal.response(),
    };
    let is_ours = offer.protocol(&[SUBPROTOCOL]).is_some();
    let admission = match admission::admit(&live, &parts).await {
        Ok(admitted) => {
            let deflate = offer.deflate().filter(|_| live.options().compression);
            Ok(Admitted { deflate, ..admitted })
        }
        Err(denied) => match denied.close_code().filter(|_| is_ours) {
            Some(code) => Err(code),
            None => {
                let (status, reason) = denied.status();
                return text(status, &reason);
            }
        },
    };
    let deflate = admission.as_ref().ok().and_then(|admitted| admitted.deflate);
    let response = match offer.accept(is_ours.then_some(SUBPROTOCOL), deflate) {
        Ok(response) => response,
        Err(refusal) => return refusal.response(),
    };
    let Some(on_upgrade) = on_upgrade else {
        return text(StatusCode::BAD_REQUEST, "the connection cannot be upgraded");
    };
    tokio::spawn(async move {
        // An upgrade that fails has no connection to tell.
        if let Ok(upgraded) = on_upgrade.await {
            start(live, upgraded, admission).await;
        }
    });
    response.map(|()| String::new())
}

fn text(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(format!("{text}\n"));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Takes the socket out of its wrappers and runs the connection.
async fn start<V: Send + Sync + 'static>(
    live: Live<V>,
    upgraded: Upgraded,
    admission: Result<Admitted<V>, CloseCode>,
) {
    let (io, early) = unwrap(upgraded);
    match admission {
        Ok(admitted) => connection::run(live, io, admitted, early).await,
        Err(code) => connection::refuse(&live, io, code).await,
    }
}

/// The TCP stream under an upgraded connection, where that is what it is, and the bytes that came with the handshake.
fn unwrap(upgraded: Upgraded) -> (Io, Vec<u8>) {
    // `axum::serve` and hyper-util's builder wrap the stream once more than hyper alone does.
    let upgraded =
        match hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => return (tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
            Err(upgraded) => upgraded,
        };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => (tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => (Io::stream(TokioIo::new(upgraded)), Vec::new()),
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
