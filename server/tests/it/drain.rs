//! Clients are asked to move, a node that drains refuses others, and what is left at its deadline is closed.

mod nodes;
mod serve;

use std::{future::IntoFuture, sync::Arc, time::Duration};

use serde_json::json;
use tidewire::{
    CloseCode, CloseReason, Live, Refusal, Shutdown,
    test::{Client, ConnectError, Frame, eventually},
};
use tidewire_protocol::frame::client::{Hello, write_hello};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep},
};

use crate::support;

tidewire_protocol::schema! {
    pub(crate) schema Rooms {
        topic Room { room: String } = "room:{room}" { event: u64, publish: u64, presence: String }
        call Pause = "pause" (u64) -> u64;
    }
}

fn room(name: &str) -> Room {
    Room { room: name.into() }
}

/// What the server's `$drain` says.
async fn asked(client: &mut Client) -> Duration {
    let frame = client.next_of("$drain").await.expect("it is asked to move");
    let data: serde_json::Value = frame.decode().unwrap();
    Duration::from_millis(data["deadline_ms"].as_u64().expect("a time"))
}

fn is_about(took: Duration, expected: Duration) -> bool {
    took.abs_diff(expected) <= Duration::from_millis(30)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_session_that_was_asked_to_move_still_works() {
    let (closed, mut reasons) = mpsc::unbounded_channel();
    let live = Live::<()>::builder()
        .state(closed)
        .topic::<Room>(|topic| {
            topic.public().on_publish(async |_cx, _session, _room, n| Ok::<_, Refusal>(n))
        })
        .call(Pause, async |_cx, _session, seconds| {
            sleep(SECOND * u32::try_from(seconds).unwrap()).await;
            Ok(seconds)
        })
        .on_close(async |cx, _session, reason| {
            sleep(SECOND).await;
            cx.state.send(reason).unwrap();
        })
        .build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    client.subscribe(&room("old")).await.unwrap();
    assert!(!live.is_stopping());
    assert_eq!(live.metrics().connections_left, 0, "the server serves");
    let begin = Instant::now();
    let drained = tokio::spawn(live.drain(20 * SECOND).into_future());
    let left = asked(&mut client).await;
    assert!(is_about(left, 20 * SECOND - begin.elapsed()), "{left:?}");
    assert!(live.is_stopping());

    client.subscribe(&room("new")).await.unwrap();
    for name in ["old", "new"] {
        client.publish(&room(name), &7).await.unwrap();
        live.topic(room(name)).publish(&8).await.unwrap();
        for n in [7, 8] {
            let event = client.next_event::<Room>().await.unwrap();
            assert_eq!((event.topic, event.data), (room(name), n));
        }
    }
    assert_eq!(client.call(Pause, &3).await.unwrap(), 3);
    assert_eq!(live.metrics().connections_left, 1);
    assert!(live.metrics_text().contains("\ntidewire_connections_left 1\n"));
    assert!(client.try_next().is_none(), "it is asked once");

    client.close(CloseCode::NORMAL, "").await.unwrap();
    drained.await.unwrap();
    assert!(matches!(reasons.try_recv(), Ok(CloseReason::Client { .. })), "`on_close` is done");
    assert!(is_about(begin.elapsed(), 4 * SECOND), "nothing waits for the deadline");
    assert_eq!(live.metrics().connections_left, 0);
}

/// When each of 60 clients is asked to move, by a clock that begins with the drain.
async fn asks(drain: impl FnOnce(Shutdown<()>) -> Shutdown<()>) -> Vec<Duration> {
    let live = Live::<()>::builder().build();
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(Client::connect(&live).hello().await.unwrap());
    }
    let begin = Instant::now();
    let moves = clients.into_iter().map(|mut client| async move {
        let left = asked(&mut client).await;
        let at = begin.elapsed();
        assert!(is_about(at + left, 20 * SECOND), "the deadline is one for all");
        client.close(CloseCode::NORMAL, "").await.unwrap();
        at
    });
    let moves = futures_util::future::join_all(moves);
    let (moves, ()) = tokio::join!(moves, drain(live.drain(20 * SECOND)).into_future());
    assert!(begin.elapsed() < 11 * SECOND, "nothing waits for the deadline");
    moves
}

