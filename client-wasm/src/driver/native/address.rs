//! Where a server is, in an address that needs no page to be relative to.

/// An address of the scheme `ws` or `wss`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) url: String,
    pub(super) is_secure: bool,
}

impl Address {
    /// Or why it is none.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(format!(
                "{url:?} is relative, and outside a browser there is no page to begin from: write wss://host/path"
            ));
        };
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(format!("{url:?} is of no scheme that leads to a server")),
        };
        // What a page would do with it stays on the page.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let scheme = if is_secure { "wss" } else { "ws" };
        Ok(Self { url: format!("{scheme}://{rest}"), is_secure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_websocket_scheme() {
        for (url, expected) in [
            ("ws://other.test/ws", Some(("ws://other.test/ws", false))),
            ("http://other.test:80/ws?a=b", Some(("ws://other.test:80/ws?a=b", false))),
            ("https://other.test:8443/ws#top", Some(("wss://other.test:8443/ws", true))),
            ("WSS://other.test", Some(("wss://other.test", true))),
            ("ftp://other.test/ws", None),
            ("/ws", None),
            ("ws?a=b", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(url, is_secure)| Address { url: url.to_owned(), is_secure });
            assert_eq!(Address::parse(url).ok(), expected, "{url}");
        }
    }

    #[test]
    fn a_relative_address_is_called_that() {
        let error = Address::parse("/ws").unwrap_err();
        assert!(error.starts_with("\"/ws\" is relative"), "{error}");
    }
}
