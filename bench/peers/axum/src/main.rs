//! What one writes by hand: axum's WebSocket, a task for each connection, and a tokio broadcast channel for each topic.

#![expect(clippy::print_stdout, reason = "the address is printed")]

#[path = "../../timer.rs"]
mod timer;

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::any,
    serve::ListenerExt,
};
use timer::Timer;
use tokio::{
    net::TcpListener,
    sync::broadcast::{Receiver, Sender, error::RecvError},
};

/// Messages that a slow subscriber may be behind.
const CAPACITY: usize = 256;

type Topics = Arc<Mutex<HashMap<String, Sender<Utf8Bytes>>>>;

#[derive(Clone, Default)]
struct App {
    topics: Topics,
    timer: Timer,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Router::new().route("/", any(upgrade)).with_state(App::default());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}

async fn upgrade(upgrade: WebSocketUpgrade, State(app): State<App>) -> Response {
    upgrade.on_upgrade(|socket| async {
        // A connection that fails concerns its client alone.
        let _ = serve(socket, app).await;
    })
}

async fn serve(mut socket: WebSocket, App { topics, timer }: App) -> Result<(), axum::Error> {
    let mut events: Option<Receiver<Utf8Bytes>> = None;
    let mut target: Option<Sender<Utf8Bytes>> = None;
    loop {
        tokio::select! {
            event = next(&mut events) => socket.send(Message::Text(event)).await?,
            message = socket.recv() => match message.transpose()? {
                None => return Ok(()),
                Some(Message::Text(text)) => {
                    match (text.as_bytes().first(), &target) {
                        (Some(b'{'), Some(target)) => {
                            // Without a subscriber it is for nobody.
                            let _ = target.send(text);
                            continue;
                        }
                        (Some(b'+'), _) => events = Some(topic(&topics, &text[1..]).subscribe()),
                        (Some(b'>'), _) => target = Some(topic(&topics, &text[1..])),
                        (Some(b'?'), _) => {
                            let late = format!("?{:?}", timer.late());
                            socket.send(Message::Text(late.into())).await?;
                            continue;
                        }
                        _ => {}
                    }
                    socket.send(Message::Text(text)).await?;
                }
                Some(_) => {}
            },
        }
    }
}

/// The next event; never, without a subscription.
async fn next(events: &mut Option<Receiver<Utf8Bytes>>) -> Utf8Bytes {
    if let Some(events) = events {
        loop {
            match events.recv().await {
                Ok(event) => return event,
                // What a slow subscriber has missed shows in the load generator's count.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    }
    std::future::pending().await
}

fn topic(topics: &Topics, name: &str) -> Sender<Utf8Bytes> {
    let mut topics = topics.lock().expect("no panic while the topics are locked");
    topics.entry(name.to_owned()).or_insert_with(|| Sender::new(CAPACITY)).clone()
}
