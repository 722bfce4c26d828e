//! The example as people run it: a process, and clients that speak to it over sockets.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tidewire::ws::{Message, Options, Role, SocketError, WebSocket};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

const BINARY: &str = env!("CARGO_BIN_EXE_tidewire-complete");

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// The running example; it is killed when this is dropped.
struct Example {
    process: Child,
    address: SocketAddr,
}

impl Example {
    async fn start() -> Self {
        Self::run(&mut Command::new(BINARY)).await
    }

    async fn run(command: &mut Command) -> Self {
        let command = command.env("PORT", "0").env_remove("HOST").kill_on_drop(true);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        in_time(lines.read_line(&mut line)).await.unwrap();
        let address = line.trim_end().strip_prefix("complete at ws://").unwrap();
        let address: SocketAddr = address.strip_suffix("/ws").unwrap().parse().unwrap();
        assert!(address.ip().is_loopback());
        Self { process, address }
    }

    /// The status of an upgrade with these headers, and the connection that it gave.
    async fn upgrade(&self, query: &str, headers: &str) -> (u16, TcpStream) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET /ws{query} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(in_time(stream.read_u8()).await.unwrap());
        }
        (String::from_utf8(head).unwrap()[9..12].parse().unwrap(), stream)
    }

    async fn status(&self, query: &str, headers: &str) -> u16 {
        self.upgrade(query, headers).await.0
    }

    async fn client(&self, user: &str) -> Client {
        let (status, stream) =
            self.upgrade(&format!("?token=user:{user}"), "Host: localhost\r\n").await;
        assert_eq!(status, 101);
        Client(WebSocket::new(stream, Role::Client, Options::default()))
    }
}

