//! The physical limit: one thread, one epoll, nothing that is not needed to get the bytes out.
//!
//! A publish becomes one frame and one `send` for each subscriber; with `--coalesce` the publishes that one turn of the loop
//! brings are joined per topic, and each subscriber gets them by one `send`. It has no limits, no timers, no UTF-8 check and no
//! answer to anything but the commands of the `raw` dialect: no program that people use can be as bare.

#![expect(clippy::print_stdout, reason = "the address is printed")]

mod client;

use std::{
    collections::HashMap,
    env,
    io::{self, ErrorKind},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use client::{Client, Command};
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use sha1::{Digest, Sha1};

const LISTENER: Token = Token(usize::MAX);
const SCRATCH_BYTES: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let is_coalescing = env::args().any(|argument| argument == "--coalesce");
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("a literal"))?;
    println!("listening {}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = Server::new(is_coalescing);
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; SCRATCH_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener, &poll)?,
                Token(index) => {
                    if event.is_writable() {
                        server.with(index, |client| client.flush());
                    }
                    if event.is_readable() {
                        server.read(index, &mut scratch);
                    }
                }
            }
        }
        server.send_batches();
    }
}

struct Server {
    is_coalescing: bool,
    /// A place stays empty when its client has left.
    clients: Vec<Option<Client>>,
    names: HashMap<String, usize>,
    topics: Vec<Topic>,
    /// The topics whose batch is not empty.
    batched: Vec<usize>,
}

#[derive(Default)]
struct Topic {
    subscribers: Vec<usize>,
    batch: Vec<u8>,
}

impl Server {
    fn new(is_coalescing: bool) -> Self {
        Self {
            is_coalescing,
            clients: Vec::new(),
            names: HashMap::new(),
            topics: Vec::new(),
            batched: Vec::new(),
        }
    }

    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(self.clients.len()), interest)?;
            self.clients.push(Some(Client::new(stream)));
        }
    }

    /// Does something with a client; one whose socket fails is gone.
    fn with<T>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Client) -> io::Result<T>,
    ) -> Option<T> {
        let place = self.clients.get_mut(index)?;
        match work(place.as_mut()?) {
            Ok(value) => Some(value),
            Err(_) => {
                *place = None;
                None
            }
        }
    }

    fn read(&mut self, index: usize, scratch: &mut [u8]) {
        while let Some(read) =
            self.with(index, |client| client.read(scratch)).filter(|read| *read > 0)
        {
            let mut bytes = &mut scratch[..read];
            while let Some(Some(command)) = self.with(index, |client| client.take(&mut bytes)) {
                self.handle(index, command);
            }
            self.with(index, |client| {
                client.keep(bytes);
                Ok(())
            });
            // A short read has emptied the socket.
            if read < SCRATCH_BYTES / 2 {
                break;
            }
        }
    }

    fn handle(&mut self, index: usize, command: Command) {
        match command {
            Command::Upgrade(key) => {
                self.with(index, |client| client.send(answer(&key).as_bytes()));
            }
            Command::Say(frame) => {
                let name = frame.get(3..).unwrap_or_default();
                let name = String::from_utf8_lossy(name).into_owned();
                match frame.get(2) {
                    Some(b'+') => {
                        let topic = self.topic(name);
                        self.topics[topic].subscribers.push(index);
                    }
                    Some(b'>') => {
                        let topic = self.topic(name);
                        self.with(index, |client| {
                            client.target = Some(topic);
                            Ok(())
                        });
                    }
                    _ => {}
                }
                self.with(index, |client| client.send(&frame));
            }
            Command::Publish(topic, frame) if self.is_coalescing => {
                let batch = &mut self.topics[topic].batch;
                if batch.is_empty() {
                    self.batched.push(topic);
                }
                batch.extend_from_slice(&frame);
            }
            Command::Publish(topic, frame) => self.send_all(topic, &frame),
        }
    }

    fn topic(&mut self, name: String) -> usize {
        let next = self.topics.len();
        let topic = *self.names.entry(name).or_insert(next);
        if topic == next {
            self.topics.push(Topic::default());
        }
        topic
    }

    fn send_batches(&mut self) {
        for topic in std::mem::take(&mut self.batched) {
            let batch = std::mem::take(&mut self.topics[topic].batch);
            self.send_all(topic, &batch);
        }
    }

    fn send_all(&mut self, topic: usize, bytes: &[u8]) {
        let Self { clients, topics, .. } = self;
        topics[topic].subscribers.retain(|&index| {
            let Some(client) = &mut clients[index] else { return false };
            let is_well = client.send(bytes).is_ok();
            if !is_well {
                clients[index] = None;
            }
            is_well
        });
    }
}

/// The answer to an upgrade request with this key.
fn answer(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = STANDARD.encode(digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
