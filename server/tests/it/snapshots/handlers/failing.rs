//! Handlers that panic, refuse, fail or never end: who is told, and who goes on.

use super::*;

/// A handler that fails in the way that the account's number says.
fn failing() -> LiveBuilder<(), ()> {
    async fn fail(id: u32) -> Result<Vec<u64>, Refusal> {
        match id {
            1 => panic!("a test's own panic"),
            2 => std::future::pending().await,
            3 => Err(Refusal::new(ErrorCode(1234)).message("no such account")),
            4 => Err(std::io::Error::other("a test's own error"))?,
            _ => Ok(vec![]),
        }
    }
    tidewire_protocol::schema! {
        schema Failing { topic Own { id: u32 } = "own:{id}" { event: u64, snapshot: Vec<u64> } }
    }
    Live::<()>::builder()
        .topic::<Account>(|topic| {
            topic.public().snapshot(async |_cx, account: Account| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                fail(account.id).await
            })
        })
        .topic::<Own>(|topic| {
            topic.public().snapshot_each(async |_cx, _session, own: Own| fail(own.id).await)
        })
}

#[tokio::test(start_paused = true)]
async fn whoever_shares_a_run_that_fails_is_told() {
    let live = failing().build();
    for (id, code) in [
        (1, ErrorCode::INTERNAL),
        (2, ErrorCode::TIMEOUT),
        (3, ErrorCode(1234)),
        (4, ErrorCode::INTERNAL),
    ] {
        let mut asked = Vec::new();
        for _ in 0..3 {
            asked.push(ask_of(connect(&live).await, Account { id }));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for answer in asked {
            let (mut client, answer) = answer.await.unwrap();
            assert_eq!(answer.unwrap_err(), Some(code), "{id}");
            client.ping().await.unwrap();
            let (_, state) =
                client.subscribe_with_snapshot(&Account { id: 0 }, None).await.unwrap();
            assert_eq!(state, Some(vec![]), "it lives on");
        }
    }
    assert_eq!(live.topic(Account { id: 1 }).subscriber_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sessions_own_handler_fails_like_any_hook() {
    let live = failing().build();
    for (name, code) in [("own:1", CloseCode::INTERNAL), ("own:2", CloseCode::HOOK_TIMEOUT)] {
        let mut client = connect(&live).await;
        let request = format!(
            r#"{{"topic":"$subscribe","id":9,"data":{{"topic":"{name}","snapshot":true}}}}"#
        );
        client.send_text(&request).await.unwrap();
        assert_eq!(client.closed().await.unwrap().code, code, "{name}");
    }
}
