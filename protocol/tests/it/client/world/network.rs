//! The network: when what was sent arrives, and what each side makes of it.

use super::*;

impl World {
    /// Runs all that happens until then.
    pub(super) fn run(&mut self, until: Millis) {
        for _ in 0..1_000_000 {
            let Some(at) = self.next_moment().filter(|&at| at <= until) else {
                self.now = until;
                return;
            };
            self.now = at.max(self.now);
            self.happen();
        }
        panic!("it never comes to rest");
    }

    pub(super) fn next_moment(&self) -> Option<Millis> {
        let of_sockets = self.sockets.iter().flatten().filter(|socket| !socket.stalled);
        of_sockets
            .flat_map(|s| {
                [
                    s.up.front().map(|frame| frame.0),
                    s.down.front().map(|frame| frame.0),
                    (!s.pinged).then_some(s.heard_at + PING_MS),
                    s.drained_at,
                ]
            })
            .chain(self.opens_at)
            .chain([self.client.poll_timeout()])
            .flatten()
            .min()
    }

    pub(super) fn happen(&mut self) {
        let now = self.now;
        if self.client.poll_timeout().is_some_and(|at| at <= now) {
            self.client.handle_timeout(now);
            let next = self.client.poll_timeout();
            assert!(next.is_none_or(|at| at > now), "time-outs make progress: {next:?} at {now}");
            return self.carry_out();
        }
        for link in [0, 1] {
            if self.opens_at[link].take_if(|at| *at <= now).is_some() {
                return self.opened(link);
            }
            if self.pass(link) {
                return;
            }
        }
    }

    /// One thing that happens on a link, if there is one.
    pub(super) fn pass(&mut self, link: usize) -> bool {
        let now = self.now;
        let Some(socket) = self.sockets[link].as_mut().filter(|socket| !socket.stalled) else {
            return false;
        };
        if socket.up.front().is_some_and(|frame| frame.0 <= now) {
            let (_, frame) = socket.up.pop_front().expect("a frame");
            (socket.heard_at, socket.pinged) = (now, false);
            self.server.handle(link, frame);
            self.send();
        } else if socket.down.front().is_some_and(|frame| frame.0 <= now) {
            let (_, frame) = socket.down.pop_front().expect("a frame");
            self.receive(link, frame);
        } else if socket.drained_at.is_some_and(|at| at <= now) {
            self.close(link, CloseCode::DRAIN);
        } else if !socket.pinged && socket.heard_at + PING_MS <= now {
            socket.pinged = true;
            self.server.ping(link);
            self.send();
        } else {
            return false;
        }
        true
    }

    pub(super) fn opened(&mut self, link: usize) {
        if self.now < self.down_until {
            self.client.handle_closed(link as u8, CloseCode::ABNORMAL, self.now);
        } else {
            self.server.accept(link);
            self.sockets[link] = Some(Socket {
                open: true,
                stalled: false,
                up: VecDeque::new(),
                down: VecDeque::new(),
                heard_at: self.now,
                pinged: false,
                drained_at: None,
                greeted: false,
                owed: BTreeSet::new(),
            });
            self.client.handle_opened(link as u8, self.now);
        }
        self.carry_out();
    }

    /// Hands what the server has said to the network.
    pub(super) fn send(&mut self) {
        for link in [0, 1] {
            let sent = self.server.take_sent(link);
            let Some(socket) = &mut self.sockets[link] else { continue };
            for frame in sent {
                let last = socket.down.back().map_or(0, |frame| frame.0);
                socket.down.push_back(((self.now + self.random.below(80)).max(last), frame));
            }
        }
    }

    pub(super) fn upload(&mut self, frame: Up) {
        let socket = self.sockets[self.link].as_mut().expect("frames are sent on a socket");
        assert!(socket.open);
        let at = (self.now + self.random.below(80)).max(socket.up.back().map_or(0, |f| f.0));
        socket.up.push_back((at, frame));
    }

    pub(super) fn receive(&mut self, link: usize, frame: Down) {
        self.heard = link;
        if let (Down::Hello { .. }, Some(socket)) = (&frame, &mut self.sockets[link]) {
            socket.greeted = true;
        }
        let topic = match &frame {
            Down::Event { topic, .. } => Some(*topic),
            &Down::Gap { topic, after, to, cause: 4 } => {
                // Moves the position, if it counts at all.
                if let Some(seen) = self.seen.get_mut(&topic) {
                    seen.holes.push((after, to));
                    seen.included = to;
                }
                None
            }
            &Down::Subscribed { topic, .. } => {
                if let Some(seen) = self.seen.get_mut(&topic) {
                    seen.links[1] = link;
                }
                None
            }
            _ => None,
        };
        let frame = self.tuple(frame);
        let verdict = self.client.handle_frame(link as u8, frame, self.now);
        self.carry_out();
        match (verdict, topic) {
            (Verdict::Deliver, Some(topic)) => self.delivered(topic, frame.offset),
            (Verdict::Deliver, None) => panic!("nothing to deliver: {frame:?}"),
            (Verdict::Ignore, _) => {}
        }
    }

    pub(super) fn tuple(&mut self, frame: Down) -> Frame {
        let mut out = Frame::default();
        let mut set = |kind, re: u32| (out.kind, out.re) = (kind, re.into());
        match frame {
            Down::Hello { re } => {
                set(Kind::Hello, re);
                (out.ms, out.to) = (PING_MS, PONG_MS);
            }
            Down::Reply { re, at, flags } => {
                set(Kind::Reply, re);
                out.flags = flags;
                if let Some((epoch, offset)) = at {
                    (out.epoch, out.offset) = (self.epochs.give(epoch), offset);
                }
            }
            Down::Error { re, code } => {
                set(Kind::Error, re);
                out.code = code;
            }
            Down::Gap { topic, after, to, cause } => {
                set(Kind::Gap, 0);
                (out.topic, out.offset) = (self.topics.find(topic), after);
                (out.to, out.code) = (to, cause);
            }
            Down::Drain { ms } => {
                set(Kind::Drain, 0);
                out.ms = ms;
            }
            Down::Ping => set(Kind::Ping, 0),
            Down::Subscribed { topic, at } => {
                set(Kind::Subscribed, 0);
                out.topic = self.topics.give(topic);
                (out.epoch, out.offset) = (self.epochs.give(at.0), at.1);
            }
            Down::Unsubscribed { topic, code } => {
                set(Kind::Unsubscribed, 0);
                (out.topic, out.code) = (self.topics.find(topic), code);
            }
            Down::Event { topic, offset, prev } => {
                set(Kind::Event, 0);
                (out.topic, out.offset, out.prev) = (self.topics.find(topic), offset, prev);
            }
        }
        out
    }
}
