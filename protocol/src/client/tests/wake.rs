//! Waking: link 0 is the one that stands, or was the last.

use super::*;

const OLD: u8 = 0;
const NEW: u8 = 1;
const SHUT: Output = Output::Shut { code: CloseCode::NORMAL };

impl Fixture {
    fn wake(&mut self) {
        self.client.handle_wake(self.now);
    }

    fn elapse(&mut self, ms: u64) {
        self.now += ms;
        self.client.handle_timeout(self.now);
    }

    /// Subscribed to topic 1, silent for two seconds, and woken: the server is asked.
    fn asked() -> (Self, u64) {
        let mut f = Self::subscribed(AT);
        f.now += 2_000;
        f.wake();
        let [Output::Ping { id }] = f.take()[..] else { panic!("the server is asked") };
        (f, id.into())
    }

    /// It did not answer, and another socket is being opened.
    fn doubting() -> (Self, u64) {
        let (mut f, ping) = Self::asked();
        f.elapse(499);
        f.check(&[]);
        f.elapse(1);
        f.check(&[Output::Link { link: NEW }, Output::Open]);
        assert_eq!(f.client.state(), State::Connected);
        (f, ping)
    }

    /// The new server greets; gives the number of the `$subscribe` there.
    fn welcome(&mut self) -> u64 {
        self.client.handle_opened(NEW, self.now);
        let Some(Output::Hello { id }) = self.take().pop() else { panic!("no hello") };
        let hello = Frame { re: id.into(), ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) };
        assert_eq!(self.client.handle_frame(NEW, hello, self.now), Verdict::Ignore);
        let asked = self.take().into_iter().find_map(|output| match output {
            Output::Subscribe { id, topic: 1, since: Some(AT) } => Some(id.into()),
            _ => None,
        });
        asked.expect("the topic moves")
    }

    fn answer(&mut self, link: u8, re: u64) {
        let Position { epoch, offset } = AT;
        let flags = Frame::RECOVERED;
        let frame = Frame { re, epoch, offset, flags, ..Frame::new(Kind::Reply) };
        assert_eq!(self.client.handle_frame(link, frame, self.now), Verdict::Ignore);
    }
}

fn goes_on() -> Output {
    Output::Subscribed { topic: 1, how: Continuity::Recovered, at: AT }
}

#[test]
fn a_server_that_was_heard_a_moment_ago_is_not_asked() {
    let mut f = Fixture::subscribed(AT);
    f.now += 999;
    f.wake();
    f.check(&[]);
    f.now += 1;
    f.wake();
    // One question at a time, however often the page is shown.
    f.wake();
    f.now += 100;
    f.wake();
    assert!(matches!(f.take()[..], [Output::Ping { .. }]));
    assert_eq!(f.client.poll_timeout(), Some(f.now + 400));
}

#[test]
fn an_answer_in_time_changes_nothing() {
    for answers in [true, false] {
        let (mut f, ping) = Fixture::asked();
        f.now += 300;
        if answers {
            f.answer(OLD, ping);
        } else {
            // A server that does not know the question, or has something else to say.
            f.refuse(ping, 102);
            assert_eq!(f.event(1, 42, 41), Verdict::Deliver);
        }
        f.elapse(200);
        f.check(&[]);
        assert_eq!(f.client.poll_timeout(), Some(f.now + 34_800), "the heartbeat alone");
        f.now += 1_000;
        f.wake();
        assert!(matches!(f.take()[..], [Output::Ping { .. }]), "asked again");
    }
}

#[test]
fn a_silent_connection_is_replaced_when_another_is_greeted() {
    let (mut f, _) = Fixture::doubting();
    // It may still speak.
    let publish = f.client.publish(0, f.now);
    f.check(&[Output::Link { link: OLD }, Output::Publish { id: publish, again: None }]);
    f.now += 80;
    let ask = f.welcome();
    let waits = f.client.publish(1, f.now);
    f.check(&[]);
    f.answer(NEW, ask);
    f.check(&[goes_on()]);
    assert_eq!(f.client.handle_event(NEW, 1, 42, 41, f.now), Verdict::Deliver);
    // What it owes has a second.
    f.elapse(999);
    f.check(&[]);
    f.elapse(1);
    f.check(&[
        Output::Link { link: OLD },
        SHUT,
        Output::Rejected { id: publish, code: ErrorCode::UNKNOWN },
        Output::Link { link: NEW },
        Output::Publish { id: waits, again: None },
    ]);
    // A connection like any other.
    f.now += 5_000;
    f.wake();
    assert!(matches!(f.take()[..], [Output::Ping { .. }]));
}

#[test]
fn where_nothing_is_owed_it_goes_at_once() {
    let (mut f, _) = Fixture::doubting();
    let ask = f.welcome();
    f.answer(NEW, ask);
    f.check(&[goes_on(), Output::Link { link: OLD }, SHUT, Output::Link { link: NEW }]);
    f.client.handle_closed(OLD, CloseCode::ABNORMAL, f.now);
    f.check(&[]);
}

