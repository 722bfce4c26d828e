//! [`serve`]: accepts connections for an application, with the limits that keep a slow or greedy peer from holding one for ever.

use std::{
    fmt,
    future::{Future, IntoFuture},
    io,
    net::SocketAddr,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, HttpBody},
    extract::{ConnectInfo, Request},
};
use futures_util::FutureExt;
use http::{Response, StatusCode, Uri};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::Instant,
};
use tower_service::Service;

use super::{
    body::RequestBody,
    stream::HttpStream,
    upgrade::{AfterHttp, text},
};
use crate::shutdown::Shutdown;

/// What one connection may hold of what it has not read or written yet, unless a head may be larger; hyper's own default is
/// 400 KiB.
const BUFFER_BYTES: usize = 64 << 10;

/// The first pause after an accept that failed, and the longest: it doubles each time, as long as they fail.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves an application, such as an axum `Router`, over HTTP/1.1 on TCP until it is dropped or [stopped](Serve::shutdown).
///
/// What it limits concerns every request, before and beside those that become sessions; each limit is a method of [`Serve`].
/// Where a [`Live`](crate::Live) is mounted under another host, these limits are the host's:
///
/// | limit | `tidewire::serve` | `axum::serve` | hyper |
/// |---|---|---|---|
/// | time for a request head, idle connections | 10 s | none | 30 s with a timer set, else none |
/// | size of a head | 16 KiB | 400 KiB | `max_header_size` |
/// | headers | 100 | 100 | `max_headers` |
/// | length of a URL | 8 KiB | 64 KiB | 64 KiB |
/// | body that does not come, answer that is not taken | 10 s, 30 s | none | none |
/// | connections that are no sessions | 10,000 | none | none |
/// | `TCP_NODELAY` | yes | for sessions only | for sessions only |
///
/// All limits of [`LiveBuilder`](crate::LiveBuilder) hold under every host.
///
/// The peer's address is among a request's extensions as axum's `ConnectInfo<SocketAddr>`. A connection that cannot be accepted
/// is logged, and accepting goes on after a pause that grows up to a second.
///
/// ```no_run
/// use axum::Router;
/// use tidewire::Live;
///
/// # async fn run() -> std::io::Result<()> {
/// let live = Live::<()>::builder().build();
/// let app = Router::new().route("/ws", live.handler());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let interrupted = async { drop(tokio::signal::ctrl_c().await) };
/// tidewire::serve(listener, app).shutdown(live.shutdown(), interrupted).await;
/// # Ok(())
/// # }
/// ```
pub fn serve<S>(listener: TcpListener, service: S) -> Serve<S> {
    Serve { listener, service, limits: Limits::default(), stop: None }
}

/// A server that runs when it is awaited: see [`serve`].
#[must_use = "nothing is served until it is awaited"]
pub struct Serve<S> {
    listener: TcpListener,
    service: S,
    limits: Limits,
    stop: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    head_timeout: Duration,
    head_bytes: usize,
    headers: usize,
    url_bytes: usize,
    body_timeout: Duration,
    write_timeout: Duration,
    connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            head_bytes: 16 << 10,
            headers: 100,
            url_bytes: 8 << 10,
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
        }
    }
}

struct Stop {
    signal: BoxFuture,
    sessions: BoxFuture,
    /// For how long connections are still accepted.
    refuses_for: Option<Duration>,
    deadline: Duration,
}

