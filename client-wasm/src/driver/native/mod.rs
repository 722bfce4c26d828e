//! A program on tokio: sockets over TCP and TLS.

mod address;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use tidewire_protocol::{Millis, code::CloseCode};
use tokio::{net::TcpStream, time::Sleep};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest,
        http::{HeaderValue, Request, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

use super::{Heard, SUBPROTOCOL};
use address::Address;
pub(crate) use tls::Options;
use tls::Trust;

/// The largest message that is taken, whole and in its frames: a server's snapshot of many megabytes is one.
const MOST_BYTES: usize = 64 << 20;
/// How long a closed socket may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);
/// tokio takes no longer delay than some years; a timer that fires early is harmless.
const LONGEST_TIMER_MS: Millis = 86_400_000;

/// What the task of a client may own: in a browser anything, since it never leaves its thread; elsewhere what is [`Send`].
pub trait Spawnable: Send {}

impl<T: Send> Spawnable for T {}

pub(super) type Token = Pin<Box<dyn Future<Output = Option<String>> + Send>>;
pub(crate) type TokenSource = Box<dyn Fn() -> Token + Send>;
pub(super) type Text = Utf8Bytes;

pub(crate) fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(driver);
}

/// The wall clock, because it counts while the machine sleeps.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) struct Dialer {
    /// Or why it can never be reached.
    server: Result<Server, String>,
}

struct Server {
    request: Request<()>,
    trust: Trust,
}

impl Dialer {
    pub(super) fn new(url: &str, options: Options) -> Self {
        Self { server: Server::new(url, options) }
    }

    /// A socket that opens; it fails for an address to which there can be none.
    pub(super) fn open(&self) -> Result<Socket, String> {
        let Server { request, trust } = self.server.as_ref().map_err(Clone::clone)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MOST_BYTES))
            .max_frame_size(Some(MOST_BYTES));
        let opens = trust.clone().dial(request.clone(), config);
        Ok(Socket { state: State::Opens(Box::pin(opens)) })
    }
}

impl Server {
    fn new(url: &str, options: Options) -> Result<Self, String> {
        let Address { url, is_secure } = Address::parse(url)?;
        let trust = if is_secure { options.trust()? } else { Trust::default() };
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|error| format!("{url:?} is no address of a server: {error}"))?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        Ok(Self { request, trust })
    }
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
/// Frames are gathered by the driver already, so Nagle's algorithm would only delay them.
const WITHOUT_NAGLE: bool = true;
type Opens = Pin<Box<dyn Future<Output = Result<Stream, Error>> + Send>>;

pub(super) struct Socket {
    state: State,
}

enum State {
    Opens(Opens),
    Open(Box<Stream>),
    /// Or it was closed: what is left to be heard.
    Failed(String),
}

impl Socket {
    /// Ready once it is open; a failure is heard.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Opens(opens) = &mut self.state {
            let Poll::Ready(opened) = opens.as_mut().poll(cx) else { return Poll::Pending };
            self.state = match opened {
                Ok(stream) => State::Open(Box::new(stream)),
                Err(error) => State::Failed(reason(&error)),
            };
        }
        match self.state {
            State::Open(_) => Poll::Ready(()),
            State::Opens(_) | State::Failed(_) => Poll::Pending,
        }
    }

    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        // Pending where it has failed, which is told below.
        let _ = self.poll_open(cx);
        let stream = match &mut self.state {
            State::Opens(_) => return Poll::Pending,
            State::Open(stream) => stream,
            State::Failed(reason) => {
                return Poll::Ready(Heard::Closed(CloseCode::ABNORMAL, std::mem::take(reason)));
            }
        };
        loop {
            // What was sent goes out here, all of a turn at once. A failure is heard.
            let _ = stream.poll_flush_unpin(cx);
            let Poll::Ready(message) = stream.poll_next_unpin(cx) else { return Poll::Pending };
            return Poll::Ready(match message {
                Some(Ok(Message::Text(text))) => Heard::Text(text),
                Some(Ok(Message::Binary(_))) => Heard::Binary,
                Some(Ok(Message::Close(frame))) => {
                    // The answer, which the peer waits for.
                    let _ = stream.poll_flush_unpin(cx);
                    match frame {
                        Some(CloseFrame { code, reason }) => {
                            Heard::Closed(CloseCode(code.into()), reason.to_string())
                        }
                        None => Heard::Closed(CloseCode::ABNORMAL, String::new()),
                    }
                }
                // The pong that is owed goes out with the next flush.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Heard::Closed(CloseCode::ABNORMAL, reason(&error)),
                None => Heard::Closed(CloseCode::ABNORMAL, String::new()),
            });
        }
    }

    pub(super) fn send(&mut self, text: String) {
        if let State::Open(stream) = &mut self.state {
            // It fails when the socket has ended, which is heard by itself.
            let _ = stream.start_send_unpin(Message::text(text));
        }
    }

    /// Says goodbye, beside the driver and not for long.
    pub(super) fn close(self, code: u16) {
        let State::Open(mut stream) = self.state else { return };
        let goodbye = async move {
            let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::default() };
            // Whoever cannot hear it is gone already.
            let _ = WebSocketStream::close(&mut stream, Some(frame)).await;
            while let Some(Ok(_)) = stream.next().await {}
        };
        tokio::spawn(tokio::time::timeout(GOODBYE, goodbye));
    }
}

/// Why a socket failed, for people.
fn reason(error: &Error) -> String {
    match error {
        // A server's refusal, which a browser would hide.
        Error::Http(response) => format!("the server answered {}", response.status()),
        error => error.to_string(),
    }
}

pub(super) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    pub(super) fn after(delay: Millis) -> Self {
        let delay = Duration::from_millis(delay.min(LONGEST_TIMER_MS));
        Self(Box::pin(tokio::time::sleep(delay)))
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// A program is not told when its network is back.
pub(super) struct Watch;

impl Watch {
    pub(super) fn new(_wake: impl Fn()) -> Self {
        Self
    }
}
