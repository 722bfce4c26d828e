//! A drain under `tidewire::serve`: what is asked meanwhile is answered, until there is nobody left to be told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use tidewire::{Live, test};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::Instant,
};

use super::{SECOND, asked};
use crate::support::{Client, Received};

// readme: deploy
/// The load balancer asks `/health`, and sends nobody here once the node drains.
fn app(live: &Live<()>) -> Router {
    let node = live.clone();
    let health = async move || match node.is_stopping() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    Router::new().route("/ws", live.handler()).route("/health", get(health))
}

async fn run(
    listener: TcpListener,
    live: Live<()>,
    replaced: impl Future<Output = ()> + Send + 'static,
) {
    let drain = live.drain(Duration::from_secs(20));
    tidewire::serve(listener, app(&live)).shutdown(drain, replaced).await;
}
// readme: end

struct Served {
    address: SocketAddr,
    /// A session that has been asked to move.
    client: test::Client,
    began: Instant,
    served: JoinHandle<()>,
}

/// A server that has begun to drain.
async fn draining() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let live = Live::<()>::builder().build();
    let mut client = test::Client::connect(&live).hello().await.unwrap();
    let signal = Arc::new(Notify::new());
    let stop = Arc::clone(&signal);
    let served = tokio::spawn(run(listener, live, async move { stop.notified().await }));
    assert_eq!(health_of(address).await, "200");
    let began = Instant::now();
    signal.notify_one();
    asked(&mut client).await;
    Served { address, client, began, served }
}

async fn health_of(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().into()
}

#[tokio::test]
async fn it_answers_until_the_sessions_have_gone() {
    let Served { address, client, served, .. } = draining().await;
    assert_eq!(health_of(address).await, "503");
    let headers = [("Sec-WebSocket-Protocol", "tidewire.1")];
    let mut refused = Client::connect(address, "/ws", &headers).await.unwrap();
    assert_eq!(refused.receive().await, Received::Close(Some(4000)));
    drop(refused);
    drop(client);
    served.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_stops_accepting_when_half_of_the_time_is_over() {
    let Served { address, mut client, began, served } = draining().await;
    tokio::time::sleep_until(began + Duration::from_millis(9_900)).await;
    TcpStream::connect(address).await.expect("it accepts");
    tokio::time::sleep_until(began + Duration::from_millis(10_100)).await;
    assert!(TcpStream::connect(address).await.is_err());
    client.ping().await.expect("the session may still move");
    client.closed().await.unwrap();
    served.await.unwrap();
    assert!(began.elapsed() < 21 * SECOND);
}
