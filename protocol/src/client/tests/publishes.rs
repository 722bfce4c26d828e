//! Publishes: each has one outcome.

use super::*;

impl Fixture {
    /// To a topic whose epoch nobody knows.
    fn publish(&mut self) -> u32 {
        self.client.publish(0, self.now)
    }

    /// To the topic of a subscription.
    fn publish_in_epoch(&mut self) -> u32 {
        self.client.publish(1, self.now)
    }
}

fn publish(id: u32) -> Output {
    Output::Publish { id, again: None }
}

fn again(id: u32) -> Output {
    Output::Publish { id, again: Some(AT) }
}

#[test]
fn answers_may_come_in_any_order_and_count_once() {
    let mut f = Fixture::connected();
    let ids = [(); 5].map(|()| f.publish());
    f.check(&ids.map(publish));
    for id in [ids[3], ids[0], ids[4], ids[1]] {
        let at = Position { epoch: 1, offset: id.into() };
        f.reply(id.into(), at, 0);
        f.check(&[Output::Acked { id, at }, Output::ReleaseEpoch { epoch: 1 }]);
        f.reply(id.into(), at, 0);
        f.check(&[Output::ReleaseEpoch { epoch: 1 }]);
    }
    f.frame(Frame { re: ids[2].into(), code: 201, ..Frame::new(Kind::Error) });
    f.check(&[Output::Rejected { id: ids[2], code: ErrorCode::FORBIDDEN }]);
    for re in [0, 1_000, u64::from(u32::MAX) + 1 + u64::from(ids[0]), crate::MAX_INTEGER] {
        f.reply(re, Position::default(), 0);
    }
    f.check(&[]);
    assert_eq!(f.client.requests.open(), 0);
}

#[test]
fn numbers_wrap_past_zero() {
    let mut f = Fixture::connected();
    f.client.requests.restart_at(u32::MAX - 2);
    let ids = [(); 4].map(|()| f.publish());
    assert_eq!(ids, [u32::MAX - 1, u32::MAX, 1, 2]);
    f.take();
    for id in [1, u32::MAX - 1, 2, u32::MAX] {
        f.reply(id.into(), Position::default(), 0);
        f.check(&[Output::Acked { id, at: Position::default() }]);
    }
}

#[test]
fn they_wait_for_a_connection_in_order_but_not_without_bound() {
    let mut f = Fixture::new();
    let ids: Vec<_> = (0..1_000).map(|_| f.publish()).collect();
    f.check(&[]);
    let refused = f.publish();
    f.rejects(&[(refused, ErrorCode::OFFLINE_QUEUE_FULL)]);
    f.connect();
    let sent: Vec<_> = ids.iter().copied().map(publish).collect();
    assert_eq!(f.take()[1..], sent);
    // One that waits is not answered by a server that guesses its number.
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.take();
    let waiting = f.publish();
    f.reply(waiting.into(), AT, 0);
    assert!(!f.take().iter().any(|output| matches!(output, Output::Acked { .. })));
}

#[test]
fn a_server_that_answers_nothing_does_not_fill_the_memory() {
    let mut f = Fixture::connected();
    for _ in 0..MOST_OPEN_REQUESTS {
        f.publish();
    }
    f.take();
    let refused = f.publish();
    f.rejects(&[(refused, ErrorCode::LIMIT)]);
}

#[test]
fn what_was_sent_and_not_answered_has_an_unknown_outcome() {
    let mut f = Fixture::connected();
    let sent = f.publish();
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.rejects(&[(sent, ErrorCode::UNKNOWN)]);
    let waiting = f.publish();
    f.rejects(&[]);
    f.now = f.client.poll_timeout().expect("a retry");
    f.client.handle_timeout(f.now);
    f.open();
    f.check(&[Output::State(State::Connected), publish(waiting)]);
}

#[test]
fn closing_and_stopping_end_them() {
    let mut f = Fixture::connected();
    let sent = f.publish();
    f.client.close(f.now);
    f.rejects(&[(sent, ErrorCode::UNKNOWN)]);
    let late = f.publish();
    f.rejects(&[(late, ErrorCode::CLOSED)]);

    let mut f = Fixture::new();
    let waiting = f.publish();
    f.client.close(f.now);
    f.rejects(&[(waiting, ErrorCode::CLOSED)]);

    let mut f = Fixture::new();
    let waiting = f.publish();
    f.client.connect(f.now);
    f.client.handle_closed(0, CloseCode::UNAUTHORIZED, f.now);
    f.rejects(&[(waiting, ErrorCode::NOT_SENT)]);
    let late = f.publish();
    f.rejects(&[(late, ErrorCode::NOT_SENT)]);
}

