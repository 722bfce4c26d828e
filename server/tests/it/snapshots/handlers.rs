//! Handlers of applications: who shares a run, and what a slow one costs. [`failing`] has how one fails.

mod failing;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tidewire::{
    Accepted, CloseCode, ErrorCode, LiveBuilder, Refusal, Snapshot, TopicBuilder,
    test::RequestError,
};
use tokio::sync::{Notify, Semaphore};

use super::*;

/// A handler that a test lets go on.
struct Gate {
    begun: AtomicUsize,
    began: Notify,
    pass: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { begun: AtomicUsize::new(0), began: Notify::new(), pass: Semaphore::new(0) }
    }
}

impl Gate {
    /// The handler's side: waits until it is let go on, and says which run it is.
    async fn enter(&self) -> u64 {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        self.began.notify_one();
        self.pass.acquire().await.unwrap().forget();
        number
    }

    async fn began(&self) {
        self.began.notified().await;
    }

    fn open(&self, runs: usize) {
        self.pass.add_permits(runs);
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

type Shared = Arc<Gate>;

/// A server whose snapshot of the account is the number of the run that made it.
fn gated(
    gate: &Shared,
    rules: impl FnOnce(TopicBuilder<(), Shared, Account>) -> TopicBuilder<(), Shared, Account>,
) -> LiveBuilder<(), Shared> {
    Live::<()>::builder().state(Arc::clone(gate)).topic::<Account>(|topic| {
        rules(topic.public().snapshot(async |cx, _account| Ok(vec![cx.state.enter().await])))
    })
}

type Answer =
    tokio::task::JoinHandle<(Client, Result<(Subscribed, Option<Vec<u64>>), Option<ErrorCode>>)>;

fn ask_of(mut client: Client, account: Account) -> Answer {
    tokio::spawn(async move {
        let answer = client.subscribe_with_snapshot(&account, None).await;
        (client, answer.map_err(|error| error.code()))
    })
}

fn ask(client: Client) -> Answer {
    ask_of(client, ACCOUNT)
}

fn ask_beside(mut client: Client) -> Answer {
    tokio::spawn(async move {
        let answer = client.snapshot_beside(&ACCOUNT).await;
        (client, answer.map_err(|error| error.code()))
    })
}

/// Lets every task do what it can: time is paused, and passes only when nobody does anything.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn publish(live: &Live<impl Send + Sync + 'static>, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        live.topic(ACCOUNT).publish(&number).version(number).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn events_wait_in_history_while_a_handler_runs() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| topic.history(10_000, HOUR)).build();
    let before = ask(connect(&live).await);
    gate.began().await;
    for number in 1..=5_000 {
        publish(&live, number..=number).await;
        if number % 500 == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    assert_eq!((live.metrics().queued_messages, live.metrics().queued_bytes), (0, 0));
    gate.open(1);
    let (mut client, answer) = before.await.unwrap();
    let (subscribed, state) = answer.unwrap();
    assert_eq!((subscribed.position.offset, subscribed.head, state), (0, 5_000, Some(vec![1])));
    let mut seen = Seen::after(&subscribed, vec![]);
    seen.read_to(&mut client, 5_000).await;
    publish(&live, 5_001..=5_001).await;
    seen.read_to(&mut client, 5_001).await;
    assert_eq!((seen.numbers, seen.gaps), (up_to(5_001), vec![]));
    assert_eq!(gate.begun(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_too_short_for_the_handler_is_no_silent_loss() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| topic.history(10, HOUR)).build();
    let client = connect(&live).await;
    let asked = ask(client);
    for run in 1..=3 {
        gate.began().await;
        publish(&live, 1..=11).await;
        gate.open(1);
        assert!(run < 3 || gate.begun() == 3);
    }
    let (client, answer) = asked.await.unwrap();
    assert_eq!(answer.unwrap_err(), Some(ErrorCode::UNAVAILABLE));
    assert_eq!(gate.begun(), 3);
    assert_eq!(live.topic(ACCOUNT).subscriber_count(), 0);

    // The second run has room enough.
    let asked = ask(client);
    gate.began().await;
    publish(&live, 1..=11).await;
    gate.open(1);
    gate.began().await;
    publish(&live, 1..=9).await;
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    let (subscribed, state) = answer.unwrap();
    assert_eq!((subscribed.position.offset, state), (44, Some(vec![5])));
    let mut seen = Seen::after(&subscribed, vec![]);
    seen.read_to(&mut client, 53).await;
    assert_eq!(seen.numbers, up_to(9));
}

#[tokio::test(start_paused = true)]
async fn who_asks_while_a_handler_runs_shares_the_run() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| topic.history(100, HOUR)).build();
    publish(&live, 1..=3).await;
    let mut asked = vec![ask(connect(&live).await)];
    gate.began().await;
    publish(&live, 4..=5).await;
    for _ in 0..4 {
        asked.push(ask(connect(&live).await));
    }
    let other = ask_of(connect(&live).await, Account { id: 8 });
    gate.began().await;
    settle().await;
    gate.open(2);
    for answer in asked {
        let (mut client, answer) = answer.await.unwrap();
        let (subscribed, state) = answer.unwrap();
        assert_eq!((subscribed.position.offset, state), (3, Some(vec![1])));
        let mut seen = Seen::after(&subscribed, vec![]);
        seen.read_to(&mut client, 5).await;
        assert_eq!(seen.numbers, [4, 5]);
    }
    assert_eq!(other.await.unwrap().1.unwrap().1, Some(vec![2]), "of another topic");
    let late = ask(connect(&live).await);
    gate.open(1);
    let (subscribed, state) = late.await.unwrap().1.unwrap();
    assert_eq!((subscribed.position.offset, state), (5, Some(vec![3])), "none ran");
}

#[tokio::test(start_paused = true)]
async fn a_run_outlives_the_session_that_began_it() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| {
        topic.on_subscribe(async |cx, _session, _account| {
            if cx.state.begun() == 0 {
                tokio::time::sleep(Duration::from_secs(20)).await;
            }
            tidewire::Allow
        })
    })
    .build();
    let first = ask(connect(&live).await);
    gate.began().await;
    let second = ask(connect(&live).await);
    settle().await;
    first.abort();
    // The first one's request has taken 30 s by then and is dropped, the run 20 s.
    tokio::time::sleep(Duration::from_secs(20)).await;
    gate.open(1);
    assert_eq!(second.await.unwrap().1.unwrap().1, Some(vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_run_has_the_whole_time_of_a_hook_whenever_its_askers_came() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| {
        topic.on_subscribe(async |_cx, _session, _account| {
            tokio::time::sleep(Duration::from_secs(20)).await;
            tidewire::Allow
        })
    })
    .build();
    let first = ask(connect(&live).await);
    gate.began().await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    gate.open(1);
    let (mut client, answer) = first.await.unwrap();
    assert_eq!(answer.unwrap().1, Some(vec![1]), "45 s after it was asked for");
    client.ping().await.unwrap();
    let late = ask(connect(&live).await);
    let (mut client, answer) = late.await.unwrap();
    assert_eq!(answer.unwrap_err(), Some(ErrorCode::TIMEOUT));
    client.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn equal_keys_share_a_run_and_sessions_of_their_own_do_not() {
    tidewire_protocol::schema! {
        schema Keys {
            topic Group = "group" { event: u64, snapshot: (String, u64) }
            topic Own = "own" { event: u64, snapshot: (String, u64) }
        }
    }
    let gate = Shared::default();
    let live = Live::<String>::builder()
        .state(Arc::clone(&gate))
        .on_auth(async |_cx, request: tidewire::Request| {
            request.query("user").ok_or(Refusal::unauthorized())
        })
        .topic::<Group>(|topic| {
            topic.public().snapshot_for(
                |session| session.value().chars().take(1).collect::<String>(),
                async |cx, _group, key| Ok((key, cx.state.enter().await)),
            )
        })
        .topic::<Own>(|topic| {
            topic.public().snapshot_each(async |cx, session, _own| {
                Ok((session.value().to_string(), cx.state.enter().await))
            })
        })
        .build();
    let mut asked = Vec::new();
    for user in ["a1", "a2", "b1", "a3", "b2"] {
        let path = format!("/ws?user={user}");
        let mut client = Client::connect(&live).path(&path).hello().await.unwrap();
        asked.push(tokio::spawn(async move {
            let group = client.subscribe_with_snapshot(&Group, None).await.unwrap().1.unwrap();
            let own = client.subscribe_with_snapshot(&Own, None).await.unwrap().1.unwrap();
            (group, own.0)
        }));
        settle().await;
    }
    assert_eq!(gate.begun(), 2, "one for each key");
    gate.open(2);
    settle().await;
    assert_eq!(gate.begun(), 7, "one for each session");
    gate.open(5);
    let mut got = Vec::new();
    for answer in asked {
        got.push(answer.await.unwrap());
    }
    let expected = [("a", 1, "a1"), ("a", 1, "a2"), ("b", 2, "b1"), ("a", 1, "a3"), ("b", 2, "b2")];
    let expected = expected.map(|(key, run, user)| ((key.to_owned(), run), user.to_owned()));
    assert_eq!(got, expected);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_live_subscription_disturbs_nothing() {
    let gate = Shared::default();
    let live = gated(&gate, |topic| topic.history(100, HOUR)).build();
    let mut client = connect(&live).await;
    let subscribed = client.subscribe(&ACCOUNT).await.unwrap();
    let mut seen = Seen::after(&subscribed, vec![]);
    publish(&live, 1..=2).await;
    seen.read_to(&mut client, 2).await;

    // Another's run began before what this client has seen: it does not fit, and is not taken.
    let other = ask(connect(&live).await);
    gate.began().await;
    publish(&live, 3..=4).await;
    seen.read_to(&mut client, 4).await;
    let asked = ask_beside(client);
    settle().await;
    assert_eq!(gate.begun(), 1);
    publish(&live, 5..=5).await;
    gate.open(1);
    let (_other, answer) = other.await.unwrap();
    assert_eq!(answer.unwrap().1, Some(vec![1]));
    gate.began().await;
    publish(&live, 6..=6).await;
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    let (subscribed, state) = answer.unwrap();
    assert_eq!((subscribed.position.offset, subscribed.recovered, state), (5, None, Some(vec![2])));
    publish(&live, 7..=7).await;
    seen.read_to(&mut client, 7).await;
    assert_eq!((seen.numbers, seen.gaps), (up_to(7), vec![]));
    assert_eq!(live.topic(ACCOUNT).subscriber_count(), 2);
}

/// The number of a run is the version of its state here.
fn versioned(gate: &Shared) -> Live<()> {
    Live::<()>::builder()
        .state(Arc::clone(gate))
        .topic::<Account>(|topic| {
            topic
                .public()
                .snapshot(async |cx, _account| {
                    cx.state.enter().await;
                    Ok(Snapshot::new(vec![]).version(10))
                })
                .on_publish(async |_cx, _session, _account, number| {
                    Ok(Accepted::new(number).version(number))
                })
        })
        .build()
}

#[tokio::test(start_paused = true)]
async fn what_a_version_covers_is_left_out_in_one_gap() {
    let gate = Shared::default();
    let live = versioned(&gate);
    let asked = ask(connect(&live).await);
    gate.began().await;
    publish(&live, 8..=10).await;
    // An event without a version is in no snapshot.
    live.topic(ACCOUNT).publish(&100).await.unwrap();
    publish(&live, [9, 10, 11, 7].into_iter()).await;
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    let mut seen = Seen::after(&answer.unwrap().0, vec![]);
    seen.read_to(&mut client, 8).await;
    let included = |after, to| (after, to, "included".to_owned());
    assert_eq!(seen.numbers, [100, 11]);
    assert_eq!(seen.gaps, [included(0, 3), included(4, 6), included(7, 8)]);
    // Live by now.
    client.ping().await.unwrap();
    publish(&live, [12, 10, 13].into_iter()).await;
    seen.read_to(&mut client, 11).await;
    assert_eq!(seen.numbers[2..], [12, 13]);
    assert_eq!(seen.gaps[3..], [included(9, 10)]);

    // The stream of others, and of whoever begins anew without a snapshot, is whole.
    let mut other = connect(&live).await;
    let subscribed = other
        .subscribe_since(&ACCOUNT, &position(8, &answer_epoch(&mut client).await))
        .await
        .unwrap();
    let mut seen = Seen::after(&subscribed, vec![]);
    seen.read_to(&mut other, 11).await;
    assert_eq!((seen.numbers, seen.gaps), (vec![12, 10, 13], vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_a_client_publishes_has_the_version_that_the_hook_says() {
    let gate = Shared::default();
    let live = versioned(&gate);
    let asked = ask(connect(&live).await);
    gate.began().await;
    let mut other = connect(&live).await;
    for number in [10, 11, 9, 12] {
        other.publish(&ACCOUNT, &number).await.unwrap();
    }
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    let mut seen = Seen::after(&answer.unwrap().0, vec![]);
    seen.read_to(&mut client, 4).await;
    assert_eq!(seen.numbers, [11, 12]);
}

/// The server's subscription goes on when the client has ended its own, perhaps before it had the snapshot.
#[tokio::test(start_paused = true)]
async fn what_the_server_subscribed_leaves_out_nothing() {
    let gate = Shared::default();
    let live = versioned(&gate);
    let client = connect(&live).await;
    live.sessions()[0].subscribe("account:7").await.unwrap();
    let asked = ask(client);
    gate.began().await;
    publish(&live, 8..=11).await;
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    let (subscribed, state) = answer.unwrap();
    assert_eq!((subscribed.version.as_deref(), state), (None, Some(vec![])));
    let mut numbers: Vec<u64> = vec![];
    while numbers.len() < 8 {
        numbers.push(client.next_of("account:7").await.unwrap().decode().unwrap());
    }
    // Of the server's subscription until the reply, and of the position that it names.
    assert_eq!(numbers, [8, 9, 10, 11, 8, 9, 10, 11]);
}

async fn answer_epoch(client: &mut Client) -> Position {
    let history = client.history(&ACCOUNT, Range::last(1)).await.unwrap();
    Position { epoch: history.epoch, offset: history.head }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_a_live_subscription_begins_behind_what_its_version_covers() {
    let gate = Shared::default();
    let live = versioned(&gate);
    let mut client = connect(&live).await;
    let mut seen = Seen::after(&client.subscribe(&ACCOUNT).await.unwrap(), vec![]);
    let asked = ask_beside(client);
    gate.began().await;
    publish(&live, 8..=12).await;
    gate.open(1);
    let (mut client, answer) = asked.await.unwrap();
    assert_eq!(answer.unwrap().0.position.offset, 3);
    seen.read_to(&mut client, 5).await;
    assert_eq!((seen.numbers, seen.gaps), (vec![8, 9, 10, 11, 12], vec![]));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_with_a_version_is_not_given_what_its_snapshot_has() {
    let gate = Shared::default();
    let live = versioned(&gate);
    let asked = ask(connect(&live).await);
    gate.began().await;
    gate.open(1);
    let (client, answer) = asked.await.unwrap();
    let Subscribed { position, version, .. } = answer.unwrap().0;
    assert_eq!((position.offset, version.as_deref()), (0, Some("10")));
    // The connection ends before what was committed until then is published.
    drop(client);
    publish(&live, [9, 11, 10].into_iter()).await;
    for (version, numbers) in [(Some("10"), vec![11]), (None, vec![9, 11, 10])] {
        let mut client = connect(&live).await;
        let since = json!({"topic": "account:7", "since": position, "version": version});
        let subscribed = client.request("$subscribe", &since).await.unwrap();
        let subscribed: Subscribed = serde_json::from_str(subscribed.get()).unwrap();
        assert_eq!((subscribed.recovered, subscribed.version.as_deref()), (Some(true), None));
        let mut seen = Seen::after(&subscribed, vec![]);
        seen.read_to(&mut client, 3).await;
        assert_eq!(seen.numbers, numbers, "{version:?}");
    }
    let odd = json!({"topic": "account:7", "since": position, "version": "ten"});
    let refused = connect(&live).await.request("$subscribe", &odd).await;
    assert!(matches!(refused, Err(RequestError::Refused { .. })), "{refused:?}");
}
