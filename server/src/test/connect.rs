//! How a client in memory connects.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
};

use http::{StatusCode, header, request};
use tidewire_protocol::{
    code::CloseCode,
    frame::{VERSION, client::Hello},
    schema::Schema,
};

use super::{client::Client, error::RequestError, error::WaitError, frame::Close, wire::Wire};
use crate::{admission, connection::Connection, io::Io, live::Live};

/// What the pipe holds of each direction: about what a socket's buffers take of a peer that does not read.
const PIPE_BYTES: usize = 64 * 1024;

/// Why a client was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The path or a header cannot stand in a request.
    #[error("the request is not valid: {0}")]
    InvalidRequest(String),
    /// The upgrade was refused.
    #[error("refused: {status} {message}")]
    Refused {
        /// The status of the HTTP answer.
        status: StatusCode,
        /// Its text.
        message: String,
        /// The close code that tells it to clients which would not see a status; `None` where they get HTTP as well.
        code: Option<CloseCode>,
    },
    /// The connection was closed instead of an answer to the hello.
    #[error("the hello was refused: {0}")]
    Closed(Close),
    /// The hello was not answered.
    #[error(transparent)]
    Wait(WaitError),
}

/// A client that is about to connect: await it. See [`Client::connect`].
#[must_use = "a client connects when this is awaited"]
pub struct Connect<V> {
    live: Live<V>,
    request: request::Builder,
    hello: Option<Hello>,
    pipe_bytes: usize,
}

impl<V: Send + Sync + 'static> Connect<V> {
    pub(super) fn new(live: &Live<V>) -> Self {
        Self {
            live: live.clone(),
            request: http::Request::get("/ws"),
            hello: None,
            pipe_bytes: PIPE_BYTES,
        }
    }

    /// Sets the path and query of the request; `/ws` by default.
    ///
    /// ```
    /// use tidewire::{Live, Refusal, Request, test::{Client, ConnectError}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<String>::builder()
    ///     .on_auth(async |_cx, request: Request| request.query("token").ok_or(Refusal::unauthorized()))
    ///     .build();
    /// Client::connect(&live).path("/ws?token=ann").await?;
    ///
    /// let refused = Client::connect(&live).await.unwrap_err();
    /// assert!(matches!(refused, ConnectError::Refused { status, .. } if status == 401));
    /// # Ok(())
    /// # }
    /// ```
    pub fn path(mut self, path: &str) -> Self {
        self.request = self.request.uri(path);
        self
    }

    /// Adds a header to the request: a cookie, an `Origin`. `Host` is `localhost` unless it is given here.
    ///
    /// ```
    /// # use tidewire::{Live, test::Client};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().build();
    /// Client::connect(&live).header("origin", "http://localhost").await?;
    /// let refused = Client::connect(&live).header("origin", "https://evil.example").await.unwrap_err();
    /// assert_eq!(refused.to_string(), "refused: 403 Forbidden the origin is not allowed");
    /// # Ok(())
    /// # }
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// Puts there what the application's middleware would: see [`Request::extensions`](crate::Request::extensions).
    ///
    /// ```
    /// use tidewire::{Live, Refusal, Request, test::Client};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<User>::builder()
    ///     .on_auth(async |_cx, request: Request| {
    ///         request.extensions().get::<User>().cloned().ok_or(Refusal::unauthorized())
    ///     })
    ///     .build();
    /// let _client = Client::connect(&live).extension(User("ann".into())).await?;
    /// assert_eq!(live.sessions()[0].value().0, "ann");
    /// # Ok(())
    /// # }
    /// ```
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.request = self.request.extension(value);
        self
    }

    /// Says hello, so that requests are answered and events have positions. Without it the client is plain.
    pub fn hello(mut self) -> Self {
        self.hello_mut();
        self
    }

    /// Says hello with a token for `on_token`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidewire::{CloseCode, Identity, Live, Refusal, test::Client};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<String>::builder()
    ///     .on_token(async |_cx, token: Option<String>| {
    ///         let name = token.ok_or(Refusal::unauthorized())?;
    ///         Ok::<_, Refusal>(Identity::new(name).expires_in(Duration::from_secs(900)))
    ///     })
    ///     .build();
    /// let mut client = Client::connect(&live).token("ann").await?;
    /// assert_eq!(client.closed().await?.code, CloseCode::TOKEN_EXPIRED);
    /// # Ok(())
    /// # }
    /// ```
    pub fn token(mut self, token: &str) -> Self {
        self.hello_mut().token = Some(token.into());
        self
    }

    /// Says hello as a client that was built with the schema `S`; the answer has a verdict for each entry.
    ///
    /// ```
    /// use tidewire::{Live, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Site { topic News = "news" { event: String } }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().topic::<News>(|topic| topic.public()).build();
    /// let client = Client::connect(&live).schema::<Site>().await?;
    /// let verdicts = &client.welcome().unwrap().schema;
    /// assert!(verdicts.values().all(|verdict| verdict.is_accepted()), "the server serves all of the schema");
    /// # Ok(())
    /// # }
    /// ```
    pub fn schema<S: Schema>(mut self) -> Self {
        let entries = S::ENTRIES.iter().map(|entry| {
            let versions = entry.versions();
            (entry.key().into(), versions.named().map(|hash| hash.to_string()).collect())
        });
        self.hello_mut().schema = entries.collect();
        self
    }

    /// Sets how many bytes the pipe holds of each direction; 64 KiB by default. The fewer, the sooner the server notices that
    /// the client does not read.
    pub fn pipe_bytes(mut self, bytes: usize) -> Self {
        self.pipe_bytes = bytes;
        self
    }

    fn hello_mut(&mut self) -> &mut Hello {
        self.hello.get_or_insert_with(|| Hello {
            version: VERSION,
            client: crate::random::id(),
            token: None,
            schema: Default::default(),
        })
    }

    async fn connect(self) -> Result<Client, ConnectError> {
        let Self { live, request, hello, pipe_bytes } = self;
        let request = request.body(());
        let (mut parts, ()) =
            request.map_err(|error| ConnectError::InvalidRequest(error.to_string()))?.into_parts();
        let host = header::HeaderValue::from_static("localhost");
        parts.headers.entry(header::HOST).or_insert(host);
        let admitted = admission::admit(&live, parts).await.map_err(|denied| {
            let (status, message) = denied.status();
            ConnectError::Refused { status, message, code: denied.close_code() }
        })?;
        let (near, far) = tokio::io::duplex(pipe_bytes);
        let mut running = Box::pin(Connection::new(live, Io::stream(near), admitted, Vec::new()));
        // Its first turn comes before the test's next one, so that the test finds a session.
        tokio::select! {
            biased;
            () = &mut running => {}
            () = std::future::ready(()) => drop(tokio::spawn(running)),
        }
        let mut client = Client::new(Wire::start(far));
        let Some(hello) = hello else { return Ok(client) };
        match client.say_hello(&hello).await {
            Ok(()) => Ok(client),
            // The server closes behind its refusal, and says more by that.
            Err(RequestError::Refused { .. }) => {
                Err(client.closed().await.map_or_else(ConnectError::Wait, ConnectError::Closed))
            }
            Err(RequestError::Wait(WaitError::Closed { close, .. })) => {
                Err(ConnectError::Closed(close))
            }
            Err(RequestError::Wait(error)) => Err(ConnectError::Wait(error)),
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl<V: Send + Sync + 'static> IntoFuture for Connect<V> {
    type Output = Result<Client, ConnectError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}

impl<V> fmt::Debug for Connect<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("request", &self.request)
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}
