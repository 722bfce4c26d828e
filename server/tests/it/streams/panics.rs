//! What the application drops may panic as much as what it runs: it ends that session, and nothing else.

use std::future::pending;

use super::*;

/// Panics in its end.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "in its end");
    }
}

/// After an item it ends by itself; fails; panics; goes on; or does not begin.
const ENDS: usize = 0;
const FAILS: usize = 1;
const PANICS: usize = 2;
const GOES_ON: usize = 3;
const DOES_NOT_BEGIN: usize = 4;
/// Its time is over.
const TIMES_OUT: usize = 5;

fn live(running: &Arc<AtomicUsize>) -> Live<()> {
    Live::<()>::builder()
        .state(Arc::clone(running))
        .topic::<News>(|topic| topic.public())
        .stream(Fails, async |cx, _session, how| {
            let fragile = Fragile;
            cx.state.fetch_add(1, Ordering::SeqCst);
            if how == DOES_NOT_BEGIN {
                pending::<()>().await;
            }
            let items = stream::iter(0..).then(move |n| {
                let _all = &fragile;
                async move {
                    match (n, how) {
                        (0, _) => Ok(0),
                        (_, FAILS) => Err(Refusal::forbidden()),
                        (_, PANICS) => panic!("in its middle"),
                        _ => pending().await,
                    }
                }
            });
            Ok(items.take(if how == ENDS { 1 } else { 2 }))
        })
        .build()
}

async fn begin(client: &mut Client, id: usize, how: usize) {
    let timeout_ms = (how == TIMES_OUT).then_some(100);
    let data = json!({ "call": "fails", "args": how, "timeout_ms": timeout_ms });
    client.send(json!({ "topic": "$call", "id": id, "data": data })).await;
    if how < DOES_NOT_BEGIN {
        client.expect(json!({ "topic": "$item", "re": id, "data": 0 })).await;
    }
}

#[tokio::test]
async fn a_stream_whose_end_panics_ends_its_session_alone() {
    let running = Arc::<AtomicUsize>::default();
    let live = live(&running);
    let server = Server::start(&live).await;
    let mut bystander = server.full().await;
    for how in [ENDS, FAILS, PANICS, GOES_ON, DOES_NOT_BEGIN, TIMES_OUT] {
        let before = running.load(Ordering::SeqCst);
        let mut client = server.full().await;
        begin(&mut client, 1, how).await;
        eventually("it runs", || running.load(Ordering::SeqCst) > before).await;
        if matches!(how, GOES_ON | DOES_NOT_BEGIN) {
            client.send(json!({ "topic": "$cancel", "data": { "id": 1 } })).await;
        }
        assert_eq!(client.closed().await, Some(CloseCode::INTERNAL.0), "{how}");
        bystander.ping().await;
        eventually("it is gone", || live.sessions().len() == 1).await;
    }
}

#[tokio::test]
async fn many_whose_end_panics_end_with_their_session() {
    let running = Arc::<AtomicUsize>::default();
    let live = live(&running);
    let server = Server::start(&live).await;
    let mut bystander = server.full().await;
    let mut client = server.full().await;
    for id in 1..=3 {
        begin(&mut client, id, GOES_ON).await;
        begin(&mut client, 10 + id, DOES_NOT_BEGIN).await;
    }
    eventually("all run", || running.load(Ordering::SeqCst) == 6).await;
    client.close(1000).await;
    // In order: its close is answered.
    assert_eq!(client.closed().await, Some(1000));
    eventually("it is gone", || live.sessions().len() == 1).await;
    bystander.ping().await;
}

#[tokio::test]
async fn one_too_many_whose_end_panics_ends_its_session_alone() {
    let running = Arc::<AtomicUsize>::default();
    let live = live(&running);
    let server = Server::start(&live).await;
    let mut bystander = server.full().await;
    let mut client = server.full().await;
    for id in 1..=32 {
        begin(&mut client, id, GOES_ON).await;
    }
    let data = json!({ "call": "fails", "args": GOES_ON });
    client.send(json!({ "topic": "$call", "id": 33, "data": data })).await;
    assert_eq!(client.closed().await, Some(CloseCode::INTERNAL.0));
    eventually("it is gone", || live.sessions().len() == 1).await;
    bystander.ping().await;
}
