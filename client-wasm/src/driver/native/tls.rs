//! TLS by rustls, for `wss`.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tidewire_protocol::schema::Schema;
use tokio_tungstenite::{
    Connector, connect_async_tls_with_config,
    tungstenite::{Error, http::Request, protocol::WebSocketConfig},
};

use super::{Stream, WITHOUT_NAGLE};
use crate::Builder;

/// What a program chooses.
#[derive(Default)]
pub(crate) struct Options {
    /// Authorities that are trusted beside the system's, as PEM.
    authorities: Vec<Vec<u8>>,
}

impl Options {
    pub(super) fn trust(&self) -> Result<Trust, String> {
        let mut roots = RootCertStore::empty();
        // One that cannot be read is one that is not trusted; without any there is nobody to talk to.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for pem in &self.authorities {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        // Named, because a program that links two providers has no default.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust(Connector::Rustls(Arc::new(config))))
    }
}

/// Whose word a server has to have; by default it needs none.
#[derive(Clone)]
pub(super) struct Trust(Connector);

impl Default for Trust {
    fn default() -> Self {
        Self(Connector::Plain)
    }
}

impl Trust {
    pub(super) async fn dial(
        self,
        request: Request<()>,
        config: WebSocketConfig,
    ) -> Result<Stream, Error> {
        let connector = Some(self.0);
        let opened =
            connect_async_tls_with_config(request, Some(config), WITHOUT_NAGLE, connector).await;
        opened.map(|(stream, _)| stream)
    }
}

fn unreadable(error: &dyn std::error::Error) -> String {
    format!("an authority's certificate cannot be read: {error}")
}

impl<S: Schema> Builder<S> {
    /// Trusts the authorities of these certificates (PEM) too, as for a server of one's own network. Default: those that the
    /// system trusts. Not in a browser, which has its own.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.options.authorities.push(pem.into());
        self
    }
}