struct Client(WebSocket<TcpStream>);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.send(Message::Text(text.into())).await.unwrap();
    }

    async fn expect(&mut self, text: &str) {
        match in_time(self.0.recv()).await.unwrap() {
            Some(Message::Text(received)) => assert_eq!(received, text),
            other => panic!("no text: {other:?}"),
        }
    }

    /// Waits until all that was sent before has been handled: a refusal is the answer to this.
    async fn settle(&mut self) {
        self.send(r#"{"topic":"chat"}"#).await;
        self.expect(r#"{"topic":"error","data":"a chat message has data"}"#).await;
    }

    async fn subscribe(&mut self, topic: &str) {
        self.send(&format!(r#"{{"topic":"subscribe","data":{{"topic":"{topic}"}}}}"#)).await;
    }

    /// The code of the server's close.
    async fn closed(mut self) -> Option<u16> {
        loop {
            match in_time(self.0.recv()).await {
                Ok(Some(_)) => {}
                Ok(None) => return self.0.peer_close().map(|(code, _)| code),
                Err(SocketError::Decode(error)) => panic!("{error}"),
                Err(_) => return None,
            }
        }
    }
}

#[tokio::test]
async fn what_is_said_reaches_subscribers_as_it_was_written() {
    let example = Example::start().await;
    let (mut ann, mut bob) = (example.client("ann").await, example.client("b%22ob").await);
    ann.subscribe("chat:general").await;
    ann.settle().await;
    let data = r#"{ "text" : "h\u0069 \/",  "n":[1.0e2 ,-0] }"#;
    bob.send(&format!(r#"{{"topic":"chat","data":{data}}}"#)).await;
    ann.expect(&format!(r#"{{"topic":"chat:general","data":{{"user":"b\"ob","data":{data}}}}}"#))
        .await;
    bob.subscribe("chat:general").await;
    bob.settle().await;
    ann.send(r#"{"data":"to both","topic":"chat"}"#).await;
    for client in [&mut ann, &mut bob] {
        client.expect(r#"{"topic":"chat:general","data":{"user":"ann","data":"to both"}}"#).await;
    }
    ann.send(r#"{"topic":"unsubscribe","data":{"topic":"chat:general"}}"#).await;
    ann.settle().await;
    bob.send(r#"{"topic":"chat","data":1}"#).await;
    bob.expect(r#"{"topic":"chat:general","data":{"user":"b\"ob","data":1}}"#).await;
    ann.settle().await;
}

#[tokio::test]
async fn a_subscription_needs_permission() {
    let example = Example::start().await;
    let mut ann = example.client("ann").await;
    for topic in ["chat:general", "chat:", "presence", "user:ann"] {
        ann.subscribe(topic).await;
        ann.settle().await;
    }
    for topic in ["user:bob", "user:", "user:ann:x", "secrets", "chat", "presence:x", ""] {
        ann.subscribe(topic).await;
        ann.expect(r#"{"topic":"error","data":"not allowed"}"#).await;
    }
    for message in [r#"{"topic":"subscribe"}"#, r#"{"topic":"subscribe","data":{"topic":5}}"#] {
        ann.send(message).await;
        ann.expect(r#"{"topic":"error","data":"not allowed"}"#).await;
    }
    // What has no meaning here does no harm.
    for message in [r#"{"topic":"unsubscribe"}"#, r#"{"topic":"dance","data":{}}"#] {
        ann.send(message).await;
    }
    ann.settle().await;
}

#[tokio::test]
async fn who_leaves_is_announced() {
    let example = Example::start().await;
    let mut ann = example.client("ann").await;
    ann.subscribe("presence").await;
    ann.settle().await;
    let mut bob = example.client("bob").await;
    bob.subscribe("presence").await;
    bob.settle().await;
    bob.0.close(1000, "").await.unwrap();
    ann.expect(r#"{"topic":"presence","data":{"type":"leave","user":"bob"}}"#).await;
    drop(example.client("eve").await);
    ann.expect(r#"{"topic":"presence","data":{"type":"leave","user":"eve"}}"#).await;
}

#[tokio::test]
async fn who_comes_in_has_a_token_and_an_origin_that_is_allowed() {
    let example = Example::run(
        Command::new(BINARY).env("ORIGINS", " https://one.example,,http://localhost:3000"),
    )
    .await;
    for (query, status) in [
        ("?token=user:ann", 101),
        ("?x=1&token=user%3Aann", 101),
        ("", 401),
        ("?token=", 401),
        ("?token=user:", 401),
        ("?token=ann", 401),
        ("?token=USER:ann", 401),
    ] {
        assert_eq!(example.status(query, "Host: any.where\r\n").await, status, "{query}");
    }
    for (origin, status) in [
        ("https://myapp.com", 101),
        ("https://one.example", 101),
        ("http://localhost:3000", 101),
        ("http://myapp.com", 403),
        ("https://two.example", 403),
        ("http://localhost", 403),
        ("null", 403),
        ("", 403),
    ] {
        let headers = format!("Host: localhost\r\nOrigin: {origin}\r\n");
        assert_eq!(example.status("?token=user:ann", &headers).await, status, "{origin}");
    }
}

#[tokio::test]
async fn a_message_has_a_limit() {
    let example = Example::start().await;
    let mut ann = example.client("ann").await;
    let chat = |bytes: usize| {
        let frame = r#"{"topic":"chat","data":""}"#;
        frame.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - frame.len())))
    };
    ann.send(&chat(64 * 1024)).await;
    ann.settle().await;
    ann.send(&chat(64 * 1024 + 1)).await;
    assert_eq!(ann.closed().await, Some(1009));
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_sends_everyone_away() {
    let mut example = Example::start().await;
    let mut ann = example.client("ann").await;
    ann.settle().await;
    let process = example.process.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &process]).status().await;
    assert!(sent.is_ok_and(|status| status.success()));
    assert_eq!(ann.closed().await, Some(1001));
    let ended: ExitStatus = in_time(example.process.wait()).await.unwrap();
    assert!(ended.success());
}

/// A server without file descriptors to spare goes on as soon as it has some.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn too_many_connections_end_nothing() {
    const FILES: usize = 40;
    let shell = format!("ulimit -n {FILES} && exec {BINARY}");
    let example = Example::run(Command::new("sh").args(["-c", &shell])).await;
    let files = format!("/proc/{}/fd", example.process.id().unwrap());
    let mut clients = Vec::new();
    // What the process inherits may have higher numbers, and takes nothing from these.
    let is_free = |file| std::fs::symlink_metadata(format!("{files}/{file}")).is_err();
    while (0..FILES).any(is_free) {
        clients.push(example.client("ann").await);
        clients.last_mut().unwrap().settle().await;
    }
    let mut waiting = Box::pin(example.client("bob"));
    let mut ann = clients.pop().unwrap();
    for _ in 0..100 {
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("there was no file for it"),
            () = ann.settle() => {}
        }
    }
    drop(clients);
    waiting.await.settle().await;
    ann.settle().await;
}
