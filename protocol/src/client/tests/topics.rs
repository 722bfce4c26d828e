//! Subscriptions: positions, gaps, recovery, refusals, the server's own, numbers.

use super::*;

const fn at(offset: u64) -> Position {
    Position { epoch: 1, offset }
}

impl Fixture {
    fn gap(&mut self, after: u64, to: u64, code: u16) {
        self.frame(Frame { topic: 1, offset: after, to, code, ..Frame::new(Kind::Gap) });
    }

    fn announce(&mut self, Position { epoch, offset }: Position) {
        self.frame(Frame { topic: 1, epoch, offset, ..Frame::new(Kind::Subscribed) });
    }

    #[track_caller]
    fn delivers(&mut self, offset: u64, prev: u64) {
        assert_eq!(self.event(1, offset, prev), Verdict::Deliver);
    }

    #[track_caller]
    fn drops(&mut self, offset: u64, prev: u64) {
        assert_eq!(self.event(1, offset, prev), Verdict::Ignore);
    }
}

fn subscribe(id: u32, since: Option<Position>) -> Output {
    Output::Subscribe { id, topic: 1, since }
}

fn subscribed(how: Continuity, at: Position) -> Output {
    Output::Subscribed { topic: 1, how, at }
}

fn gap(after: u64, to: u64, cause: Cause) -> Output {
    Output::Gap { topic: 1, after, to, cause }
}

#[test]
fn events_are_delivered_in_order_and_once() {
    let mut f = Fixture::subscribed(AT);
    f.delivers(42, 41);
    f.delivers(50, 42);
    f.drops(42, 41);
    f.drops(50, 42);
    f.drops(50, 50);
    assert_eq!(f.event(0, 51, 50), Verdict::Ignore, "a topic without a number");
    assert_eq!(f.event(7, 51, 50), Verdict::Ignore, "a topic that nobody subscribed");
    f.check(&[]);
    f.delivers(51, 50);
}

#[test]
fn a_hole_is_recovered() {
    let mut f = Fixture::subscribed(AT);
    f.delivers(42, 41);
    f.drops(45, 43);
    f.check(&[subscribe(3, Some(at(42)))]);
    f.drops(46, 45);
    f.reply(3, at(42), Frame::RECOVERED);
    f.check(&[subscribed(Continuity::Recovered, at(42))]);
    f.delivers(43, 42);
    // Another soon after, which cannot be. It is asked for a little later.
    f.drops(60, 59);
    f.check(&[]);
    f.drops(61, 60);
    f.now = f.client.poll_timeout().expect("a retry");
    f.client.handle_timeout(f.now);
    f.check(&[subscribe(4, Some(at(43)))]);
    f.reply(4, at(60), Frame::NOT_RECOVERED);
    f.check(&[gap(43, 60, Cause::Lost), subscribed(Continuity::Lost, at(60))]);
    f.delivers(61, 60);
}

#[test]
fn an_answer_decides_where_a_topic_goes_on() {
    let other = |offset| Position { epoch: 2, offset };
    for (answer, flags, how, lost) in [
        (at(41), Frame::RECOVERED, Continuity::Recovered, None),
        (at(40), Frame::RECOVERED, Continuity::Recovered, None),
        (at(41), 0, Continuity::Recovered, None),
        (at(41), Frame::NOT_RECOVERED, Continuity::Recovered, None),
        (at(40), Frame::NOT_RECOVERED, Continuity::Recovered, None),
        (at(57), Frame::NOT_RECOVERED, Continuity::Lost, Some((57, Cause::Lost))),
        (at(57), Frame::RECOVERED, Continuity::Lost, Some((57, Cause::Lost))),
        (at(57), 0, Continuity::Lost, Some((57, Cause::Lost))),
        (other(41), Frame::RECOVERED, Continuity::Lost, Some((41, Cause::NewEpoch))),
        (other(3), Frame::NOT_RECOVERED, Continuity::Lost, Some((3, Cause::NewEpoch))),
    ] {
        let mut f = Fixture::subscribed(AT);
        let outputs = f.reconnect();
        assert_eq!(outputs, [subscribe(4, Some(AT))]);
        f.reply(4, answer, flags);
        let mut expected = Vec::new();
        if answer.epoch == 2 {
            expected.push(Output::ReleaseEpoch { epoch: 1 });
        }
        if let Some((to, cause)) = lost {
            expected.push(gap(41, to, cause));
        }
        let on = if how == Continuity::Recovered { AT } else { answer };
        expected.push(subscribed(how, on));
        assert_eq!(f.take(), expected, "{answer:?} {flags}");
        if how == Continuity::Recovered {
            f.drops(41, 40);
        }
        f.delivers(on.offset + 1, on.offset);
    }
}

