//! A pub/sub server on socketioxide: rooms, events, acknowledgements.

#![expect(clippy::print_stdout, reason = "the address is printed")]

use std::error::Error;

use axum::{Router, serve::ListenerExt};
use serde::{Deserialize, Serialize};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::net::TcpListener;

/// What is published, and what every subscriber gets.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    from: u64,
    seq: u64,
    at: u64,
    text: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", on_connect);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, Router::new().layer(layer)).await?;
    Ok(())
}

async fn on_connect(socket: SocketRef) {
    socket.on("join", async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
        socket.join(room);
        let _ = ack.send(&());
    });
    socket.on("publish", async |io: SocketIo, Data((room, item)): Data<(String, Item)>| {
        let _ = io.to(room).emit("event", &item).await;
    });
    socket.on("echo", async |Data(item): Data<Item>, ack: AckSender| {
        let _ = ack.send(&item);
    });
    socket.on("collect", async |ack: AckSender| {
        let _ = ack.send(&());
    });
}
