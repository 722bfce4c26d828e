//! `wss`, to a server with a certificate of its own authority.

use std::{io, net::SocketAddr, sync::Arc};

use axum::{Router, serve::Listener};
use futures_util::StreamExt;
use tidewire_client::{Continuity, State, connect};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
    server::TlsStream,
};

use super::{serving, soon};
use crate::{live, room, say, schema::Talk, state, text};

struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // A client that does not trust the server is gone.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(&self.listener)
    }
}

/// The address of a server, and its certificate.
async fn server() -> (String, String) {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let secret = PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config.with_no_client_auth().with_single_cert(vec![key.cert.der().clone()], secret)
        })
        .expect("the key fits the certificate");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    let listener = Secure { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
    let app = Router::new().route("/ws", serving::talk().build().handler());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("https://{address}/ws"), key.cert.pem())
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_talked_to() {
    let (url, certificate) = server().await;
    let ann = connect::<Talk>(url).authorities(certificate).build();
    let general = room("tls");
    let mut heard = ann.subscribe(&general);
    live(&mut heard, Continuity::Fresh).await;
    soon("an answer", ann.publish(&general, &say("hello"))).await.expect("it was appended");
    assert_eq!(text(&mut heard).await, "hello");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not() {
    let (url, _) = server().await;
    let ann = connect::<Talk>(url).build();
    let mut states = ann.connections();
    state(&mut states, |state| matches!(state, State::Waiting { .. })).await;
    let reason = ann.connection().reason;
    assert!(reason.contains("UnknownIssuer"), "{reason}");
}

#[tokio::test]
async fn an_authority_that_cannot_be_read_is_told() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let ann = connect::<Talk>("wss://127.0.0.1:1/ws").authorities(broken).build();
    let stopped = soon("a state", ann.connections().skip(1).next()).await.expect("it is told");
    assert!(matches!(stopped.state, State::Stopped { .. }), "{stopped:?}");
    assert!(stopped.reason.starts_with("an authority's certificate cannot be read"), "{stopped:?}");
}
