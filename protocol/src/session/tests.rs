use super::*;
use crate::code::CloseCode;

fn session(config: Config) -> Session {
    Session::new(config, 0)
}

/// Feeds frames of 10 bytes at time 0 and compares the verdicts.
fn check(config: Config, frames: &[(Kind, Verdict)], mode: Mode) -> Session {
    let mut session = session(config);
    for (at, &(kind, verdict)) in frames.iter().enumerate() {
        assert_eq!(session.handle_frame(kind, 10), verdict, "frame {at}");
    }
    assert_eq!(session.mode(), mode);
    session
}

#[test]
fn the_first_frame_decides_the_mode() {
    let refused = Verdict::Refuse(ErrorCode::RESERVED_TOPIC);
    check(
        Config::default(),
        &[(Kind::Other, Verdict::Take), (Kind::Hello, refused), (Kind::Ping, refused)],
        Mode::Plain,
    );
    check(
        Config::default(),
        &[(Kind::Request, refused), (Kind::Other, Verdict::Take)],
        Mode::Plain,
    );
    let again = Verdict::Refuse(ErrorCode::NOT_READY);
    check(
        Config::default(),
        &[(Kind::Hello, Verdict::Hello), (Kind::Hello, again), (Kind::Reserved, refused)],
        Mode::Full,
    );
}

#[test]
fn frames_wait_for_the_hello_and_for_each_hook_in_turn() {
    let mut session = check(
        Config::default(),
        &[
            (Kind::Hello, Verdict::Hello),
            (Kind::Request, Verdict::Wait),
            (Kind::Ping, Verdict::Answer),
            (Kind::Pong, Verdict::Ignore),
            (Kind::Other, Verdict::Wait),
        ],
        Mode::Full,
    );
    assert!(!session.poll_backlog());
    session.handle_welcomed();
    assert!(session.poll_backlog());
    session.handle_taken(10, 0);
    session.handle_hook_started(0);
    assert!(!session.poll_backlog());
    session.handle_hook_ended();
    assert_eq!(session.handle_frame(Kind::Other, 10), Verdict::Wait, "never past one that waits");
    for _ in 0..2 {
        assert!(session.poll_backlog());
        session.handle_taken(10, 0);
    }
    assert_eq!(session.handle_frame(Kind::Other, 10), Verdict::Take);
}

#[test]
fn a_required_hello_is_waited_for_and_timed() {
    let config = Config { hello_required: true, ..Config::default() };
    let mut session =
        check(config, &[(Kind::Other, Verdict::Refuse(ErrorCode::NOT_READY))], Mode::Undecided);
    assert_eq!(session.poll_timeout(), Some(10_000));
    assert_eq!(session.handle_timeout(9_999), None);
    assert_eq!(session.handle_timeout(10_000), Some(Due::HelloTimeout));
    session.handle_frame(Kind::Hello, 10);
    assert_eq!(session.poll_timeout(), Some(25_000), "it came in time, whenever it is answered");
}

#[test]
fn who_looks_at_a_token_has_the_time_of_a_hook() {
    let config = Config { hello_required: true, ..Config::default() };
    let mut session = check(config, &[(Kind::Hello, Verdict::Hello)], Mode::Full);
    session.handle_hook_started(9_000);
    session.handle_received(0, 20_000);
    assert_eq!(session.handle_timeout(38_999), None);
    assert_eq!(session.handle_timeout(39_000), Some(Due::HookTimeout));
    session.handle_hook_ended();
    session.handle_welcomed();
    assert_eq!(session.handle_timeout(39_000), None);
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    let mut session = session(Config::default());
    assert_eq!(session.handle_timeout(24_999), None);
    assert_eq!(session.handle_timeout(25_000), Some(Due::Ping));
    assert_eq!(session.poll_timeout(), Some(35_000));
    session.handle_received(0, 30_000);
    assert_eq!(session.handle_timeout(35_000), None);
    assert_eq!(session.handle_timeout(55_000), Some(Due::Ping));
    let due = session.handle_timeout(65_000).unwrap();
    assert_eq!((due, due.close_code()), (Due::DeadPeer, Some(CloseCode::DEAD_PEER)));
}

