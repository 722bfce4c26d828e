//! A browser's page or worker: the WebSocket, timers and events that it has.

mod page;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{SinkExt, StreamExt};
use gloo_events::EventListener;
use gloo_net::websocket::{Message, State, WebSocketError, futures::WebSocket};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Date, Reflect};
use tidewire_protocol::{Millis, code::CloseCode};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Url;

use super::{Heard, SUBPROTOCOL};

/// Browsers take a longer delay for none at all.
const LONGEST_TIMER_MS: Millis = i32::MAX as Millis;

/// What the task of a client may own: in a browser anything, since it never leaves its thread; elsewhere what is [`Send`].
pub trait Spawnable {}

impl<T> Spawnable for T {}

pub(super) type Token = Pin<Box<dyn Future<Output = Option<String>>>>;
pub(crate) type TokenSource = Box<dyn Fn() -> Token>;
pub(super) type Text = String;

/// There is nothing to choose in a browser.
#[derive(Default)]
pub(crate) struct Options {}

pub(crate) fn spawn(driver: impl Future<Output = ()> + 'static) {
    spawn_local(driver);
}

/// The wall clock, because it counts while the machine sleeps.
pub(crate) fn now() -> Millis {
    Date::now() as Millis
}

pub(super) struct Dialer {
    url: String,
}

impl Dialer {
    pub(super) fn new(url: &str, _: Options) -> Self {
        Self { url: url.to_owned() }
    }

    /// A socket that opens; it fails for an address that the browser refuses by itself.
    pub(super) fn open(&self) -> Result<Socket, String> {
        WebSocket::open_with_protocol(&resolve(&self.url), SUBPROTOCOL)
            .map(Socket)
            .map_err(|error| error.to_string())
    }
}

pub(super) struct Socket(WebSocket);

impl Socket {
    /// Ready once it is open; a failure is heard.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Ready too when it has failed.
        match self.0.poll_ready_unpin(cx) {
            Poll::Ready(_) if matches!(self.0.state(), State::Open) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            let Poll::Ready(message) = self.0.poll_next_unpin(cx) else { return Poll::Pending };
            return Poll::Ready(match message {
                Some(Ok(Message::Text(text))) => Heard::Text(text),
                Some(Ok(Message::Bytes(_))) => Heard::Binary,
                Some(Err(WebSocketError::ConnectionClose(close))) => {
                    Heard::Closed(CloseCode(close.code), close.reason)
                }
                // The close that follows says more.
                Some(Err(_)) => continue,
                None => Heard::Closed(CloseCode::ABNORMAL, String::new()),
            });
        }
    }

    pub(super) fn send(&mut self, text: String) {
        // It fails when the socket has ended, which is heard by itself.
        let _ = self.0.start_send_unpin(Message::Text(text));
    }

    pub(super) fn close(self, code: u16) {
        // It fails for a code that a page may not send, and is closed by its drop then.
        let _ = self.0.close(Some(code), None);
    }
}

pub(super) struct Timer(TimeoutFuture);

impl Timer {
    pub(super) fn after(delay: Millis) -> Self {
        Self(TimeoutFuture::new(delay.min(LONGEST_TIMER_MS) as u32))
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Tells when the page may be live again, for as long as it lives.
pub(super) struct Watch {
    _listeners: Vec<EventListener>,
}

impl Watch {
    pub(super) fn new(wake: impl Fn() + Clone + 'static) -> Self {
        Self { _listeners: page::watch(wake) }
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
