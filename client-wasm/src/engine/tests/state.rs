//! Snapshots, removals and presence.

use super::*;
use crate::Subscription;

type Followed = Subscription<Said, Vec<Said>>;

/// The state of a topic.
fn state(text: &str) -> Value {
    json!([{"text": text}])
}

/// The question for a state beside the events.
fn beside(topic: &str) -> Value {
    json!({"topic": topic, "snapshot": true, "beside": true})
}

impl Fixture {
    fn answer(&self, sent: &Value, offset: u64, more: &Value) {
        let mut data = json!({"epoch": "e", "offset": offset, "head": offset});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.receive(&json!({"topic": "$reply", "re": sent["id"], "data": data}));
    }

    fn followed(&self) -> Followed {
        let mut room = self.live.follow(&general());
        let sent = self.sent();
        assert_eq!(sent[0]["data"], json!({"topic": "chat:general", "snapshot": true}));
        self.answer(&sent[0], 41, &json!({"snapshot": state("a")}));
        let expected = ["live Fresh e 41", "state [Said { text: \"a\" }] 41"];
        assert_eq!(shown(&mut room), expected);
        room
    }
}

#[test]
fn the_state_comes_first_and_again_where_events_are_missing() {
    let f = Fixture::connected();
    let mut room = f.followed();
    f.event(42, "b");
    assert_eq!(shown(&mut room), ["42 b"]);
    f.lose();
    f.come_back();
    let sent = f.sent();
    assert_eq!(sent[0]["data"]["snapshot"], json!(true));
    f.answer(&sent[0], 42, &json!({"recovered": true}));
    assert_eq!(shown(&mut room), ["live Recovered e 42"]);
    f.lose();
    f.come_back();
    let sent = f.sent();
    f.answer(&sent[0], 50, &json!({"recovered": false, "snapshot": state("c")}));
    let expected = ["gap 42 50 Lost", "live Lost e 50", "state [Said { text: \"c\" }] 50"];
    assert_eq!(shown(&mut room), expected);
}

#[test]
fn a_server_that_named_no_epoch_is_followed_by_a_state_anew() {
    let f = Fixture::connected();
    let mut room = f.live.follow(&general());
    let sent = f.sent();
    f.receive(&json!({"topic": "$reply", "re": sent[0]["id"],
        "data": {"offset": 9, "head": 9, "snapshot": state("a")}}));
    assert_eq!(shown(&mut room), ["live Fresh  9", "state [Said { text: \"a\" }] 9"]);
    f.lose();
    f.come_back();
    let sent = f.sent();
    assert_eq!(sent[0]["data"].get("since"), None);
    f.answer(&sent[0], 0, &json!({"snapshot": state("b")}));
    f.event(1, "c");
    let expected = ["live Lost e 0", "state [Said { text: \"b\" }] 0", "1 c"];
    assert_eq!(shown(&mut room), expected);
}

#[test]
fn the_version_of_a_state_is_sent_with_the_position() {
    let f = Fixture::connected();
    let mut room = f.live.follow(&general());
    f.answer(&f.sent()[0], 41, &json!({"snapshot": state("a"), "version": "7"}));
    f.event(42, "b");
    let versions = |sent: &[Value]| sent[0]["data"].get("version").cloned();
    let not_recovered = json!({"recovered": false, "snapshot": []});
    for (offset, more) in [(42, json!({"recovered": true})), (50, not_recovered)] {
        f.lose();
        f.come_back();
        let sent = f.sent();
        assert_eq!(versions(&sent), Some(json!("7")), "{sent:?}");
        f.answer(&sent[0], offset, &more);
    }
    f.lose();
    f.come_back();
    assert_eq!(versions(&f.sent()), None, "the last state had none");
    drop(shown(&mut room));
}

