//! Snapshots under publishes without pause.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Semaphore, watch};

use super::*;

const CLIENTS: usize = 50;

/// So many clients subscribe at once; the next may when so many events more have been published.
const STEP: u64 = 50;
const TOGETHER: usize = 5;

/// So many numbers fit the bytes of a history.
const MOST_EVENTS: u64 = 150_000;

/// Events of history that are enough for all.
const MANY: usize = 1_000_000;

/// Publishes one number after the other without pause while the clients subscribe, a few at a time. Returns how many there were, and
/// what each client has seen of them.
async fn race<F, R>(
    live: &Live<()>,
    publish: impl AsyncFn(&Live<()>, u64) -> Position,
    subscribe: F,
) -> (u64, Vec<Seen>)
where
    F: Fn(Client) -> R,
    R: Future<Output = (Client, Seen)> + Send + 'static,
{
    let (turns, end) = (Arc::new(Semaphore::new(0)), watch::Sender::new(0));
    let subscribed = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = connect(live).await;
        let (turns, mut end) = (Arc::clone(&turns), end.subscribe());
        let (subscribe, subscribed) = (subscribe(client), Arc::clone(&subscribed));
        clients.push(tokio::spawn(async move {
            turns.acquire().await.unwrap().forget();
            let (mut client, mut seen) = subscribe.await;
            subscribed.fetch_add(1, Ordering::Relaxed);
            let last = *end.wait_for(|&last| last > 0).await.unwrap();
            seen.read_to(&mut client, last).await;
            seen
        }));
    }
    let mut bystander = connect(live).await;
    let (mut last, mut begun, mut next) = (0, 0, STEP);
    while subscribed.load(Ordering::Relaxed) < CLIENTS {
        last += 1;
        assert!(last < MOST_EVENTS, "clients cannot subscribe while somebody publishes");
        assert_eq!(publish(live, last).await.offset, last);
        if subscribed.load(Ordering::Relaxed) == begun && last >= next {
            turns.add_permits(TOGETHER);
            (begun, next) = (begun + TOGETHER, last + STEP);
        }
        if last % 16 == 0 {
            // As fast as this machine serves somebody, else the clients would only read.
            bystander.ping().await.unwrap();
        }
    }
    end.send(last).unwrap();
    let mut all = Vec::new();
    for client in clients {
        all.push(client.await.unwrap());
    }
    // Whether the clients began here and there, else a race shows nothing.
    let positions: BTreeSet<u64> = all.iter().map(|seen| seen.begun).collect();
    assert!(positions.len() > 5, "{positions:?}");
    (last, all)
}

fn builder() -> tidewire::LiveBuilder<(), ()> {
    // Nobody is to be closed for reading slowly, which is another test.
    Live::<()>::builder().queue_size(100_000).queue_bytes(64 << 20).message_rate(0, 0)
}

async fn check_list() {
    let live = builder().topic::<Tape>(|topic| topic.public().history(MANY, HOUR)).build();
    let publish =
        async |live: &Live<()>, number| live.topic(tape()).publish(&number).await.unwrap();
    let (last, all) = race(&live, publish, |mut client| async move {
        let (subscribed, state) = client.subscribe_with_snapshot(&tape(), None).await.unwrap();
        let state = state.unwrap();
        let offset = subscribed.position.offset;
        assert_eq!(state, up_to(offset), "the state at the position");
        assert!(subscribed.head >= offset && subscribed.recovered.is_none());
        (client, Seen::after(&subscribed, state))
    })
    .await;
    for seen in all {
        assert_eq!((seen.numbers, seen.gaps), (up_to(last), vec![]));
    }
}