impl<S> Serve<S> {
    /// Sets how long a request's head may take from the moment that the connection is there, or has answered the request before;
    /// 10 s by default, enough for a phone that changes cells. A connection without a whole head by then is dropped: one
    /// that never asks, one that asks byte by byte, and one that is kept alive for nothing.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        // hyper adds it to an `Instant`, which must not overflow.
        self.limits.head_timeout = timeout.min(Duration::from_secs(60 * 60 * 24 * 365));
        self
    }

    /// Sets the largest head of a request, in bytes; 16 KiB by default, twice what browsers send with all the cookies that
    /// they keep for most sites. A larger one is answered with 431.
    pub fn max_head_bytes(mut self, bytes: usize) -> Self {
        self.limits.head_bytes = bytes;
        self
    }

    /// Sets how many headers a request may have; 100 by default, as in most servers. More are answered with 431.
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.limits.headers = headers;
        self
    }

    /// Sets the longest URL, in bytes; 8 KiB by default, what HTTP's own text recommends to support. A longer one is answered
    /// with 414, one that leaves no room in the head with 431.
    pub fn max_url_bytes(mut self, bytes: usize) -> Self {
        self.limits.url_bytes = bytes;
        self
    }

    /// Sets how long the application waits for a request's body that does not come, or comes slower than 1 KiB/s; 10 s by
    /// default, as for heads. The body then ends with an error, and the connection with the answer to it.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.limits.body_timeout = timeout;
        self
    }

    /// Sets how long a peer may take no byte of an answer that waits for it; 30 s by default: a phone that is slow to read a
    /// large file is no attacker. Sessions have a [limit of their own](crate::LiveBuilder::write_timeout).
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.limits.write_timeout = timeout;
        self
    }

    /// Sets how many connections there may be that are no sessions; 10,000 by default, which hold 1.2 GiB at worst and hardly
    /// any of it in practice. More wait in the listener's backlog. Sessions are limited by
    /// [`LiveBuilder::max_sessions`](crate::LiveBuilder::max_sessions).
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// Stops when `signal` resolves: no connection is accepted any more, `shutdown` sends the sessions away, requests that run
    /// are answered, and what is left of both at the shutdown's deadline is ended. Then the server resolves.
    ///
    /// With a [`drain`](crate::Live::drain) it goes on accepting and answering until the sessions have gone, for half of the
    /// deadline at most: until the load balancer has noticed, requests still come, and upgrades are to be told where to go.
    pub fn shutdown<V, F>(mut self, shutdown: Shutdown<V>, signal: F) -> Self
    where
        V: Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (deadline, refuses_for) = (shutdown.ends_after(), shutdown.refuses_for());
        let sessions = shutdown.into_future();
        self.stop = Some(Stop { signal: Box::pin(signal), sessions, refuses_for, deadline });
        self
    }

    async fn run<B>(self)
    where
        S: Service<Request, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let Self { listener, service, limits, stop } = self;
        let Stop { signal, sessions, refuses_for, deadline } = stop.unwrap_or_else(Stop::never);
        let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        // Its end is the end of all connections.
        let stopping = watch::Sender::new(());
        let sessions = sessions.shared();
        let mut last_call = pin!(async {
            signal.await;
            let began = Instant::now();
            if let Some(refuses_for) = refuses_for {
                drop(tokio::time::timeout(refuses_for, sessions.clone()).await);
            }
            began
        });
        let began = loop {
            tokio::select! {
                (stream, peer, place) = accept(&listener, &places) => {
                    let (service, stopping) = (service.clone(), stopping.subscribe());
                    tokio::spawn(connection(stream, peer, service, limits, stopping, place));
                }
                began = &mut last_call => break began,
            }
        };
        drop(listener);
        stopping.send_replace(());
        let deadline = deadline.saturating_sub(began.elapsed());
        let answered = tokio::time::timeout(deadline, stopping.closed());
        tokio::join!(sessions.clone(), async { drop(answered.await) });
    }
}

impl Stop {
    fn never() -> Self {
        let never = || Box::pin(std::future::pending());
        Self { signal: never(), sessions: never(), refuses_for: None, deadline: Duration::MAX }
    }
}

impl<S, B> IntoFuture for Serve<S>
where
    S: Service<Request, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = ();
    type IntoFuture = BoxFuture;

    fn into_future(self) -> BoxFuture {
        // A task like its connections': what polls this, such as `main`, runs on a thread of its own, which would have to be woken
        // for each connection, and to wake another for its task. It ends when this is dropped.
        let mut server = JoinSet::new();
        Box::pin(async move {
            server.spawn(self.run());
            if let Some(Err(ended)) = server.join_next().await
                && let Ok(panic) = ended.try_into_panic()
            {
                resume_unwind(panic);
            }
        })
    }
}

impl<S> fmt::Debug for Serve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The next connection, when there is a place for one.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("it is never closed");
    let (mut pause, longest) = PAUSE;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) if concerns_its_connection_only(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(pause).await;
                pause = longest.min(pause * 2);
            }
        }
    }
}

/// Whether a peer was gone before it was accepted; anything else, such as too many open files, concerns all.
fn concerns_its_connection_only(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Answers the requests of one connection until it ends or becomes something else.
async fn connection<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    limits: Limits,
    mut stopping: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
) where
    S: Service<Request, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // A socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(HttpStream::new(stream, limits.write_timeout));
    let after = AfterHttp::default();
    let service = {
        let after = after.clone();
        service_fn(move |request| answer(service.clone(), request, peer, limits, after.clone()))
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes)
        .max_headers(limits.headers)
        .max_buf_size(BUFFER_BYTES.max(limits.head_bytes))
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            stop = stopping.changed() => match stop {
                Ok(()) => connection.as_mut().graceful_shutdown(),
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = &error as &dyn std::error::Error, %peer, "a connection failed");
    }
    if let Some(after) = after.take() {
        after.await;
    }
}

async fn answer<S, B>(
    mut service: S,
    request: http::Request<Incoming>,
    peer: SocketAddr,
    limits: Limits,
    after: AfterHttp,
) -> Result<Response<Body>, BoxError>
where
    S: Service<Request, Response = Response<B>, Error: Into<BoxError>>,
    B: HttpBody<Data = bytes::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if url_bytes(request.uri()) > limits.url_bytes {
        return Ok(text(StatusCode::URI_TOO_LONG, "the URL is too long"));
    }
    let mut request = request.map(|body| match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(RequestBody::new(body, limits.body_timeout)),
    });
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(after);
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    let response = service.call(request).await.map_err(Into::into)?;
    Ok(response.map(Body::new))
}

fn url_bytes(url: &Uri) -> usize {
    let authority = url.authority().map_or(0, |authority| authority.as_str().len());
    authority + url.path_and_query().map_or(0, |path| path.as_str().len())
}
