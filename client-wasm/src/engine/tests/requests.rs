//! Publishes that are sent again, calls, and history.

use std::time::Duration;

use super::*;
use crate::{Range, Request};

fn outcome<T: Debug>(request: &mut Request<T>) -> Poll<Result<T, String>> {
    let polled = std::pin::Pin::new(request).poll(&mut Context::from_waker(Waker::noop()));
    polled.map(|result| result.map_err(|error| error.to_string()))
}

fn said(text: &str) -> Said {
    Said { text: text.into() }
}

#[test]
fn a_publish_without_an_answer_is_sent_again_under_its_name() {
    let f = Fixture::connected();
    let _room = f.subscribed(41);
    let mut first = f.live.publish(&general(), &said("a"));
    let sent = f.sent();
    let mid = format!("{}-{}", "0".repeat(32), sent[0]["id"]);
    assert_eq!((&sent[0]["mid"], sent[0].get("epoch")), (&json!(mid), None));
    f.lose();
    assert_eq!(settle(&mut first), Poll::Pending);
    f.come_back();
    let sent = f.sent();
    let again = json!({"topic": "chat:general", "id": sent[1]["id"], "mid": mid, "epoch": "e",
        "after": 41, "data": {"text": "a"}});
    assert_eq!(sent[1], again);
    f.receive(
        &json!({"topic": "$reply", "re": sent[1]["id"], "data": {"epoch": "e", "offset": 42}}),
    );
    assert_eq!(settle(&mut first), Poll::Ready(Ok(42)));
}

#[test]
fn a_call_has_an_answer_a_refusal_or_an_end() {
    let f = Fixture::connected();
    let mut shouts = ["a", "b", "c", "d"].map(|text| f.live.call(Shout, &said(text)));
    let sent = f.sent();
    let data = json!({"call": "shout", "args": {"text": "a"}, "timeout_ms": 30_000});
    assert_eq!((&sent[0]["topic"], &sent[0]["data"]), (&json!("$call"), &data));
    f.receive(&json!({"topic": "$reply", "re": sent[1]["id"], "data": {"text": "B"}}));
    f.receive(
        &json!({"topic": "$error", "re": sent[0]["id"], "data": {"code": 201, "message": "hush"}}),
    );
    f.receive(&json!({"topic": "$reply", "re": sent[2]["id"], "data": 5}));
    assert_eq!(outcome(&mut shouts[0]), Poll::Ready(Err("forbidden (201): hush".into())));
    assert_eq!(outcome(&mut shouts[1]), Poll::Ready(Ok(said("B"))));
    let other = Poll::Ready(Err("the answer is of another type".into()));
    assert_eq!(outcome(&mut shouts[2]), other);
    f.lose();
    assert_eq!(outcome(&mut shouts[3]), Poll::Ready(Err("unknown (401)".into())));
    drop(shouts);
    f.come_back();
    assert_eq!((f.sent(), f.in_use()), (vec![], (0, 0, true)));
}

#[test]
fn a_call_ends_when_its_time_is_over_or_nobody_wants_it() {
    let f = Fixture::connected();
    let mut slow = f.live.call_within(Shout, &said("a"), Duration::from_secs(5));
    let dropped = f.live.call(Shout, &said("b"));
    let sent = f.sent();
    drop(dropped);
    let cancel = |id: &Value| json!({"topic": "$cancel", "data": {"id": id}});
    assert_eq!(f.sent(), [cancel(&sent[1]["id"])]);
    let at = f.shared.turn(|engine, _| engine.deadline());
    assert_eq!(at, Some(now() + 5_000));
    f.shared.turn(|engine, _| engine.elapsed(now() + 5_000));
    assert_eq!(f.sent(), [cancel(&sent[0]["id"])]);
    assert_eq!(outcome(&mut slow), Poll::Ready(Err("timeout (304)".into())));
    assert_eq!(f.in_use(), (0, 0, true));
}

#[test]
fn history_is_asked_for_again_after_a_lost_connection() {
    let f = Fixture::connected();
    let range = Range { before: Some(42), limit: Some(2), ..Range::default() };
    let mut page = f.live.history(&general(), range);
    let ask = json!({"topic": "chat:general", "before": 42, "limit": 2});
    assert_eq!(f.sent()[0]["data"], ask);
    f.lose();
    f.come_back();
    let sent = f.sent();
    assert_eq!((&sent[0]["topic"], &sent[0]["data"]), (&json!("$history"), &ask));
    f.receive(&json!({"topic": "$reply", "re": sent[0]["id"], "data": {"epoch": "e", "head": 57, "events": [
        {"data": {"text": "a"}, "offset": 40, "prev": 38, "key": "k"},
        {"data": null, "offset": 41, "prev": 40, "key": "k", "removed": true}]}}));
    let Poll::Ready(Ok(page)) = outcome(&mut page) else { panic!("no page") };
    assert_eq!((&*page.epoch, page.head, page.events.len()), ("e", 57, 2));
    let [first, second] = &page.events[..] else { panic!("two") };
    assert_eq!((&first.data, first.offset, first.prev), (&Some(said("a")), 40, 38));
    assert_eq!((&second.data, second.key.as_deref()), (&None, Some("k")));
    let mut nowhere = f.live.history(&Room { room: String::new() }, range);
    assert!(matches!(outcome(&mut nowhere), Poll::Ready(Err(_))));
    assert_eq!(f.in_use(), (0, 0, true));
}
