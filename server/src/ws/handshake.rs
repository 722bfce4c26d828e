//! The opening handshake of a server (RFC 6455, section 4.2), strict and without a socket.
//!
//! The checks stand in the order of their answers: first what makes a request no upgrade at all,
//! then the version, and last the key; between them the caller asks who it is ([`Origins`] and
//! its own authentication). [`Offer::read`] does the first two, [`Offer::accept`] the last.
//!
//! ```
//! use tidewire::ws::handshake::{Offer, Origins, Refusal};
//!
//! fn upgrade(request: &http::request::Parts) -> Result<http::Response<()>, Refusal> {
//!     let offer = Offer::read(request)?;
//!     Origins::Same.check(&request.headers)?;
//!     // …authentication…
//!     let protocol = offer.protocol(&["chat.1"]);
//!     offer.accept(protocol, None)
//! }
//!
//! let request = http::Request::get("/ws")
//!     .header("Host", "chat.example")
//!     .header("Origin", "https://chat.example")
//!     .header("Connection", "keep-alive, Upgrade")
//!     .header("Upgrade", "websocket")
//!     .header("Sec-WebSocket-Version", "13")
//!     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
//!     .body(())?;
//! let response = upgrade(&request.into_parts().0)?;
//! assert_eq!(response.status(), 101);
//! assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use base64::{
    Engine, alphabet,
    engine::{GeneralPurpose, general_purpose::GeneralPurposeConfig, general_purpose::STANDARD},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header, request,
};
use sha1::{Digest, Sha1};

use super::deflate::Deflate;
pub use super::origin::Origins;
use super::origin::host_and_port;

/// Why a request is not taken as a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The method is not GET: 405.
    #[error("a WebSocket is opened by GET")]
    Method,
    /// The request is not HTTP/1.1: 400.
    #[error("a WebSocket is opened over HTTP/1.1")]
    HttpVersion,
    /// There is no `Host`, more than one, or one that is no host and port: 400.
    #[error("the request has to have one valid Host")]
    Host,
    /// `Connection` has no token `upgrade`: 400.
    #[error("the request has no 'Connection: Upgrade'")]
    Connection,
    /// `Upgrade` has no token `websocket`: 400.
    #[error("the request has no 'Upgrade: websocket'")]
    Upgrade,
    /// The request announces a body: 400.
    #[error("the request for an upgrade has a body")]
    Body,
    /// `Sec-WebSocket-Version` comes twice: 400.
    #[error("the request has more than one Sec-WebSocket-Version")]
    RepeatedVersion,
    /// `Sec-WebSocket-Version` is missing or not 13: 426, which names 13.
    #[error("the Sec-WebSocket-Version has to be 13")]
    Version,
    /// The page that opens the connection is of an origin that is not allowed: 403.
    #[error("the origin is not allowed")]
    Origin,
    /// `Sec-WebSocket-Key` is missing, comes twice or is not 16 bytes in base64: 400.
    #[error("the request has no valid Sec-WebSocket-Key")]
    Key,
    /// The server has no connection to upgrade, a mistake in its setup: 500.
    #[error("the connection cannot be upgraded")]
    Connectionless,
}

impl Refusal {
    /// The status that answers it.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Connectionless => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The whole answer, with the reason as its body.
    pub fn response<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        match self {
            Self::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
            }
            Self::Version => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                headers.insert(header::UPGRADE, WEBSOCKET);
                headers.insert(header::CONNECTION, header::UPGRADE.into());
            }
            _ => {}
        }
        response
    }
}

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// A request that is an upgrade to WebSocket in version 13; its key is judged last.
#[derive(Debug, Clone)]
pub struct Offer {
    key: Option<HeaderValue>,
    protocols: Vec<String>,
    extensions: Vec<HeaderValue>,
}

