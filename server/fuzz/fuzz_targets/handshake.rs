//! Any request: the handshake never panics, and what it accepts keeps every rule, told anew here.
//!
//! The input is the head of a request by lines: the method, then `name: value` each.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts};
use libfuzzer_sys::fuzz_target;
use tidewire::ws::{
    deflate::Deflate,
    handshake::{Offer, Origins, accept_key},
};

fn read(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = lines.next()?.try_into().ok()?;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        parts.headers.try_append(name, value).ok()?;
    }
    Some(parts)
}

/// The value of a header that comes once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name}");
    values[0].to_str().unwrap()
}

fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        String::from_utf8_lossy(value.as_bytes())
            .split(',')
            .any(|element| element.trim().eq_ignore_ascii_case(token))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some(parts) = read(data) else { return };
    let headers = &parts.headers;
    let same_origin = Origins::Same.check(headers).is_ok();
    if same_origin && headers.contains_key("origin") {
        let host = one(headers, "host").to_ascii_lowercase();
        let host = host.split(':').next().unwrap();
        assert!(one(headers, "origin").to_ascii_lowercase().contains(host));
    }
    let Ok(offer) = Offer::read(&parts) else { return };
    let deflate = offer.deflate();
    let protocol = offer.protocol(&["tidewire.1"]);
    let accepted = offer.accept(protocol, deflate);
    // Whatever a client may offer can be chosen.
    for protocol in offer.protocols() {
        let _ = offer.accept(Some(protocol), None);
    }
    let Ok(response) = accepted else { return };

    assert_eq!(parts.method, "GET");
    one(headers, "host");
    assert!(has_token(headers, "connection", "upgrade"));
    assert!(has_token(headers, "upgrade", "websocket"));
    assert_eq!(one(headers, "sec-websocket-version"), "13");
    let key = one(headers, "sec-websocket-key");
    assert!(key.len() == 24 && key.ends_with("=="));
    assert_eq!(response.status(), 101);
    assert_eq!(one(response.headers(), "sec-websocket-accept"), accept_key(key.as_bytes()));
    if protocol.is_some() {
        assert!(has_token(headers, "sec-websocket-protocol", "tidewire.1"));
    }
    if let Some(deflate) = deflate {
        // A client could offer what it is answered, and would get it again.
        let answer = &response.headers()["sec-websocket-extensions"];
        assert_eq!(Deflate::negotiate([answer]), Some(deflate));
    }
});
