//! Which pages may open a connection: the check of `Origin`.
//!
//! Browsers let any page open a WebSocket to any server, with the user's cookies; only the server
//! can refuse, by the `Origin` that a browser always sends and a page cannot forge. A request
//! without one comes from no browser.

use std::collections::BTreeSet;

use http::{HeaderMap, header};

use super::handshake::Refusal;

/// The origins from which a connection may be opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    /// Pages of the host and port that the request names in `Host`.
    ///
    /// Compared without case, with the default port filled in from the origin's scheme; the
    /// scheme itself is not compared, as it is not known behind a proxy that ends TLS.
    #[default]
    Same,
    /// Pages of these origins, compared exactly: `https://app.example`.
    List(BTreeSet<String>),
    /// Every page. Only for a server that identifies its users by something that a browser does
    /// not send by itself.
    Any,
}

impl Origins {
    /// The origins listed, or [`Any`] if one of them is `*`.
    ///
    /// [`Any`]: Self::Any
    pub fn list<I: IntoIterator<Item: Into<String>>>(origins: I) -> Self {
        let origins: BTreeSet<String> = origins.into_iter().map(Into::into).collect();
        if origins.contains("*") { Self::Any } else { Self::List(origins) }
    }

    /// Checks a request by its headers. One without `Origin` passes.
    ///
    /// # Errors
    /// [`Refusal::Origin`]; also for an `Origin` that comes twice, and for `null`, which the
    /// browser sends for pages of no origin, unless it is listed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut values = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), second) = (values.next(), values.next()) else { return Ok(()) };
        let allowed = match (self, origin.to_str()) {
            (Self::Any, _) => true,
            (_, Err(_)) => false,
            (Self::Same, Ok(origin)) => second.is_none() && is_same(origin, headers),
            (Self::List(list), Ok(origin)) => second.is_none() && list.contains(origin),
        };
        if allowed { Ok(()) } else { Err(Refusal::Origin) }
    }
}

fn is_same(origin: &str, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some((scheme, origin)) = origin.split_once("://") else { return false };
    let default_port = match () {
        () if scheme.eq_ignore_ascii_case("https") => 443,
        () if scheme.eq_ignore_ascii_case("http") => 80,
        () => return false,
    };
    let host = host.to_str().ok().and_then(|host| host_and_port(host, default_port));
    let origin = host_and_port(origin, default_port);
    matches!((origin, host), (Some((origin, origin_port)), Some((host, host_port)))
        if origin.eq_ignore_ascii_case(host) && origin_port == host_port)
}

/// Splits `example.org:8080`; anything that is more than a host and a port is `None`.
pub(super) fn host_and_port(authority: &str, default_port: u16) -> Option<(&str, u16)> {
    let port_at = match authority.rfind(':') {
        // A colon within the brackets belongs to an IPv6 address.
        Some(at) if !authority[at..].contains(']') => at,
        _ => authority.len(),
    };
    let (host, port) = authority.split_at(port_at);
    let port = match port.strip_prefix(':') {
        None | Some("") => default_port,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b);
    let is_address = |b: u8| b.is_ascii_alphanumeric() || b".:%".contains(&b);
    let is_host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
        None => host.bytes().all(is_name),
        Some(address) => address?.bytes().all(is_address),
    };
    (is_host && !host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(origins: &Origins, host: &str, origin: &[&str], allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        for origin in origin {
            headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let expected = if allowed { Ok(()) } else { Err(Refusal::Origin) };
        assert_eq!(origins.check(&headers), expected, "{host} {origin:?} {origins:?}");
    }

    #[test]
    fn same_origin() {
        let check = |host, origin, allowed| check(&Origins::Same, host, &[origin], allowed);
        check("app.example", "https://app.example", true);
        check("app.example", "http://app.example", true);
        check("APP.example", "https://App.Example", true);
        check("app.example:443", "https://app.example", true);
        check("app.example", "https://app.example:443", true);
        check("app.example", "http://app.example:80", true);
        check("app.example:", "http://app.example", true);
        check("localhost:8080", "http://localhost:8080", true);
        check("[::1]:8080", "http://[::1]:8080", true);
        check("[::1]", "http://[::1]", true);

        check("app.example:443", "http://app.example", false);
        check("app.example", "https://app.example:8443", false);
        check("app.example:8443", "https://app.example", false);
        check("localhost:8080", "http://localhost:3000", false);
        check("app.example", "https://evil.example", false);
        check("app.example", "https://app.example.evil.example", false);
        check("app.example", "https://evilapp.example", false);
        check("[::1]:8080", "http://[::2]:8080", false);
        check("app.example", "null", false);
        check("app.example", "", false);
        check("app.example", "app.example", false);
        check("app.example", "https://app.example/", false);
        check("app.example", "https://user@app.example", false);
        check("app.example", "https://app.example:+443", false);
        check("app.example", "https://app.example:65979", false);
        check("app.example", "https://app.example, https://app.example", false);
        check("localhost", "capacitor://localhost", false);
        check("", "https://", false);
    }

    #[test]
    fn a_list_is_compared_exactly() {
        let list = Origins::list(["https://app.example", "https://b.example:8443"]);
        let check = |origin, allowed| check(&list, "app.example", &[origin], allowed);
        check("https://app.example", true);
        check("https://b.example:8443", true);
        check("https://App.example", false);
        check("http://app.example", false);
        check("https://app.example:443", false);
        check("null", false);
    }

    #[test]
    fn none_one_or_two() {
        let origin = "https://app.example";
        for origins in [Origins::Same, Origins::list([origin])] {
            check(&origins, "app.example", &[], true);
            check(&origins, "app.example", &[origin], true);
            check(&origins, "app.example", &[origin, origin], false);
        }
        let any = Origins::list(["https://one.example", "*"]);
        check(&any, "app.example", &["https://other.example"], true);
        check(&any, "app.example", &["null"], true);
    }
}
