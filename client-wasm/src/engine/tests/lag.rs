//! Readers that do not keep up.

use super::*;

#[test]
fn a_subscription_that_is_not_read_ends_alone() {
    let f = Fixture::connected();
    let mut read = f.subscribed(0);
    let mut unread = f.live.subscribe(&general());
    for offset in 1..=300 {
        f.event(offset, "x");
        assert_eq!(shown(&mut read).len(), 1);
    }
    let waited = shown(&mut unread);
    assert_eq!(waited.len(), 258);
    assert_eq!(waited[256], "ended limit (300): the subscription was not read");
    drop(unread);
    assert_eq!(f.sent(), Vec::<Value>::new(), "the other goes on");
    drop(read);
    assert_eq!(f.sent().len(), 1);
}

#[test]
fn a_reader_that_lags_holds_up_what_comes_but_not_for_long() {
    let f = Fixture::connected();
    let takes_more = |after: Millis| f.shared.turn(|engine, now| engine.takes_more(now + after));
    let deadline = || f.shared.turn(|engine, _| engine.deadline());
    let usual = deadline();
    let mut read = f.subscribed(0);
    for offset in 1..=127 {
        f.event(offset, "x");
    }
    assert!(takes_more(0));
    f.event(128, "x");
    assert!(!takes_more(0));
    assert_eq!(deadline(), Some(now() + 3_000), "the driver comes back by itself");
    f.commands();
    let woken = f.woken.count();
    assert_eq!(shown(&mut read).len(), 128);
    assert_eq!(f.woken.count(), woken + 1, "room wakes the driver");
    assert!(takes_more(0));
    assert_eq!(deadline(), usual);

    // Who does not read at all holds up once, and others again.
    let _unread = f.live.subscribe(&general());
    for offset in 129..=256 {
        f.event(offset, "x");
    }
    assert_eq!(shown(&mut read).len(), 128);
    assert!(!takes_more(0) && !takes_more(2_999) && takes_more(3_000));
    for offset in 257..=300 {
        f.event(offset, "x");
        assert!(takes_more(3_000));
    }
    for offset in 301..=400 {
        f.event(offset, "x");
    }
    assert!(!takes_more(3_000), "another reader has waits of its own");
}
