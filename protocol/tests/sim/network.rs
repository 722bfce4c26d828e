//! Sockets over a network that delays, stalls, swallows and cuts. Within one direction of a socket nothing overtakes.

use std::collections::VecDeque;

use tidewire_protocol::{Millis, code::CloseCode};

use crate::{
    frames::{Down, Up},
    random::Random,
    schedule::{Schedule, Wake},
};

/// One direction.
#[derive(Debug)]
pub(crate) struct Pipe<T> {
    frames: VecDeque<(Millis, T, usize)>,
    bytes: usize,
    /// What it holds before it takes no more: the buffers of both ends.
    capacity: usize,
    last_arrival: Millis,
    stalled_until: Millis,
    /// What is written vanishes, and nobody is told. It fills the buffers, as nobody takes it.
    swallows: bool,
    /// The reader's end is there.
    is_open: bool,
}

impl<T> Pipe<T> {
    fn new(capacity: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            capacity,
            last_arrival: 0,
            stalled_until: 0,
            swallows: false,
            is_open: true,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes < self.capacity
    }

    fn swallow(&mut self, swallows: bool) {
        if swallows {
            self.swallows = true;
            self.frames.clear();
        }
    }

    /// When it arrives; `None` if it never does.
    fn send(&mut self, frame: T, bytes: usize, now: Millis, delay: Millis) -> Option<Millis> {
        if !self.is_open {
            return None;
        }
        self.bytes += bytes;
        if self.swallows {
            return None;
        }
        self.last_arrival = self.last_arrival.max(now + delay).max(self.stalled_until);
        self.frames.push_back((self.last_arrival, frame, bytes));
        Some(self.last_arrival)
    }

    /// The next frame that has arrived.
    pub(crate) fn receive(&mut self, now: Millis) -> Option<T> {
        let &(at, ..) = self.frames.front()?;
        if at.max(self.stalled_until) > now {
            return None;
        }
        let (_, frame, bytes) = self.frames.pop_front()?;
        self.bytes -= bytes;
        Some(frame)
    }

    fn close(&mut self) {
        self.is_open = false;
        self.frames.clear();
    }
}

/// A connection between a client and the server.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) client: usize,
    pub(crate) up: Pipe<Up>,
    pub(crate) down: Pipe<Down>,
    random: Random,
    delay_ms: Millis,
}

/// Every socket that ever was, by its number.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    pub(crate) sockets: Vec<Socket>,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, sockets: Vec::new() }
    }

    /// A socket that has opened.
    pub(crate) fn open(&mut self, client: usize, schedule: &mut Schedule) -> usize {
        let number = self.sockets.len();
        let mut random = Random::new(self.seed, 1_000 + number as u64);
        let delay_ms = random.pick(&[1, 1, 5, 20, 100]);
        let capacity = random.pick(&[400, 1_500, 5_000]);
        let (up, down) = (Pipe::new(capacity), Pipe::new(capacity));
        self.sockets.push(Socket { client, up, down, random, delay_ms });
        schedule.soon(Wake::Connection(number));
        number
    }

    pub(crate) fn send_up(&mut self, socket: usize, frame: Up, schedule: &mut Schedule) {
        let Socket { up, random, delay_ms, .. } = &mut self.sockets[socket];
        let (bytes, delay) = (frame.bytes(), random.below(*delay_ms) + 1);
        if let Some(at) = up.send(frame, bytes, schedule.now, delay) {
            schedule.at(at, Wake::Connection(socket));
        }
    }

    pub(crate) fn send_down(&mut self, socket: usize, frame: Down, schedule: &mut Schedule) {
        let Socket { client, down, random, delay_ms, .. } = &mut self.sockets[socket];
        let (bytes, delay) = (frame.bytes(), random.below(*delay_ms) + 1);
        if let Some(at) = down.send(frame, bytes, schedule.now, delay) {
            schedule.at(at, Wake::Client(*client));
        }
    }

    /// The client has let go of its end.
    pub(crate) fn leave(&mut self, socket: usize, schedule: &mut Schedule) {
        self.sockets[socket].down.close();
        self.send_up(socket, Up::Closed { on_purpose: true }, schedule);
    }

    /// The server has let go of its end, having written what it had to say.
    pub(crate) fn end(&mut self, socket: usize) {
        self.sockets[socket].up.close();
    }

    /// Both sides are told that the connection is lost. What is under way to the client is lost; what is under way to the server
    /// still comes if `up_arrives`.
    pub(crate) fn cut(&mut self, socket: usize, up_arrives: bool, schedule: &mut Schedule) {
        let Socket { up, down, .. } = &mut self.sockets[socket];
        if !up_arrives {
            up.frames.clear();
        }
        down.frames.clear();
        self.send_up(socket, Up::Closed { on_purpose: false }, schedule);
        self.send_down(socket, Down::Closed { code: CloseCode::ABNORMAL }, schedule);
    }

    /// What is under way and what is written vanishes, one way or both; nobody is told.
    pub(crate) fn swallow(&mut self, socket: usize, up: bool, down: bool) {
        self.sockets[socket].up.swallow(up);
        self.sockets[socket].down.swallow(down);
    }

    /// Nothing arrives for a while, either way.
    pub(crate) fn stall(&mut self, socket: usize, ms: Millis, schedule: &mut Schedule) {
        let until = schedule.now + ms;
        let Socket { client, up, down, .. } = &mut self.sockets[socket];
        up.stalled_until = until;
        down.stalled_until = until;
        schedule.at(until, Wake::Connection(socket));
        schedule.at(until, Wake::Client(*client));
    }
}