#[test]
fn what_was_sent_in_a_known_epoch_is_sent_again_before_what_waits() {
    let mut f = Fixture::subscribed(AT);
    let answered = f.publish_in_epoch();
    let sent = [(); 3].map(|()| f.publish_in_epoch());
    f.check(&[publish(answered), publish(sent[0]), publish(sent[1]), publish(sent[2])]);
    f.reply(answered.into(), AT, 0);
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.take();
    let waits = f.publish_in_epoch();
    f.check(&[]);
    f.now = f.client.poll_timeout().expect("a retry");
    f.client.handle_timeout(f.now);
    f.open();
    let outputs = f.take();
    let resent = [again(sent[0]), again(sent[1]), again(sent[2]), publish(waits)];
    assert_eq!(outputs[2..], resent, "after the state and the subscribe");
    f.reply(sent[0].into(), AT, 0);
    f.check(&[Output::Acked { id: sent[0], at: AT }]);
    f.refuse(sent[1].into(), 401);
    f.rejects(&[(sent[1], ErrorCode::UNKNOWN)]);
    // The connection is lost once more.
    assert_eq!(f.reconnect()[1..], [again(sent[2]), again(waits)]);
}

#[test]
fn a_refusal_of_a_second_try_does_not_tell_of_the_first() {
    for (code, expected) in [
        (301, ErrorCode::UNKNOWN),
        (303, ErrorCode::UNKNOWN),
        (201, ErrorCode::FORBIDDEN),
        (401, ErrorCode::UNKNOWN),
    ] {
        let mut f = Fixture::subscribed(AT);
        let id = f.publish_in_epoch();
        f.reconnect();
        f.refuse(id.into(), code);
        f.rejects(&[(id, expected)]);
    }
    let mut f = Fixture::subscribed(AT);
    let id = f.publish_in_epoch();
    f.refuse(id.into(), 301);
    f.rejects(&[(id, ErrorCode::RATE_LIMITED)]);
}

#[test]
fn what_may_have_been_done_is_unknown_when_it_is_not_sent_again() {
    for end in [Client::close, |client: &mut Client, now| {
        client.connect(now);
        client.handle_closed(0, CloseCode::UNAUTHORIZED, now);
    }] {
        let mut f = Fixture::subscribed(AT);
        let (sent, refused) = (f.publish_in_epoch(), f.publish_in_epoch());
        f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
        f.take();
        let waits = f.publish_in_epoch();
        f.now = f.client.poll_timeout().expect("a retry");
        f.client.handle_timeout(f.now);
        end(&mut f.client, f.now);
        let outputs = f.take();
        let code = |id| {
            outputs.iter().find_map(|output| match *output {
                Output::Rejected { id: other, code } if other == id => Some(code),
                _ => None,
            })
        };
        assert_eq!([code(sent), code(refused)], [Some(ErrorCode::UNKNOWN); 2]);
        assert!(matches!(code(waits), Some(ErrorCode::CLOSED | ErrorCode::NOT_SENT)));
    }
}

#[test]
fn an_epoch_keeps_its_number_while_a_publish_needs_it() {
    let mut f = Fixture::subscribed(AT);
    let id = f.publish_in_epoch();
    f.client.unsubscribe(1, f.now);
    f.check(&[
        publish(id),
        Output::Unsubscribe { id: 4, topic: 1 },
        Output::ReleaseTopic { topic: 1 },
    ]);
    assert_eq!(f.reconnect(), [again(id)]);
    f.reply(id.into(), Position { epoch: 2, offset: 7 }, 0);
    f.check(&[
        Output::Acked { id, at: Position { epoch: 2, offset: 7 } },
        Output::ReleaseEpoch { epoch: 1 },
        Output::ReleaseEpoch { epoch: 2 },
    ]);

    for end in [Client::close, |client: &mut Client, now| client.cancel(3, now)] {
        let mut f = Fixture::subscribed(AT);
        f.publish_in_epoch();
        f.client.unsubscribe(1, f.now);
        f.take();
        end(&mut f.client, f.now);
        let outputs = f.take();
        assert_eq!(outputs.iter().filter(|o| **o == Output::ReleaseEpoch { epoch: 1 }).count(), 1);
    }
}

#[test]
fn a_publish_may_be_cancelled() {
    let mut f = Fixture::connected();
    let sent = f.publish();
    f.take();
    f.client.cancel(sent, f.now);
    f.check(&[Output::Rejected { id: sent, code: ErrorCode::CANCELLED }]);
    f.reply(sent.into(), Position::default(), 0);
    f.client.cancel(sent, f.now);
    f.check(&[]);
}
