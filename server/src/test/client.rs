//! [`Client`]: one client in memory, as a test drives it.

use std::{collections::VecDeque, fmt};

use serde::Serialize;
use serde_json::value::to_raw_value;
use tidewire_protocol::{
    code::CloseCode,
    frame::{client::write_data, server::Welcome},
    schema::TypedTopic,
};
use tokio::sync::mpsc::error::TryRecvError;

use super::{
    connect::Connect,
    error::{RequestError, WaitError},
    frame::{Close, Event, Frame},
    patience::patiently,
    wire::{Incoming, Outgoing, Wire, masked},
};
use crate::{
    live::Live,
    ws::{Opcode, encode},
};

/// A client of a [`Live`] in memory. When it is dropped its connection is lost, as if the network were.
///
/// Frames come in order and stay until they are asked for: a method that waits for one kind of frame leaves the others where
/// they are.
pub struct Client {
    wire: Wire,
    pub(super) received: VecDeque<Frame>,
    pings: usize,
    pongs: usize,
    close: Option<Close>,
    pub(super) welcome: Option<Welcome>,
    pub(super) last_id: u64,
}

impl Client {
    /// Connects to `live` when it is awaited: plain, unless [`hello`](Connect::hello) or [`token`](Connect::token) is said.
    ///
    /// ```
    /// use tidewire::{Live, test::Client};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder()
    ///     .on_message(async |_cx, session, message| { let _ = session.send("echo", &message.data); })
    ///     .build();
    /// let mut client = Client::connect(&live).await?;
    /// client.send("say", &"hello").await?;
    /// let frame = client.next().await?;
    /// assert_eq!((&*frame.topic, frame.decode::<String>()?), ("echo", "hello".to_owned()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect<V: Send + Sync + 'static>(live: &Live<V>) -> Connect<V> {
        Connect::new(live)
    }

    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            received: VecDeque::new(),
            pings: 0,
            pongs: 0,
            close: None,
            welcome: None,
            last_id: 0,
        }
    }

    /// The server's answer to the hello, with the session's id; `None` of a plain client.
    #[must_use]
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref()
    }

    /// Sends a message, or a publish that is not acknowledged. Whatever the topic's name: it is the server that judges it.
    ///
    /// # Errors
    /// If the data cannot be JSON, the connection is closed, or the server takes nothing.
    pub async fn send(&mut self, topic: &str, data: &impl Serialize) -> Result<(), RequestError> {
        let text = write_data(topic, None, &to_raw_value(data)?);
        Ok(self.send_text(&text).await?)
    }

    /// Sends any text, a frame or not.
    ///
    /// # Errors
    /// If the connection is closed, or the server takes nothing.
    pub async fn send_text(&mut self, text: &str) -> Result<(), WaitError> {
        self.write(masked(Opcode::Text, text.as_bytes())).await
    }

    /// The next frame, whatever it is.
    ///
    /// # Errors
    /// If none comes.
    pub async fn next(&mut self) -> Result<Frame, WaitError> {
        self.find("a frame", |client| client.received.pop_front()).await
    }

    /// The next frame whose topic has this name: a message that `session.send` sent, `$unsubscribed`, `error`.
    ///
    /// # Errors
    /// If none comes.
    pub async fn next_of(&mut self, topic: &str) -> Result<Frame, WaitError> {
        self.find(&format!("a frame of {topic:?}"), |client| {
            let at = client.received.iter().position(|frame| frame.topic == topic)?;
            client.received.remove(at)
        })
        .await
    }

    /// The next event of a typed topic, whatever its parameters are.
    ///
    /// # Errors
    /// If none comes, or it is not of its type.
    pub async fn next_event<T: TypedTopic>(&mut self) -> Result<Event<T>, WaitError> {
        self.find(&format!("an event of {}", T::PATTERN), |client| {
            let mut frames = client.received.iter().enumerate();
            let (at, event) = frames.find_map(|(at, frame)| Some((at, frame.event::<T>()?)))?;
            client.received.remove(at);
            Some(event)
        })
        .await?
    }

    /// The next frame of those that have come. After [`ping`](Self::ping) `None` means that the server has sent nothing.
    ///
    /// ```
    /// # use tidewire::{Live, test::Client};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().build();
    /// let mut client = Client::connect(&live).await?;
    /// live.publish("news", &"not subscribed").await?;
    /// client.ping().await?;
    /// assert!(client.try_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&mut self) -> Option<Frame> {
        self.take_all();
        self.received.pop_front()
    }

    /// A round trip: all that the server sent to this client before is there then, and all that the client sent has been read
    /// or waits behind a hook.
    ///
    /// # Errors
    /// If no answer comes.
    pub async fn ping(&mut self) -> Result<(), WaitError> {
        self.write(masked(Opcode::Ping, b"")).await?;
        self.find("a pong", |client| client.pongs.checked_sub(1).map(|left| client.pongs = left))
            .await
    }

    /// Waits for the server's next ping that no earlier call has taken.
    ///
    /// # Errors
    /// If none comes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidewire::{Live, test::Client};
    /// use tokio::time::Instant;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().build();
    /// let mut client = Client::connect(&live).await?;
    /// let start = Instant::now();
    /// client.next_ping().await?;
    /// assert_eq!(start.elapsed().as_secs(), 25);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_ping(&mut self) -> Result<(), WaitError> {
        self.find("a ping", |client| client.pings.checked_sub(1).map(|left| client.pings = left))
            .await
    }

    /// Answers no more pings, like a page whose machine sleeps.
    pub fn ignore_pings(&mut self) {
        self.wire.conduct.send_modify(|conduct| conduct.answers_pings = false);
    }

    /// Reads nothing more: what the server sends backs up, first in the pipe, then in the session's queue.
    ///
    /// ```
    /// use tidewire::{CloseCode, Live, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Site { topic News = "news" { event: String } }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().queue_size(10).topic::<News>(|topic| topic.public()).build();
    /// let mut slow = Client::connect(&live).pipe_bytes(1024).hello().await?;
    /// slow.subscribe(&News).await?;
    /// slow.pause_reading();
    /// for _ in 0..20 {
    ///     live.topic(News).publish(&"x".repeat(1024)).await?;
    /// }
    /// slow.resume_reading();
    /// assert_eq!(slow.closed().await?.code, CloseCode::SLOW_CONSUMER);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause_reading(&mut self) {
        self.wire.conduct.send_modify(|conduct| conduct.reads = false);
    }

    /// Reads again.
    pub fn resume_reading(&mut self) {
        self.wire.conduct.send_modify(|conduct| conduct.reads = true);
    }

    /// Waits until the connection is closed. Frames that came before stay to be asked for.
    ///
    /// # Errors
    /// If it is not closed.
    pub async fn closed(&mut self) -> Result<Close, WaitError> {
        self.find("the connection's close", |client| client.close.clone()).await
    }

    /// Closes the connection, and waits for the server's answer.
    ///
    /// # Errors
    /// If the connection is closed already, or no answer comes.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tidewire::{CloseCode, CloseReason, Live, test::{self, Client}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let reason = Arc::new(Mutex::new(None));
    /// let live = Live::<()>::builder()
    ///     .state(Arc::clone(&reason))
    ///     .on_close(async |cx, _session, reason| *cx.state.lock().unwrap() = Some(reason))
    ///     .build();
    /// let mut client = Client::connect(&live).await?;
    /// client.close(CloseCode::GOING_AWAY, "").await?;
    /// test::eventually("`on_close` has run", || reason.lock().unwrap().is_some()).await?;
    /// let expected = CloseReason::Client { code: Some(CloseCode::GOING_AWAY), reason: String::new() };
    /// assert_eq!(*reason.lock().unwrap(), Some(expected));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<Close, WaitError> {
        self.write(masked(Opcode::Close, &encode::close_payload(code.0, reason))).await?;
        self.closed().await
    }

    /// Waits until `pick` finds what it looks for among what has come.
    pub(super) async fn find<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T, WaitError> {
        let found = async {
            loop {
                self.take_all();
                if let Some(found) = pick(self) {
                    return Ok(found);
                }
                self.check_open(what)?;
                if !self.wire.conduct.borrow().reads {
                    return Err(WaitError::Paused(what.into()));
                }
                let incoming = self.wire.incoming.recv().await;
                self.take(incoming.unwrap_or_else(|| Incoming::Close(Close::lost())));
            }
        };
        patiently(what, found).await?
    }

    async fn write(&mut self, outgoing: Outgoing) -> Result<(), WaitError> {
        const WHAT: &str = "the server to take a message";
        self.take_all();
        self.check_open(WHAT)?;
        let sent = patiently(WHAT, self.wire.outgoing.send(outgoing)).await?;
        if sent.is_err() {
            self.take_all();
            self.check_open(WHAT)?;
        }
        Ok(())
    }

    fn check_open(&self, what: &str) -> Result<(), WaitError> {
        match &self.close {
            Some(close) => Err(WaitError::Closed { what: what.into(), close: close.clone() }),
            None => Ok(()),
        }
    }

    /// Takes all that has come.
    fn take_all(&mut self) {
        loop {
            match self.wire.incoming.try_recv() {
                Ok(incoming) => self.take(incoming),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.close.get_or_insert_with(Close::lost);
                    return;
                }
            }
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Frame(frame) => self.received.push_back(frame),
            Incoming::Ping => self.pings += 1,
            Incoming::Pong => self.pongs += 1,
            Incoming::Close(close) => drop(self.close.get_or_insert(close)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("welcome", &self.welcome)
            .field("received", &self.received)
            .field("close", &self.close)
            .finish_non_exhaustive()
    }
}
