//! Moving to another connection: link 0 is the old one.

use super::*;

const OLD: u8 = 0;
const NEW: u8 = 1;

impl Fixture {
    /// Subscribed to topic 1 and asked to move within 10 s; the new socket is being opened.
    fn draining() -> Self {
        let mut f = Self::subscribed(AT);
        f.frame(Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
        f.check(&[Output::Link { link: NEW }, Output::Open]);
        f
    }

    /// The new connection is greeted, and has topic 1 to answer for.
    fn moving() -> (Self, u64) {
        let mut f = Self::draining();
        f.greet();
        let mut outputs = f.take();
        let Some(Output::Subscribe { id, topic: 1, since: Some(AT) }) = outputs.pop() else {
            panic!("not asked: {outputs:?}")
        };
        assert_eq!(outputs, [Output::State(State::Connected)], "another session");
        (f, id.into())
    }

    fn greet(&mut self) {
        self.client.handle_opened(NEW, self.now);
        let Some(Output::Hello { id }) = self.take().pop() else { panic!("no hello") };
        let frame = Frame { re: id.into(), ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) };
        self.on(NEW, frame);
    }

    #[track_caller]
    fn on(&mut self, link: u8, frame: Frame) {
        assert_eq!(self.client.handle_frame(link, frame, self.now), Verdict::Ignore);
    }

    #[track_caller]
    fn delivers_on(&mut self, link: u8, offset: u64) {
        let verdict = self.client.handle_event(link, 1, offset, offset - 1, self.now);
        assert_eq!(verdict, Verdict::Deliver);
    }

    #[track_caller]
    fn drops_on(&mut self, link: u8, offset: u64) {
        let verdict = self.client.handle_event(link, 1, offset, offset - 1, self.now);
        assert_eq!(verdict, Verdict::Ignore);
    }

    fn lose_link(&mut self, link: u8, code: CloseCode) {
        self.client.handle_closed(link, code, self.now);
    }

    fn reach_deadline(&mut self) {
        self.now = self.client.poll_timeout().expect("a deadline");
        self.client.handle_timeout(self.now);
    }
}

fn recovered(re: u64) -> Frame {
    let Position { epoch, offset } = AT;
    Frame { re, epoch, offset, flags: Frame::RECOVERED, ..Frame::new(Kind::Reply) }
}

fn goes_on(offset: u64) -> Output {
    let at = Position { epoch: 1, offset };
    Output::Subscribed { topic: 1, how: Continuity::Recovered, at }
}

fn moved() -> [Output; 3] {
    let shut = Output::Shut { code: CloseCode::NORMAL };
    [Output::Link { link: OLD }, shut, Output::Link { link: NEW }]
}