/// Of 60 moments some must lie near both ends of the spread. The chance that this fails without a fault is 2 in 10^7.
fn assert_spread(moments: &[Duration], spread: Duration) {
    assert!(moments.iter().any(|at| *at < spread / 4), "{moments:?}");
    assert!(moments.iter().any(|at| *at > spread * 3 / 4), "{moments:?}");
    let slack = Duration::from_millis(30);
    assert!(moments.iter().all(|at| *at <= spread + slack), "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn asks_are_spread_over_the_first_part_of_the_deadline() {
    assert_spread(&asks(|drain| drain.spread(8 * SECOND)).await, 8 * SECOND);
    // By default, 60 times 10 ms.
    assert_spread(&asks(|drain| drain).await, Duration::from_millis(600));
    assert_spread(&asks(|drain| drain.spread(Duration::MAX)).await, 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn plain_clients_stay_until_the_end_and_are_closed_one_by_one() {
    let live = Live::<()>::builder().build();
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(Client::connect(&live).await.unwrap());
    }
    let begin = Instant::now();
    let closes = clients.into_iter().map(|mut client| async move {
        assert_eq!(client.closed().await.unwrap().code, CloseCode::GOING_AWAY);
        assert!(client.try_next().is_none(), "what it could not understand it is not sent");
        begin.elapsed()
    });
    let closes = futures_util::future::join_all(closes);
    let drain = live.drain(60 * SECOND).spread(8 * SECOND);
    let (closes, ()) = tokio::join!(closes, drain.into_future());
    let closes: Vec<_> = closes.iter().map(|at| at.saturating_sub(52 * SECOND)).collect();
    assert!(closes.iter().all(|at| !at.is_zero()), "{closes:?}");
    assert_spread(&closes, 8 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_deadline_is_closed_and_then_ended() {
    for stuck in [false, true] {
        let (closed, mut reasons) = mpsc::unbounded_channel();
        let live = Live::<()>::builder()
            .state((closed, stuck))
            .hook_timeout(600 * SECOND)
            .close_timeout(3 * SECOND)
            .on_message(async |cx, _session, _message| match cx.state.1 {
                true => std::future::pending().await,
                false => sleep(21 * SECOND).await,
            })
            .on_close(async |cx, _session, reason| cx.state.0.send(reason).unwrap())
            .build();
        let mut full = Client::connect(&live).hello().await.unwrap();
        let mut plain = Client::connect(&live).await.unwrap();
        let mut busy = Client::connect(&live).hello().await.unwrap();
        busy.send("x", &()).await.unwrap();
        busy.ping().await.unwrap();
        let begin = Instant::now();
        let drained = tokio::spawn(live.drain(20 * SECOND).into_future());
        for (client, code) in [
            (&mut full, CloseCode::DRAIN),
            (&mut plain, CloseCode::GOING_AWAY),
            (&mut busy, CloseCode::DRAIN),
        ] {
            assert_eq!(client.closed().await.unwrap().code, code);
            assert!(is_about(begin.elapsed(), 20 * SECOND), "{:?}", begin.elapsed());
        }
        drained.await.unwrap();
        let end = if stuck { 23 } else { 21 };
        assert!(is_about(begin.elapsed(), end * SECOND), "{:?}", begin.elapsed());
        let mut closed = 0;
        while let Ok(reason) = reasons.try_recv() {
            assert!(matches!(reason, CloseReason::Shutdown(_)), "{reason:?}");
            closed += 1;
        }
        assert_eq!(closed, if stuck { 2 } else { 3 });
        eventually("nobody is left", || live.session_count() == 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_drains_sends_clients_elsewhere() {
    let live = Live::<()>::builder().build();
    let server = support::Server::start(&live).await;
    let mut stays = Client::connect(&live).hello().await.unwrap();
    let drained = tokio::spawn(live.drain(60 * SECOND).into_future());
    asked(&mut stays).await;
    let connect = async |protocol| {
        let headers = [("Sec-WebSocket-Protocol", protocol)];
        support::Client::connect(server.address, "/ws", &headers).await
    };
    let mut ours = connect("tidewire.1").await.expect("a browser hides a status from its page");
    assert_eq!(ours.receive().await, support::Received::Close(Some(4000)));
    assert_eq!(connect("other").await.err().unwrap().status, 503);
    let refused = support::Client::connect(server.address, "/ws", &[]).await.err().unwrap();
    assert_eq!(refused.status, 503);
    let refused = Client::connect(&live).hello().await.unwrap_err();
    let ConnectError::Refused { status, code, .. } = refused else { panic!("{refused}") };
    assert_eq!((status.as_u16(), code), (503, Some(CloseCode::DRAIN)));
    let refused = live.metrics().refused_total.into_iter().find(|(cause, _)| *cause == "stopping");
    assert_eq!(refused, Some(("stopping", 4)));
    drop(stays);
    drained.await.unwrap();
}

fn hello() -> String {
    let client = "0123456789abcdef0123456789abcdef".into();
    write_hello(1, &Hello { version: 1, client, token: None, schema: Default::default() })
}

#[tokio::test(start_paused = true)]
async fn who_says_hello_during_a_drain_comes_back_to_another_node() {
    let live = Live::<()>::builder().build();
    let mut late = Client::connect(&live).await.unwrap();
    let mut stays = Client::connect(&live).hello().await.unwrap();
    let drained = tokio::spawn(live.drain(20 * SECOND).into_future());
    asked(&mut stays).await;
    late.send_text(&hello()).await.unwrap();
    assert_eq!(late.closed().await.unwrap().code, CloseCode::DRAIN);
    stays.close(CloseCode::NORMAL, "").await.unwrap();
    drained.await.unwrap();

    // Where a hello is needed, a connection without one is no session yet.
    let live = Live::<()>::builder().on_token(async |_cx, _token| Ok(())).build();
    let [mut late, mut silent] =
        [Client::connect(&live).await.unwrap(), Client::connect(&live).await.unwrap()];
    let begin = Instant::now();
    let drained = tokio::spawn(live.drain(5 * SECOND).into_future());
    eventually("the drain has begun", || live.is_stopping()).await.unwrap();
    late.send_text(&hello()).await.unwrap();
    assert_eq!(late.closed().await.unwrap().code, CloseCode::DRAIN);
    assert!(begin.elapsed() < SECOND);
    assert_eq!(silent.closed().await.unwrap().code, CloseCode::DRAIN);
    assert!(is_about(begin.elapsed(), 5 * SECOND));
    drained.await.unwrap();
}

#[tokio::test]
async fn who_is_let_in_as_the_drain_begins_is_told_too() {
    let (admit, asked) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let live = Live::<()>::builder()
        .state((Arc::clone(&admit), Arc::clone(&asked)))
        .on_auth(async |cx, _request| {
            cx.state.1.notify_one();
            cx.state.0.notified().await;
            Ok(())
        })
        .build();
    let server = support::Server::start(&live).await;
    let client = tokio::spawn(async move {
        let headers = [("Sec-WebSocket-Protocol", "tidewire.1")];
        let client = support::Client::connect(server.address, "/ws", &headers).await;
        client.expect("it was let in before").closed().await
    });
    asked.notified().await;
    live.drain(60 * SECOND).await;
    admit.notify_one();
    assert_eq!(client.await.unwrap(), Some(4000));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_a_drain() {
    let live = Live::<()>::builder().build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let begin = Instant::now();
    let drained = tokio::spawn(live.drain(Duration::MAX).into_future());
    asked(&mut client).await;
    live.shutdown().await;
    assert_eq!(client.closed().await.unwrap().code, CloseCode::DRAIN);
    drained.await.unwrap();
    assert!(begin.elapsed() < SECOND);
    // No other node takes over any more.
    let refused = Client::connect(&live).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Refused { code: None, .. }), "{refused}");
    live.drain(20 * SECOND).await;
    let refused = Client::connect(&live).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Refused { code: None, .. }), "{refused}");
}

/// The answer to the request with this id.
async fn answer(client: &mut Client, id: u64) -> Frame {
    loop {
        let frame = client.next().await.expect("an answer");
        if frame.re == Some(id) {
            return frame;
        }
    }
}

/// A publish under a `mid`.
async fn publish_once(client: &mut Client, id: u64, n: u64, mid: &str) -> Frame {
    let frame = json!({ "topic": "room:a", "id": id, "data": n, "mid": mid });
    client.send_text(&frame.to_string()).await.unwrap();
    answer(client, id).await
}
