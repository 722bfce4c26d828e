//! The upgrade over real sockets, under axum and under hyper alone.

use std::convert::Infallible;

use axum::{Router, body::Body};
use hyper::service::service_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::*;
use crate::ws::{Opcode, encode};

const KEY: [u8; 4] = [9, 8, 7, 6];

/// How a connection ended, told by the server's side.
type Outcome = Result<(bool, usize), hyper::Error>;

/// Answers a request; what becomes of its connection is told to `outcomes`.
fn answer(
    request: &mut Request<impl Sized>,
    outcomes: mpsc::UnboundedSender<Outcome>,
) -> Response<Body> {
    let accepted = Upgrade::read(request).and_then(|upgrade| {
        let protocol = upgrade.offer().protocol(&["echo"]);
        upgrade.accept(protocol, None)
    });
    let (response, pending) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.response(),
    };
    tokio::spawn(async move {
        let outcome = match pending.open().await {
            Ok(Opened { stream, leftover }) => {
                let is_tcp = matches!(stream, Stream::Tcp(_));
                let mut socket = WebSocket::new(stream, Role::Server, Options::default())
                    .with_leftover(&leftover);
                while let Ok(Some(message)) = socket.recv().await {
                    socket.send(message).await.unwrap();
                }
                Ok((is_tcp, leftover.len()))
            }
            Err(error) => Err(error),
        };
        outcomes.send(outcome).unwrap();
    });
    response
}

struct Server {
    address: std::net::SocketAddr,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

async fn under_axum() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, outcomes) = mpsc::unbounded_channel();
    let app = Router::new().fallback(move |mut request: Request<Body>| {
        std::future::ready(answer(&mut request, sender.clone()))
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { address, outcomes }
}

async fn under_hyper() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, outcomes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let service = service_fn(move |mut request| {
                std::future::ready(Ok::<_, Infallible>(answer(&mut request, sender.clone())))
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    Server { address, outcomes }
}

const REQUEST: &str = "GET /any/path?token=x HTTP/1.1\r\nHost: localhost\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: echo\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Reads a head up to its empty line.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Opens, echoes, closes; the first message comes in one write with the request.
async fn check(mut server: Server) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let first = encode::masked(Opcode::Text, b"hello", KEY);
    stream.write_all(&[REQUEST.as_bytes(), &first].concat()).await.unwrap();
    let head = read_head(&mut stream).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    assert!(head.contains("\r\nsec-websocket-protocol: echo\r\n"), "{head}");

    let mut client = WebSocket::new(stream, Role::Client, Options::default());
    assert_eq!(client.recv().await.unwrap(), Some("hello".into()));
    client.send("again").await.unwrap();
    assert_eq!(client.recv().await.unwrap(), Some("again".into()));
    client.close(1000, "").await.unwrap();
    let (is_tcp, leftover) = server.outcomes.recv().await.unwrap().unwrap();
    assert!(is_tcp, "the TCP stream is found below hyper");
    assert_eq!(leftover, first.len());
}

#[tokio::test]
async fn a_connection_under_axum() {
    check(under_axum().await).await;
}

#[tokio::test]
async fn a_connection_under_hyper_alone() {
    check(under_hyper().await).await;
}

#[tokio::test]
async fn malformed_requests_are_answered() {
    let server = under_axum().await;
    let check = async |from: &str, to: &str, status: &str| {
        let request = REQUEST.replace(from, to);
        assert_ne!(request, REQUEST);
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.split_once(' ').unwrap().1.starts_with(status), "{from} {to}: {head}");
        head
    };
    check("GET", "POST", "405").await;
    check("HTTP/1.1", "HTTP/1.0", "400").await;
    check("Host: localhost\r\n", "", "400").await;
    check("Host: localhost\r\n", "Host: localhost\r\nHost: localhost\r\n", "400").await;
    check("Connection: Upgrade", "Connection: xupgradex", "400").await;
    check("Upgrade: websocket", "Upgrade: h2c", "400").await;
    let head = check("Version: 13", "Version: 8", "426").await.to_ascii_lowercase();
    assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
    check("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", "400").await;
    check("Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: short", "400").await;
    check("Key: dGhlIHNhbXBsZSBub25jZQ==", "Nokey: x", "400").await;
    check("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", "400").await;
}

#[test]
fn a_request_without_a_connection() {
    let request = Request::get("/")
        .header("Host", "localhost")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13");
    let refusal = Upgrade::read(&mut request.body(()).unwrap()).unwrap_err();
    assert_eq!((refusal, refusal.status().as_u16()), (Refusal::Connectionless, 500));
}
