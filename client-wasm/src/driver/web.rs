//! The browser's driver: one task that owns the socket and the timer and does what the engine tells it.

use std::{
    collections::BTreeMap,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use futures_util::{SinkExt, StreamExt};
use gloo_events::EventListener;
use gloo_net::websocket::{Message, State, WebSocketError, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Date, Reflect};
use tidewire_protocol::{Millis, schema::Schema};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Url;

use super::page;
use crate::{
    Live,
    engine::{Command, Engine},
    shared::Shared,
};

/// The subprotocol by which a server knows this client and answers refusals with close codes.
const SUBPROTOCOL: &str = "tidewire.1";
/// Browsers take a longer delay for none at all.
const LONGEST_TIMER_MS: Millis = i32::MAX as Millis;
const NORMAL: u16 = 1000;
const ABNORMAL: u16 = 1006;

type Token = Pin<Box<dyn Future<Output = Option<String>>>>;
type TokenSource = Box<dyn Fn() -> Token>;

/// A client of the server at `url`, with the types of a schema.
///
/// `url` may be relative to the page, as `"/ws"`; of `http` and `https` the WebSocket scheme is taken.
#[must_use]
pub fn connect<S: Schema>(url: impl Into<String>) -> Builder<S> {
    Builder { url: url.into(), token: None, schema: PhantomData }
}

/// A client before it connects.
pub struct Builder<S> {
    url: String,
    token: Option<TokenSource>,
    schema: PhantomData<fn() -> S>,
}

impl<S: Schema> Builder<S> {
    /// Where the token of each connection comes from; asked anew for every one, because tokens end.
    ///
    /// `None` means that there is none now: connecting is tried again as after a lost connection. Default: no token.
    #[must_use]
    pub fn token<F>(mut self, source: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = Option<String>> + 'static,
    {
        self.token = Some(Box::new(move || Box::pin(source())));
        self
    }

    /// Connects, and goes on connecting until the client is closed.
    ///
    /// # Panics
    /// If the browser has no random numbers, which no supported one lacks.
    #[must_use]
    pub fn build(self) -> Live {
        let mut random = [0; 24];
        getrandom::fill(&mut random).expect("`crypto.getRandomValues` is everywhere");
        let [client @ .., s0, s1, s2, s3, s4, s5, s6, s7] = random;
        let client = client.iter().map(|byte| format!("{byte:02x}")).collect();
        let seed = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let entry = |entry: &tidewire_protocol::schema::Entry| {
            (entry.key().to_owned(), entry.hash().to_string())
        };
        let schema: BTreeMap<_, _> = S::ENTRIES.iter().map(entry).collect();
        let shared = Arc::new(Shared::new(Engine::new(seed, client, schema), now));
        shared.turn(Engine::connect);
        spawn_local(Driver::new(&shared, self.url, self.token));
        Live::new(shared)
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The wall clock, because it counts while the machine sleeps.
fn now() -> Millis {
    Date::now() as Millis
}

/// Ends when the last handle is gone.
struct Driver {
    shared: Weak<Shared>,
    url: String,
    token: Option<TokenSource>,
    /// By their link.
    sockets: [Option<Socket>; 2],
    /// A deadline and the timer that is set for it.
    timer: Option<(Millis, TimeoutFuture)>,
    _page: Vec<EventListener>,
}

/// A socket, and what it needs to greet the server.
struct Socket {
    socket: WebSocket,
    token: Greeting,
    /// A fresh token that is being fetched, and the number of its request.
    renewal: Option<(u32, Token)>,
}

enum Greeting {
    /// The token is being fetched while the socket opens.
    Waits(Option<Token>, Option<String>),
    Done,
}

impl Driver {
    fn new(shared: &Arc<Shared>, url: String, token: Option<TokenSource>) -> Self {
        let shared = Arc::downgrade(shared);
        let woken = shared.clone();
        let page = page::watch(move || {
            if let Some(shared) = woken.upgrade() {
                shared.turn(Engine::wake);
            }
        });
        Self { shared, url, token, sockets: [None, None], timer: None, _page: page }
    }

    fn obey(&mut self, command: Command, shared: &Shared) {
        match command {
            Command::Open(link) => {
                match WebSocket::open_with_protocol(&resolve(&self.url), SUBPROTOCOL) {
                    Ok(socket) => {
                        let token = self.token.as_ref().map(|source| source());
                        let token = Greeting::Waits(token, None);
                        *self.socket(link) = Some(Socket { socket, token, renewal: None });
                    }
                    Err(error) => {
                        shared.turn(|engine, now| {
                            engine.closed(link, ABNORMAL, error.to_string(), now)
                        });
                    }
                }
            }
            Command::Shut(link, code) => {
                if let Some(Socket { socket, .. }) = self.socket(link).take() {
                    // It fails for a code that a page may not send, and is closed by its drop then.
                    let _ = socket.close(Some(code), None);
                }
            }
            Command::Send(link, text) => {
                if let Some(Socket { socket, .. }) = self.socket(link) {
                    // It fails when the socket has ended, which is reported by itself.
                    let _ = socket.start_send_unpin(Message::Text(text));
                }
            }
            Command::Token(link, id) => {
                let token = self.token.as_ref().map(|source| source());
                if let (Some(socket), Some(token)) = (self.socket(link), token) {
                    socket.renewal = Some((id, token));
                }
            }
        }
    }

    fn socket(&mut self, link: u8) -> &mut Option<Socket> {
        let [first, second] = &mut self.sockets;
        if link == 0 { first } else { second }
    }

    /// Passes on one thing that the socket of a link has to say.
    fn hear(&mut self, link: u8, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        let Some(socket) = self.socket(link) else { return Poll::Pending };
        if let Poll::Ready(greeting) = socket.poll_greeting(cx) {
            match greeting {
                Some(token) => shared.turn(|engine, now| engine.opened(link, token, now)),
                None => self.lose(link, ABNORMAL, "there is no token".into(), shared),
            }
            return Poll::Ready(());
        }
        if let Poll::Ready((id, token)) = socket.poll_renewal(cx) {
            if let Some(token) = token {
                shared.turn(|engine, _| engine.renew(link, id, &token));
            }
            return Poll::Ready(());
        }
        let Poll::Ready(message) = socket.socket.poll_next_unpin(cx) else { return Poll::Pending };
        match message {
            Some(Ok(Message::Text(text))) => {
                shared.turn(|engine, now| engine.text(link, &text, now));
            }
            Some(Ok(Message::Bytes(_))) => shared.turn(|engine, now| engine.text(link, "", now)),
            Some(Err(WebSocketError::ConnectionClose(close))) => {
                self.lose(link, close.code, close.reason, shared);
            }
            // The close that follows says more.
            Some(Err(_)) => {}
            None => self.lose(link, ABNORMAL, String::new(), shared),
        }
        Poll::Ready(())
    }

    fn lose(&mut self, link: u8, code: u16, reason: String, shared: &Shared) {
        *self.socket(link) = None;
        shared.turn(|engine, now| engine.closed(link, code, reason, now));
    }

    fn poll_timer(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = shared.turn(|engine, _| engine.deadline());
        // A timer that fires too early is harmless, so one is set anew for a nearer deadline only.
        let set = self.timer.as_ref().map(|timer| timer.0);
        match deadline {
            Some(at) if set.is_none_or(|set| at < set) => {
                let delay = at.saturating_sub(now()).min(LONGEST_TIMER_MS);
                self.timer = Some((at, TimeoutFuture::new(delay as u32)));
            }
            _ => {}
        }
        let Some((_, timer)) = &mut self.timer else { return Poll::Pending };
        Pin::new(timer).poll(cx).map(|()| {
            self.timer = None;
            shared.turn(Engine::elapsed);
        })
    }
}

impl Socket {
    /// A fresh token, once, with the number of its request.
    fn poll_renewal(&mut self, cx: &mut Context<'_>) -> Poll<(u32, Option<String>)> {
        let Some((id, token)) = &mut self.renewal else { return Poll::Pending };
        let Poll::Ready(token) = token.as_mut().poll(cx) else { return Poll::Pending };
        let id = *id;
        self.renewal = None;
        Poll::Ready((id, token))
    }

    /// The token to greet with, once, when it and the socket are there; `None` if there is no token.
    fn poll_greeting(&mut self, cx: &mut Context<'_>) -> Poll<Option<Option<String>>> {
        let Greeting::Waits(source, token) = &mut self.token else { return Poll::Pending };
        if let Some(fetched) = source {
            let Poll::Ready(fetched) = fetched.as_mut().poll(cx) else { return Poll::Pending };
            (*source, *token) = (None, fetched);
            if token.is_none() {
                return Poll::Ready(None);
            }
        }
        // Ready too when it has failed, which its stream says.
        let ready = self.socket.poll_ready_unpin(cx).is_ready();
        if !ready || !matches!(self.socket.state(), State::Open) {
            return Poll::Pending;
        }
        let token = token.take();
        self.token = Greeting::Done;
        Poll::Ready(Some(token))
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let Some(shared) = this.shared.upgrade() else {
                for socket in &mut this.sockets {
                    socket.take().map(|socket| socket.socket.close(Some(NORMAL), None));
                }
                return Poll::Ready(());
            };
            if let Poll::Ready(command) = shared.turn(|engine, _| engine.poll_command(cx)) {
                this.obey(command, &shared);
            } else if this.hear(0, &shared, cx).is_pending()
                && this.hear(1, &shared, cx).is_pending()
                && this.poll_timer(&shared, cx).is_pending()
            {
                return Poll::Pending;
            }
        }
    }
}

/// An address of the WebSocket scheme; not every browser takes another.
fn resolve(url: &str) -> String {
    let global = js_sys::global();
    let location = Reflect::get(&global, &JsValue::from_str("location"));
    let base = location.and_then(|location| Reflect::get(&location, &JsValue::from_str("href")));
    let base = base.ok().and_then(|base| base.as_string());
    let resolved = base.and_then(|base| Url::new_with_base(url, &base).ok());
    let Some(resolved) = resolved else { return url.to_owned() };
    match resolved.protocol().as_str() {
        "https:" => resolved.set_protocol("wss:"),
        "http:" => resolved.set_protocol("ws:"),
        _ => {}
    }
    resolved.href()
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    wasm_bindgen_test_configure!(run_in_browser);

    #[wasm_bindgen_test]
    fn addresses_are_of_the_websocket_scheme() {
        let page = js_sys::eval("location.host").ok().and_then(|host| host.as_string());
        let page = page.expect("a page has a host");
        for (url, expected) in [
            ("/ws", format!("ws://{page}/ws")),
            ("ws?a=b", format!("ws://{page}/ws?a=b")),
            ("http://other.test/ws", "ws://other.test/ws".into()),
            ("https://other.test:8443/ws", "wss://other.test:8443/ws".into()),
            ("wss://other.test/ws", "wss://other.test/ws".into()),
        ] {
            assert_eq!(resolve(url), expected, "{url}");
        }
    }
}
