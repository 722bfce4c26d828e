//! A server on a free port, and a client that speaks WebSocket by the crate's own codec in the client's role.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use axum::Router;
use serde_json::{Value, json};
use tidewire::{
    Live,
    ws::{Decoder, Event, Opcode, encode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<V: Send + Sync + 'static>(live: &Live<V>) -> Self {
        Self::serve(Router::new().route("/ws", live.handler())).await
    }

    pub(crate) async fn serve(app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, task }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, "/ws", &[]).await.expect("upgraded")
    }

    /// A client that has said hello.
    pub(crate) async fn full(&self) -> Client {
        let mut client = self.client().await;
        client.hello(json!({})).await;
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    received: VecDeque<Received>,
    next_id: u64,
    received_bytes: usize,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    Frame(Value),
    Pong(Vec<u8>),
    Ping,
    Close(Option<u16>),
    End,
}

/// The status and text of an answer that is no upgrade.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) head: String,
}

/// A valid upgrade's head lines after the request line, with others of the test's.
pub(crate) fn upgrade_request(path: &str, address: SocketAddr, headers: &[(&str, &str)]) -> String {
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}

impl Client {
    pub(crate) async fn connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Refused> {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(upgrade_request(path, address, headers).as_bytes()).await.unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            tokio::time::timeout(PATIENCE, stream.read_exact(&mut byte))
                .await
                .expect("an answer")
                .unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status != 101 {
            return Err(Refused { status, head });
        }
        Ok(Self {
            stream,
            decoder: Decoder::client(64 << 20).with_deflate(true),
            received: VecDeque::new(),
            next_id: 1,
            received_bytes: 0,
        })
    }

    /// Bytes that have come since the handshake.
    pub(crate) fn received_bytes(&self) -> usize {
        self.received_bytes
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_raw(&encode::masked(Opcode::Text, text.as_bytes(), [1, 2, 3, 4])).await;
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.send_text(&frame.to_string()).await;
    }

    pub(crate) async fn close(&mut self, code: u16) {
        self.send_raw(&encode::masked(
            Opcode::Close,
            &encode::close_payload(code, ""),
            [5, 6, 7, 8],
        ))
        .await;
    }

    /// What comes next, a message or a control frame.
    pub(crate) async fn receive(&mut self) -> Received {
        let mut buffer = vec![0; 64 * 1024];
        while self.received.is_empty() {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer))
                .await
                .expect("a frame in time");
            let read = match read {
                Ok(0) | Err(_) => return Received::End,
                Ok(read) => read,
            };
            self.received_bytes += read;
            let mut input = &mut buffer[..read];
            while let Some(event) = self.decoder.decode(&mut input).expect("valid frames") {
                self.received.push_back(match event {
                    Event::Text(text) => {
                        Received::Frame(serde_json::from_str(&text).expect("JSON"))
                    }
                    Event::Ping(_) => Received::Ping,
                    Event::Pong(payload) => Received::Pong(payload.to_vec()),
                    Event::Close(frame) => Received::Close(frame.map(|frame| frame.code)),
                    Event::Binary(_) => panic!("a binary message"),
                });
            }
        }
        self.received.pop_front().unwrap()
    }

    /// The next frame, which must be one.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.receive().await {
            Received::Frame(frame) => frame,
            other => panic!("no frame: {other:?}"),
        }
    }

    pub(crate) async fn expect(&mut self, expected: Value) {
        assert_eq!(self.frame().await, expected);
    }

    /// Sends a request and returns its answer; frames that come before it stay to be read.
    pub(crate) async fn request(&mut self, topic: &str, data: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.send(json!({ "topic": topic, "id": id, "data": data })).await;
        let mut before = VecDeque::new();
        loop {
            match self.receive().await {
                Received::Frame(frame) if frame["re"] == id => {
                    before.extend(self.received.drain(..));
                    self.received = before;
                    return frame;
                }
                Received::End => panic!("the connection ended before the answer to {topic}"),
                other => before.push_back(other),
            }
        }
    }

    pub(crate) async fn hello(&mut self, schema: Value) -> Value {
        let data =
            json!({ "version": 1, "client": "0123456789abcdef0123456789abcdef", "schema": schema });
        self.request("$hello", data).await
    }

    pub(crate) async fn subscribe(&mut self, topic: &str) -> Value {
        let answer = self.request("$subscribe", json!({ "topic": topic })).await;
        assert_eq!(answer["topic"], "$reply", "{answer}");
        answer["data"].clone()
    }

    pub(crate) async fn subscribe_since(
        &mut self,
        topic: &str,
        epoch: &Value,
        offset: u64,
    ) -> Value {
        let since = json!({ "epoch": epoch, "offset": offset });
        self.request("$subscribe", json!({ "topic": topic, "since": since })).await["data"].clone()
    }

    /// The answer to a WebSocket ping: everything sent before it has been handled, hooks aside.
    pub(crate) async fn ping(&mut self) {
        self.send_raw(&encode::masked(Opcode::Ping, b"?", [1, 1, 1, 1])).await;
        assert_eq!(self.receive().await, Received::Pong(b"?".to_vec()));
    }

    /// The close code with which the server ends the connection, after whatever it still sends.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.receive().await {
                Received::Close(code) => return code,
                Received::End => panic!("ended without a close frame"),
                _ => {}
            }
        }
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}
