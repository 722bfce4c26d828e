//! Who gets a snapshot or history, of which positions, and how much.

use std::sync::atomic::{AtomicBool, Ordering};

use tidewire::{Access, ErrorCode, HistoryError, Refusal};

use super::*;

async fn fill(live: &Live<()>, events: u64) {
    for number in 1..=events {
        live.topic(tape()).publish(&number).await.unwrap();
    }
}

#[tokio::test]
async fn a_position_that_is_known_needs_no_snapshot() {
    let live = Live::<()>::builder().topic::<Tape>(|topic| topic.public().history(5, HOUR)).build();
    fill(&live, 10).await;
    let mut client = connect(&live).await;
    let (all, state) = client.subscribe_with_snapshot(&tape(), None).await.unwrap();
    assert_eq!((all.recovered, all.position.offset, state), (None, 10, Some(vec![6, 7, 8, 9, 10])));

    let mut client = connect(&live).await;
    let known = position(7, &all.position);
    let (known, state) = client.subscribe_with_snapshot(&tape(), Some(&known)).await.unwrap();
    assert_eq!((known.recovered, known.position.offset, state), (Some(true), 7, None));
    let mut seen = Seen::after(&known, vec![]);
    seen.read_to(&mut client, 10).await;
    assert_eq!(seen.numbers, [8, 9, 10]);

    let other = Position { epoch: "other".into(), offset: 7 };
    for lost in [position(2, &all.position), position(11, &all.position), other] {
        // Also where the client is subscribed already: it goes on behind the snapshot.
        let (lost, state) = client.subscribe_with_snapshot(&tape(), Some(&lost)).await.unwrap();
        assert_eq!((lost.recovered, lost.position.offset), (Some(false), 10));
        assert_eq!(state, Some(vec![6, 7, 8, 9, 10]));
    }
    live.topic(tape()).publish(&11).await.unwrap();
    seen.read_to(&mut client, 11).await;
    client.ping().await.unwrap();
    assert!(client.try_next().is_none(), "once");
}

#[tokio::test]
async fn a_topic_without_state_has_no_snapshot() {
    let live = Live::<()>::builder().topic::<Tape>(|topic| topic.public().history(0, HOUR)).build();
    fill(&live, 3).await;
    let mut client = connect(&live).await;
    for since in [None, Some(Position { epoch: "other".into(), offset: 1 }), None] {
        let (subscribed, state) =
            client.subscribe_with_snapshot(&tape(), since.as_ref()).await.unwrap();
        assert_eq!((subscribed.position.offset, state), (3, None));
        assert_eq!(subscribed.recovered, since.map(|_| false));
    }
}

#[tokio::test]
async fn a_topic_without_a_type_has_its_history() {
    let live =
        Live::<()>::builder().on_subscribe(async |_cx, _session, _topic| Access::Allow).build();
    live.publish("any", &"a").await.unwrap();
    live.publish("any", &["b"]).await.unwrap();
    let mut client = connect(&live).await;
    let request = r#"{"topic":"$subscribe","id":9,"data":{"topic":"any","snapshot":true}}"#;
    client.send_text(request).await.unwrap();
    let reply: Subscribed = client.next().await.unwrap().decode().unwrap();
    assert_eq!((reply.position.offset, reply.snapshot.unwrap().get()), (2, r#"["a",["b"]]"#));
    let history = live.history("any", Range::after(1)).await.unwrap();
    assert_eq!(history.events[0].data.as_ref().unwrap().get(), r#"["b"]"#);
    assert_eq!((history.head, history.events.len()), (2, 1));
}

#[tokio::test]
async fn nobody_is_shown_what_they_may_not_subscribe_to() {
    let (asked, may) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let live = Live::<()>::builder()
        .state((Arc::clone(&asked), Arc::clone(&may)))
        .topic::<Account>(|topic| {
            topic
                .on_subscribe(async |cx, _session, _account| {
                    if cx.state.1.load(Ordering::Relaxed) {
                        Access::Allow
                    } else {
                        Access::Deny(Refusal::forbidden())
                    }
                })
                .snapshot(async |cx, _account| {
                    cx.state.0.store(true, Ordering::Relaxed);
                    Ok(vec![1])
                })
        })
        .build();
    live.topic(ACCOUNT).publish(&1).await.unwrap();
    let mut client = connect(&live).await;
    let refused = client.subscribe_with_snapshot(&ACCOUNT, None).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::FORBIDDEN));
    let refused = client.history(&ACCOUNT, Range::last(1)).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::FORBIDDEN));
    assert!(!asked.load(Ordering::Relaxed), "the handler has not run");

    may.store(true, Ordering::Relaxed);
    assert_eq!(client.history(&ACCOUNT, Range::last(1)).await.unwrap().events.len(), 1);
    client.subscribe(&ACCOUNT).await.unwrap();
    may.store(false, Ordering::Relaxed);
    // It is subscribed until somebody looks again.
    assert_eq!(client.history(&ACCOUNT, Range::last(1)).await.unwrap().events.len(), 1);
    assert_eq!(client.snapshot_beside(&ACCOUNT).await.unwrap().1, Some(vec![1]));
    live.topic(ACCOUNT).recheck().await;
    let refused = client.subscribe_with_snapshot(&ACCOUNT, None).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::FORBIDDEN));

    // What the server subscribes it to it may read, and asking for a snapshot does not make it the client's.
    live.sessions()[0].subscribe("account:7").await.unwrap();
    assert_eq!(client.snapshot_beside(&ACCOUNT).await.unwrap().1, Some(vec![1]));
    assert!(client.unsubscribe(&ACCOUNT).await.is_err());
}

