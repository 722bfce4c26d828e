use std::{future::poll_fn, task::Poll};

use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
};

use super::*;
use tidewire_protocol::{code::CloseCode, delivery::Overflow};

const LIMITS: QueueLimits = QueueLimits { messages: 3, bytes: 100 };

/// An outbox over a pipe that holds `room` bytes, and its other end.
fn piped(room: usize) -> (Outbox, DuplexStream) {
    let (near, far) = duplex(room);
    (Outbox::new(Io::stream(near), None, LIMITS, Arc::default()), far)
}

async fn tcp() -> (Outbox, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    near.writable().await.unwrap();
    (Outbox::new(Io::Tcp(near), None, LIMITS, Arc::default()), far)
}

fn frame(letter: u8, len: usize) -> Bytes {
    vec![letter; len].into()
}

async fn flush(outbox: &Outbox) -> Flushed {
    poll_fn(|cx| Poll::Ready(outbox.poll_flush(cx).unwrap())).await
}

async fn check_received(far: &mut (impl tokio::io::AsyncRead + Unpin), expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
}

#[tokio::test]
async fn a_ready_tcp_socket_is_written_at_once() {
    let (outbox, mut far) = tcp().await;
    for _ in 0..10 {
        outbox.send(frame(b'a', 50)).unwrap();
        assert!(outbox.is_empty());
    }
    check_received(&mut far, &[b'a'; 500]).await;
}

#[tokio::test]
async fn what_the_socket_does_not_take_waits_in_order_and_is_counted() {
    let (outbox, mut far) = piped(30);
    for letter in [b'a', b'b', b'c'] {
        outbox.send(frame(letter, 20)).unwrap();
    }
    assert_eq!(outbox.send(frame(b'd', 1)), Err(SendError::QueueFull));
    assert_eq!(flush(&outbox).await, Flushed::Some);
    assert_eq!(outbox.send(frame(b'd', 1)), Ok(()), "one message has left");
    assert_eq!(flush(&outbox).await, Flushed::Nothing);
    check_received(&mut far, &[[b'a'; 20].as_slice(), &[b'b'; 10]].concat()).await;
    assert_eq!(flush(&outbox).await, Flushed::Some);
    check_received(&mut far, &[[b'b'; 10].as_slice(), &[b'c'; 20]].concat()).await;
    assert_eq!(flush(&outbox).await, Flushed::All);
    check_received(&mut far, b"d").await;
}

#[tokio::test]
async fn a_graceful_close_comes_after_what_waits_and_nothing_after_it() {
    let (outbox, mut far) = piped(1000);
    outbox.send(frame(b'a', 10)).unwrap();
    outbox.close(CloseReason::Application { code: CloseCode(4500), reason: "x".into() });
    outbox.close(CloseReason::shutdown(false));
    assert_eq!(outbox.send(frame(b'b', 10)), Err(SendError::Closed));
    outbox.send_uncounted(frame(b'c', 10), 1);
    flush(&outbox).await;
    check_received(&mut far, &[b"aaaaaaaaaa".as_slice(), &encode::close(4500, "x")].concat()).await;
    assert_eq!(
        outbox.closed().map(|reason| reason.code()),
        Some(CloseCode(4500)),
        "the first reason counts"
    );
    drop(outbox);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_overflow_keeps_the_frame_that_is_partly_written_and_closes() {
    let (outbox, mut far) = piped(10);
    let mut delivery = Delivery::live(0, Overflow::Close);
    for offset in 1..=3 {
        outbox.deliver(&mut delivery, &[offset], &Frames::one(frame(b'a', 20)));
    }
    flush(&outbox).await;
    outbox.deliver(&mut delivery, &[4], &Frames::one(frame(b'a', 20)));
    assert_eq!(outbox.closed(), Some(CloseReason::SlowConsumer));
    check_received(&mut far, &[b'a'; 10]).await;
    flush(&outbox).await;
    check_received(&mut far, &[b'a'; 10]).await;
    flush(&outbox).await;
    let mut close = [0; 4];
    far.read_exact(&mut close).await.unwrap();
    assert_eq!(close[2..], CloseCode::SLOW_CONSUMER.0.to_be_bytes());
}

#[tokio::test]
async fn frames_of_a_subscription_that_catches_up_do_not_count() {
    let (outbox, _far) = piped(10);
    for _ in 0..10 {
        outbox.send_uncounted(frame(b'a', 50), 1);
    }
    assert_eq!(outbox.send(frame(b'b', 50)), Ok(()));
}

#[tokio::test]
async fn a_broken_socket_is_an_error_of_the_flush() {
    let (outbox, far) = piped(10);
    drop(far);
    outbox.send(frame(b'a', 20)).unwrap();
    poll_fn(|cx| {
        assert!(outbox.poll_flush(cx).is_err());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn an_outbox_that_is_still_held_holds_no_socket_after_its_release() {
    let (outbox, mut far) = piped(10);
    outbox.send(frame(b'a', 50)).unwrap();
    assert_eq!(flush(&outbox).await, Flushed::Some);
    outbox.close(CloseReason::SlowConsumer);
    outbox.release();
    assert!(outbox.is_empty());
    check_received(&mut far, &[b'a'; 10]).await;
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "the stream has ended");
    assert_eq!(outbox.send(frame(b'b', 1)), Err(SendError::Closed));
}

/// All that the peer gets until the outbox's socket is gone.
async fn check_all(outbox: Outbox, far: &mut TcpStream, expected: &[u8]) {
    drop(outbox);
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(expected));
}

#[tokio::test]
async fn a_turn_of_the_task_is_written_at_its_end() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    outbox.send(frame(b'a', 10)).unwrap();
    let mut delivery = Delivery::live(0, Overflow::Close);
    outbox.deliver(&mut delivery, &[1], &Frames::one(frame(b'b', 20)));
    outbox.answer(frame(b'c', 10));
    assert_eq!(outbox.queued(), (3, 40), "nothing is written");
    drop(corked);
    assert_eq!((outbox.queued(), outbox.is_empty()), ((0, 0), true));
    outbox.send(frame(b'd', 5)).unwrap();
    assert_eq!(outbox.queued(), (0, 0), "it is corked no more");
    check_all(outbox, &mut far, b"aaaaaaaaaabbbbbbbbbbbbbbbbbbbbccccccccccddddd").await;
}

#[tokio::test]
async fn another_thread_sends_what_is_corked_along() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    outbox.send(frame(b'a', 10)).unwrap();
    std::thread::scope(|scope| scope.spawn(|| outbox.send(frame(b'b', 10))).join())
        .unwrap()
        .unwrap();
    assert_eq!(outbox.queued(), (0, 0), "it does not wait for the turn's end");
    outbox.send(frame(b'c', 10)).unwrap();
    drop(corked);
    check_all(outbox, &mut far, b"aaaaaaaaaabbbbbbbbbbcccccccccc").await;
}

