//! The socket over an in-memory stream, with a peer that writes frames by hand.

use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;
use crate::ws::close;

const KEY: [u8; 4] = [1, 2, 3, 4];

fn server(buffer: usize, options: Options) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(buffer);
    (WebSocket::new(near, Role::Server, options), far)
}

async fn send(peer: &mut DuplexStream, opcode: Opcode, payload: &[u8]) {
    peer.write_all(&encode::masked(opcode, payload, KEY)).await.unwrap();
}

/// Reads exactly `expected` from the peer's end.
async fn expect(peer: &mut DuplexStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, expected);
}

async fn expect_end(peer: &mut DuplexStream) {
    assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn messages_of_all_sizes_pass_both_ways() {
    let (near, far) = duplex(1 << 16);
    let mut server = WebSocket::new(near, Role::Server, Options::default());
    let mut client = WebSocket::new(far, Role::Client, Options::default());
    let echo = tokio::spawn(async move {
        while let Some(message) = server.recv().await.unwrap() {
            server.send(message).await.unwrap();
        }
    });
    for len in [0, 1, 125, 126, COPIED_PAYLOAD, COPIED_PAYLOAD + 1, 65_536, 300_000] {
        let text = Message::Text("x".repeat(len));
        client.send(text.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(text));
        let bytes = Message::Binary(vec![7; len]);
        client.send(bytes.clone()).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(bytes));
    }
    client.close(close::NORMAL, "").await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn pings_are_answered_between_the_fragments_of_a_message() {
    let (mut socket, mut peer) = server(1024, Options::default());
    let mut first = encode::masked(Opcode::Text, b"hel", KEY).to_vec();
    first[0] = 0x01;
    peer.write_all(&first).await.unwrap();
    send(&mut peer, Opcode::Ping, b"there?").await;
    send(&mut peer, Opcode::Pong, b"unasked").await;
    send(&mut peer, Opcode::Continuation, b"lo").await;
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    expect(&mut peer, &encode::pong(b"there?")).await;
}

#[tokio::test]
async fn messages_read_at_once_are_received_one_by_one() {
    let (mut socket, mut peer) = server(1024, Options::default());
    for text in ["a", "b", "c"] {
        send(&mut peer, Opcode::Text, text.as_bytes()).await;
    }
    for text in ["a", "b", "c"] {
        assert_eq!(socket.recv().await.unwrap(), Some(text.into()));
    }
    assert_eq!(socket.unread.capacity(), 0, "nothing is held when nothing is unread");
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let (mut socket, mut peer) = server(1024, Options::default());
    send(&mut peer, Opcode::Close, &encode::close_payload(4001, "done")).await;
    let (received, ()) = tokio::join!(socket.recv(), async {
        expect(&mut peer, &encode::close(4001, "")).await;
        expect_end(&mut peer).await;
        drop(peer);
    });
    assert_eq!(received.unwrap(), None);
    assert_eq!(socket.peer_close(), Some((4001, "done")));
    assert_eq!(socket.recv().await.unwrap(), None);
    assert!(matches!(socket.send("late").await, Err(SocketError::Closed)));
}

#[tokio::test]
async fn a_peer_that_closes_and_is_gone_has_closed() {
    let (mut socket, mut peer) = server(1024, Options::default());
    send(&mut peer, Opcode::Close, &encode::close_payload(1001, "")).await;
    drop(peer);
    assert_eq!(socket.recv().await.unwrap(), None);
    assert_eq!(socket.peer_close(), Some((1001, "")));
}

#[tokio::test]
async fn a_broken_rule_is_told_to_the_peer() {
    let check = async |bytes: &[u8], expected: DecodeError| {
        let (mut socket, mut peer) = server(1024, Options { read_limit: 10, ..Options::default() });
        peer.write_all(bytes).await.unwrap();
        let (received, ()) = tokio::join!(socket.recv(), async {
            let close = encode::close(expected.close_code(), &expected.to_string());
            expect(&mut peer, &close).await;
            expect_end(&mut peer).await;
            drop(peer);
        });
        let error = received.unwrap_err();
        assert!(matches!(error, SocketError::Decode(error) if error == expected), "{error:?}");
        assert_eq!(socket.recv().await.unwrap(), None);
    };
    check(&encode::text("not masked"), DecodeError::Unmasked).await;
    check(&encode::masked(Opcode::Text, b"\xFF", KEY), DecodeError::InvalidUtf8).await;
    check(&encode::masked(Opcode::Text, b"eleven long", KEY), DecodeError::TooLarge).await;
}

#[tokio::test]
async fn a_stream_that_ends_unclosed_is_lost() {
    let (mut socket, mut peer) = server(1024, Options::default());
    peer.write_all(b"\x81\x85").await.unwrap();
    drop(peer);
    assert!(matches!(socket.recv().await, Err(SocketError::Lost)));
    assert_eq!(socket.recv().await.unwrap(), None);
}

#[tokio::test]
async fn what_was_sent_before_a_close_arrives_before_it() {
    let (mut socket, mut peer) = server(8, Options::default());
    let closing = async {
        socket.send("a message larger than the stream's buffer").await.unwrap();
        socket.close(4000, "over").await
    };
    let (closed, ()) = tokio::join!(closing, async {
        expect(&mut peer, &encode::text("a message larger than the stream's buffer")).await;
        expect(&mut peer, &encode::close(4000, "over")).await;
        // Dropped, and not answered.
        send(&mut peer, Opcode::Text, b"crossing").await;
        send(&mut peer, Opcode::Ping, b"crossing").await;
        send(&mut peer, Opcode::Close, &encode::close_payload(4000, "")).await;
        expect_end(&mut peer).await;
        drop(peer);
    });
    closed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_close_is_left_in_time() {
    let (mut socket, _peer) = server(1024, Options::default());
    let started = tokio::time::Instant::now();
    assert!(matches!(socket.close(1000, "").await, Err(SocketError::CloseTimeout)));
    assert_eq!(started.elapsed(), Duration::from_secs(5));

    let (mut socket, mut peer) = server(1024, Options::default());
    peer.write_all(&encode::text("not masked")).await.unwrap();
    let started = tokio::time::Instant::now();
    assert!(matches!(socket.recv().await, Err(SocketError::Decode(DecodeError::Unmasked))));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn cancelled_receives_lose_nothing() {
    let (mut socket, mut peer) = server(1024, Options::default());
    let writer = tokio::spawn(async move {
        for text in ["first", "second", "third"] {
            for byte in encode::masked(Opcode::Text, text.as_bytes(), KEY) {
                peer.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        peer
    });
    let mut received = Vec::new();
    let mut cancelled = 0;
    while received.len() < 3 {
        tokio::select! {
            biased;
            message = socket.recv() => received.push(message.unwrap().unwrap()),
            () = tokio::task::yield_now() => cancelled += 1,
        }
    }
    assert_eq!(received, ["first".into(), "second".into(), "third".into()]);
    assert!(cancelled > 3);
    writer.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_only_pings_does_not_grow_the_server() {
    let (mut socket, mut peer) = server(256, Options::default());
    let pinging = async {
        loop {
            send(&mut peer, Opcode::Ping, &[0; 100]).await
        }
    };
    tokio::select! {
        biased;
        _ = socket.recv() => panic!("no message was sent"),
        () = pinging => {}
        // The two above are stuck once this is reached many times.
        () = async { for _ in 0..10_000 { tokio::task::yield_now().await } } => {}
    }
    assert!(socket.waiting.len() <= MAX_WAITING);
    assert!(!socket.waiting.is_empty());
}

#[tokio::test]
async fn what_was_agreed_to_compress_is_compressed() {
    let deflate = Some(Deflate::SHARED);
    let (mut socket, mut peer) = server(1024, Options { deflate, ..Options::default() });
    // "Hello", as the RFC's example has it.
    let mut hello = encode::masked(Opcode::Text, b"\xF2\x48\xCD\xC9\xC9\x07\x00", KEY).to_vec();
    hello[0] = 0xC1;
    peer.write_all(&hello).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("Hello".into()));
    let long = "la".repeat(1000);
    socket.send(long.as_str()).await.unwrap();
    let frame = Deflate::SHARED.frame(Opcode::Text, long.as_bytes());
    assert!(frame.len() < 100);
    expect(&mut peer, &frame).await;
}
