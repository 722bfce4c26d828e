//! What moves the bytes: one task that owns sockets and a timer and does what the engine tells it.
//!
//! `platform` is what differs between a page and a program: a way to dial, sockets, a timer, the clock, and a place for the task.

#[cfg(not(target_arch = "wasm32"))]
#[path = "native/mod.rs"]
mod platform;
#[cfg(target_arch = "wasm32")]
#[path = "web/mod.rs"]
mod platform;

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use tidewire_protocol::{Millis, code::CloseCode};

use crate::{
    engine::{Command, Engine},
    shared::Shared,
};
pub use platform::Spawnable;
use platform::{Dialer, Socket, Text, Timer, Token, Watch};
pub(crate) use platform::{Options, TokenSource, now, spawn};

/// The subprotocol by which a server knows this client and answers refusals with close codes.
const SUBPROTOCOL: &str = "tidewire.1";

/// What a socket has to say.
enum Heard {
    Text(Text),
    /// A message that no client of this protocol expects.
    Binary,
    Closed(CloseCode, String),
}

/// Ends when the last handle is gone.
pub(crate) struct Driver {
    shared: Weak<Shared>,
    dialer: Dialer,
    token: Option<TokenSource>,
    /// By their number.
    links: [Option<Link>; 2],
    /// A deadline and the timer that is set for it.
    timer: Option<(Millis, Timer)>,
    _watch: Watch,
}

/// A socket, and what it needs to greet the server.
struct Link {
    socket: Socket,
    greeting: Greeting,
    /// A fresh token that is being fetched, and the number of its request.
    renewal: Option<(u32, Token)>,
}

enum Greeting {
    /// The token is being fetched while the socket opens.
    Waits(Option<Token>, Option<String>),
    Done,
}

impl Driver {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        url: &str,
        options: Options,
        token: Option<TokenSource>,
    ) -> Self {
        let shared = Arc::downgrade(shared);
        let woken = shared.clone();
        let watch = Watch::new(move || {
            if let Some(shared) = woken.upgrade() {
                shared.turn(Engine::wake);
            }
        });
        let dialer = Dialer::new(url, options);
        Self { shared, dialer, token, links: [None, None], timer: None, _watch: watch }
    }

    fn obey(&mut self, command: Command, shared: &Shared) {
        match command {
            Command::Open(link) => match self.dialer.open() {
                Ok(socket) => {
                    let token = self.token.as_ref().map(|source| source());
                    let greeting = Greeting::Waits(token, None);
                    *self.link(link) = Some(Link { socket, greeting, renewal: None });
                }
                // Another try would fail alike, so this is no loss that backs off.
                Err(reason) => {
                    shared.turn(|engine, now| engine.leads_nowhere(link, reason, now));
                }
            },
            Command::Shut(link, code) => {
                if let Some(Link { socket, .. }) = self.link(link).take() {
                    socket.close(code);
                }
            }
            Command::Send(link, text) => {
                if let Some(Link { socket, .. }) = self.link(link) {
                    socket.send(text);
                }
            }
            Command::Token(link, id) => {
                let token = self.token.as_ref().map(|source| source());
                if let (Some(link), Some(token)) = (self.link(link), token) {
                    link.renewal = Some((id, token));
                }
            }
        }
    }

    fn link(&mut self, link: u8) -> &mut Option<Link> {
        let [first, second] = &mut self.links;
        if link == 0 { first } else { second }
    }

    /// Passes on one thing that a link has to say.
    fn hear(&mut self, number: u8, shared: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        let Some(link) = self.link(number) else { return Poll::Pending };
        if let Poll::Ready(greeting) = link.poll_greeting(cx) {
            match greeting {
                Some(token) => shared.turn(|engine, now| engine.opened(number, token, now)),
                None => {
                    self.lose(number, CloseCode::ABNORMAL, "there is no token".into(), shared);
                }
            }
            return Poll::Ready(());
        }
        if let Poll::Ready((id, token)) = link.poll_renewal(cx) {
            if let Some(token) = token {
                shared.turn(|engine, _| engine.renew(number, id, &token));
            }
            return Poll::Ready(());
        }
        link.socket.poll_heard(cx).map(|heard| match heard {
            Heard::Text(text) => {
                shared.turn(|engine, now| engine.text(number, text.as_str(), now));
            }
            Heard::Binary => shared.turn(|engine, now| engine.text(number, "", now)),
            Heard::Closed(code, reason) => self.lose(number, code, reason, shared),
        })
    }

    fn lose(&mut self, link: u8, code: CloseCode, reason: String, shared: &Shared) {
        *self.link(link) = None;
        shared.turn(|engine, now| engine.closed(link, code, reason, now));
    }

    fn poll_timer(
        &mut self,
        deadline: Option<Millis>,
        shared: &Shared,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        // A timer that fires too early is harmless, so one is set anew for a nearer deadline only.
        let set = self.timer.as_ref().map(|timer| timer.0);
        match deadline {
            Some(at) if set.is_none_or(|set| at < set) => {
                self.timer = Some((at, Timer::after(at.saturating_sub(now()))));
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

impl Link {
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
        let Greeting::Waits(source, token) = &mut self.greeting else { return Poll::Pending };
        if let Some(fetched) = source {
            let Poll::Ready(fetched) = fetched.as_mut().poll(cx) else { return Poll::Pending };
            (*source, *token) = (None, fetched);
            if token.is_none() {
                return Poll::Ready(None);
            }
        }
        if self.socket.poll_open(cx).is_pending() {
            return Poll::Pending;
        }
        let token = token.take();
        self.greeting = Greeting::Done;
        Poll::Ready(Some(token))
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let Some(shared) = this.shared.upgrade() else {
                for link in this.links.iter_mut().filter_map(Option::take) {
                    link.socket.close(CloseCode::NORMAL.0);
                }
                return Poll::Ready(());
            };
            if let Poll::Ready(command) = shared.turn(|engine, _| engine.poll_command(cx)) {
                this.obey(command, &shared);
                continue;
            }
            let (takes_more, deadline) =
                shared.turn(|engine, now| (engine.takes_more(now), engine.deadline()));
            // The timer before the sockets: what comes without end must not keep a time-out from its time.
            if this.poll_timer(deadline, &shared, cx).is_pending()
                && (!takes_more
                    || (this.hear(0, &shared, cx).is_pending()
                        && this.hear(1, &shared, cx).is_pending()))
            {
                return Poll::Pending;
            }
        }
    }
}
