//! Calls and reads: what is asked again, deadlines, cancelling.

use super::*;

impl Fixture {
    fn call(&mut self, timeout_ms: Millis) -> u32 {
        self.client.call(timeout_ms, self.now)
    }

    fn read(&mut self, timeout_ms: Millis) -> u32 {
        self.client.read(timeout_ms, self.now)
    }

    fn cancel(&mut self, id: u32) {
        self.client.cancel(id, self.now);
    }

    fn pass(&mut self, ms: Millis) {
        self.now += ms;
        self.client.handle_timeout(self.now);
    }
}

fn request(id: u32) -> Output {
    Output::Request { id }
}

fn rejected(id: u32, code: ErrorCode) -> Output {
    Output::Rejected { id, code }
}

#[test]
fn each_has_its_answer() {
    let mut f = Fixture::connected();
    let (first, second, third) = (f.call(0), f.read(0), f.call(0));
    f.check(&[request(first), request(second), request(third)]);
    f.reply(second.into(), AT, 0);
    f.check(&[Output::Replied { id: second }, Output::ReleaseEpoch { epoch: 1 }]);
    f.refuse(first.into(), 1_234);
    f.check(&[rejected(first, ErrorCode(1_234))]);
    f.reply(third.into(), Position::default(), 0);
    f.check(&[Output::Replied { id: third }]);
    f.reply(third.into(), Position::default(), 0);
    f.refuse(second.into(), 201);
    f.check(&[]);
}

#[test]
fn a_call_is_sent_once_and_a_read_again() {
    let mut f = Fixture::connected();
    let (call, read) = (f.call(0), f.read(0));
    f.take();
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.rejects(&[(call, ErrorCode::UNKNOWN)]);
    let waits = f.call(0);
    f.check(&[]);
    f.now = f.client.poll_timeout().expect("a retry");
    f.client.handle_timeout(f.now);
    f.open();
    f.check(&[Output::State(State::Connected), request(read), request(waits)]);
    f.refuse(read.into(), 303);
    f.check(&[rejected(read, ErrorCode::UNAVAILABLE)]);
    assert_eq!(f.reconnect(), []);
}

#[test]
fn what_cannot_be_sent_is_said_at_once() {
    let mut f = Fixture::new();
    f.client.close(f.now);
    f.take();
    let (call, read) = (f.call(0), f.read(0));
    f.rejects(&[(call, ErrorCode::CLOSED), (read, ErrorCode::CLOSED)]);
    // They share one queue with publishes.
    let mut f = Fixture::new();
    for _ in 0..500 {
        f.client.publish(0, f.now);
        f.call(0);
    }
    let refused = f.read(0);
    f.rejects(&[(refused, ErrorCode::OFFLINE_QUEUE_FULL)]);
    // What was cancelled does not wait.
    f.cancel(7);
    f.call(0);
    f.rejects(&[(7, ErrorCode::CANCELLED)]);
    f.client.close(f.now);
    assert!(f.take().contains(&rejected(8, ErrorCode::CLOSED)));
}

#[test]
fn closing_ends_them() {
    let mut f = Fixture::connected();
    let (call, read) = (f.call(0), f.read(0));
    f.client.close(f.now);
    f.rejects(&[(call, ErrorCode::UNKNOWN), (read, ErrorCode::CLOSED)]);
}

#[test]
fn each_has_its_time() {
    let mut f = Fixture::connected();
    let (slow, quick, read, patient) = (f.call(5_000), f.call(1_000), f.read(1_000), f.call(0));
    f.take();
    assert_eq!(f.client.poll_timeout(), Some(f.now + 1_000));
    f.pass(999);
    f.check(&[]);
    f.pass(1);
    f.check(&[
        Output::Cancel { id: quick },
        rejected(quick, ErrorCode::TIMEOUT),
        rejected(read, ErrorCode::TIMEOUT),
    ]);
    assert_eq!(f.client.poll_timeout(), Some(f.now + 4_000));
    f.reply(quick.into(), Position::default(), 0);
    f.check(&[]);
    f.reply(slow.into(), Position::default(), 0);
    f.take();
    f.pass(4_000);
    f.check(&[]);
    f.refuse(patient.into(), 304);
    f.check(&[rejected(patient, ErrorCode::TIMEOUT)]);
}

#[test]
fn time_passes_while_they_wait() {
    let mut f = Fixture::new();
    let (call, read) = (f.call(1_000), f.read(2_000));
    assert_eq!(f.client.poll_timeout(), Some(f.now + 1_000));
    f.pass(1_000);
    f.check(&[rejected(call, ErrorCode::NOT_SENT)]);
    f.pass(1_000);
    f.check(&[rejected(read, ErrorCode::NOT_SENT)]);
    assert_eq!(f.client.poll_timeout(), None);
    f.connect();
    f.check(&[Output::State(State::Connected)]);
}

#[test]
fn cancelling_tells_the_server_of_calls_that_it_has() {
    let mut f = Fixture::connected();
    let (call, read) = (f.call(0), f.read(0));
    f.take();
    f.cancel(call);
    f.cancel(read);
    f.check(&[
        Output::Cancel { id: call },
        rejected(call, ErrorCode::CANCELLED),
        rejected(read, ErrorCode::CANCELLED),
    ]);
    f.refuse(call.into(), 404);
    f.cancel(call);
    f.cancel(99);
    f.check(&[]);
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.take();
    let waits = f.call(0);
    f.cancel(waits);
    f.check(&[rejected(waits, ErrorCode::CANCELLED)]);
    assert_eq!(f.reconnect(), []);
    // What is not the user's is not his to cancel.
    f.client.subscribe(1, f.now);
    f.take();
    f.cancel(waits + 2);
    f.reply((waits + 2).into(), AT, 0);
    f.check(&[Output::Subscribed { topic: 1, how: Continuity::Fresh, at: AT }]);
}

#[test]
fn a_stream_is_done_once_and_cancelled() {
    let mut f = Fixture::connected();
    let (first, second) = (f.client.stream(0, f.now), f.client.stream(1_000, f.now));
    f.check(&[request(first), request(second)]);
    let item = Frame { re: first.into(), ..Frame::new(Kind::Item) };
    f.frame(item);
    f.check(&[]);
    f.pass(1_000);
    f.check(&[Output::Cancel { id: second }, rejected(second, ErrorCode::TIMEOUT)]);
    f.cancel(first);
    f.check(&[Output::Cancel { id: first }, rejected(first, ErrorCode::CANCELLED)]);
    f.frame(item);
    let third = f.client.stream(0, f.now);
    f.reply(third.into(), Position::default(), 0);
    f.check(&[request(third), Output::Replied { id: third }]);
    let lost = f.client.stream(0, f.now);
    f.take();
    f.client.handle_closed(0, CloseCode::ABNORMAL, f.now);
    f.rejects(&[(lost, ErrorCode::UNKNOWN)]);
    let waits = f.client.stream(0, f.now);
    f.check(&[]);
    f.client.close(f.now);
    f.rejects(&[(waits, ErrorCode::CLOSED)]);
}
