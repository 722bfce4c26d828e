//! [`Live::handler`]: the server as an axum route.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::Request,
    response::Response,
    routing::{MethodRouter, any_service},
};
use tower_service::Service;

use super::upgrade::upgrade;
use crate::live::Live;

impl<V: Send + Sync + 'static> Live<V> {
    /// The route to mount: `Router::new().route("/ws", live.handler())`.
    ///
    /// It takes WebSocket upgrades by GET and answers everything else: what is no upgrade with 400 or 405, another WebSocket
    /// version with 426, a forbidden origin with 403, a refusal of `on_auth` with its status, a malformed key with 400.
    pub fn handler<S>(&self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        any_service(Handler { live: self.clone() })
    }
}

struct Handler<V> {
    live: Live<V>,
}

impl<V> Clone for Handler<V> {
    fn clone(&self) -> Self {
        Self { live: self.live.clone() }
    }
}

impl<V: Send + Sync + 'static> Service<Request> for Handler<V> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let live = self.live.clone();
        Box::pin(async move { Ok(upgrade(live, request).await.map(Body::from)) })
    }
}