#[tokio::test]
async fn history_is_read_within_bounds() {
    let live =
        Live::<()>::builder().topic::<Tape>(|topic| topic.public().history(2_000, HOUR)).build();
    fill(&live, 1_500).await;
    let mut client = connect(&live).await;
    for (range, first, last) in [
        (Range::last(usize::MAX), 1_401, 1_500),
        (Range::last(5_000), 501, 1_500),
        (Range::last(3), 1_498, 1_500),
        (Range::last(50).before(42), 1, 41),
        (Range::last(5).before(42), 37, 41),
        (Range::after(10), 11, 110),
        (Range::after(10).limit(2), 11, 12),
        (Range::after(10).before(13), 11, 12),
        (Range::after(1_499), 1_500, 1_500),
    ] {
        let history = client.history(&tape(), range).await.unwrap();
        assert_eq!(history.head, 1_500);
        let offsets: Vec<u64> = history.events.iter().map(|event| event.offset).collect();
        assert_eq!(offsets, (first..=last).collect::<Vec<_>>(), "{range:?}");
        for event in history.events {
            assert_eq!(event.prev, event.offset - 1);
            assert_eq!(event.data.get(), event.offset.to_string());
        }
    }
    for range in [Range::after(1_500), Range::last(1).before(1), Range::last(0)] {
        let history = client.history(&tape(), range).await.unwrap();
        assert!(history.events.is_empty() && history.head == 1_500, "{range:?}");
    }
    let data = live.topic(tape()).history(Range::after(3).limit(2)).await.unwrap();
    let data: Vec<_> = data.events.into_iter().map(|event| (event.offset, event.data)).collect();
    assert_eq!(data, [(4, Some(4)), (5, Some(5))]);
    live.publish("tape:a", &"no number").await.unwrap();
    let error = live.topic(tape()).history(Range::last(1)).await.unwrap_err();
    assert!(matches!(error, HistoryError::InvalidData { offset: 1_501, .. }), "{error}");
    assert_eq!(live.history("", Range::last(1)).await.unwrap_err(), HistoryError::InvalidTopic);
}

#[tokio::test]
async fn a_reply_of_history_is_cut_at_the_end_that_is_further_away() {
    tidewire_protocol::schema! { schema Texts { topic Text = "text" { event: String } } }
    let live = Live::<()>::builder()
        .message_rate(0, 0)
        .topic::<Text>(|topic| topic.public().history(2_000, HOUR))
        .build();
    // With their quotes 8 KiB each: 32 fill a reply.
    for _ in 0..50 {
        live.topic(Text).publish(&"x".repeat(8 * 1024 - 2)).await.unwrap();
    }
    let mut client = connect(&live).await;
    let offsets = |history: tidewire_protocol::frame::server::History| {
        let offsets: Vec<_> = history.events.iter().map(|event| event.offset).collect();
        (offsets[0], offsets[offsets.len() - 1])
    };
    assert_eq!(offsets(client.history(&Text, Range::last(50)).await.unwrap()), (19, 50));
    assert_eq!(offsets(client.history(&Text, Range::after(5)).await.unwrap()), (6, 37));
    let whole = live.topic(Text).history(Range::last(50)).await.unwrap();
    assert_eq!(whole.events.len(), 50, "the application may read all");
    // More replies than the queue may hold, for a client that asks faster than it reads.
    for id in 1..=20 {
        let request = format!(r#"{{"topic":"$history","id":{id},"data":{{"topic":"text"}}}}"#);
        client.send_text(&request).await.unwrap();
    }
    for _ in 1..=20 {
        assert!(client.next().await.unwrap().data.get().len() > 256 * 1024);
    }
}

#[tokio::test]
async fn no_offset_is_beyond_what_a_client_can_count() {
    let live = Live::<()>::builder().topic::<Tape>(|topic| topic.public()).build();
    let mut client = connect(&live).await;
    for field in ["after", "before"] {
        for (offset, topic) in [((1u64 << 53) - 1, "$reply"), (1 << 53, "$error")] {
            let request = format!(
                r#"{{"topic":"$history","id":9,"data":{{"topic":"tape:a","{field}":{offset}}}}}"#
            );
            client.send_text(&request).await.unwrap();
            assert_eq!(client.next().await.unwrap().topic, topic, "{field} {offset}");
        }
    }
}

#[tokio::test]
async fn plain_clients_get_no_snapshot() {
    let live = Live::<()>::builder().topic::<Tape>(|topic| topic.public()).build();
    fill(&live, 3).await;
    let mut client = Client::connect(&live).await.unwrap();
    let request = r#"{"topic":"subscribe","id":4,"data":{"topic":"tape:a","snapshot":true}}"#;
    client.send_text(request).await.unwrap();
    client.send_text(r#"{"topic":"$history","id":5,"data":{"topic":"tape:a"}}"#).await.unwrap();
    let error: serde_json::Value = client.next().await.unwrap().decode().unwrap();
    assert_eq!(error["name"], "reserved_topic");
    live.topic(tape()).publish(&4).await.unwrap();
    let frame = client.next().await.unwrap();
    assert_eq!((&*frame.topic, frame.data.get(), frame.offset), ("tape:a", "4", None));
    client.ping().await.unwrap();
    assert!(client.try_next().is_none());
}