#[test]
fn who_comes_later_gets_the_state_and_what_follows_it() {
    let f = Fixture::connected();
    let mut first = f.subscribed(41);
    let mut late = f.live.follow(&general());
    let sent = f.sent();
    assert_eq!(sent[0]["data"], beside("chat:general"));
    f.event(42, "b");
    f.event(43, "c");
    assert_eq!(shown(&mut first), ["42 b", "43 c"], "the others are not disturbed");
    assert_eq!(shown(&mut late), ["live Fresh e 41"]);
    f.answer(&sent[0], 42, &json!({"snapshot": state("b")}));
    f.event(44, "d");
    assert_eq!(shown(&mut late), ["state [Said { text: \"b\" }] 42", "43 c", "44 d"]);
    assert_eq!(shown(&mut first), ["44 d"]);
    // A question that is under way when the connection is lost is asked again.
    drop(late);
    let mut late = f.live.follow(&general());
    f.sent();
    f.lose();
    f.come_back();
    let sent = f.sent();
    assert_eq!(sent.len(), 2, "{sent:?}");
    f.answer(&sent[0], 44, &json!({"recovered": true}));
    f.event(45, "e");
    f.answer(&sent[1], 45, &json!({"snapshot": state("e")}));
    let expected = ["live Fresh e 44", "state [Said { text: \"e\" }] 45"];
    assert_eq!(shown(&mut late), expected);
}

#[test]
fn a_gap_on_the_way_brings_the_state_again() {
    let f = Fixture::connected();
    let mut room = f.followed();
    f.receive(&json!({"topic": "$gap", "data":
        {"topic": "chat:general", "after": 41, "to": 50, "cause": "dropped"}}));
    f.event(51, "x");
    let sent = f.sent();
    assert_eq!(sent[0]["data"]["snapshot"], json!(true));
    assert_eq!(shown(&mut room), ["gap 41 50 Dropped"]);
    f.answer(&sent[0], 50, &json!({"snapshot": state("w")}));
    assert_eq!(shown(&mut room), ["state [Said { text: \"w\" }] 50", "51 x"]);
}

#[test]
fn a_topic_without_state_says_none_and_a_refusal_ends_it() {
    let f = Fixture::connected();
    let mut room = f.live.follow(&general());
    let sent = f.sent();
    f.answer(&sent[0], 41, &json!({}));
    f.event(42, "b");
    assert_eq!(
        (shown(&mut room), f.sent()),
        (vec!["live Fresh e 41".into(), "42 b".into()], vec![])
    );
    let mut late = f.live.follow(&general());
    let sent = f.sent();
    f.receive(&json!({"topic": "$error", "re": sent[0]["id"], "data": {"code": 201}}));
    assert_eq!(shown(&mut late), ["live Fresh e 42", "ended forbidden (201)", "end"]);
    f.event(43, "c");
    assert_eq!(shown(&mut room), ["43 c"]);
}

#[test]
fn a_state_that_cannot_be_had_now_is_asked_for_again() {
    let f = Fixture::connected();
    let mut first = f.subscribed(41);
    let mut late = f.live.follow(&general());
    let fails = |sent: &[Value]| {
        assert_eq!(sent[0]["data"], beside("chat:general"));
        f.receive(&json!({"topic": "$error", "re": sent[0]["id"], "data": {"code": 303}}));
        f.shared.turn(|engine, _| engine.deadline())
    };
    let elapse = |at| f.shared.turn(|engine, _| engine.elapsed(at));
    assert_eq!(fails(&f.sent()), Some(now() + 1_000));
    f.event(42, "b");
    assert_eq!(f.sent(), Vec::<Value>::new());
    elapse(now() + 1_000);
    assert_eq!(fails(&f.sent()), Some(now() + 2_000), "by a clock that stands");
    // The subscription had ended at the server, and comes back with all that is missing.
    f.receive(&json!({"topic": "$unsubscribed", "data": {"topic": "chat:general", "code": 303}}));
    elapse(now() + 30_000);
    let sent = f.sent();
    let of = |beside: bool| sent.iter().find(|sent| sent["data"].get("beside").is_some() == beside);
    f.answer(of(false).unwrap(), 42, &json!({"recovered": true}));
    f.answer(of(true).unwrap(), 42, &json!({"snapshot": state("b")}));
    f.event(43, "c");
    assert_eq!(shown(&mut first).last().map(String::as_str), Some("43 c"));
    let told = shown(&mut late);
    assert_eq!((&*told[0], &*told[1]), ("live Fresh e 41", "state [Said { text: \"b\" }] 42"));
    assert_eq!(told.last().map(String::as_str), Some("43 c"), "{told:?}");
}