#[test]
fn a_full_backlog_stops_reading_and_the_heartbeat() {
    let mut session = session(Config { backlog_frames: 2, ..Config::default() });
    session.handle_frame(Kind::Other, 10);
    session.handle_hook_started(0);
    session.handle_frame(Kind::Other, 10);
    assert!(session.may_read());
    session.handle_frame(Kind::Other, 10);
    assert!(!session.may_read());
    assert_eq!(session.handle_timeout(26_000), None);
    assert_eq!(session.poll_timeout(), Some(30_000), "only the hook's");
    session.handle_hook_ended();
    session.handle_taken(10, 28_000);
    assert!(session.may_read());
    assert_eq!(
        session.poll_timeout(),
        Some(53_000),
        "silence while it was not read does not count"
    );
}

#[test]
fn bytes_bound_the_backlog_too() {
    let mut session = session(Config { backlog_bytes: 100, ..Config::default() });
    session.handle_frame(Kind::Hello, 10);
    session.handle_frame(Kind::Other, 99);
    assert!(session.may_read());
    session.handle_frame(Kind::Other, 1);
    assert!(!session.may_read());
}

#[test]
fn hooks_and_writes_are_timed() {
    let mut session = session(Config::default());
    session.handle_hook_started(1_000);
    session.handle_write_blocked(2_000);
    session.handle_write_blocked(9_000);
    assert_eq!(session.handle_timeout(12_000), Some(Due::WriteTimeout));
    session.handle_write_progress();
    session.handle_received(0, 20_000);
    assert_eq!(session.handle_timeout(31_000), Some(Due::HookTimeout));
}

#[test]
fn an_identity_ends_unless_it_is_renewed() {
    let mut session = session(Config::default());
    session.handle_identity(Some(5_000));
    assert_eq!(session.poll_timeout(), Some(5_000));
    session.handle_identity(Some(9_000));
    assert_eq!(session.handle_timeout(8_999), None);
    let due = session.handle_timeout(9_000).unwrap();
    assert_eq!(due.close_code(), Some(CloseCode::TOKEN_EXPIRED));
}

#[test]
fn calls_run_beside_the_hooks_so_many_at_once() {
    let config = Config { calls: 2, ..Config::default() };
    let mut session = check(
        config,
        &[
            (Kind::Hello, Verdict::Hello),
            (Kind::Call, Verdict::WaitCall),
            (Kind::Other, Verdict::Wait),
        ],
        Mode::Full,
    );
    assert!(!session.poll_calls(), "not before the hello is answered");
    session.handle_welcomed();
    assert!(session.poll_calls() && session.poll_backlog());
    session.handle_hook_started(0);
    session.handle_taken(10, 0);
    session.handle_call_begun(10, 0);
    assert!(!session.poll_calls() && !session.poll_backlog());
    for verdict in [Verdict::Call, Verdict::WaitCall, Verdict::WaitCall] {
        assert_eq!(session.handle_frame(Kind::Call, 10), verdict);
    }
    assert_eq!(session.handle_frame(Kind::Cancel, 10), Verdict::Cancel);
    assert_eq!(session.handle_frame(Kind::More, 10), Verdict::More);
    session.handle_call_dropped(10, 0);
    session.handle_call_ended();
    assert!(session.poll_calls());
    session.handle_call_begun(10, 0);
    session.handle_hook_ended();
    assert!(!session.poll_calls() && !session.poll_backlog());
    assert_eq!(
        session.handle_frame(Kind::Other, 10),
        Verdict::Take,
        "calls that wait hold up no hook"
    );
}

#[test]
fn plain_mode_has_no_calls() {
    let refused = Verdict::Refuse(ErrorCode::RESERVED_TOPIC);
    for kind in [Kind::Call, Kind::Cancel, Kind::More] {
        check(Config::default(), &[(kind, refused)], Mode::Plain);
    }
}
