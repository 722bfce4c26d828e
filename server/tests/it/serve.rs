//! What `tidewire::serve` limits beneath the application. Where time is paused it passes as soon as nobody has anything to do, so
//! that each limit is waited for in full and at once.

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    routing::{get, post},
};
use tidewire::{Live, Serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};

use crate::support::{Client, upgrade_request};

/// A live server at `/ws`, and some ordinary routes.
struct Served {
    address: SocketAddr,
    live: Live<()>,
    _task: JoinSet<()>,
}

async fn serve(options: impl FnOnce(Serve<Router>) -> Serve<Router>) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let live = Live::<()>::builder().build();
    let endless = || async {
        let chunk = Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 4096]));
        Body::from_stream(futures_util::stream::repeat(chunk))
    };
    let app = Router::new()
        .route("/ws", live.handler())
        .route("/hello", get(|| async { "hello" }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/unread", post(|| async { "unread" }))
        .route("/endless", get(endless));
    let mut task = JoinSet::new();
    task.spawn(options(tidewire::serve(listener, app)).into_future());
    Served { address, live, _task: task }
}

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// All that comes until the server ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // Longer than any limit here; a connection that is reset has ended too.
    let end = tokio::time::timeout(Duration::from_secs(120), stream.read_to_end(&mut all));
    let _ = end.await.expect("the connection ends");
    String::from_utf8(all).unwrap()
}

/// The status of one answer, whose end is its text's.
async fn status(stream: &mut TcpStream, request: &str, end: &str) -> u16 {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(Duration::from_secs(120), stream.read_buf(&mut answer));
        if read.await.expect("an answer").unwrap() == 0 {
            break;
        }
    }
    String::from_utf8(answer).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