#[tokio::test]
async fn a_list_and_what_follows_are_every_event_once() {
    check_list().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_and_what_follows_are_every_event_once_on_threads() {
    check_list().await;
}

/// The last event of each of 16 keys after so many events.
fn board(events: u64) -> Board {
    let mut board = Board::new();
    for number in 1..=events {
        board.insert(symbol(number), Quote { symbol: symbol(number), number });
    }
    board
}

fn symbol(number: u64) -> String {
    // Keys that JavaScript would sort, and one that has to be escaped.
    if number.is_multiple_of(16) { "\"quoted\"\n".into() } else { (number % 16).to_string() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyed_state_and_what_follows_fit() {
    let live = builder().topic::<Prices>(|topic| topic.public().history(MANY, HOUR)).build();
    let publish = async |live: &Live<()>, number| {
        let quote = Quote { symbol: symbol(number), number };
        live.topic(Prices).publish(&quote).await.unwrap()
    };
    let (last, all) = race(&live, publish, |mut client| async move {
        let (subscribed, state) = client.subscribe_with_snapshot(&Prices, None).await.unwrap();
        let offset = subscribed.position.offset;
        assert_eq!(state, Some(board(offset)), "the state at the position");
        (client, Seen::after(&subscribed, vec![]))
    })
    .await;
    for seen in all {
        let expected: Vec<u64> = (seen.begun + 1..=last).collect();
        assert_eq!((seen.numbers, seen.gaps), (expected, vec![]));
    }
}

#[tokio::test]
async fn a_keyed_state_is_in_order_of_the_offsets_and_has_no_removed_key() {
    let live = builder().topic::<Prices>(|topic| topic.public().history(1, HOUR)).build();
    let mut client = connect(&live).await;
    let (_, empty) = client.subscribe_with_snapshot(&Prices, None).await.unwrap();
    assert_eq!(empty, Some(Board::new()));
    for (number, symbol) in (1..).zip(["b", "a", "c", "b"]) {
        live.topic(Prices).publish(&Quote { symbol: symbol.into(), number }).await.unwrap();
    }
    live.topic(Prices).remove("c").await.unwrap();
    let (subscribed, _) = client.subscribe_with_snapshot(&Prices, None).await.unwrap();
    assert_eq!(subscribed.position.offset, 5);
    assert_eq!(
        subscribed.snapshot.unwrap().get(),
        r#"{"a":{"symbol":"a","number":2},"b":{"symbol":"b","number":4}}"#,
        "beyond history, and as it was published"
    );
}

/// A server whose account is the store; each change is committed before it is published.
async fn check_store(has_version: bool) -> (u64, Vec<Seen>) {
    let store = Store::default();
    let live = Live::<()>::builder()
        .queue_size(100_000)
        .queue_bytes(64 << 20)
        .state((Arc::clone(&store), has_version))
        .topic::<Account>(|topic| {
            topic.public().history(MANY, HOUR).snapshot(async |cx, _account| {
                let (store, has_version) = &*cx.state;
                let begun = store.lock().unwrap().len();
                // Much happens between the position and the state.
                let numbers = loop {
                    tokio::task::yield_now().await;
                    let numbers = store.lock().unwrap();
                    if numbers.len() > begun + 5 {
                        break numbers.clone();
                    }
                };
                let version = numbers.last().copied().unwrap_or_default();
                let snapshot = tidewire::Snapshot::new(numbers);
                Ok(if *has_version { snapshot.version(version) } else { snapshot })
            })
        })
        .build();
    let publish = async |live: &Live<()>, number| {
        store.lock().unwrap().push(number);
        // Somebody may read the store between.
        tokio::task::yield_now().await;
        live.topic(ACCOUNT).publish(&number).version(number).await.unwrap()
    };
    race(&live, publish, |mut client| async move {
        let (subscribed, state) = client.subscribe_with_snapshot(&ACCOUNT, None).await.unwrap();
        let state = state.unwrap();
        assert!(state.len() as u64 >= subscribed.position.offset, "no older than the position");
        (client, Seen::after(&subscribed, state))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applications_state_and_what_follows_miss_nothing() {
    let mut twice = 0;
    let (last, all) = check_store(false).await;
    for seen in all {
        let mut numbers = sorted(&seen.numbers);
        twice += numbers.len();
        numbers.dedup();
        twice -= numbers.len();
        assert_eq!((numbers, seen.gaps), (up_to(last), vec![]));
    }
    assert!(twice > 0, "what is between the two is in both, else it shows nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applications_state_with_a_version_is_exact() {
    let mut gaps = 0;
    let (last, all) = check_store(true).await;
    for seen in all {
        assert_eq!(seen.numbers, up_to(last), "each once, and in order");
        assert!(seen.gaps.iter().all(|(_, _, cause)| cause == "included"), "{:?}", seen.gaps);
        gaps += seen.gaps.len();
    }
    assert!(gaps > 0, "something was left out, else it shows nothing");
}
