//! [`LiveService`]: the server as a service of HTTP, for axum, tower and hyper alike.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::routing::{MethodRouter, any_service};
use http::{Request, Response};

use super::upgrade::{self, AfterHttp};
use crate::live::Live;

impl<V: Send + Sync + 'static> Live<V> {
    /// The route to mount: `Router::new().route("/ws", live.handler())`.
    ///
    /// It takes WebSocket upgrades by GET and answers everything else: what is no upgrade with 400 or 405, another WebSocket
    /// version with 426, a forbidden origin with 403, a refusal of `on_auth` with its status, a malformed key with 400.
    ///
    /// What comes before a whole request is the host's: [`serve`](crate::serve) limits it, `axum::serve` does not.
    pub fn handler<S>(&self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        any_service(self.service())
    }

    /// The same as a service, of tower and of hyper: for whoever serves without axum.
    ///
    /// The host has to keep connections for upgrades (hyper's `with_upgrades`), and the limits of [`serve`](crate::serve) are its
    /// own to set.
    ///
    /// ```
    /// use hyper::server::conn::http1;
    /// use hyper_util::rt::{TokioIo, TokioTimer};
    /// use tidewire::Live;
    ///
    /// async fn serve(live: Live<()>, stream: tokio::net::TcpStream) -> hyper::Result<()> {
    ///     http1::Builder::new()
    ///         .timer(TokioTimer::new())
    ///         .header_read_timeout(std::time::Duration::from_secs(10))
    ///         .serve_connection(TokioIo::new(stream), live.service())
    ///         .with_upgrades()
    ///         .await
    /// }
    /// ```
    #[must_use]
    pub fn service(&self) -> LiveService<V> {
        LiveService { live: self.clone() }
    }
}

/// A [`Live`] that answers HTTP requests, whatever their bodies are: see [`Live::service`].
pub struct LiveService<V> {
    live: Live<V>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

impl<V: Send + Sync + 'static> LiveService<V> {
    fn answer<B>(&self, mut request: Request<B>) -> Answer {
        let connection = request.extensions_mut().remove();
        let after = request.extensions_mut().remove::<AfterHttp>();
        let (parts, _) = request.into_parts();
        let live = self.live.clone();
        Box::pin(async move { Ok(upgrade::answer(live, parts, connection, after.as_ref()).await) })
    }
}

impl<V: Send + Sync + 'static, B> tower_service::Service<Request<B>> for LiveService<V> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

impl<V: Send + Sync + 'static, B> hyper::service::Service<Request<B>> for LiveService<V> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<B>) -> Answer {
        self.answer(request)
    }
}

impl<V> Clone for LiveService<V> {
    fn clone(&self) -> Self {
        Self { live: self.live.clone() }
    }
}

impl<V> fmt::Debug for LiveService<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveService").finish_non_exhaustive()
    }
}