#[test]
fn what_is_held_back_has_a_bound() {
    let f = Fixture::connected();
    let mut first = f.subscribed(0);
    let mut late = f.live.follow(&general());
    let asked = f.sent();
    for offset in 1..=300 {
        f.event(offset, "x");
        shown(&mut first);
    }
    // 237 to 300 are held: what came between is in no state as old as this.
    f.answer(&asked[0], 235, &json!({"snapshot": state("w")}));
    assert_eq!(shown(&mut late), ["live Fresh e 0"]);
    let asked = f.sent();
    assert_eq!(asked[0]["data"], beside("chat:general"));
    f.answer(&asked[0], 298, &json!({"snapshot": state("x")}));
    assert_eq!(shown(&mut late), ["state [Said { text: \"x\" }] 298", "299 x", "300 x"]);

    // Where there is no state, it is told.
    let mut late = f.live.follow(&general());
    let asked = f.sent();
    for offset in 301..=400 {
        f.event(offset, "x");
        shown(&mut first);
    }
    f.answer(&asked[0], 400, &json!({}));
    let told = shown(&mut late);
    assert_eq!((&*told[1], &*told[2], told.len()), ("gap 300 336 Dropped", "337 x", 66));
}

#[test]
fn a_state_may_be_ahead_of_the_stream() {
    let f = Fixture::connected();
    let mut first = f.subscribed(41);
    let mut late = f.live.follow(&general());
    let sent = f.sent();
    f.answer(&sent[0], 43, &json!({"snapshot": state("c")}));
    f.event(42, "b");
    assert_eq!(shown(&mut first), ["42 b"]);
    assert_eq!(shown(&mut late), ["live Fresh e 41", "state [Said { text: \"c\" }] 43"]);
    f.lose();
    f.come_back();
    let sent = f.sent();
    f.answer(&sent[0], 42, &json!({"recovered": true}));
    f.event(43, "c");
    f.event(44, "d");
    assert_eq!(shown(&mut first), ["live Recovered e 42", "43 c", "44 d"]);
    assert_eq!(shown(&mut late), ["live Recovered e 43", "44 d"]);
}

#[test]
fn what_was_conflated_is_not_missing_in_a_kept_state() {
    let f = Fixture::connected();
    let mut prices = f.live.keyed(&Prices);
    let sent = f.sent();
    assert_eq!(sent[0]["data"], json!({"topic": "prices", "snapshot": true}));
    f.answer(&sent[0], 3, &json!({"snapshot": {"a": {"text": "a"}, "b": {"text": "b"}}}));
    f.receive(&json!({"topic": "$gap", "data":
        {"topic": "prices", "after": 3, "to": 8, "cause": "conflated"}}));
    let event = |key: &str, offset: u64, prev: u64| json!({"topic": "prices", "data": {"text": key}, "key": key, "offset": offset, "prev": prev});
    f.receive(&event("c", 8, 7));
    assert_eq!(f.sent(), Vec::<Value>::new());
    let mut changes = Vec::new();
    while let Poll::Ready(Some(change)) = poll(&mut prices) {
        changes.push(format!("{change:?}"));
    }
    assert_eq!(changes, ["Whole", r#"Keys { set: ["c"], removed: [] }"#]);
    assert_eq!(prices.entries().keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    // What was dropped is.
    f.receive(&json!({"topic": "$gap", "data":
        {"topic": "prices", "after": 8, "to": 9, "cause": "dropped"}}));
    assert_eq!(f.sent()[0]["data"], beside("prices"));
}

#[test]
fn a_removed_key_is_told() {
    let f = Fixture::connected();
    let mut room = f.subscribed(41);
    f.receive(&json!({"topic": "chat:general", "data": null, "offset": 42, "prev": 41,
        "key": "ann", "removed": true}));
    assert_eq!(shown(&mut room), ["42 without ann"]);
}

#[test]
fn a_member_says_so_on_every_connection() {
    let f = Fixture::connected();
    let room = f.subscribed(41);
    room.present(&json!({"status": "here"})).unwrap();
    let mut wish = beside("chat:general");
    wish["presence"] = json!({"status": "here"});
    let sent = f.sent();
    assert_eq!((&sent[0]["topic"], &sent[0]["data"]), (&json!("$subscribe"), &wish));
    f.answer(&sent[0], 41, &json!({}));
    f.lose();
    f.come_back();
    let sent = f.sent();
    assert_eq!(sent[0]["data"]["presence"], json!({"status": "here"}));
    drop(room);
    f.sent();
    let _stranger = f.live.subscribe(&general());
    assert_eq!(f.sent()[0]["data"].get("presence"), None);
}
