//! [`Request`]: the HTTP request of an upgrade, as `on_auth` sees it.

use std::borrow::Cow;

use http::{HeaderMap, Uri, header, request::Parts};
use percent_encoding::percent_decode_str;

/// The HTTP request with which a client asks for a connection.
///
/// ```
/// # use tidewire::Request;
/// # let (parts, ()) = http::Request::get("/ws?token=a%20b").header("cookie", "sid=42; theme=dark").body(()).unwrap().into_parts();
/// let request = Request::from(parts);
/// assert_eq!(request.query("token").as_deref(), Some("a b"));
/// assert_eq!(request.cookie("sid"), Some("42"));
/// assert_eq!(request.bearer(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    parts: Parts,
}

impl From<Parts> for Request {
    fn from(parts: Parts) -> Self {
        Self { parts }
    }
}

impl Request {
    /// The address asked for.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// What middleware has put there.
    #[must_use]
    pub fn extensions(&self) -> &http::Extensions {
        &self.parts.extensions
    }

    /// A header's value, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// The first value of a query parameter, decoded; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let decode = |text: &str| {
            let spaced: Cow<'_, str> =
                if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = self.parts.uri.query()?.split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
    }

    /// A cookie's value as sent.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines =
            self.parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The token of `Authorization: Bearer …`. Browsers cannot send that with a WebSocket; other clients can.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request {
        let mut builder = http::Request::get(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0.into()
    }

    #[test]
    fn query_parameters_are_decoded() {
        for (uri, expected) in [
            ("/ws?a=1&b=2", Some("2")),
            ("/ws?b=x+y%21", Some("x y!")),
            ("/ws?%62=1", Some("1")),
            ("/ws?b", Some("")),
            ("/ws?b=1&b=2", Some("1")),
            ("/ws?bb=1", None),
            ("/ws", None),
        ] {
            assert_eq!(request(uri, &[]).query("b").as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn cookies_and_bearer_tokens() {
        let request = request(
            "/",
            &[("cookie", "a=1; b=x=y"), ("cookie", "c=3"), ("authorization", "bearer  t ")],
        );
        assert_eq!(
            (request.cookie("b"), request.cookie("c"), request.cookie("d")),
            (Some("x=y"), Some("3"), None)
        );
        assert_eq!(request.bearer(), Some("t"));
    }
}