fn assert_about(took: Duration, seconds: u64) {
    let expected = Duration::from_secs(seconds);
    assert!(
        took >= expected && took < expected + Duration::from_secs(1),
        "{took:?}, not {seconds} s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let served = serve(|serve| serve).await;
    for begun in ["", "\r\n", "GET", "GET /hello HTTP/1.1\r\nHost: x\r\nX: "] {
        let mut stream = connect(served.address, begun.as_bytes()).await;
        let begin = Instant::now();
        assert_eq!(rest(&mut stream).await, "", "{begun:?}");
        assert_about(begin.elapsed(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let served = serve(|serve| serve).await;
    let mut stream = connect(served.address, b"GET /hello HTTP/1.1\r\n").await;
    let begin = Instant::now();
    while stream.write_all(b"a").await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(13), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_kept_alive_for_nothing_is_dropped() {
    let served = serve(|serve| serve.head_timeout(Duration::from_secs(20))).await;
    let mut stream = connect(served.address, b"").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(status(&mut stream, HELLO, "hello").await, 200);
    }
    let begin = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert_about(begin.elapsed(), 20);
}

/// How the text of an answer ends.
fn end_of(status: u16) -> &'static str {
    match status {
        200 => "hello",
        414 => "too long\n",
        _ => "\r\n\r\n",
    }
}

#[tokio::test]
async fn heads_urls_and_headers_have_their_sizes() {
    let served = serve(|serve| serve).await;
    let url =
        |bytes: usize| format!("GET /hello?{} HTTP/1.1\r\nHost: x\r\n\r\n", "u".repeat(bytes - 7));
    let headers = |count: usize| {
        let lines: String = (0..count).map(|n| format!("X-{n}: y\r\n")).collect();
        format!("GET /hello HTTP/1.1\r\n{lines}\r\n")
    };
    let head = |bytes: usize| {
        let frame = "GET /hello HTTP/1.1\r\nX: \r\n\r\n";
        frame.replace("X: ", &format!("X: {}", "y".repeat(bytes - frame.len())))
    };
    for (request, expected) in [
        (url(8 << 10), 200),
        (url((8 << 10) + 1), 414),
        (url(64 << 10), 431),
        (headers(100), 200),
        (headers(101), 431),
        (head(16 << 10), 200),
        (head((16 << 10) + 1), 431),
    ] {
        let mut stream = connect(served.address, b"").await;
        let end = end_of(expected);
        let head: String = request.chars().take(40).collect();
        assert_eq!(status(&mut stream, &request, end).await, expected, "{head}");
    }
    let large = serve(|serve| serve.max_head_bytes(100 << 10).head_timeout(Duration::MAX)).await;
    let mut stream = connect(large.address, b"").await;
    assert_eq!(status(&mut stream, &head(100 << 10), "hello").await, 200);
    let small = serve(|serve| serve.max_head_bytes(200).max_headers(2).max_url_bytes(20)).await;
    for (request, expected) in [(url(20), 200), (url(21), 414), (headers(3), 431), (head(201), 431)]
    {
        let mut stream = connect(small.address, b"").await;
        let end = end_of(expected);
        assert_eq!(status(&mut stream, &request, end).await, expected);
    }
}

fn posted(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let served = serve(|serve| serve).await;
    for begun in ["", "some"] {
        let mut stream = connect(served.address, (posted("/length", 100) + begun).as_bytes()).await;
        let begin = Instant::now();
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400 "));
        assert_about(begin.elapsed(), 10);
    }
    // One that nobody reads costs no time at all.
    let mut stream = connect(served.address, (posted("/unread", 100) + "some").as_bytes()).await;
    let begin = Instant::now();
    assert!(rest(&mut stream).await.ends_with("unread"));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_slow_but_not_a_trickle() {
    let served = serve(|serve| serve).await;
    let mut stream = connect(served.address, posted("/length", 60 * 2048).as_bytes()).await;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(&[b'x'; 2048]).await.unwrap();
    }
    assert_eq!(status(&mut stream, "", "122880").await, 200);

    let (mut answers, mut trickle) =
        connect(served.address, posted("/length", 1000).as_bytes()).await.into_split();
    let begin = Instant::now();
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if trickle.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = answers.read_to_end(&mut answer) => {}
    }
    assert!(String::from_utf8(answer).unwrap().starts_with("HTTP/1.1 400 "));
    assert!(begin.elapsed() < Duration::from_secs(13), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_not_waited_for() {
    let served = serve(|serve| serve.max_connections(1)).await;
    let begin = Instant::now();
    let _deaf = connect(served.address, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // Its turn comes when the other is gone.
    let mut next = connect(served.address, b"").await;
    assert_eq!(status(&mut next, HELLO, "hello").await, 200);
    assert_about(begin.elapsed(), 30);
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_no_sessions_are_bounded() {
    let served = serve(|serve| serve.max_connections(2)).await;
    let (begin, _idle) = (Instant::now(), connect(served.address, b"").await);
    let mut session = Client::connect(served.address, "/ws", &[]).await.unwrap();
    let mut other = Client::connect(served.address, "/ws", &[]).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "a session takes no place");
    let _also_idle = connect(served.address, b"").await;
    let mut late = connect(served.address, b"").await;
    assert_eq!(status(&mut late, HELLO, "hello").await, 200);
    assert_about(begin.elapsed(), 10);
    session.ping().await;
    other.ping().await;
    assert_eq!(served.live.session_count(), 2);
}

#[tokio::test]
async fn the_peers_address_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let live = Live::<()>::builder()
        .client_address(1, |request| {
            request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
        })
        .build();
    let app = Router::new().route("/ws", live.handler()).route(
        "/who",
        get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("{peer};") }),
    );
    let mut task = JoinSet::new();
    task.spawn(tidewire::serve(listener, app).into_future());
    let mut stream =
        connect(address, b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let own = format!("\r\n\r\n{};", stream.local_addr().unwrap());
    assert!(rest(&mut stream).await.ends_with(&own));
    let _first = Client::connect(address, "/ws", &[]).await.unwrap();
    assert_eq!(Client::connect(address, "/ws", &[]).await.err().unwrap().status, 429);
}

#[tokio::test]
async fn requests_and_an_upgrade_share_a_connection() {
    let served = serve(|serve| serve).await;
    let mut stream = connect(served.address, b"").await;
    assert_eq!(status(&mut stream, HELLO, "hello").await, 200);
    assert_eq!(status(&mut stream, &posted("/length", 0), "0").await, 200);
    let refused = upgrade_request("/ws", served.address, &[("Origin", "https://evil.example")]);
    assert_eq!(status(&mut stream, &refused, "not allowed\n").await, 403);
    let good = upgrade_request("/ws", served.address, &[]);
    assert_eq!(status(&mut stream, &good, "\r\n\r\n").await, 101);
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_connections() {
    let Served { address, _task: task, .. } = serve(|serve| serve).await;
    let mut kept = connect(address, HELLO.as_bytes()).await;
    assert_eq!(status(&mut kept, "", "hello").await, 200);
    let mut silent = connect(address, b"").await;
    let start = Instant::now();
    drop(task);
    assert_eq!(rest(&mut kept).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(start.elapsed() < Duration::from_secs(5), "before any time-out");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}
