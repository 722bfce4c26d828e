//! In a program, each test with a server of its own.

mod address;
mod mad;
#[path = "../../../test-server/src/serving.rs"]
mod serving;
#[cfg(feature = "tls")]
mod tls;

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::TcpListener;
pub(crate) use tokio::test;

/// Nothing of a test takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The address of a server that ends with the test.
pub(crate) async fn server() -> String {
    format!("ws://{}/ws", address().await)
}

/// The same, to be reached in another way.
async fn address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it has an address");
    let app = Router::new().route("/ws", serving::talk().build().handler());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A name that no other test uses: here none can.
pub(crate) fn unique(name: &str) -> String {
    name.to_owned()
}

pub(crate) async fn pause(ms: u32) {
    tokio::time::sleep(Duration::from_millis(ms.into())).await;
}

pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    within(PATIENCE, what, wanted).await
}

async fn within<T>(patience: Duration, what: &str, wanted: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(patience, wanted).await else {
        panic!("{what} did not come");
    };
    value
}
