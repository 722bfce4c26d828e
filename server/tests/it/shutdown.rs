//! The end of a server: who is told what, and when.

use std::{future::IntoFuture, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use serde_json::json;
use tidewire::{CloseCode, CloseReason, Live, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    time::Instant,
};

use crate::support::{Client, Received, Server, eventually};

#[tokio::test]
async fn clients_get_what_is_queued_and_the_code_that_sends_them_on() {
    let (closed, mut reasons) = mpsc::unbounded_channel();
    let live = Live::<()>::builder()
        .state(closed)
        .on_close(async |cx, _session, reason| cx.state.send(reason).unwrap())
        .build();
    let server = Server::start(&live).await;
    let (mut plain, full) = (server.client().await, server.full().await);
    plain.ping().await;
    for session in live.sessions() {
        for n in 0..100 {
            session.send("n", &n).unwrap();
        }
    }
    let read = async |mut client: Client, code: CloseCode| {
        for n in 0..100 {
            client.expect(json!({ "topic": "n", "data": n })).await;
        }
        assert_eq!(client.receive().await, Received::Close(Some(code.0)));
    };
    tokio::join!(
        live.shutdown().spread(Duration::ZERO).into_future(),
        read(plain, CloseCode::GOING_AWAY),
        read(full, CloseCode::DRAIN),
    );
    assert_eq!(live.session_count(), 0);
    for _ in 0..2 {
        let reason = reasons.try_recv().expect("`on_close` is done");
        assert!(matches!(reason, CloseReason::Shutdown(_)), "{reason:?}");
    }
    for protocol in ["tidewire.1", "other"] {
        let headers = [("Sec-WebSocket-Protocol", protocol)];
        assert_eq!(
            Client::connect(server.address, "/ws", &headers).await.err().unwrap().status,
            503
        );
    }
    live.shutdown().await;
}

/// When each of 60 clients is closed, by a clock that begins with the shutdown.
async fn closes(shutdown: impl FnOnce(Shutdown<()>) -> Shutdown<()>) -> Vec<Duration> {
    let live =
        Live::<()>::builder().heartbeat(Duration::from_secs(600), Duration::from_secs(600)).build();
    let server = Server::start(&live).await;
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(server.client().await);
    }
    eventually("all are there", || live.session_count() == 60).await;
    let begin = Instant::now();
    let closes = clients.into_iter().map(|mut client| async move {
        assert_eq!(client.receive().await, Received::Close(Some(1001)));
        begin.elapsed()
    });
    let closes = futures_util::future::join_all(closes);
    let (closes, ()) = tokio::join!(closes, shutdown(live.shutdown()).into_future());
    assert!(begin.elapsed() <= Duration::from_secs(9), "nothing waits for the deadline");
    closes
}