#[test]
fn a_slow_network_keeps_its_connection() {
    // The answer comes while the new socket opens.
    let (mut f, ping) = Fixture::doubting();
    f.now += 400;
    f.answer(OLD, ping);
    f.check(&[]);
    f.client.handle_opened(NEW, f.now);
    f.check(&[SHUT]);
    f.wake();
    f.check(&[]);
    assert_eq!(f.event(1, 42, 41), Verdict::Deliver);
    // After it failed, and before it is tried again.
    let (mut f, ping) = Fixture::doubting();
    f.client.handle_closed(NEW, CloseCode::ABNORMAL, f.now);
    f.check(&[Output::Link { link: OLD }]);
    f.answer(OLD, ping);
    f.now = f.client.poll_timeout().unwrap();
    f.client.handle_timeout(f.now);
    f.check(&[]);
    assert_eq!(f.client.poll_timeout().map(|at| at - f.now > 30_000), Some(true));
}

#[test]
fn without_a_network_it_is_tried_until_the_heartbeat_knows() {
    let (mut f, _) = Fixture::doubting();
    let began = f.now;
    while f.client.state() == State::Connected && f.now < began + 60_000 {
        f.client.handle_closed(NEW, CloseCode::ABNORMAL, f.now);
        f.now = f.client.poll_timeout().unwrap();
        f.client.handle_timeout(f.now);
    }
    assert!((30_000..36_000).contains(&(f.now - began)), "{}", f.now - began);
    // A wake cuts the wait for the next try short.
    let (mut f, _) = Fixture::doubting();
    loop {
        f.client.handle_closed(NEW, CloseCode::ABNORMAL, f.now);
        let next = f.client.poll_timeout().unwrap();
        if next > f.now + 2_000 {
            break;
        }
        f.now = next;
        f.client.handle_timeout(f.now);
    }
    f.wake();
    assert_eq!(f.client.poll_timeout(), Some(f.now + 500));
}

#[test]
fn a_server_that_lets_nobody_in_any_more_is_not_left() {
    let (mut f, _) = Fixture::doubting();
    f.client.handle_closed(NEW, CloseCode::UNAUTHORIZED, f.now);
    f.check(&[Output::Link { link: OLD }]);
    assert_eq!(f.client.state(), State::Connected);
    assert_eq!(f.client.poll_timeout(), Some(f.now + 32_500), "the heartbeat alone");
}

#[test]
fn a_connection_that_ends_in_doubt_leaves_the_new_one() {
    let (mut f, _) = Fixture::doubting();
    f.client.handle_closed(OLD, CloseCode::ABNORMAL, f.now);
    f.check(&[Output::State(State::Connecting)]);
    f.welcome();
    f.check(&[]);
    assert_eq!(f.client.state(), State::Connected);
    // Before there is one.
    let (mut f, _) = Fixture::asked();
    f.client.handle_closed(OLD, CloseCode::ABNORMAL, f.now);
    f.check(&[Output::State(f.client.state())]);
    assert!(f.is_waiting());
    f.now += 60_000;
    f.client.handle_timeout(f.now);
    f.check(&[Output::State(State::Connecting), Output::Open]);
}

#[test]
fn a_drain_takes_over_what_the_doubt_began() {
    let drain = Frame { ms: 10_000, ..Frame::new(Kind::Drain) };
    let (mut f, _) = Fixture::asked();
    f.frame(drain);
    f.check(&[Output::Link { link: NEW }, Output::Open]);
    let (mut f, _) = Fixture::doubting();
    let call = f.client.call(0, f.now);
    f.take();
    f.frame(drain);
    let ask = f.welcome();
    f.answer(NEW, ask);
    f.check(&[goes_on()]);
    f.elapse(9_999);
    f.check(&[]);
    f.answer(OLD, call.into());
    f.check(&[
        Output::Replied { id: call },
        Output::Link { link: OLD },
        SHUT,
        Output::Link { link: NEW },
    ]);
    // While it drains nobody is asked.
    let mut f = Fixture::subscribed(AT);
    f.frame(drain);
    f.take();
    f.now += 2_000;
    f.wake();
    f.check(&[]);
}

#[test]
fn a_try_that_hangs_is_begun_anew_but_not_in_a_loop() {
    let mut f = Fixture::new();
    f.client.connect(f.now);
    f.take();
    f.now += 2_999;
    f.wake();
    f.check(&[]);
    f.now += 1;
    f.wake();
    let outputs = f.take();
    assert_eq!((outputs[0], outputs.last()), (SHUT, Some(&Output::Open)));
    // The next may be slow.
    f.now += 9_000;
    f.wake();
    f.check(&[]);
    f.open();
    f.check_state(State::Connected);
}

#[test]
fn nothing_is_asked_where_there_is_no_connection() {
    let mut f = Fixture::new();
    f.wake();
    f.check(&[]);
    let mut f = Fixture::subscribed(AT);
    f.client.close(f.now);
    f.take();
    f.now += 5_000;
    f.wake();
    f.check(&[]);
    assert_eq!(f.client.poll_timeout(), None);
    // Closed while the server is asked.
    let (mut f, _) = Fixture::doubting();
    f.client.close(f.now);
    f.check(&[SHUT, Output::Link { link: OLD }, SHUT, Output::State(State::Closed)]);
    assert_eq!(f.client.poll_timeout(), None);
}
