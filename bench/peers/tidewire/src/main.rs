//! Tidewire as users run it: a typed topic whose events pass through serde, in full mode and plain mode, with history, offsets
//! and metrics as they are by default. Only the limits that a load generator is meant to exceed are off.

#![expect(clippy::print_stdout, reason = "the address is printed")]

#[path = "../../timer.rs"]
mod timer;

use std::{env, error::Error};

use axum::Router;
use serde::{Deserialize, Serialize};
use tidewire::{Live, Overflow};
use timer::Timer;
use tokio::net::TcpListener;
use ts_rs::TS;

mod keyed {
    use super::Item;

    tidewire_protocol::schema! {
        /// The same with a key, whose latest event is all that a slow subscriber gets: a publisher's events are of one key.
        pub(crate) schema Keyed {
            topic Feed { name: String } = "feed:{name}" { event: Item, publish: Item, key: from }
        }
    }
}

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
        call Echo = "echo" (Item) -> Item;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let overflow = overflow()?;
    let timer = Timer::default();
    let live = Live::<()>::builder().state(timer).message_rate(0, 0).byte_rate(0, 0);
    let live = if overflow == Overflow::Conflate {
        live.topic::<keyed::Feed>(|topic| {
            let topic = topic.public().overflow(overflow);
            topic.on_publish(async |_cx, _session, _feed, item: Item| Ok(item))
        })
    } else {
        live.topic::<Feed>(|topic| {
            let topic = topic.public().overflow(overflow);
            topic.on_publish(async |_cx, _session, _feed, item: Item| Ok(item))
        })
    };
    let live = live
        .call(Echo, async |_cx, _session, item: Item| Ok(item))
        .on_message(async |cx, session, message| {
            let _ = match message.topic.as_str() {
                "timer" => session.send("timer", &cx.state.late()),
                topic => session.send(topic, &message.data),
            };
        })
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    tidewire::serve(listener, Router::new().route("/ws", live.handler())).await;
    Ok(())
}

/// Reads `--overflow POLICY`: what becomes of a subscriber that does not keep up.
fn overflow() -> Result<Overflow, String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--overflow", "close"] => Ok(Overflow::Close),
        ["--overflow", "drop-oldest"] => Ok(Overflow::DropOldest),
        ["--overflow", "conflate"] => Ok(Overflow::Conflate),
        ["--overflow", "resync"] => Ok(Overflow::Resync),
        _ => Err("usage: tidewire-bench-tidewire [--overflow close|drop-oldest|conflate|resync]"
            .to_owned()),
    }
}