#[test]
fn a_gap_is_reported_and_waives_the_check() {
    for (code, cause) in [(1, Cause::Dropped), (2, Cause::Conflated)] {
        let mut f = Fixture::subscribed(AT);
        f.gap(41, 60, code);
        f.check(&[gap(41, 60, cause)]);
        if cause == Cause::Conflated {
            // The slots of a conflated range, and a repeat of one.
            f.delivers(45, 44);
            f.delivers(52, 51);
            f.drops(45, 44);
        }
        f.delivers(61, 60);
        f.drops(52, 51);
        f.check(&[]);
        f.drops(63, 62);
        f.check(&[subscribe(3, Some(at(61)))]);
    }
}

#[test]
fn a_gap_does_not_move_the_position() {
    let mut f = Fixture::subscribed(AT);
    f.gap(41, 60, 1);
    f.take();
    let outputs = f.reconnect();
    assert_eq!(outputs, [subscribe(4, Some(AT))]);
    f.reply(4, AT, Frame::RECOVERED);
    f.take();
    // What it waived was of the earlier subscription.
    f.drops(50, 49);
    f.check(&[subscribe(5, Some(AT))]);
}

#[test]
fn what_a_gap_waived_is_over_when_the_topic_is_asked_for_again() {
    let mut f = Fixture::subscribed(AT);
    f.gap(41, 60, 1);
    f.drops(72, 71);
    f.take();
    f.reply(3, AT, Frame::RECOVERED);
    f.take();
    f.delivers(42, 41);
    f.drops(50, 49);
    assert!(f.client.poll_timeout().is_some_and(|at| at <= f.now + 1_000), "it is asked for again");
}

#[test]
fn gaps_that_hide_something_make_it_recover() {
    for (after, to, code) in [(41, 60, 3), (50, 60, 1), (50, 60, 2), (50, 60, 4), (41, 60, 9)] {
        let mut f = Fixture::subscribed(AT);
        f.gap(after, to, code);
        f.check(&[subscribe(3, Some(AT))]);
    }
}

#[test]
fn what_a_snapshot_included_moves_the_position() {
    let mut f = Fixture::subscribed(AT);
    f.gap(41, 50, 4);
    f.drops(45, 44);
    f.delivers(51, 50);
    // After events that were dropped, which was told.
    f.gap(51, 60, 1);
    f.gap(60, 70, 4);
    f.check(&[gap(51, 60, Cause::Dropped)]);
    assert_eq!(f.reconnect(), [subscribe(4, Some(at(70)))]);
}

#[test]
fn a_version_that_is_not_the_snapshots_here_is_asked_away() {
    // Another link, or the server itself, has brought it further meanwhile: what the new snapshot has is left out, but not known here.
    let mut f = Fixture::subscribed(AT);
    assert_eq!(f.reconnect(), [subscribe(4, Some(AT))]);
    f.reply(4, AT, Frame::NOT_RECOVERED | Frame::VERSION);
    f.check(&[subscribe(5, Some(AT))]);
    f.reply(5, AT, Frame::RECOVERED);
    f.check(&[subscribed(Continuity::Recovered, AT)]);
    f.delivers(42, 41);
}

#[test]
fn gaps_of_nothing_are_nothing() {
    for (after, to, code) in [(30, 40, 3), (41, 41, 3), (60, 50, 1), (0, 0, 1), (30, 40, 4)] {
        let mut f = Fixture::subscribed(AT);
        f.gap(after, to, code);
        f.check(&[]);
    }
    let mut f = Fixture::subscribed(AT);
    f.frame(Frame { topic: 9, offset: 1, to: 2, code: 3, ..Frame::new(Kind::Gap) });
    f.drops(50, 49);
    f.take();
    f.gap(41, 60, 1);
    f.check(&[]);
}

#[test]
fn two_gaps_may_follow_each_other() {
    let mut f = Fixture::subscribed(AT);
    f.gap(41, 60, 1);
    f.gap(60, 70, 1);
    f.check(&[gap(41, 60, Cause::Dropped), gap(60, 70, Cause::Dropped)]);
    f.delivers(71, 70);
}

#[test]
fn a_server_that_is_always_wrong_cannot_keep_a_client_busy() {
    let mut f = Fixture::subscribed(AT);
    let (begun, mut asked, mut delivered, mut given_up) = (f.now, 0, 0, 0);
    for turn in 0..20_000 {
        f.now = begun + turn * 5;
        f.client.handle_timeout(f.now);
        let verdict = f.event(1, 1_000 + 10 * turn, 1_000 + 10 * turn - 1);
        delivered += u64::from(verdict == Verdict::Deliver);
        for output in f.take() {
            match output {
                Output::Subscribe { id, since, .. } => {
                    asked += 1;
                    f.reply(id.into(), since.expect("a position"), Frame::RECOVERED);
                }
                Output::Gap { .. } => given_up += 1,
                _ => {}
            }
        }
    }
    // Five tries for each half minute of a hundred seconds.
    assert!((10..=20).contains(&asked), "{asked}");
    assert!(delivered > 10_000 && delivered == given_up, "{delivered} {given_up}");
}

