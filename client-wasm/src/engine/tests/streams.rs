//! Calls that stream.

use super::*;
use crate::Items;

impl Fixture {
    /// A stream that has been asked for, and its number.
    fn count(&self, to: u32) -> (Items<u32>, Value) {
        let items = self.live.stream(Count, &to);
        let sent = self.sent();
        let data = json!({"call": "count", "args": to, "items": 256});
        assert_eq!((&sent[0]["topic"], &sent[0]["data"]), (&json!("$call"), &data));
        (items, sent[0]["id"].clone())
    }

    fn item(&self, re: &Value, item: u32) {
        self.receive(&json!({"topic": "$item", "re": re, "data": item}));
    }

    fn streams_in_use(&self) -> bool {
        self.shared.turn(|engine, _| !engine.streams.is_empty())
    }
}

fn next(items: &mut Items<u32>) -> Poll<Option<Result<u32, String>>> {
    let mut cx = Context::from_waker(Waker::noop());
    let polled = std::pin::Pin::new(items).poll_next(&mut cx);
    polled.map(|item| item.map(|item| item.map_err(|error| error.to_string())))
}

fn item(item: u32) -> Poll<Option<Result<u32, String>>> {
    Poll::Ready(Some(Ok(item)))
}

fn error(text: &str) -> Poll<Option<Result<u32, String>>> {
    Poll::Ready(Some(Err(text.into())))
}

#[test]
fn items_come_in_order_and_then_the_end() {
    let f = Fixture::connected();
    let ((mut first, one), (mut second, two)) = (f.count(2), f.count(9));
    assert_eq!(next(&mut first), Poll::Pending);
    f.item(&one, 1);
    f.item(&two, 10);
    f.item(&json!(99), 5);
    f.item(&one, 2);
    f.receive(&json!({"topic": "$reply", "re": one, "data": null}));
    f.item(&one, 3);
    for expected in [item(1), item(2), Poll::Ready(None), Poll::Ready(None)] {
        assert_eq!(next(&mut first), expected);
    }
    assert_eq!(next(&mut second), item(10));
    f.receive(&json!({"topic": "$item", "re": two, "data": "ten"}));
    assert_eq!(next(&mut second), error("the answer is of another type"));
    assert_eq!((next(&mut second), f.streams_in_use()), (Poll::Ready(None), false));
    assert_eq!(f.sent(), [json!({"topic": "$cancel", "data": {"id": two}})]);
}

#[test]
fn a_refusal_and_a_lost_connection_come_last() {
    let f = Fixture::connected();
    let ((mut refused, one), (mut lost, two)) = (f.count(2), f.count(2));
    f.item(&one, 1);
    f.receive(&json!({"topic": "$error", "re": one, "data": {"code": 201, "message": "hush"}}));
    f.item(&two, 1);
    f.lose();
    let mut waits = f.live.stream(Count, &7);
    for (items, text) in [(&mut refused, "forbidden (201): hush"), (&mut lost, "unknown (401)")] {
        assert_eq!((next(items), next(items)), (item(1), error(text)));
        assert_eq!(next(items), Poll::Ready(None));
    }
    f.come_back();
    let sent = f.sent();
    assert_eq!((sent.len(), &sent[0]["data"]["args"]), (1, &json!(7)), "it is not begun again");
    f.shared.turn(Engine::close);
    assert_eq!(next(&mut waits), error("unknown (401)"));
    assert_eq!(next(&mut f.live.stream(Count, &7)), error("closed (402)"));
    assert!(!f.streams_in_use());
}

#[test]
fn dropping_cancels() {
    let f = Fixture::connected();
    let (items, id) = f.count(9);
    f.item(&id, 1);
    drop(items);
    assert_eq!(f.sent(), [json!({"topic": "$cancel", "data": {"id": id}})]);
    f.item(&id, 2);
    assert_eq!((f.in_use(), f.streams_in_use()), ((0, 0, true), false));
}

#[test]
fn a_slow_reader_says_when_it_has_room() {
    let f = Fixture::connected();
    let (mut items, id) = f.count(9);
    (0..256).for_each(|n| f.item(&id, n));
    for n in 0..127 {
        assert_eq!(next(&mut items), item(n));
    }
    assert_eq!(f.sent(), [] as [Value; 0]);
    assert_eq!(next(&mut items), item(127));
    assert_eq!(f.sent(), [json!({"topic": "$more", "data": {"id": id, "items": 128}})]);
    // More than there is room for.
    (0..129).for_each(|n| f.item(&id, n));
    assert_eq!(f.sent(), [json!({"topic": "$cancel", "data": {"id": id}})]);
    let read =
        std::iter::from_fn(|| matches!(next(&mut items), Poll::Ready(Some(Ok(_)))).then_some(()));
    assert_eq!(read.count(), 256);
    assert_eq!(next(&mut items), Poll::Ready(None), "after the error");
    assert_eq!(f.sent(), [] as [Value; 0]);
}