#[tokio::test]
async fn a_turn_may_send_more_than_the_queue_and_the_cork_hold() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    let mut expected = Vec::new();
    // Three messages or 100 bytes are what the queue holds; one of any size is taken when it is empty.
    for (letter, len) in (b'a'..=b'z').zip([30, 1, 1, 1, 99, 2, 20_000, 1, 300].into_iter().cycle())
    {
        outbox.send(frame(letter, len)).unwrap();
        let (messages, bytes) = outbox.queued();
        assert!(messages <= 1 || (messages <= 3 && bytes <= 100), "{messages} {bytes}");
        expected.extend(frame(letter, len));
    }
    drop(corked);
    assert_eq!(outbox.queued(), (0, 0));
    check_all(outbox, &mut far, &expected).await;
}

#[tokio::test]
async fn what_does_not_count_comes_after_what_is_corked() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    outbox.send(frame(b'a', 10)).unwrap();
    outbox.send_uncounted(frame(b'b', 10), 1);
    outbox.send(frame(b'c', 10)).unwrap();
    drop(corked);
    check_all(outbox, &mut far, b"aaaaaaaaaabbbbbbbbbbcccccccccc").await;
}

#[tokio::test]
async fn a_close_within_a_turn_comes_after_what_is_corked() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    outbox.send(frame(b'a', 10)).unwrap();
    // Not even a close that drops what waits: without the cork it would have been written.
    outbox.close(CloseReason::SlowConsumer);
    assert_eq!(outbox.send(frame(b'b', 10)), Err(SendError::Closed));
    drop(corked);
    let close = encode::close(CloseCode::SLOW_CONSUMER.0, "");
    let mut got = [0; 12];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!((&got[..10], got[10]), (&[b'a'; 10][..], close[0]));
}

#[tokio::test]
async fn a_turn_that_ends_by_a_panic_leaves_nothing_corked() {
    let (outbox, mut far) = tcp().await;
    let outbox = std::panic::AssertUnwindSafe(outbox);
    let turn = || {
        let _corked = outbox.cork();
        outbox.send(frame(b'a', 10)).unwrap();
        std::panic::resume_unwind(Box::new("of the turn"));
    };
    std::panic::catch_unwind(turn).unwrap_err();
    assert_eq!(outbox.queued(), (0, 0));
    outbox.send(frame(b'b', 10)).unwrap();
    check_all(outbox.0, &mut far, b"aaaaaaaaaabbbbbbbbbb").await;
}

#[tokio::test]
async fn what_a_slow_socket_does_not_take_of_a_turn_waits_in_order() {
    let (outbox, mut far) = tcp().await;
    let mut expected = Vec::new();
    let mut letters = (b'a'..=b'z').cycle();
    while outbox.is_empty() {
        let _corked = outbox.cork();
        for letter in letters.by_ref().take(3) {
            outbox.send(frame(letter, 33)).unwrap();
            expected.extend(frame(letter, 33));
        }
    }
    let corked = outbox.cork();
    assert_eq!(outbox.queued(), (3, 99), "they wait until all are written");
    assert_eq!(outbox.send(frame(b'#', 1)), Err(SendError::QueueFull));
    drop(corked);
    let reading = async {
        let mut got = vec![0; expected.len()];
        far.read_exact(&mut got).await.unwrap();
        assert!(got == expected, "in order, each once");
    };
    let writing = poll_fn(|cx| match outbox.poll_flush(cx).unwrap() {
        Flushed::All => Poll::Ready(()),
        _ => Poll::Pending,
    });
    tokio::join!(reading, writing);
    assert_eq!(outbox.queued(), (0, 0));
}

#[tokio::test]
async fn a_release_within_a_turn_leaves_nothing_counted() {
    let (outbox, mut far) = tcp().await;
    let corked = outbox.cork();
    outbox.send(frame(b'a', 10)).unwrap();
    outbox.release();
    drop(corked);
    assert_eq!((outbox.queued(), outbox.is_empty()), ((0, 0), true));
    check_all(outbox, &mut far, b"aaaaaaaaaa").await;
}
