//! The handshake's answers over raw sockets, the same under every host: `tidewire::serve`, `axum::serve` and hyper alone.

use std::net::SocketAddr;

use axum::Router;
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tidewire::{Live, Refusal, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{Client, PATIENCE, eventually};

#[derive(Clone, Copy, Debug)]
enum Host {
    Tidewire,
    Axum,
    Hyper,
}

const HOSTS: [Host; 3] = [Host::Tidewire, Host::Axum, Host::Hyper];

impl Host {
    /// Serves at `/ws`, under hyper at any path, until the tasks are dropped.
    async fn start<V: Send + Sync + 'static>(
        self,
        live: &Live<V>,
        tasks: &mut JoinSet<()>,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app: Router = Router::new().route("/ws", live.handler());
        let service = live.service();
        tasks.spawn(async move {
            match self {
                Self::Tidewire => tidewire::serve(listener, app).await,
                Self::Axum => axum::serve(listener, app).await.unwrap(),
                Self::Hyper => {
                    let mut connections = JoinSet::new();
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        let connection = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service.clone())
                            .with_upgrades();
                        connections.spawn(connection);
                    }
                }
            }
        });
        address
    }
}

const GOOD: [(&str, &str); 6] = [
    ("Host", "app.example"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Origin", "https://app.example"),
];

/// Headers by name, each with the values that stand for the good one's.
type Changes<'a> = &'a [(&'a str, &'a [&'a str])];

/// A good upgrade with some of its headers replaced: by none, by another, or by several.
fn upgrade(line: &str, changes: Changes<'_>) -> String {
    let mut request = format!("{line}\r\n");
    for (name, value) in GOOD {
        match changes.iter().find(|(changed, _)| *changed == name) {
            None => request.push_str(&format!("{name}: {value}\r\n")),
            Some((_, values)) => {
                values.iter().for_each(|value| request.push_str(&format!("{name}: {value}\r\n")));
            }
        }
    }
    for (name, values) in
        changes.iter().filter(|(name, _)| GOOD.iter().all(|(good, _)| good != name))
    {
        values.iter().for_each(|value| request.push_str(&format!("{name}: {value}\r\n")));
    }
    request + "\r\n"
}

/// The status of the answer, and all of the answer that comes at once.
async fn answer(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await;
        let read = read.expect("an answer in time").unwrap();
        assert!(read > 0, "closed without an answer to {request}");
        text.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8(text).unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

/// Lets `?token=ok` in.
fn guarded() -> Live<()> {
    Live::<()>::builder()
        .origins(["https://app.example"])
        .on_auth(async |_cx, request: Request| match request.query("token").as_deref() {
            Some("ok") => Ok(()),
            Some("tea") => {
                Err(Refusal::forbidden().message("tea only").status(StatusCode::IM_A_TEAPOT))
            }
            Some("panic") => panic!("a test's own panic"),
            _ => Err(Refusal::unauthorized().message("who are you?")),
        })
        .build()
}

const OK: &str = "GET /ws?token=ok HTTP/1.1";

#[tokio::test]
async fn checks_come_in_their_order() {
    const WORST: Changes<'_> = &[
        ("Connection", &["keep-alive"]),
        ("Sec-WebSocket-Version", &["12"]),
        ("Origin", &["https://evil.example"]),
        ("Sec-WebSocket-Key", &["short"]),
    ];
    const NOBODY: &str = "GET /ws HTTP/1.1";
    for host in HOSTS {
        let mut tasks = JoinSet::new();
        let address = host.start(&guarded(), &mut tasks).await;
        let check = async |line: &str, faults: Changes<'_>, expected: u16| {
            let (status, text) = answer(address, &upgrade(line, faults)).await;
            assert_eq!(status, expected, "{host:?} {line} {faults:?}: {text}");
            text
        };
        check(NOBODY, WORST, 400).await;
        let text = check(NOBODY, &WORST[1..], 426).await.to_lowercase();
        assert!(text.contains("\r\nsec-websocket-version: 13\r\n"), "{text}");
        check(NOBODY, &WORST[2..], 403).await;
        let text = check(NOBODY, &WORST[3..], 401).await;
        assert!(text.ends_with("\r\n\r\nwho are you?\n"), "{text}");
        check("GET /ws?token=tea HTTP/1.1", &WORST[3..], 418).await;
        check(OK, &WORST[3..], 400).await;
        let text = check(OK, &[], 101).await.to_lowercase();
        assert!(text.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
    }
}

#[tokio::test]
async fn each_malformed_handshake_is_refused_and_each_odd_one_taken() {
    let key = "Sec-WebSocket-Key";
    let cases: &[(&str, Changes<'_>, u16)] = &[
        (OK, &[("Connection", &["keep-alive, Upgrade"])], 101),
        (OK, &[("Connection", &["keep-alive", "UPGRADE"])], 101),
        (OK, &[("Connection", &["", "close ,\tupgrade ,"])], 101),
        (OK, &[("Upgrade", &["h2c, WebSocket"])], 101),
        (OK, &[("Content-Length", &["0"])], 101),
        (OK, &[("Origin", &[])], 101),
        ("GET http://other.example/ws?token=ok HTTP/1.1", &[], 101),
        (OK, &[("Connection", &[])], 400),
        (OK, &[("Connection", &["keep-alive"])], 400),
        (OK, &[("Connection", &["xupgradex"])], 400),
        (OK, &[("Connection", &["upgrade-insecure"])], 400),
        (OK, &[("Upgrade", &[])], 400),
        (OK, &[("Upgrade", &["h2c"])], 400),
        (OK, &[("Upgrade", &["websockets"])], 400),
        (OK, &[("Host", &[])], 400),
        (OK, &[("Host", &["app.example", "app.example"])], 400),
        ("GET /ws?token=ok HTTP/1.0", &[], 400),
        (OK, &[("Sec-WebSocket-Version", &["13", "13"])], 400),
        (OK, &[("Sec-WebSocket-Version", &["8, 13"])], 400),
        (OK, &[("Sec-WebSocket-Version", &["8"])], 426),
        (OK, &[("Sec-WebSocket-Version", &[])], 426),
        (OK, &[("Sec-WebSocket-Version", &["013"])], 426),
        (OK, &[("Origin", &["null"])], 403),
        (OK, &[("Origin", &["https://app.example", "https://app.example"])], 403),
        (OK, &[("Origin", &["https://APP.example"])], 403),
        (OK, &[(key, &[])], 400),
        (OK, &[(key, &[""])], 400),
        (OK, &[(key, &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="])], 400),
        (OK, &[(key, &["dGhlIHNhbXBsZSBub25jZQ"])], 400),
        (OK, &[(key, &["dGhlIHNhbXBsZSBub25jZTE="])], 400),
        (OK, &[(key, &["dGhl!HNhbXBsZSBub25jZQ=="])], 400),
        (OK, &[("Content-Length", &["5"])], 400),
        (OK, &[("Transfer-Encoding", &["chunked"])], 400),
        ("POST /ws?token=ok HTTP/1.1", &[], 405),
        ("HEAD /ws?token=ok HTTP/1.1", &[], 405),
        ("OPTIONS /ws?token=ok HTTP/1.1", &[], 405),
        ("BREW /ws?token=ok HTTP/1.1", &[], 405),
        // What never reaches the handshake: hyper refuses it.
        ("GET /ws?token=ok HTTP/1.2", &[], 400),
        ("GET /ws?token=ok", &[], 400),
        ("GET  HTTP/1.1", &[], 400),
        ("G@T /ws?token=ok HTTP/1.1", &[], 400),
        ("GET /ws?token=ok HTTP/1.1\r\nno colon", &[], 400),
        (OK, &[("Sp ace", &["x"])], 400),
        (OK, &[("Content-Length", &["1", "2"])], 400),
        (OK, &[("Transfer-Encoding", &["gzip"])], 400),
    ];
    for host in HOSTS {
        let mut tasks = JoinSet::new();
        let live = guarded();
        let address = host.start(&live, &mut tasks).await;
        for (line, changes, expected) in cases {
            let (status, text) = answer(address, &upgrade(line, changes)).await;
            assert_eq!(status, *expected, "{host:?} {line} {changes:?}: {text}");
        }
        eventually("no session is left", || live.session_count() == 0).await;
    }
}

#[tokio::test]
async fn sessions_live_under_every_host() {
    for host in HOSTS {
        let live = Live::<()>::builder()
            .on_message(async |_cx, session, message| session.send("echo", &message.data).unwrap())
            .build();
        let mut tasks = JoinSet::new();
        let address = host.start(&live, &mut tasks).await;
        let mut client = Client::connect(address, "/ws", &[]).await.unwrap();
        client.send(serde_json::json!({ "topic": "x", "data": [1] })).await;
        client.expect(serde_json::json!({ "topic": "echo", "data": [1] })).await;
        drop(client);
        eventually("the session is gone", || live.session_count() == 0).await;
    }
}

#[tokio::test]
async fn what_comes_with_the_handshake_is_read() {
    use tidewire::ws::{Opcode, encode};
    for host in HOSTS {
        let live = Live::<()>::builder()
            .on_message(async |_cx, session, _message| session.close(tidewire::CloseCode(4500), ""))
            .build();
        let mut tasks = JoinSet::new();
        let address = host.start(&live, &mut tasks).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut request = upgrade(OK, &[("Origin", &[])]).into_bytes();
        request.extend(encode::masked(Opcode::Text, br#"{"topic":"x"}"#, [1, 2, 3, 4]));
        stream.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(&encode::close(4500, "")) {
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer)).await;
            assert!(read.expect("the close frame in time").unwrap() > 0, "{host:?}");
        }
    }
}

#[tokio::test]
async fn a_panic_in_on_auth_is_one_answer_and_no_more() {
    for host in HOSTS {
        let live = guarded();
        let mut tasks = JoinSet::new();
        let address = host.start(&live, &mut tasks).await;
        let headers = [("Origin", "https://app.example")];
        let mut bystander = Client::connect(address, "/ws?token=ok", &headers).await.unwrap();
        let (status, _) = answer(address, &upgrade("GET /ws?token=panic HTTP/1.1", &[])).await;
        assert_eq!(status, 500, "{host:?}");
        bystander.ping().await;
        assert_eq!(live.session_count(), 1);
    }
}