#[tokio::test(start_paused = true)]
async fn closes_are_spread() {
    // By default, 60 times 10 ms. Chances that this fails without a fault: 2 in 10^7 each.
    let given = Duration::from_secs(8);
    for (closes, spread) in [
        (closes(|shutdown| shutdown.spread(given)).await, given),
        (closes(|shutdown| shutdown).await, Duration::from_millis(600)),
    ] {
        assert!(closes.iter().any(|at| *at < spread / 4), "{closes:?}");
        assert!(closes.iter().any(|at| *at > spread * 3 / 4), "{closes:?}");
        let slack = Duration::from_millis(50);
        assert!(closes.iter().all(|at| *at <= spread + slack), "{closes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_deadline_is_ended() {
    let held = Arc::new(());
    let live = Live::<()>::builder()
        .state(Arc::clone(&held))
        .hook_timeout(Duration::from_secs(600))
        .on_message(async |cx, _session, _message| {
            let _held = Arc::clone(&*cx.state);
            std::future::pending().await
        })
        .build();
    let server = Server::start(&live).await;
    let holders = Arc::strong_count(&held);
    let mut stuck = server.client().await;
    stuck.send(json!({ "topic": "x" })).await;
    eventually("the hook runs", || Arc::strong_count(&held) > holders).await;
    let begin = Instant::now();
    live.shutdown().spread(Duration::ZERO).deadline(Duration::from_secs(40)).await;
    assert_eq!(begin.elapsed().as_secs(), 40);
    assert_eq!(live.session_count(), 0);
    assert_eq!(stuck.receive().await, Received::Close(Some(1001)));
    assert_eq!(stuck.receive().await, Received::End);
    eventually("the hook is dropped", || Arc::strong_count(&held) == holders).await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_within_the_spread_closes_all() {
    let live = Live::<()>::builder().build();
    let server = Server::start(&live).await;
    let mut clients = [server.client().await, server.full().await];
    eventually("both are there", || live.session_count() == 2).await;
    let begin = Instant::now();
    live.shutdown().spread(Duration::from_secs(1 << 40)).deadline(Duration::from_secs(3)).await;
    assert_eq!(begin.elapsed().as_secs(), 3);
    for (client, code) in clients.iter_mut().zip([1001, 4000]) {
        assert_eq!(client.receive().await, Received::Close(Some(code)));
    }
    eventually("nobody is left", || live.session_count() == 0).await;
}

#[tokio::test]
async fn it_may_be_given_up_and_called_again() {
    let live = Live::<()>::builder().build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.ping().await;
    let slow = || live.shutdown().spread(Duration::from_secs(1 << 40)).into_future();
    drop(slow());
    client.ping().await;
    let second = Client::connect(server.address, "/ws", &[]).await;
    second.expect("nothing has stopped: it was never awaited").ping().await;
    let mut given_up = slow();
    assert!(futures_util::FutureExt::now_or_never(&mut given_up).is_none());
    drop(given_up);
    assert_eq!(Client::connect(server.address, "/ws", &[]).await.err().unwrap().status, 503);
    client.ping().await;
    let begin = Instant::now();
    let (fast, also_slow) = (live.shutdown().spread(Duration::ZERO), slow());
    let leave = async move {
        // When it ends the client is dropped, which is what both wait for.
        let mut client = client;
        assert_eq!(client.closed().await, Some(1001));
    };
    tokio::join!(fast.into_future(), also_slow, leave);
    assert!(begin.elapsed() < Duration::from_secs(20), "when all are gone nothing is waited for");
}

#[tokio::test]
async fn nobody_begins_a_session_any_more() {
    let (admit, connected) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let live = Live::<()>::builder()
        .state((Arc::clone(&admit), Arc::clone(&connected)))
        .on_auth(async |cx, _request| {
            cx.state.1.notify_one();
            cx.state.0.notified().await;
            Ok(())
        })
        .on_connect(async |_cx, _session| panic!("a session began"))
        .build();
    let server = Server::start(&live).await;
    let client = tokio::spawn(async move {
        Client::connect(server.address, "/ws", &[])
            .await
            .expect("it was let in before")
            .closed()
            .await
    });
    connected.notified().await;
    live.shutdown().await;
    admit.notify_one();
    assert_eq!(client.await.unwrap(), Some(1001));

    let live = Live::<()>::builder().on_token(async |_cx, _token| Ok(())).build();
    let server = Server::start(&live).await;
    let mut client = server.client().await;
    client.ping().await;
    let stop = tokio::spawn(live.shutdown().into_future());
    while Client::connect(server.address, "/ws", &[]).await.is_ok() {}
    let data = json!({ "version": 1, "client": "0123456789abcdef0123456789abcdef" });
    client.send(json!({ "topic": "$hello", "id": 1, "data": data })).await;
    assert_eq!(client.receive().await, Received::Close(Some(4000)));
    drop(client);
    stop.await.unwrap();
}

/// An application with a slow route, stopped by the returned handle.
struct Stoppable {
    address: std::net::SocketAddr,
    live: Live<()>,
    go_on: Arc<Notify>,
    signal: Arc<Notify>,
    served: tokio::task::JoinHandle<()>,
}

async fn stoppable() -> Stoppable {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (live, go_on, signal) =
        (Live::<()>::builder().build(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (slow, stop) = (Arc::clone(&go_on), Arc::clone(&signal));
    let app = Router::new().route("/ws", live.handler()).route(
        "/slow",
        get(|| async move {
            slow.notified().await;
            "done"
        }),
    );
    let shutdown = live.shutdown().spread(Duration::ZERO).deadline(Duration::from_secs(20));
    let serve =
        tidewire::serve(listener, app).shutdown(shutdown, async move { stop.notified().await });
    Stoppable { address, live, go_on, signal, served: tokio::spawn(serve.into_future()) }
}

async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    stream
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut all = String::new();
    let _ = stream.read_to_string(&mut all).await;
    all
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_was_asked() {
    let server = stoppable().await;
    let mut client = Client::connect(server.address, "/ws", &[]).await.unwrap();
    client.ping().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    let mut asked = ask(server.address).await;
    // The idle connection was accepted before this one is answered.
    drop(Client::connect(server.address, "/ws", &[]).await.unwrap());
    let begin = Instant::now();
    server.signal.notify_one();
    assert_eq!(client.receive().await, Received::Close(Some(1001)));
    assert_eq!(rest(&mut idle).await, "");
    assert!(begin.elapsed() < Duration::from_secs(5), "who asked for nothing is not waited for");
    while TcpStream::connect(server.address).await.is_ok() {}
    assert!(!server.served.is_finished());
    server.go_on.notify_one();
    let answer = rest(&mut asked).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    drop(client);
    server.served.await.unwrap();
    assert_eq!(server.live.session_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_has_a_deadline() {
    let server = stoppable().await;
    let mut asked = ask(server.address).await;
    drop(Client::connect(server.address, "/ws", &[]).await.unwrap());
    let begin = Instant::now();
    server.signal.notify_one();
    server.served.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert_eq!(rest(&mut asked).await, "");
}
