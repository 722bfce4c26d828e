//! Everything that a server waits for, at its default, in paused time: clients of the test kit.

use std::{future::pending, time::Duration};

use tidewire::{
    CloseCode, CloseReason, ErrorCode, Identity, Live, Refusal, Session,
    test::{self, Client, Close, ConnectError},
};
use tokio::time::{Instant, sleep};

tidewire_protocol::schema! {
    pub(crate) schema Site {
        topic News = "news" { event: String }
        call Wait = "wait" () -> ();
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A moment that tests count from.
struct Start(Instant);

impl Start {
    fn now() -> Self {
        Self(Instant::now())
    }

    /// It is so many seconds later, give or take what a timer rounds.
    fn check(&self, seconds: u64) {
        let (elapsed, expected) = (self.0.elapsed(), secs(seconds));
        let slack = Duration::from_millis(10);
        assert!(elapsed.abs_diff(expected) < slack, "{elapsed:?} instead of {expected:?}");
    }
}

async fn check_closed(client: &mut Client, start: &Start, seconds: u64, code: CloseCode) {
    assert_eq!(client.closed().await.unwrap().code, code);
    start.check(seconds);
}

/// A server on which the message `stuck` never ends.
fn live() -> Live<()> {
    Live::<()>::builder()
        .topic::<News>(|topic| topic.public().history(10, secs(60)))
        .call(Wait, async |_cx, _session, ()| pending::<Result<(), _>>().await)
        .on_message(async |_cx, _session, message| {
            if message.topic == "stuck" {
                pending::<()>().await;
            }
        })
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_client_is_pinged_after_25_s_of_silence_and_dead_10_s_later() {
    let live = live();
    for is_full in [false, true] {
        let connect = Client::connect(&live);
        let mut client = if is_full { connect.hello() } else { connect }.await.unwrap();
        let start = Start::now();
        client.next_ping().await.unwrap();
        start.check(25);
        client.next_ping().await.unwrap();
        start.check(50);
        client.ignore_pings();
        client.next_ping().await.unwrap();
        start.check(75);
        check_closed(&mut client, &start, 85, CloseCode::DEAD_PEER).await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_frame_is_a_sign_of_life() {
    let mut client = Client::connect(&live()).await.unwrap();
    let start = Start::now();
    sleep(secs(20)).await;
    client.send("hello", &1).await.unwrap();
    client.next_ping().await.unwrap();
    start.check(45);
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_30_s_and_holds_up_no_ping() {
    let live = live();
    let mut client = Client::connect(&live).await.unwrap();
    let start = Start::now();
    client.send("stuck", &1).await.unwrap();
    client.send("waits", &2).await.unwrap();
    client.next_ping().await.unwrap();
    start.check(25);
    check_closed(&mut client, &start, 30, CloseCode::HOOK_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_has_30_s_and_ends_no_session() {
    let mut client = Client::connect(&live()).hello().await.unwrap();
    let start = Start::now();
    let error = client.call(Wait, &()).await.unwrap_err();
    start.check(30);
    assert_eq!(error.code(), Some(ErrorCode::TIMEOUT));
    client.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_required_hello_has_10_s_and_its_token_30() {
    let live = Live::<()>::builder()
        .on_token(async |_cx, token: Option<String>| {
            if token.is_none() {
                pending::<()>().await;
            }
            Ok::<_, Refusal>(())
        })
        .build();
    let start = Start::now();
    let mut silent = Client::connect(&live).await.unwrap();
    check_closed(&mut silent, &start, 10, CloseCode::HELLO_TIMEOUT).await;
    let refused = Client::connect(&live).hello().await.unwrap_err();
    start.check(40);
    let reason = CloseCode::HOOK_TIMEOUT.name().into();
    let close = Close { code: CloseCode::HOOK_TIMEOUT, reason };
    assert_eq!(refused, ConnectError::Closed(close), "its token is looked at for too long");
    let mut welcome = Client::connect(&live).token("good").await.unwrap();
    sleep(secs(15)).await;
    welcome.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn on_auth_has_30_s() {
    let live =
        Live::<()>::builder().on_auth(async |_cx, _| pending::<Result<(), _>>().await).build();
    let start = Start::now();
    let refused = Client::connect(&live).await.unwrap_err();
    start.check(30);
    assert!(matches!(refused, ConnectError::Refused { status, .. } if status == 503), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn on_close_has_30_s() {
    let live = Live::<()>::builder()
        .max_sessions(1)
        .on_close(async |_cx, _session, _reason| pending::<()>().await)
        .build();
    let client = Client::connect(&live).await.unwrap();
    let start = Start::now();
    drop(client);
    let mut another = Client::connect(&live).await;
    while another.is_err() {
        sleep(Duration::from_millis(1)).await;
        another = Client::connect(&live).await;
    }
    start.check(30);
}

fn session<V: Send + Sync + 'static>(live: &Live<V>) -> Session<V> {
    live.sessions().pop().expect("one session")
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_stuck_for_10_s_ends_the_session() {
    let live = live();
    let mut client = Client::connect(&live).pipe_bytes(1000).await.unwrap();
    let session = session(&live);
    client.pause_reading();
    session.send("big", &"x".repeat(5000)).unwrap();
    let start = Start::now();
    test::eventually("closed", || session.is_closed()).await.unwrap();
    start.check(10);
    assert_eq!(session.close_reason(), Some(CloseReason::Timeout(CloseCode::WRITE_TIMEOUT)));
    client.resume_reading();
    check_closed(&mut client, &start, 10, CloseCode::WRITE_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_something_now_and_then_is_not_stuck() {
    let live = live();
    let mut client = Client::connect(&live).pipe_bytes(100).await.unwrap();
    let session = session(&live);
    session.send("big", &"x".repeat(5000)).unwrap();
    client.ping().await.unwrap();
    assert_eq!(client.next().await.unwrap().decode::<String>().unwrap().len(), 5000);
    client.pause_reading();
    session.send("big", &"y".repeat(500)).unwrap();
    sleep(secs(9)).await;
    client.resume_reading();
    client.next().await.unwrap();
    client.pause_reading();
    session.send("big", &"z".repeat(500)).unwrap();
    sleep(secs(9)).await;
    assert!(!session.is_closed(), "the time began anew");
    test::eventually("closed", || session.is_closed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_an_overflow_the_close_stays_readable_for_5_s() {
    let live = Live::<()>::builder().queue_size(3).build();
    for (seconds, expected) in [(4, CloseCode::SLOW_CONSUMER), (6, CloseCode::ABNORMAL)] {
        let mut client = Client::connect(&live).pipe_bytes(100).await.unwrap();
        let session = session(&live);
        session.subscribe("news").await.unwrap();
        client.pause_reading();
        let text = "x".repeat(1000);
        live.publish("news", &text).await.unwrap();
        // The pipe takes a part of the first one.
        sleep(secs(1)).await;
        for _ in 0..5 {
            live.publish("news", &text).await.unwrap();
        }
        assert_eq!(session.close_reason(), Some(CloseReason::SlowConsumer));
        sleep(secs(seconds)).await;
        client.resume_reading();
        assert_eq!(client.closed().await.unwrap().code, expected, "after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_5_s_for_its_answer() {
    let live = live();
    let mut client = Client::connect(&live).await.unwrap();
    client.pause_reading();
    session(&live).close(CloseCode(4500), "bye");
    sleep(secs(4)).await;
    client.resume_reading();
    let close = client.closed().await.unwrap();
    assert_eq!(close, Close { code: CloseCode(4500), reason: "bye".into() });
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_token_unless_a_fresh_one_comes() {
    let live = Live::<String>::builder()
        .user_key(String::clone)
        .on_token(async |_cx, token: Option<String>| {
            let name = token.ok_or(Refusal::unauthorized())?;
            Ok::<_, Refusal>(Identity::new(name).expires_in(secs(900)))
        })
        .build();
    let start = Start::now();
    let mut renewed = Client::connect(&live).token("ann").await.unwrap();
    let mut expired = Client::connect(&live).token("bob").await.unwrap();
    assert_eq!(renewed.welcome().unwrap().token_ms, Some(900_000));
    sleep(secs(600)).await;
    assert_eq!(renewed.renew("ann").await.unwrap().token_ms, Some(900_000));
    check_closed(&mut expired, &start, 900, CloseCode::TOKEN_EXPIRED).await;
    check_closed(&mut renewed, &start, 1500, CloseCode::TOKEN_EXPIRED).await;
}

#[tokio::test(start_paused = true)]
async fn history_is_kept_as_long_as_the_topic_says() {
    let live = live();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let position = client.subscribe(&News).await.unwrap().position;
    drop(client);
    live.topic(News).publish(&"once".into()).await.unwrap();
    for (seconds, recovered) in [(59, true), (2, false)] {
        sleep(secs(seconds)).await;
        let mut client = Client::connect(&live).hello().await.unwrap();
        let subscribed = client.subscribe_since(&News, &position).await.unwrap();
        assert_eq!(subscribed.recovered, Some(recovered), "after {seconds} s more");
        if recovered {
            assert_eq!(client.next_event::<News>().await.unwrap().data, "once");
        }
    }
}