#[test]
fn the_old_connection_goes_on_until_the_new_one_answers() {
    let (mut f, ask) = Fixture::moving();
    f.delivers_on(OLD, 42);
    f.drops_on(NEW, 43);
    f.on(NEW, recovered(ask));
    let [back, shut, on] = moved();
    f.check(&[goes_on(42), back, shut, on]);
    f.drops_on(NEW, 42);
    f.delivers_on(NEW, 43);
    f.drops_on(OLD, 44);
    // From here on it is the connection like any other.
    f.lose_link(OLD, CloseCode::DRAIN);
    f.check(&[]);
    let id = f.client.publish(1, f.now);
    f.check(&[Output::Publish { id, again: None }]);
    f.on(NEW, Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
    f.check(&[Output::Link { link: OLD }, Output::Open]);
}

#[test]
fn what_is_asked_waits_until_the_old_connection_owes_nothing() {
    let mut f = Fixture::draining();
    let (publish, call) = (f.client.publish(1, f.now), f.client.call(0, f.now));
    let old = Output::Link { link: OLD };
    f.check(&[old, Output::Publish { id: publish, again: None }, Output::Request { id: call }]);
    f.greet();
    let Some(Output::Subscribe { id: ask, .. }) = f.take().pop() else { panic!("not asked") };
    let (waits, cancelled) = (f.client.publish(1, f.now), f.client.read(0, f.now));
    f.client.cancel(cancelled, f.now);
    f.check(&[Output::Rejected { id: cancelled, code: ErrorCode::CANCELLED }]);
    f.on(NEW, recovered(ask.into()));
    f.check(&[goes_on(41)]);
    // Answers count on the link that was asked.
    f.on(NEW, Frame { re: publish.into(), ..recovered(0) });
    f.check(&[]);
    f.on(OLD, Frame { re: publish.into(), ..recovered(0) });
    f.check(&[Output::Acked { id: publish, at: AT }]);
    f.client.cancel(call, f.now);
    f.check(&[
        old,
        Output::Cancel { id: call },
        Output::Rejected { id: call, code: ErrorCode::CANCELLED },
        Output::Shut { code: CloseCode::NORMAL },
        Output::Link { link: NEW },
        Output::Publish { id: waits, again: None },
    ]);
}

#[test]
fn a_connection_that_dies_early_leaves_the_new_one() {
    // Before it is open.
    let mut f = Fixture::draining();
    let sent = f.client.publish(1, f.now);
    f.take();
    f.lose_link(OLD, CloseCode::ABNORMAL);
    f.check(&[Output::State(State::Connecting)]);
    f.greet();
    let outputs = f.take();
    assert_eq!(outputs[0], Output::State(State::Connected));
    assert!(matches!(outputs[1], Output::Subscribe { since: Some(AT), .. }), "{outputs:?}");
    assert_eq!(outputs[2], Output::Publish { id: sent, again: Some(AT) });

    // While it is asked for the topic.
    let (mut f, ask) = Fixture::moving();
    let waits = f.client.call(0, f.now);
    f.lose_link(OLD, CloseCode::DRAIN);
    f.check(&[Output::Request { id: waits }]);
    f.drops_on(OLD, 42);
    f.on(NEW, recovered(ask));
    f.check(&[goes_on(41)]);
    f.delivers_on(NEW, 42);
}

#[test]
fn a_new_connection_that_fails_is_tried_again_until_the_deadline() {
    let (mut f, ask) = Fixture::moving();
    let waits = f.client.publish(0, f.now);
    f.lose_link(NEW, CloseCode::ABNORMAL);
    f.check(&[Output::Link { link: OLD }, Output::Publish { id: waits, again: None }]);
    f.delivers_on(OLD, 42);
    f.on(NEW, recovered(ask));
    f.check(&[]);
    assert_eq!(f.client.state(), State::Connected);
    f.reach_deadline();
    f.check(&[Output::Link { link: NEW }, Output::Open]);
    f.lose_link(NEW, CloseCode::UNAUTHORIZED);
    f.check(&[Output::Link { link: OLD }]);
    // It is not asked again; then as after any other connection.
    f.reach_deadline();
    let outputs = f.take();
    assert_eq!(
        outputs,
        [
            Output::Shut { code: CloseCode::NORMAL },
            Output::Rejected { id: waits, code: ErrorCode::UNKNOWN },
            Output::State(State::Connecting),
            Output::Open,
        ]
    );
}

#[test]
fn a_topic_that_had_moved_comes_back() {
    let (mut f, ask) = Fixture::moving();
    let owed = {
        f.client.subscribe(2, f.now);
        f.take()
    };
    let [Output::Subscribe { id: second, topic: 2, since: None }] = owed[..] else {
        panic!("asked on the new link: {owed:?}")
    };
    assert_eq!(f.client.publish(0, f.now) + 1, second + 2);
    f.client.handle_closed(NEW, CloseCode::ABNORMAL, f.now);
    let outputs = f.take();
    assert!(
        matches!(
            outputs[..],
            [
                Output::Link { link: OLD },
                Output::Subscribe { topic: 2, since: None, .. },
                Output::Publish { .. },
            ]
        ),
        "{outputs:?}"
    );
    f.on(NEW, recovered(ask));
    f.check(&[]);
    f.delivers_on(OLD, 42);
}

#[test]
fn at_the_deadline_the_new_one_is_used_whatever_is_owed() {
    let mut f = Fixture::draining();
    let call = f.client.call(0, f.now);
    f.greet();
    f.take();
    f.now += 9_999;
    f.client.handle_timeout(f.now);
    f.check(&[]);
    f.now += 1;
    f.client.handle_timeout(f.now);
    let [back, shut, on] = moved();
    f.check(&[back, shut, Output::Rejected { id: call, code: ErrorCode::UNKNOWN }, on]);
    let id = f.client.publish(0, f.now);
    f.check(&[Output::Publish { id, again: None }]);
}

#[test]
fn an_answer_of_the_old_link_does_not_stop_the_move() {
    let Position { epoch, offset } = AT;
    let mut f = Fixture::connected();
    f.client.subscribe(1, f.now);
    // The server subscribes of itself before it has the `$subscribe`.
    f.frame(Frame { topic: 1, epoch, offset, ..Frame::new(Kind::Subscribed) });
    f.frame(Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
    f.take();
    f.greet();
    let Some(Output::Subscribe { id, .. }) = f.take().pop() else { panic!("not asked") };
    f.on(OLD, Frame { re: 2, epoch, offset, ..Frame::new(Kind::Reply) });
    f.check(&[goes_on(offset)]);
    f.on(NEW, recovered(id.into()));
    f.delivers_on(NEW, 42);
}

#[test]
fn a_hole_on_the_old_link_is_left_to_the_new_one() {
    let (mut f, ask) = Fixture::moving();
    f.drops_on(OLD, 50);
    f.check(&[]);
    f.on(NEW, recovered(ask));
    let [back, shut, on] = moved();
    f.check(&[goes_on(41), back, shut, on]);
    f.delivers_on(NEW, 42);
}

#[test]
fn topics_come_and_go_meanwhile() {
    let (mut f, _) = Fixture::moving();
    f.client.unsubscribe(1, f.now);
    let outputs = f.take();
    let links = outputs.iter().filter(|o| matches!(o, Output::Unsubscribe { topic: 1, .. }));
    assert_eq!(links.count(), 2, "on both: {outputs:?}");
    assert!(outputs.contains(&Output::Shut { code: CloseCode::NORMAL }), "nothing more to move");

    let (mut f, ask) = Fixture::moving();
    f.on(NEW, Frame { re: ask, code: 201, ..Frame::new(Kind::Error) });
    let refused = Output::Refused { topic: 1, code: ErrorCode::FORBIDDEN, retry_at: None };
    assert_eq!(f.take()[0], refused);
    f.drops_on(OLD, 42);
}

#[test]
fn the_servers_own_topics_are_announced_anew() {
    let announced = |offset| Frame { topic: 2, epoch: 2, offset, ..Frame::new(Kind::Subscribed) };
    let mut f = Fixture::draining();
    f.on(OLD, announced(7));
    f.greet();
    let Some(Output::Subscribe { id: ask, topic: 1, .. }) = f.take().pop() else {
        panic!("only what the client has subscribed is asked for")
    };
    f.on(NEW, announced(7));
    let at = Position { epoch: 2, offset: 7 };
    f.check(&[Output::Subscribed { topic: 2, how: Continuity::Recovered, at }]);
    f.on(OLD, announced(9));
    f.check(&[]);
    assert_eq!(f.client.handle_event(NEW, 2, 8, 7, f.now), Verdict::Deliver);
    // The new server knows of more than the old one has sent.
    let mut g = Fixture::draining();
    g.on(OLD, announced(7));
    g.greet();
    g.take();
    g.on(NEW, announced(9));
    assert!(matches!(g.take()[..], [Output::Subscribe { topic: 2, since: Some(_), .. }]));
    f.on(NEW, recovered(ask.into()));
    assert_eq!(f.take()[1..], moved());
}

#[test]
fn a_topic_of_the_old_servers_own_that_is_wanted_is_asked_for() {
    let (mut f, id) = Fixture::moving();
    f.on(OLD, Frame { topic: 2, epoch: 1, offset: 3, ..Frame::new(Kind::Subscribed) });
    f.client.subscribe(2, f.now);
    f.take();
    f.on(NEW, recovered(id));
    let outputs = f.take();
    let since = Some(Position { epoch: 1, offset: 3 });
    let asked =
        |o: &Output| matches!(o, Output::Subscribe { topic: 2, since: s, .. } if *s == since);
    assert!(outputs.iter().any(asked), "{outputs:?}");
}

#[test]
fn what_the_old_server_subscribed_of_itself_says_nothing_of_the_new_one() {
    let mut f = Fixture::subscribed(AT);
    f.on(OLD, Frame { topic: 1, epoch: 1, offset: 41, ..Frame::new(Kind::Subscribed) });
    f.on(OLD, Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
    f.greet();
    let Some(Output::Subscribe { id, .. }) = f.take().pop() else { panic!("not asked") };
    f.on(NEW, Frame { re: id.into(), code: 201, ..Frame::new(Kind::Error) });
    let refused = Output::Refused { topic: 1, code: ErrorCode::FORBIDDEN, retry_at: None };
    assert_eq!(f.take()[0], refused);
}

#[test]
fn stopping_and_closing_end_both() {
    let (mut f, _) = Fixture::moving();
    f.lose_link(OLD, CloseCode::KICKED);
    let stopped = Output::State(State::Stopped { code: CloseCode::KICKED });
    f.check(&[Output::Shut { code: CloseCode::NORMAL }, stopped]);
    let (mut f, _) = Fixture::moving();
    f.client.close(f.now);
    let shut = Output::Shut { code: CloseCode::NORMAL };
    f.check(&[shut, Output::Link { link: OLD }, shut, Output::State(State::Closed)]);
    assert_eq!(f.client.poll_timeout(), None);
    f.connect();
    let outputs = f.take();
    assert!(matches!(
        outputs[..],
        [Output::State(State::Connected), Output::Subscribe { topic: 1, since: Some(AT), .. }]
    ));
}

#[test]
fn each_link_has_its_own_silence_and_token() {
    let (mut f, _) = Fixture::moving();
    f.frame(Frame { ms: 50_000, ..Frame::new(Kind::Drain) });
    f.check(&[]);
    let mut f = Fixture::subscribed(AT);
    f.frame(Frame { ms: 100_000, ..Frame::new(Kind::Drain) });
    f.greet();
    f.take();
    f.now += 20_000;
    f.on(OLD, Frame::new(Kind::Ping));
    f.check(&[Output::Link { link: OLD }, Output::Pong]);
    // The new one is silent.
    f.reach_deadline();
    let shut = Output::Shut { code: CloseCode::DEAD_PEER };
    f.check(&[Output::Link { link: NEW }, shut, Output::Link { link: OLD }]);
    assert_eq!(f.client.state(), State::Connected);
}

#[test]
fn a_stream_goes_on_and_holds_up_nothing() {
    let mut f = Fixture::subscribed(AT);
    let stream = f.client.stream(0, f.now);
    f.check(&[Output::Request { id: stream }]);
    f.frame(Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
    f.take();
    let owed = f.client.call(0, f.now);
    let old = Output::Link { link: OLD };
    f.check(&[old, Output::Request { id: owed }]);
    f.greet();
    let Some(Output::Subscribe { id: ask, .. }) = f.take().pop() else { panic!("not asked") };
    let waits = f.client.publish(1, f.now);
    f.on(NEW, recovered(ask.into()));
    f.check(&[goes_on(41)]);
    // The call is owed; then only the stream is.
    f.on(OLD, Frame { re: owed.into(), ..Frame::new(Kind::Reply) });
    let replied = Output::Replied { id: owed };
    f.check(&[replied, Output::Publish { id: waits, again: None }]);
    f.delivers_on(NEW, 42);
    let (call, quick) = (f.client.call(0, f.now), f.client.call(1_000, f.now));
    f.check(&[Output::Request { id: call }, Output::Request { id: quick }]);
    f.on(OLD, Frame { re: stream.into(), ..Frame::new(Kind::Item) });
    // What times out is cancelled where it was sent.
    f.on(OLD, Frame::new(Kind::Ping));
    let new = Output::Link { link: NEW };
    f.check(&[old, Output::Pong, new]);
    let late = f.client.stream(500, f.now - 500);
    f.on(OLD, Frame::new(Kind::Ping));
    f.check(&[Output::Request { id: late }, old, Output::Pong, new]);
    f.now += 1_000;
    f.client.handle_timeout(f.now);
    let timeout = |id| Output::Rejected { id, code: ErrorCode::TIMEOUT };
    f.check(&[
        Output::Cancel { id: quick },
        timeout(quick),
        Output::Cancel { id: late },
        timeout(late),
    ]);
    // Its end is that of the drain.
    f.on(OLD, Frame { re: stream.into(), ..Frame::new(Kind::Reply) });
    let [back, shut, on] = moved();
    f.check(&[Output::Replied { id: stream }, back, shut, on]);
    f.on(NEW, Frame { re: call.into(), ..Frame::new(Kind::Reply) });
    f.check(&[Output::Replied { id: call }]);
}

#[test]
fn a_stream_ends_with_the_old_connection() {
    let streaming = || {
        let mut f = Fixture::connected();
        let stream = f.client.stream(0, f.now);
        f.frame(Frame { ms: 10_000, ..Frame::new(Kind::Drain) });
        f.greet();
        let call = f.client.call(0, f.now);
        assert_eq!(f.take().pop(), Some(Output::Request { id: call }), "on the new one");
        (f, stream, call)
    };
    let unknown = |id| Output::Rejected { id, code: ErrorCode::UNKNOWN };
    let (mut f, stream, call) = streaming();
    f.lose_link(OLD, CloseCode::DRAIN);
    f.check(&[unknown(stream)]);
    f.on(NEW, Frame { re: call.into(), ..Frame::new(Kind::Reply) });
    f.check(&[Output::Replied { id: call }]);
    // The new one is lost first: what hung on it is over, and the stream goes on.
    let (mut f, stream, call) = streaming();
    let publish = f.client.publish(0, f.now);
    f.take();
    f.lose_link(NEW, CloseCode::ABNORMAL);
    f.check(&[unknown(call), unknown(publish), Output::Link { link: OLD }]);
    let next = f.client.call(0, f.now);
    f.check(&[Output::Request { id: next }]);
    // A stream is cancelled where it runs.
    f.client.cancel(stream, f.now);
    let cancelled = Output::Rejected { id: stream, code: ErrorCode::CANCELLED };
    f.check(&[Output::Cancel { id: stream }, cancelled]);
    f.reach_deadline();
    f.check(&[Output::Link { link: NEW }, Output::Open]);
}
