//! Each rule of the handshake, by a request that breaks this rule alone.

use http::Request;

use super::*;

/// A good request, changed.
fn parts(change: impl FnOnce(&mut request::Parts)) -> request::Parts {
    let request = Request::get("/ws")
        .header("Host", "app.example")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    change(&mut parts);
    parts
}

/// Puts `lines` in place of a header; none removes it.
fn with(name: &'static str, lines: &[&'static str]) -> request::Parts {
    parts(|parts| {
        parts.headers.remove(name);
        for line in lines {
            parts.headers.append(name, HeaderValue::from_static(line));
        }
    })
}

fn answer(parts: &request::Parts) -> Result<Response<()>, Refusal> {
    Offer::read(parts)?.accept(None, None)
}

fn check(parts: &request::Parts, expected: Option<Refusal>) {
    assert_eq!(answer(parts).err(), expected, "{parts:?}");
}

#[test]
fn a_good_request_is_accepted() {
    let response = answer(&parts(|_| {})).unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["connection"], "upgrade");
    assert_eq!(response.headers()["upgrade"], "websocket");
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers().len(), 3);
}

#[test]
fn what_makes_it_no_upgrade() {
    check(&parts(|parts| parts.method = Method::POST), Some(Refusal::Method));
    check(&parts(|parts| parts.method = Method::HEAD), Some(Refusal::Method));
    for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_2] {
        check(&parts(|parts| parts.version = version), Some(Refusal::HttpVersion));
    }
    check(&with("host", &[]), Some(Refusal::Host));
    check(&with("host", &["app.example", "app.example"]), Some(Refusal::Host));
    for host in ["", "app example", "http://app.example", "user@app.example", "app.example:x"] {
        check(&with("host", &[host]), Some(Refusal::Host));
    }
    for host in ["app_1.example:8080", "[::1]:8080", "127.0.0.1", "APP.example:"] {
        check(&with("host", &[host]), None);
    }
    for lines in [&[][..], &["close"], &["xupgradex"], &["keep-alive", "upgrade2"], &["up grade"]] {
        check(&with("connection", lines), Some(Refusal::Connection));
    }
    for lines in [&["upgrade"][..], &["keep-alive, UPGRADE"], &["keep-alive", ",Upgrade ,"]] {
        check(&with("connection", lines), None);
    }
    for lines in [&[][..], &["h2c"], &["websockets"], &["web socket"]] {
        check(&with("upgrade", lines), Some(Refusal::Upgrade));
    }
    for lines in [&["WebSocket"][..], &["h2c, websocket"], &["h2c", "websocket"]] {
        check(&with("upgrade", lines), None);
    }
    check(&with("content-length", &["0"]), None);
    check(&with("content-length", &["5"]), Some(Refusal::Body));
    check(&with("transfer-encoding", &["chunked"]), Some(Refusal::Body));
}

#[test]
fn the_version() {
    for lines in [&[][..], &["8"], &["12"], &["013"], &["x"], &[""]] {
        check(&with("sec-websocket-version", lines), Some(Refusal::Version));
    }
    for lines in [&["13", "13"][..], &["13", "8"], &["8", "13"], &["13", ""], &["13, 8"]] {
        check(&with("sec-websocket-version", lines), Some(Refusal::RepeatedVersion));
    }
}

#[test]
fn the_key() {
    let good = "dGhlIHNhbXBsZSBub25jZQ==";
    for lines in [
        &[][..],
        &[""],
        &["short"],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25jZQ=!"],
        &["dGhlIHNhbXBsZSBub25jZSE="],
        &["dGhlIHNhbXBsZSBub25jZSEh"],
        &["dGhlIHNhbXBsZSBub25jZQ==="],
        &["dGhlIHNhbXBsZSBub25jZSEhIQ=="],
        &[good, good],
    ] {
        check(&with("sec-websocket-key", lines), Some(Refusal::Key));
    }
    // The bits after the sixteenth byte carry nothing.
    check(&with("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZR=="]), None);
}

#[test]
fn answers_come_in_order() {
    let mut parts = with("sec-websocket-key", &["bad"]);
    let set = |parts: &mut request::Parts, name: &'static str, value: &'static str| {
        parts.headers.insert(name, HeaderValue::from_static(value));
    };
    assert!(Offer::read(&parts).is_ok(), "the key is judged after origin and authentication");
    set(&mut parts, "sec-websocket-version", "8");
    check(&parts, Some(Refusal::Version));
    set(&mut parts, "connection", "close");
    check(&parts, Some(Refusal::Connection));
}

#[test]
fn subprotocols() {
    let check = |lines: &[&'static str], supported: &[&str], expected: Option<&str>| {
        let offer = Offer::read(&with("sec-websocket-protocol", lines)).unwrap();
        let protocol = offer.protocol(supported);
        assert_eq!(protocol, expected);
        let response = offer.accept(protocol, None).unwrap();
        let answered = response.headers().get("sec-websocket-protocol");
        assert_eq!(answered.map(|value| value.to_str().unwrap()), expected);
    };
    check(&[], &["tidewire.1"], None);
    check(&["tidewire.1"], &["tidewire.1"], Some("tidewire.1"));
    check(&["chat , tidewire.1"], &["tidewire.1", "other"], Some("tidewire.1"));
    check(&["b, a"], &["a", "b"], Some("b"));
    check(&["b", "a"], &["a"], Some("a"));
    check(&["Tidewire.1"], &["tidewire.1"], None);
    check(&["no token"], &["no token"], None);
}

#[test]
fn refusals_are_answers() {
    let check = |refusal: Refusal, status: u16, headers: &[(&str, &str)]| {
        let response: Response<String> = refusal.response();
        assert_eq!(response.status(), status);
        for (name, value) in headers {
            assert_eq!(response.headers()[*name], value);
        }
        assert!(!response.body().is_empty());
    };
    check(Refusal::Method, 405, &[("allow", "GET")]);
    check(Refusal::Host, 400, &[]);
    check(Refusal::RepeatedVersion, 400, &[]);
    check(Refusal::Version, 426, &[("sec-websocket-version", "13"), ("upgrade", "websocket")]);
    check(Refusal::Origin, 403, &[]);
    check(Refusal::Key, 400, &[]);
}
