//! Connecting, hello, silence, coming back.

use super::*;

const DEAD: CloseCode = CloseCode::DEAD_PEER;

impl Fixture {
    #[track_caller]
    pub(super) fn check_state(&self, expected: State) {
        assert_eq!(self.client.state(), expected);
    }

    /// Lets the time pass to the next deadline.
    fn wait(&mut self) {
        self.now = self.client.poll_timeout().expect("a deadline");
        self.client.handle_timeout(self.now);
    }

    fn lose(&mut self, code: CloseCode) {
        self.client.handle_closed(0, code, self.now);
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.client.state(), State::Waiting { .. })
    }
}

#[test]
fn connects_says_hello_and_asks_for_what_waits() {
    let mut f = Fixture::new();
    f.check_state(State::Idle);
    f.client.subscribe(1, f.now);
    let publish = f.client.publish(0, f.now);
    f.check(&[]);
    f.client.connect(f.now);
    f.client.connect(f.now);
    f.check(&[Output::State(State::Connecting), Output::Open]);
    f.client.handle_opened(0, f.now);
    f.client.handle_opened(0, f.now);
    f.check(&[Output::Hello { id: 2 }]);
    f.frame(Frame { re: 2, ms: 25_000, to: 10_000, ..Frame::new(Kind::Hello) });
    f.check(&[
        Output::State(State::Connected),
        Output::Subscribe { id: 3, topic: 1, since: None },
        Output::Publish { id: publish, again: None },
    ]);
}

#[test]
fn a_close_code_decides_what_comes_next() {
    for (code, expected) in [
        (1000, "stop"),
        (1001, "back off"),
        (1006, "back off"),
        (1012, "back off"),
        (4000, "now"),
        (4002, "now"),
        (4099, "now"),
        (4100, "back off"),
        (4200, "stop"),
        (4299, "stop"),
        (4300, "back off"),
        (4500, "stop"),
    ] {
        let mut f = Fixture::connected();
        f.lose(CloseCode(code));
        let got = match f.client.state() {
            State::Stopped { code: why } if why.0 == code => "stop",
            State::Waiting { code: why, .. } if why.0 == code => "back off",
            State::Connecting => "now",
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!(got, expected, "{code}");
        assert_eq!(f.take().contains(&Output::Open), expected == "now", "{code}");
        assert_eq!(f.client.poll_timeout().is_some(), expected != "stop", "{code}");
    }
}

#[test]
fn a_server_that_says_come_back_now_is_obeyed_once() {
    let mut f = Fixture::connected();
    f.lose(CloseCode::DRAIN);
    f.check_state(State::Connecting);
    f.lose(CloseCode::DRAIN);
    assert!(f.is_waiting());
    f.wait();
    f.open();
    f.now += 10_000;
    f.lose(CloseCode::DRAIN);
    f.check_state(State::Connecting);
}

#[test]
fn delays_are_random_grow_to_a_cap_and_begin_anew_after_a_stable_time() {
    let mut f = Fixture::new();
    f.client.connect(f.now);
    let mut longest = 0;
    for limit in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000, 20_000, 20_000] {
        f.lose(CloseCode::ABNORMAL);
        let delay = f.client.poll_timeout().expect("a retry") - f.now;
        assert!((1..=limit).contains(&delay), "{delay} of {limit}");
        longest = delay.max(longest);
        f.wait();
    }
    assert!(longest > 5_000, "{longest}");
    f.open();
    f.now += 9_999;
    f.lose(CloseCode::ABNORMAL);
    let unstable = (0..200).map(|seed| f.client.backoff_with(seed)).max();
    f.wait();
    f.open();
    f.now += 10_000;
    f.lose(CloseCode::ABNORMAL);
    let stable = (0..200).map(|seed| f.client.backoff_with(seed)).max();
    assert!(unstable > Some(10_000) && stable <= Some(1_000), "{unstable:?} {stable:?}");
}

impl Client {
    /// The delay of the next retry, had the client this seed.
    fn backoff_with(&self, seed: u64) -> Millis {
        Backoff { seed, ..self.backoff }.delay(self.tries)
    }
}

#[test]
fn clients_come_back_at_different_moments() {
    let mut retries: Vec<_> = (0..100)
        .map(|seed| {
            let mut f = Fixture { client: Client::new(Config::default(), seed), ..Fixture::new() };
            f.connect();
            f.lose(CloseCode::ABNORMAL);
            f.client.poll_timeout().expect("a retry") - f.now
        })
        .collect();
    retries.sort_unstable();
    retries.dedup();
    assert!(retries.len() > 80, "{} of 100", retries.len());
    assert!(retries[0] < 50 && retries[retries.len() - 1] > 450, "{retries:?}");
}

