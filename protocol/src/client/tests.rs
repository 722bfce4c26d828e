//! Tables of what the core does: inputs by name, outputs in order.

use alloc::vec::Vec;

use super::*;
use crate::code::CloseCode;

/// A client with a driver's view of it.
struct Fixture {
    client: Client,
    now: Millis,
    outputs: Vec<Output>,
}

impl Fixture {
    fn new() -> Self {
        Self { client: Client::new(Config::default(), 7), now: 1_000_000, outputs: Vec::new() }
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
        self.client.handle_opened(self.now);
        let hello = self.take().into_iter().find_map(|output| match output {
            Output::Hello { id } => Some(id),
            _ => None,
        });
        let re = hello.expect("a hello").into();
        self.frame(Frame { re, ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) });
    }

    fn take(&mut self) -> Vec<Output> {
        let mut taken = core::mem::take(&mut self.outputs);
        taken.extend(core::iter::from_fn(|| self.client.poll_output()));
        taken
    }

    /// A frame whose data is nobody's.
    #[track_caller]
    fn frame(&mut self, frame: Frame) {
        assert_eq!(self.client.handle_frame(frame, self.now), Verdict::Ignore);
    }

    fn event(&mut self, topic: u32, offset: u64, prev: u64) -> Verdict {
        self.client.handle_event(topic, offset, prev, self.now)
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

#[test]
fn connects_and_subscribes() {
    let mut f = Fixture::new();
    f.client.subscribe(1, f.now);
    let publish = f.client.publish(f.now);
    f.check(&[]);
    f.client.connect(f.now);
    f.client.connect(f.now);
    f.check(&[Output::State(State::Connecting), Output::Open]);
    f.client.handle_opened(f.now);
    f.check(&[Output::Hello { id: 2 }]);
    f.frame(Frame { re: 2, ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) });
    f.check(&[
        Output::State(State::Connected),
        Output::Subscribe { id: 3, topic: 1, since: None },
        Output::Publish { id: publish },
    ]);
}

#[test]
fn delivers_in_order_and_recovers_a_hole() {
    let mut f = Fixture::subscribed(AT);
    assert_eq!(f.event(1, 42, 41), Verdict::Deliver);
    assert_eq!(f.event(1, 42, 41), Verdict::Ignore, "a repeat");
    assert_eq!(f.event(1, 45, 43), Verdict::Ignore, "a hole");
    let since = Some(Position { offset: 42, ..AT });
    f.check(&[Output::Subscribe { id: 3, topic: 1, since }]);
    assert_eq!(f.event(1, 46, 45), Verdict::Ignore, "of the earlier subscription");
    f.reply(3, Position { offset: 42, ..AT }, Frame::RECOVERED);
    let at = Position { offset: 42, ..AT };
    f.check(&[Output::Subscribed { topic: 1, how: Continuity::Recovered, at }]);
    assert_eq!(f.event(1, 43, 42), Verdict::Deliver);
}

#[test]
fn comes_back_and_resumes() {
    let mut f = Fixture::subscribed(AT);
    let publish = f.client.publish(f.now);
    f.take();
    f.client.handle_closed(CloseCode::ABNORMAL, f.now);
    let retry_at = f.client.poll_timeout().expect("a retry");
    assert!((f.now..=f.now + 500).contains(&retry_at));
    f.check(&[
        Output::Rejected { id: publish, code: ErrorCode::UNKNOWN },
        Output::State(State::Waiting { code: CloseCode::ABNORMAL, retry_at }),
    ]);
    f.now = retry_at;
    f.client.handle_timeout(f.now);
    f.check(&[Output::State(State::Connecting), Output::Open]);
    f.open();
    f.check(&[
        Output::State(State::Connected),
        Output::Subscribe { id: 5, topic: 1, since: Some(AT) },
    ]);
}

#[test]
fn a_refused_hello_ends_as_the_close_says() {
    for (code, stops) in [(CloseCode::UNAUTHORIZED, true), (CloseCode::OVERLOADED, false)] {
        let mut f = Fixture::new();
        f.client.connect(f.now);
        f.client.handle_opened(f.now);
        f.take();
        f.frame(Frame { re: 1, code: 200, ..Frame::new(Kind::Error) });
        f.check(&[]);
        f.client.handle_closed(code, f.now);
        let state = match f.client.poll_timeout() {
            Some(retry_at) => State::Waiting { code, retry_at },
            None => State::Stopped { code },
        };
        f.check(&[Output::State(state)]);
        assert_eq!(f.client.poll_timeout().is_none(), stops, "{code}");
    }
}
