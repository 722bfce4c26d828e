//! Handshakes that are none.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    scene::{Scene, stage},
    support::PATIENCE,
};

/// All that the server says to these bytes until it ends the connection; nothing if it resets it.
async fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have seen enough before the end.
    let _ = stream.write_all(request).await;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    // An answer with its length leaves the connection open; the head says enough.
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await;
        match read.expect("an answer in time") {
            Ok(read) if read > 0 => answer.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

const LINES: [&str; 6] = [
    "GET /ws HTTP/1.1",
    "Host: app.example",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A good request of which line `at` is another, or several.
fn request(at: usize, lines: &str) -> String {
    let mut request = LINES;
    request[at] = lines;
    let kept: Vec<_> = request.into_iter().filter(|line| !line.is_empty()).collect();
    kept.join("\r\n") + "\r\n\r\n"
}

#[tokio::test]
async fn malformed_handshakes_are_answered_and_leave_nothing() {
    let scene = Scene::start(stage().build()).await;
    let many = (0..101).map(|n| format!("X-{n}: 1")).collect::<Vec<_>>().join("\r\n");
    let long = |bytes: usize| "x".repeat(bytes);
    for (at, lines, status) in [
        (0, "POST /ws HTTP/1.1", "405"),
        (0, "GET /ws HTTP/1.0", "400"),
        (0, "GET /ws HTTP/3.0", "400"),
        (0, "GET", "400"),
        (0, "\u{1}\u{2}\u{3}", "400"),
        (0, &format!("GET /ws?{} HTTP/1.1", long(8 << 10)), "414"),
        (0, &format!("GET /ws?{} HTTP/1.1", long(1 << 20)), "431"),
        (1, "", "400"),
        (1, "Host: a\r\nHost: b", "400"),
        (1, &format!("Host: a\r\nX: {}", long(16 << 10)), "431"),
        (1, &format!("Host: a\r\n{many}"), "431"),
        (1, "Host: a\r\nOrigin: https://evil.example", "403"),
        (1, "Host: a\r\nno colon", "400"),
        (1, "Host: a\r\nTransfer-Encoding: chunked", "400"),
        (2, "", "400"),
        (2, "Connection: close", "400"),
        (2, "Connection: xupgradex", "400"),
        (3, "", "400"),
        (3, "Upgrade: h2c", "400"),
        (4, "", "426"),
        (4, "Sec-WebSocket-Version: 8", "426"),
        (4, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", "400"),
        (5, "", "400"),
        (5, "Sec-WebSocket-Key: c2hvcnQ=", "400"),
        (5, "Sec-WebSocket-Key: ************************", "400"),
        (
            5,
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "400",
        ),
    ] {
        let what = &lines[..lines.len().min(60)];
        scene
            .survives(what, async || {
                let answer = answer(scene.address, request(at, lines).as_bytes()).await;
                let got = answer.strip_prefix("HTTP/1.1 ").or(answer.strip_prefix("HTTP/1.0 "));
                assert_eq!(
                    got.and_then(|answer| answer.get(..3)),
                    Some(status),
                    "{what}: {answer}"
                );
            })
            .await;
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_or_never_ends_is_dropped() {
    let head_timeout = Duration::from_millis(300);
    let scene = Scene::start_with_head_timeout(stage().build(), head_timeout).await;
    scene
        .survives("a byte now and then", async || {
            let mut stream = TcpStream::connect(scene.address).await.unwrap();
            let head = request(0, LINES[0]);
            let mut pace = tokio::time::interval(head_timeout / 10);
            for byte in head.bytes() {
                pace.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
            panic!("the whole head was taken, {} times as long as it may be", head.len() / 10);
        })
        .await;
    scene
        .survives("a hundred that say nothing", async || {
            let mut silent = Vec::new();
            for _ in 0..100 {
                silent.push(TcpStream::connect(scene.address).await.unwrap());
            }
            for mut stream in silent {
                let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
                // Some are told that it took too long, none is kept.
                let _ = end.expect("dropped in time");
            }
        })
        .await;
}