#[test]
fn what_takes_too_long_is_given_up() {
    let mut f = Fixture::new();
    f.client.connect(f.now);
    f.take();
    f.now += 9_999;
    f.client.handle_timeout(f.now);
    f.check(&[]);
    f.wait();
    assert_eq!(f.take()[0], Output::Shut { code: CloseCode::NORMAL });
    assert!(f.is_waiting());
    f.client.handle_opened(0, f.now);
    f.check(&[]);

    f.wait();
    f.client.handle_opened(0, f.now);
    f.take();
    f.wait();
    assert_eq!(f.take()[0], Output::Shut { code: DEAD });
    assert!(f.is_waiting());
}

#[test]
fn a_peer_that_does_not_answer_the_hello_is_no_tidewire_server() {
    let answers =
        [Frame::new(Kind::Malformed), Frame { re: 7, ms: 1, to: 1, ..Frame::new(Kind::Hello) }];
    for answer in answers {
        let mut f = Fixture::new();
        f.client.connect(f.now);
        f.client.handle_opened(0, f.now);
        f.take();
        f.frame(answer);
        let outputs = f.take();
        assert!(outputs.contains(&Output::Shut { code: CloseCode::BAD_HELLO }), "{answer:?}");
        assert!(f.is_waiting(), "{answer:?}: it may be mended");
    }
}

#[test]
fn a_refused_hello_ends_as_the_close_says() {
    for (code, stops) in [(CloseCode::UNAUTHORIZED, true), (CloseCode::OVERLOADED, false)] {
        let mut f = Fixture::new();
        f.client.connect(f.now);
        f.client.handle_opened(0, f.now);
        f.take();
        f.frame(Frame { re: 1, code: 200, ..Frame::new(Kind::Error) });
        f.check(&[]);
        f.lose(code);
        let state = match f.client.poll_timeout() {
            Some(retry_at) => State::Waiting { code, retry_at },
            None => State::Stopped { code },
        };
        f.check(&[Output::State(state)]);
        assert_eq!(f.client.poll_timeout().is_none(), stops, "{code}");
    }
}

#[test]
fn nothing_is_delivered_before_the_hello_is_answered() {
    let mut f = Fixture::new();
    f.client.subscribe(1, f.now);
    f.client.connect(f.now);
    f.client.handle_opened(0, f.now);
    f.take();
    f.frame(Frame::new(Kind::Message));
    f.frame(Frame { topic: 1, offset: 1, ..Frame::new(Kind::Event) });
    f.frame(Frame { topic: 2, epoch: 1, ..Frame::new(Kind::Subscribed) });
    f.check(&[Output::ReleaseEpoch { epoch: 1 }, Output::ReleaseTopic { topic: 2 }]);
    f.frame(Frame::new(Kind::Ping));
    f.check(&[Output::Pong]);
}

#[test]
fn a_silent_server_is_dead() {
    let mut f = Fixture::connected();
    let begun = f.now;
    assert_eq!(f.client.poll_timeout(), Some(begun + 35_000));
    f.now += 20_000;
    assert_eq!(f.event(9, 2, 1), Verdict::Ignore);
    assert_eq!(f.client.poll_timeout(), Some(begun + 55_000));
    f.now = begun + 35_000;
    f.client.handle_timeout(f.now);
    f.check(&[]);
    f.frame(Frame::new(Kind::Ping));
    f.check(&[Output::Pong]);
    f.wait();
    assert_eq!(f.now, begun + 70_000);
    assert_eq!(f.take()[0], Output::Shut { code: DEAD });
    assert!(f.is_waiting());
}

#[test]
fn a_server_without_a_heartbeat_may_be_silent() {
    let mut f = Fixture::new();
    f.client.connect(f.now);
    f.client.handle_opened(0, f.now);
    f.frame(Frame { re: 1, ..Frame::new(Kind::Hello) });
    f.check_state(State::Connected);
    assert_eq!(f.client.poll_timeout(), None);
}

#[test]
fn a_wake_tries_at_once_but_not_in_a_loop() {
    let mut f = Fixture::connected();
    f.now += 60_000;
    f.frame(Frame::new(Kind::Ping));
    f.client.handle_wake(f.now);
    f.check_state(State::Connected);
    f.lose(CloseCode::ABNORMAL);
    f.client.handle_wake(f.now);
    f.check_state(State::Connecting);
    f.lose(CloseCode::ABNORMAL);
    f.client.handle_wake(f.now);
    assert!(f.is_waiting());
    // A machine that slept finds its connection dead.
    let mut f = Fixture::connected();
    f.now += 3_600_000;
    f.client.handle_wake(f.now);
    f.check_state(State::Connecting);
}

