//! Sends every text and binary message back unchanged, on any path and to any page.
//!
//! It uses `tidewire::ws` alone, without topics or sessions, under axum. The Autobahn test suite
//! runs against it.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
};

use axum::{Router, extract::Request, response::Response};
use tidewire::ws::{Options, SocketError, Stream, Upgrade, WebSocket, handshake::Refusal};
use tokio::net::TcpListener;

/// The longest message that is taken and sent back.
const READ_LIMIT_BYTES: usize = 32 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "8080")?.parse()?;
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    writeln!(io::stdout(), "echo at ws://{}", listener.local_addr()?)?;
    axum::serve(listener, Router::new().fallback(answer)).await?;
    Ok(())
}

fn variable(name: &str, default: &str) -> Result<String, VarError> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        value => value,
    }
}

async fn answer(mut request: Request) -> Result<Response, Response> {
    upgrade(&mut request).map_err(Refusal::response)
}

fn upgrade(request: &mut Request) -> Result<Response, Refusal> {
    let upgrade = Upgrade::read(request)?;
    let deflate = upgrade.offer().deflate();
    let (response, pending) = upgrade.accept(None, deflate)?;
    tokio::spawn(async move {
        let options = Options { read_limit: READ_LIMIT_BYTES, ..Options::default() };
        // A connection that fails concerns its client alone.
        if let Ok(socket) = pending.socket(options).await {
            let _ = echo(socket).await;
        }
    });
    Ok(response)
}

async fn echo(mut socket: WebSocket<Stream>) -> Result<(), SocketError> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
