//! Publishes: each has one outcome.

use super::*;

impl Fixture {
    fn rejects(&mut self, expected: &[(u32, ErrorCode)]) {
        let rejected = self.take().into_iter().filter_map(|output| match output {
            Output::Rejected { id, code } => Some((id, code)),
            _ => None,
        });
        assert_eq!(rejected.collect::<Vec<_>>(), expected);
    }

    fn publish(&mut self) -> u32 {
        self.client.publish(self.now)
    }
}

#[test]
fn answers_may_come_in_any_order_and_count_once() {
    let mut f = Fixture::connected();
    let ids = [(); 5].map(|()| f.publish());
    f.check(&ids.map(|id| Output::Publish { id }));
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
    let sent: Vec<_> = ids.iter().map(|&id| Output::Publish { id }).collect();
    assert_eq!(f.take()[1..], sent);
    // One that waits is not answered by a server that guesses its number.
    f.client.handle_closed(CloseCode::ABNORMAL, f.now);
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
    f.client.handle_closed(CloseCode::ABNORMAL, f.now);
    f.rejects(&[(sent, ErrorCode::UNKNOWN)]);
    let waiting = f.publish();
    f.rejects(&[]);
    f.now = f.client.poll_timeout().expect("a retry");
    f.client.handle_timeout(f.now);
    f.open();
    f.check(&[Output::State(State::Connected), Output::Publish { id: waiting }]);
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
    f.client.handle_closed(CloseCode::UNAUTHORIZED, f.now);
    f.rejects(&[(waiting, ErrorCode::NOT_SENT)]);
    let late = f.publish();
    f.rejects(&[(late, ErrorCode::NOT_SENT)]);
}
