//! Tidewire as users run it: a typed topic whose events pass through serde, in full mode and plain mode, with history, offsets
//! and metrics as they are by default. Only the limits that a load generator is meant to exceed are off.

#![expect(clippy::print_stdout, reason = "the address is printed")]

use std::error::Error;

use axum::Router;
use serde::{Deserialize, Serialize};
use tidewire::Live;
use tokio::net::TcpListener;
use ts_rs::TS;

/// What is published, and what every subscriber gets.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
struct Item {
    from: u64,
    seq: u64,
    at: u64,
    text: String,
}

tidewire_protocol::schema! {
    /// The schema of the benchmark.
    schema Bench {
        topic Feed { name: String } = "feed:{name}" { event: Item, publish: Item }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let live = Live::<()>::builder()
        .message_rate(0, 0)
        .byte_rate(0, 0)
        .topic::<Feed>(|topic| {
            topic.public().on_publish(async |_cx, _session, _feed, item: Item| Ok(item))
        })
        .on_message(async |_cx, session, message| {
            let _ = session.send(&message.topic, &message.data);
        })
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    tidewire::serve(listener, Router::new().route("/ws", live.handler())).await;
    Ok(())
}