#[test]
fn a_wake_right_after_a_try_cuts_the_wait_short_all_the_same() {
    let mut f = Fixture::connected();
    f.lose(CloseCode::ABNORMAL);
    let mut tried = f.now;
    // Until a delay is long: a page that is offline fails at once.
    while f.client.poll_timeout().unwrap() < tried + 5_000 {
        f.now = f.client.poll_timeout().unwrap();
        tried = f.now;
        f.client.handle_timeout(f.now);
        f.lose(CloseCode::ABNORMAL);
    }
    f.now += 100;
    f.client.handle_wake(f.now);
    f.client.handle_wake(f.now);
    assert!(f.is_waiting());
    assert_eq!(f.client.poll_timeout(), Some(tried + 500));
    f.now = tried + 500;
    f.client.handle_timeout(f.now);
    f.check_state(State::Connecting);
    // What failed before the wake says nothing of now.
    f.lose(CloseCode::ABNORMAL);
    assert!(f.client.poll_timeout().unwrap() <= f.now + 500);
}

#[test]
fn a_clock_that_is_set_back_delays_nothing() {
    let mut f = Fixture::connected();
    f.now -= 500_000;
    f.client.handle_timeout(f.now);
    assert_eq!(f.client.poll_timeout(), Some(f.now + 35_000));
    f.now += 35_000;
    f.client.handle_timeout(f.now);
    assert!(f.is_waiting());
}

#[test]
fn closing_ends_it_and_connecting_begins_anew() {
    let mut f = Fixture::subscribed(AT);
    f.client.close(f.now);
    f.client.close(f.now);
    f.check(&[Output::Shut { code: CloseCode::NORMAL }, Output::State(State::Closed)]);
    assert_eq!(f.client.poll_timeout(), None);
    f.client.handle_wake(f.now);
    f.lose(CloseCode::DRAIN);
    f.check(&[]);
    f.connect();
    f.check(&[
        Output::State(State::Connected),
        Output::Subscribe { id: 4, topic: 1, since: Some(AT) },
    ]);
    // Closed while it waits: there is no socket to shut.
    f.lose(CloseCode::ABNORMAL);
    f.take();
    f.client.close(f.now);
    f.check(&[Output::State(State::Closed)]);
}

#[test]
fn malformed_frames_are_reported_ever_more_rarely() {
    let mut f = Fixture::connected();
    for _ in 0..1_000 {
        f.frame(Frame::new(Kind::Malformed));
    }
    let counts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
    f.check(&counts.map(|count| Output::Malformed { count }));
    f.check_state(State::Connected);
}

#[test]
fn messages_and_errors_that_answer_nothing_are_delivered() {
    let mut f = Fixture::connected();
    for (frame, expected) in [
        (Frame::new(Kind::Message), Verdict::Deliver),
        (Frame { topic: 3, ..Frame::new(Kind::Message) }, Verdict::Deliver),
        (Frame { code: 100, ..Frame::new(Kind::Error) }, Verdict::Deliver),
        (Frame { re: 9, code: 100, ..Frame::new(Kind::Error) }, Verdict::Ignore),
        (Frame::new(Kind::Ignored), Verdict::Ignore),
        (Frame { re: 1, ..Frame::new(Kind::Hello) }, Verdict::Ignore),
    ] {
        assert_eq!(f.client.handle_frame(0, frame, f.now), expected, "{frame:?}");
    }
    f.check(&[]);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    for (token_ms, wait) in [
        (1, 1_000),
        (1_200, 1_000),
        (60_000, 48_000),
        (150_000, 120_000),
        (3_600_000, 3_570_000),
        (crate::MAX_INTEGER, crate::MAX_INTEGER - 30_000),
    ] {
        let mut f = Fixture::new();
        f.client.connect(f.now);
        f.client.handle_opened(0, f.now);
        f.take();
        f.frame(Frame { re: 1, prev: token_ms, ..Frame::new(Kind::Hello) });
        f.take();
        let at = f.now + wait;
        assert_eq!(f.client.poll_timeout(), Some(at), "{token_ms}");
        f.client.handle_timeout(at - 1);
        f.check(&[]);
        f.now = at;
        f.client.handle_timeout(at);
        f.check(&[Output::Token { id: 2 }]);
        assert_eq!(f.client.poll_timeout(), None, "once");
        f.frame(Frame { re: 2, ms: 60_000, ..Frame::new(Kind::Reply) });
        assert_eq!(f.client.poll_timeout(), Some(at + 48_000));
    }
}

#[test]
fn a_token_that_is_not_taken_ends_as_the_close_says() {
    let mut f = Fixture::new();
    f.client.connect(f.now);
    f.client.handle_opened(0, f.now);
    f.frame(Frame { re: 1, prev: 60_000, ..Frame::new(Kind::Hello) });
    f.wait();
    f.take();
    f.refuse(2, 200);
    f.check(&[]);
    assert_eq!(f.client.poll_timeout(), None);
    f.lose(CloseCode::TOKEN_EXPIRED);
    f.check(&[Output::State(State::Connecting), Output::Open]);
    f.open();
    // An identity that does not end, and an answer to what an earlier connection asked.
    f.frame(Frame { re: 2, ms: 60_000, ..Frame::new(Kind::Reply) });
    f.wait();
    assert!(f.is_waiting(), "no token was due");
}
