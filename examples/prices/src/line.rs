//! A slow line: `/line` leads to `/ws` as a bad connection would, so that a page can see what becomes of a slow reader.
//!
//! A page cannot stop reading its WebSocket. So the upgrade is passed on to this server itself, over a TCP connection of its own, and what
//! comes back is read no faster than the line's speed: the server meets a peer that does not read, as it would in the wild.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    BoxError,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use hyper::{client::conn::http1, upgrade};
use hyper_util::rt::TokioIo;
use tidewire_prices_schema::LineSpeed;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};

/// What the line itself holds: little, so that the pace is the reader's and not that of a buffer.
const BUFFER_BYTES: u32 = 8 << 10;

/// A limited line carries its bytes in this many pieces a second.
const PIECES_PER_SECOND: u32 = 20;

/// The speed of one line.
pub(crate) type Speed = Arc<watch::Sender<LineSpeed>>;

/// The slow lines that there are, by the address from which each reaches the server.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    server: SocketAddr,
    speeds: Arc<Mutex<HashMap<SocketAddr, Speed>>>,
}

impl Lines {
    /// Lines to the server that listens at this address.
    pub(crate) fn new(mut server: SocketAddr) -> Self {
        if server.ip().is_unspecified() {
            server.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Self { server, speeds: Arc::default() }
    }

    /// The speed of the line that comes from this address, if one does.
    pub(crate) fn speed_of(&self, peer: SocketAddr) -> Option<Speed> {
        self.speeds().get(&peer).cloned()
    }

    /// Lays a line, which ends when this is dropped.
    async fn lay(&self) -> io::Result<(TcpStream, Laid)> {
        let socket = if self.server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        let stream = socket.connect(self.server).await?;
        let peer = stream.local_addr()?;
        let speed = Speed::new(watch::Sender::new(LineSpeed { bytes_per_second: None }));
        self.speeds().insert(peer, Arc::clone(&speed));
        Ok((stream, Laid { lines: self.clone(), peer, speed }))
    }

    fn speeds(&self) -> MutexGuard<'_, HashMap<SocketAddr, Speed>> {
        self.speeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line while it lies.
struct Laid {
    lines: Lines,
    peer: SocketAddr,
    speed: Speed,
}

impl Drop for Laid {
    fn drop(&mut self) {
        self.lines.speeds().remove(&self.peer);
    }
}

/// Passes an upgrade on over a line of its own.
pub(crate) async fn handler(State(lines): State<Lines>, request: Request) -> Response {
    match connect(&lines, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn connect(lines: &Lines, mut request: Request) -> Result<Response, BoxError> {
    let (stream, laid) = lines.lay().await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with either side of it.
    tokio::spawn(connection.with_upgrades());
    let page = upgrade::on(&mut request);
    let (mut parts, _) = request.into_parts();
    parts.uri = Uri::from_static("/ws");
    let mut response = sender.send_request(Request::from_parts(parts, Body::empty())).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let server = upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(page), Ok(server)) = tokio::join!(page, server) else { return };
            // An error is the end of one side, and so of both.
            let _ = carry(page, server, &laid).await;
        });
    }
    Ok(response.map(Body::new))
}

/// Carries bytes both ways until one side ends: to the server as they come, to the page as the line's speed has it.
async fn carry(page: upgrade::Upgraded, server: upgrade::Upgraded, laid: &Laid) -> io::Result<()> {
    let (mut from_page, to_page) = tokio::io::split(TokioIo::new(page));
    let (from_server, mut to_server) = tokio::io::split(TokioIo::new(server));
    tokio::select! {
        ended = tokio::io::copy(&mut from_page, &mut to_server) => ended.map(drop),
        ended = slowly(from_server, to_page, laid.speed.subscribe()) => ended,
    }
}

async fn slowly(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut speed: watch::Receiver<LineSpeed>,
) -> io::Result<()> {
    let mut buffer = [0; BUFFER_BYTES as usize];
    loop {
        let limit = speed.borrow_and_update().bytes_per_second;
        if limit == Some(0) {
            // The sender lives as long as the line.
            let _ = speed.changed().await;
            continue;
        }
        let piece = limit.map_or(buffer.len(), |limit| limit.div_ceil(PIECES_PER_SECOND) as usize);
        let piece = piece.min(buffer.len());
        let read = from.read(&mut buffer[..piece]).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        if let Some(limit) = limit {
            let pause = Duration::from_secs_f64(read as f64 / f64::from(limit));
            // A line that is made faster does not wait for its old speed.
            let _ = timeout(pause, speed.changed()).await;
        }
    }
}