impl Offer {
    /// Checks that `request` is an upgrade, and its version.
    ///
    /// # Errors
    /// The first of the answers 405, 400 and 426 that applies.
    pub fn read(request: &request::Parts) -> Result<Self, Refusal> {
        Self::check(&request.method, request.version, &request.headers)
    }

    pub(super) fn check(
        method: &Method,
        version: Version,
        headers: &HeaderMap,
    ) -> Result<Self, Refusal> {
        if method != Method::GET {
            return Err(Refusal::Method);
        }
        if version != Version::HTTP_11 {
            return Err(Refusal::HttpVersion);
        }
        sole(headers, header::HOST).filter(|host| is_host(host)).ok_or(Refusal::Host)?;
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(Refusal::Connection);
        }
        if !has_token(headers, header::UPGRADE, "websocket") {
            return Err(Refusal::Upgrade);
        }
        let has_length = headers.get_all(header::CONTENT_LENGTH).iter().any(|len| len != "0");
        if has_length || headers.contains_key(header::TRANSFER_ENCODING) {
            return Err(Refusal::Body);
        }
        let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION).iter();
        match (versions.next().map(HeaderValue::as_bytes), versions.next()) {
            (Some(b"13"), None) => {}
            (Some(version), None) if !version.contains(&b',') => return Err(Refusal::Version),
            (None, _) => return Err(Refusal::Version),
            _ => return Err(Refusal::RepeatedVersion),
        }
        Ok(Self {
            key: sole(headers, header::SEC_WEBSOCKET_KEY).cloned(),
            protocols: list(headers, header::SEC_WEBSOCKET_PROTOCOL)
                .filter(|protocol| protocol.iter().all(u8::is_ascii_graphic))
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned())
                .collect(),
            extensions: headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().cloned().collect(),
        })
    }

    /// The subprotocols that the client offers, the one it likes best first.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        self.protocols.iter().map(String::as_str)
    }

    /// The first subprotocol of the client's that is among `supported`.
    pub fn protocol<'a>(&self, supported: &[&'a str]) -> Option<&'a str> {
        self.protocols().find_map(|offered| supported.iter().copied().find(|p| *p == offered))
    }

    /// The compression that can be had with this client, if it offers any.
    pub fn deflate(&self) -> Option<Deflate> {
        Deflate::negotiate(&self.extensions)
    }

    /// Checks the key and gives the answer that opens the connection, with the subprotocol and
    /// the compression that were chosen.
    ///
    /// # Errors
    /// [`Refusal::Key`].
    ///
    /// # Panics
    /// If `protocol` cannot be a header's value.
    pub fn accept(
        &self,
        protocol: Option<&str>,
        deflate: Option<Deflate>,
    ) -> Result<Response<()>, Refusal> {
        let key = self.key.as_ref().filter(|key| is_key(key)).ok_or(Refusal::Key)?;
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, header::UPGRADE.into());
        headers.insert(header::UPGRADE, WEBSOCKET);
        let accept = accept_key(key.as_bytes());
        let accept = HeaderValue::try_from(accept).expect("base64 is visible ASCII");
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_str(protocol).expect("the server's own subprotocol");
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        if let Some(deflate) = deflate {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, deflate.header());
        }
        Ok(response)
    }
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
///
/// ```
/// use tidewire::ws::handshake::accept_key;
///
/// assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
pub fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    STANDARD.encode(digest)
}

/// As many clients write it: the bits that are left over may be set.
const LENIENT_BITS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

fn is_key(key: &HeaderValue) -> bool {
    // 24 characters are 16 to 18 bytes.
    let mut bytes = [0; 18];
    key.len() == 24 && LENIENT_BITS.decode_slice(key, &mut bytes) == Ok(16)
}

fn is_host(host: &HeaderValue) -> bool {
    host.to_str().is_ok_and(|host| host_and_port(host, 0).is_some())
}

/// The value of a header that has to come once.
fn sole(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The elements of a header that is a list, over all its lines.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    list(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests;
