//! One client's socket: what was read of it in part, and what it has not taken yet.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

pub(crate) struct Client {
    stream: TcpStream,
    is_open: bool,
    /// The topic that its payloads are published to.
    pub(crate) target: Option<usize>,
    partial: Vec<u8>,
    unsent: Vec<u8>,
}

/// What a client wants.
pub(crate) enum Command {
    /// To become a WebSocket, by this key.
    Upgrade(String),
    /// That the frame which goes out with this text be sent back, after whatever it says is done.
    Say(Vec<u8>),
    /// That this frame be sent to a topic.
    Publish(usize, Vec<u8>),
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, is_open: false, target: None, partial: Vec::new(), unsent: Vec::new() }
    }

    /// Reads into `scratch`, behind what was kept. 0 if there is nothing new.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        let kept = self.partial.len();
        if kept >= scratch.len() {
            return Err(ErrorKind::InvalidData.into());
        }
        match self.stream.read(&mut scratch[kept..]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                scratch[..kept].copy_from_slice(&self.partial);
                self.partial = Vec::new();
                Ok(kept + read)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Keeps an incomplete frame.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.partial = bytes.to_vec();
    }

    /// Takes the next whole command off `bytes`.
    pub(crate) fn take(&mut self, bytes: &mut &mut [u8]) -> io::Result<Option<Command>> {
        if !self.is_open {
            return Ok(self.take_upgrade(bytes));
        }
        let Some(text) = take_text(bytes)? else { return Ok(None) };
        let command = match (self.target, text.first()) {
            (Some(topic), Some(b'{')) => Command::Publish(topic, frame(text)),
            _ => Command::Say(frame(text)),
        };
        Ok(Some(command))
    }

    fn take_upgrade(&mut self, bytes: &mut &mut [u8]) -> Option<Command> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::mem::take(bytes);
        let (head, rest) = head.split_at_mut(end);
        *bytes = rest;
        let head = String::from_utf8_lossy(head);
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        self.is_open = true;
        Some(Command::Upgrade(key.trim().to_owned()))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let written = match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent)
    }
}

/// Takes a whole text frame of a client off `bytes` and unmasks it. Anything else, a close included, is an error.
fn take_text<'a>(bytes: &mut &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    let (head, length) = match **bytes {
        [] | [0x81] => return Ok(None),
        [0x81, length @ 0x80..0xfe, ..] => (2, usize::from(length & 0x7f)),
        [0x81, 0xfe, a, b, ..] => (4, usize::from(u16::from_be_bytes([a, b]))),
        [0x81, 0xfe, ..] => return Ok(None),
        _ => return Err(ErrorKind::InvalidData.into()),
    };
    if bytes.len() < head + 4 + length {
        return Ok(None);
    }
    let (frame, rest) = std::mem::take(bytes).split_at_mut(head + 4 + length);
    *bytes = rest;
    let (mask, text) = frame[head..].split_at_mut(4);
    let mask = [mask[0], mask[1], mask[2], mask[3]];
    for chunk in text.chunks_mut(4) {
        chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    Ok(Some(text))
}

/// A server's text frame.
fn frame(text: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 4);
    match u8::try_from(text.len()) {
        Ok(short @ ..126) => frame.extend_from_slice(&[0x81, short]),
        _ => frame.extend_from_slice(&[0x81, 126, (text.len() >> 8) as u8, text.len() as u8]),
    }
    frame.extend_from_slice(text);
    frame
}
