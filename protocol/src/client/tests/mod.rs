//! Tables of what the core does: inputs by name, outputs in order.

mod connection;
mod drain;
mod publishes;
mod requests;
mod topics;
mod wake;

use alloc::vec::Vec;

use super::*;
use crate::code::{CloseCode, ErrorCode};

/// A client with a driver's view of it.
struct Fixture {
    client: Client,
    now: Millis,
}

impl Fixture {
    fn new() -> Self {
        Self { client: Client::new(Config::default(), 7), now: 1_000_000 }
    }

    /// Connected, with no output left.
    fn connected() -> Self {
        let mut fixture = Self::new();
        fixture.connect();
        fixture.take();
        fixture
    }

    fn connect(&mut self) {
        self.client.connect(self.now);
        self.open();
    }

    /// The socket opens and the server answers the hello.
    fn open(&mut self) {
        self.client.handle_opened(0, self.now);
        let hello = self.take().into_iter().find_map(|output| match output {
            Output::Hello { id } => Some(id),
            _ => None,
        });
        let re = hello.expect("a hello").into();
        self.frame(Frame { re, ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) });
    }

    fn take(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.client.poll_output()).collect()
    }

    /// A frame whose data is nobody's.
    #[track_caller]
    fn frame(&mut self, frame: Frame) {
        assert_eq!(self.client.handle_frame(0, frame, self.now), Verdict::Ignore);
    }

    fn event(&mut self, topic: u32, offset: u64, prev: u64) -> Verdict {
        self.client.handle_event(0, topic, offset, prev, self.now)
    }

    /// The connection is lost and comes back; gives what was asked then.
    fn reconnect(&mut self) -> Vec<Output> {
        self.client.handle_closed(0, CloseCode::ABNORMAL, self.now);
        self.now = self.client.poll_timeout().expect("a retry");
        self.client.handle_timeout(self.now);
        self.open();
        let mut outputs = self.take();
        assert_eq!(outputs.remove(0), Output::State(State::Connected));
        outputs
    }

    #[track_caller]
    fn rejects(&mut self, expected: &[(u32, ErrorCode)]) {
        let rejected = self.take().into_iter().filter_map(|output| match output {
            Output::Rejected { id, code } => Some((id, code)),
            _ => None,
        });
        assert_eq!(rejected.collect::<Vec<_>>(), expected);
    }

    fn refuse(&mut self, re: u64, code: u16) {
        self.frame(Frame { re, code, ..Frame::new(Kind::Error) });
    }

    #[track_caller]
    fn check(&mut self, expected: &[Output]) {
        assert_eq!(self.take(), expected);
    }

    /// Subscribes to topic 1, answered with a position.
    fn subscribed(at: Position) -> Self {
        let mut fixture = Self::connected();
        fixture.client.subscribe(1, fixture.now);
        fixture.check(&[Output::Subscribe { id: 2, topic: 1, since: None }]);
        fixture.reply(2, at, 0);
        fixture.check(&[Output::Subscribed { topic: 1, how: Continuity::Fresh, at }]);
        fixture
    }

    fn reply(&mut self, re: u64, at: Position, flags: u8) {
        let Position { epoch, offset } = at;
        self.frame(Frame { re, epoch, offset, flags, ..Frame::new(Kind::Reply) });
    }
}

const AT: Position = Position { epoch: 1, offset: 41 };