#[test]
fn a_refusal_for_good_ends_the_topic() {
    let mut f = Fixture::connected();
    f.client.subscribe(1, f.now);
    f.client.subscribe(1, f.now);
    f.check(&[subscribe(2, None)]);
    f.refuse(2, 201);
    f.check(&[
        Output::Refused { topic: 1, code: ErrorCode::FORBIDDEN, retry_at: None },
        Output::ReleaseTopic { topic: 1 },
    ]);
    assert_eq!(f.reconnect(), []);
}

#[test]
fn a_refusal_for_now_is_tried_again() {
    let mut f = Fixture::connected();
    f.client.subscribe(1, f.now);
    f.take();
    let mut id = 2;
    for _ in 0..20 {
        f.refuse(id.into(), 303);
        let Some(Output::Refused { topic: 1, code: ErrorCode::UNAVAILABLE, retry_at }) =
            f.take().pop()
        else {
            panic!("no refusal");
        };
        assert_eq!(f.client.poll_timeout().min(retry_at), f.client.poll_timeout());
        let at = retry_at.expect("it tries again");
        assert!((1..=20_000).contains(&(at - f.now)));
        f.frame(Frame::new(Kind::Ping));
        f.now = at;
        f.client.handle_timeout(at);
        id += 1;
        f.check(&[Output::Pong, subscribe(id, None)]);
    }
    f.reply(id.into(), AT, 0);
    f.check(&[subscribed(Continuity::Fresh, AT)]);
}

#[test]
fn a_topic_is_asked_for_again_once() {
    let mut f = Fixture::connected();
    for topic in 1..=30 {
        f.client.subscribe(topic, f.now);
    }
    f.take();
    for id in 2..=31 {
        f.refuse(id, 303);
    }
    f.take();
    let mut asked: Vec<_> = core::iter::from_fn(|| {
        f.now = f.client.poll_timeout().filter(|&at| at < f.now + 30_000)?;
        f.client.handle_timeout(f.now);
        Some(f.take())
    })
    .flatten()
    .map(|output| match output {
        Output::Subscribe { topic, .. } => topic,
        other => panic!("{other:?}"),
    })
    .collect();
    asked.sort_unstable();
    assert_eq!(asked, Vec::from_iter(1..=30));
}

#[test]
fn equal_subscriptions_share_one() {
    let mut f = Fixture::subscribed(AT);
    f.client.subscribe(1, f.now);
    f.check(&[subscribed(Continuity::Fresh, AT)]);
    f.client.unsubscribe(1, f.now);
    f.check(&[]);
    f.client.unsubscribe(1, f.now);
    f.check(&[
        Output::Unsubscribe { id: 3, topic: 1 },
        Output::ReleaseEpoch { epoch: 1 },
        Output::ReleaseTopic { topic: 1 },
    ]);
    f.drops(42, 41);
    f.client.unsubscribe(1, f.now);
    f.frame(Frame { re: 3, ..Frame::new(Kind::Reply) });
    f.check(&[]);
}

#[test]
fn an_answer_for_a_topic_that_is_gone_is_nothing() {
    let mut f = Fixture::connected();
    f.client.subscribe(1, f.now);
    f.client.unsubscribe(1, f.now);
    f.check(&[
        subscribe(2, None),
        Output::Unsubscribe { id: 3, topic: 1 },
        Output::ReleaseTopic { topic: 1 },
    ]);
    // The number stands for another name now.
    f.client.subscribe(1, f.now);
    f.take();
    f.reply(2, AT, 0);
    f.check(&[Output::ReleaseEpoch { epoch: 1 }]);
    f.refuse(2, 201);
    f.reply(4, Position { epoch: 2, offset: 7 }, 0);
    f.check(&[subscribed(Continuity::Fresh, Position { epoch: 2, offset: 7 })]);
}

#[test]
fn a_number_that_is_used_again_before_its_release_is_polled_stays() {
    let mut f = Fixture::subscribed(AT);
    f.client.unsubscribe(1, f.now);
    f.client.subscribe(1, f.now);
    f.check(&[
        Output::Unsubscribe { id: 3, topic: 1 },
        Output::ReleaseEpoch { epoch: 1 },
        subscribe(4, None),
    ]);
    f.reply(4, AT, 0);
    f.take();
    f.client.unsubscribe(1, f.now);
    f.client.subscribe(2, f.now);
    f.frame(Frame { re: 6, epoch: 1, offset: 3, ..Frame::new(Kind::Reply) });
    let outputs = f.take();
    assert!(outputs.contains(&Output::ReleaseTopic { topic: 1 }));
    assert!(!outputs.contains(&Output::ReleaseEpoch { epoch: 1 }), "topic 2 stands in it");
    f.client.unsubscribe(2, f.now);
    let released = f.take().iter().filter(|o| matches!(o, Output::ReleaseEpoch { .. })).count();
    assert_eq!(released, 1);
}

