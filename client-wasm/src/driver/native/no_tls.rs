//! Without the feature `tls`, `wss` is refused in words.

use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Error, http::Request, protocol::WebSocketConfig},
};

use super::{Stream, WITHOUT_NAGLE};

/// There is nothing to choose.
#[derive(Default)]
pub(crate) struct Options {}

impl Options {
    #[expect(clippy::unused_self, reason = "with the feature it reads what was chosen")]
    pub(super) fn trust(&self) -> Result<Trust, String> {
        Err("TLS needs the feature `tls` of tidewire-client".into())
    }
}

/// Nobody is trusted, so that only plain connections can be made.
#[derive(Clone, Default)]
pub(super) struct Trust {}

impl Trust {
    pub(super) async fn dial(
        self,
        request: Request<()>,
        config: WebSocketConfig,
    ) -> Result<Stream, Error> {
        let opened = connect_async_with_config(request, Some(config), WITHOUT_NAGLE).await;
        opened.map(|(stream, _)| stream)
    }
}
