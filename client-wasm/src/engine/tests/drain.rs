//! Two sockets at a time, and tokens.

use super::*;

#[test]
fn a_drain_moves_to_another_socket() {
    let f = Fixture::connected();
    let mut room = f.subscribed(41);
    f.receive(&json!({"topic": "$drain", "data": {"deadline_ms": 10_000}}));
    assert_eq!(f.commands(), [Command::Open(1)]);
    f.shared.turn(|engine, now| engine.opened(1, None, now));
    let [Command::Send(1, hello)] = &f.commands()[..] else { panic!("no hello") };
    let hello: Value = serde_json::from_str(hello).unwrap();
    f.receive_on(
        1,
        &json!({"topic": "$hello", "re": hello["id"], "data": {
        "version": 1, "session": "s2", "ping_ms": 25000, "pong_ms": 10000,
        "limits": {"message_bytes": 1000, "subscriptions": 10}}}),
    );
    assert_eq!(f.live.connection().session.as_deref(), Some("s2"));
    let [Command::Send(1, ask)] = &f.commands()[..] else { panic!("not asked") };
    let ask: Value = serde_json::from_str(ask).unwrap();
    f.event(42, "from the old one");
    let data = json!({"epoch": "e", "offset": 41, "head": 42, "recovered": true});
    f.receive_on(1, &json!({"topic": "$reply", "re": ask["id"], "data": data}));
    assert_eq!(f.commands(), [Command::Shut(0, 1000)]);
    for offset in [42, 43] {
        f.receive_on(
            1,
            &json!({"topic": "chat:general", "data": {"text": "new"},
            "offset": offset, "prev": offset - 1}),
        );
    }
    assert_eq!(shown(&mut room), ["42 from the old one", "live Recovered e 42", "43 new"]);
    let _waits = f.live.send("wave", &1);
    assert!(matches!(&f.commands()[..], [Command::Send(1, _)]));
}

#[test]
fn a_token_is_renewed_on_its_connection() {
    let f = Fixture::new();
    f.shared.turn(Engine::connect);
    f.commands();
    f.shared.turn(|engine, now| engine.opened(0, Some("first".into()), now));
    let [Command::Send(0, hello)] = &f.commands()[..] else { panic!("no hello") };
    let hello: Value = serde_json::from_str(hello).unwrap();
    f.receive(&json!({"topic": "$hello", "re": hello["id"], "data": {
        "version": 1, "session": "s1", "ping_ms": 0, "pong_ms": 0, "token_ms": 60_000,
        "limits": {"message_bytes": 1000, "subscriptions": 10}}}));
    f.commands();
    let at = f.shared.turn(|engine, _| engine.deadline()).expect("a renewal");
    f.shared.turn(|engine, _| engine.elapsed(at));
    let [Command::Token(0, id)] = f.commands()[..] else { panic!("no token is wanted") };
    f.shared.turn(|engine, _| engine.renew(0, id, "second"));
    assert_eq!(f.sent(), [json!({"topic": "$token", "id": id, "data": {"token": "second"}})]);
    f.receive(&json!({"topic": "$reply", "re": id, "data": {"token_ms": 60_000}}));
    assert_eq!(f.shared.turn(|engine, _| engine.deadline()), Some(now() + 48_000));
}