#[test]
fn the_servers_own_topics_are_followed() {
    let mut f = Fixture::connected();
    f.announce(AT);
    f.check(&[subscribed(Continuity::Fresh, AT)]);
    f.delivers(42, 41);
    f.client.subscribe(1, f.now);
    f.check(&[subscribed(Continuity::Fresh, at(42))]);
    f.client.unsubscribe(1, f.now);
    f.check(&[]);
    f.delivers(43, 42);
    f.frame(Frame { topic: 1, code: 201, ..Frame::new(Kind::Unsubscribed) });
    f.check(&[Output::ReleaseEpoch { epoch: 1 }, Output::ReleaseTopic { topic: 1 }]);
    f.drops(44, 43);
}

#[test]
fn the_servers_own_topics_go_on_after_a_reconnect() {
    for (announced, expected) in [
        (AT, subscribed(Continuity::Recovered, AT)),
        (at(40), subscribed(Continuity::Recovered, AT)),
        (at(57), subscribe(3, Some(AT))),
    ] {
        let mut f = Fixture::connected();
        f.announce(AT);
        f.take();
        assert_eq!(f.reconnect(), [], "the server announces its own");
        f.announce(announced);
        f.check(&[expected]);
    }
    let mut f = Fixture::connected();
    f.announce(AT);
    f.reconnect();
    f.reconnect();
    f.check(&[]);
    f.announce(Position { epoch: 1, offset: 9 });
    f.check(&[subscribed(Continuity::Fresh, at(9))]);
}

#[test]
fn what_the_server_begins_and_the_client_begins_anew_has_no_hole() {
    for (answer, flags, expected) in [
        (AT, 0, subscribed(Continuity::Recovered, at(42))),
        (at(44), 0, subscribe(3, Some(at(42)))),
        (at(44), Frame::NOT_RECOVERED, subscribe(3, Some(at(42)))),
        (at(42), Frame::NOT_RECOVERED, subscribed(Continuity::Recovered, at(42))),
    ] {
        let mut f = Fixture::connected();
        f.client.subscribe(1, f.now);
        f.check(&[subscribe(2, None)]);
        f.announce(AT);
        f.check(&[subscribed(Continuity::Fresh, AT)]);
        f.delivers(42, 41);
        f.reply(2, answer, flags);
        f.check(&[expected]);
    }
}

#[test]
fn a_hole_in_the_servers_own_topic_is_reported_where_it_may_not_be_recovered() {
    let mut f = Fixture::connected();
    f.announce(AT);
    f.gap(41, 60, 1);
    f.reconnect();
    f.announce(at(57));
    f.check(&[subscribe(3, Some(AT))]);
    f.refuse(3, 201);
    f.check(&[]);
    f.delivers(58, 57);
    f.check(&[gap(41, 57, Cause::Lost)]);
    f.delivers(59, 58);
}

#[test]
fn a_server_cannot_subscribe_without_bound() {
    let mut f = Fixture::connected();
    for topic in 1..=5_000 {
        f.frame(Frame { topic, epoch: 1, ..Frame::new(Kind::Subscribed) });
    }
    let outputs = f.take();
    let begun = outputs.iter().filter(|o| matches!(o, Output::Subscribed { .. })).count();
    let released = outputs.iter().filter(|o| matches!(o, Output::ReleaseTopic { .. })).count();
    assert_eq!((begun, released), (4_096, 904));
}

#[test]
fn what_the_server_ends_is_over_or_asked_for_again() {
    let end = |code| Frame { topic: 1, code, ..Frame::new(Kind::Unsubscribed) };
    let mut f = Fixture::subscribed(AT);
    f.frame(end(201));
    f.check(&[
        Output::Refused { topic: 1, code: ErrorCode::FORBIDDEN, retry_at: None },
        Output::ReleaseEpoch { epoch: 1 },
        Output::ReleaseTopic { topic: 1 },
    ]);

    let mut f = Fixture::subscribed(AT);
    f.frame(end(303));
    let retry_at = f.client.poll_timeout();
    f.check(&[Output::Refused { topic: 1, code: ErrorCode::UNAVAILABLE, retry_at }]);
    f.drops(42, 41);
    f.now = retry_at.expect("a retry");
    f.client.handle_timeout(f.now);
    f.check(&[subscribe(3, Some(AT))]);
}
