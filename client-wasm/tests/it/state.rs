//! What a topic has: history, snapshots, and states that are kept.

use futures_util::StreamExt;
use tidewire_client::{Change, Entries, ErrorCode, Event, Range, connect};

use crate::{
    clients,
    platform::{self, soon, unique},
    refusal, room, say,
    schema::{Board, Hall, Member, Pin, Talk, Vault},
};

async fn change<V: serde::de::DeserializeOwned>(entries: &mut Entries<V>) -> Change {
    soon("a change", entries.next()).await.expect("it goes on")
}

/// Reads changes until the state is as wanted.
async fn until<V: serde::de::DeserializeOwned>(
    entries: &mut Entries<V>,
    is_wanted: impl Fn(&Entries<V>) -> bool,
) {
    while !is_wanted(entries) {
        change(entries).await;
    }
}

fn pin(name: &str, text: &str) -> Pin {
    Pin { name: name.into(), text: text.into() }
}

#[platform::test]
async fn who_enters_gets_what_was_said_and_then_what_is() {
    let (ann, bob) = clients().await;
    let general = room("history");
    for text in ["a", "b", "c"] {
        soon("the answer", ann.publish(&general, &say(text))).await.expect("it was appended");
    }
    let range = Range { before: Some(3), ..Range::default() };
    let page = soon("a page", bob.history(&general, range)).await.expect("it is allowed");
    let texts = page.events.iter().map(|past| past.data.as_ref().map(|said| &*said.text));
    assert_eq!(texts.collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(page.head, 3);

    let mut first = bob.follow(&general);
    let mut second = bob.follow(&general);
    for followed in [&mut first, &mut second] {
        loop {
            match soon("the state", followed.next()).await.expect("it goes on") {
                Event::Live { .. } => {}
                Event::Snapshot { state, at } => {
                    let texts: Vec<_> = state.iter().map(|said| &*said.text).collect();
                    assert_eq!((&texts[..], at.offset), (&["a", "b", "c"][..], 3));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    soon("the answer", ann.publish(&general, &say("d"))).await.expect("it was appended");
    for followed in [&mut first, &mut second] {
        match soon("an event", followed.next()).await {
            Some(Event::Message { data, offset: 4 }) => assert_eq!(data.text, "d"),
            other => panic!("{other:?}"),
        }
    }
}

#[platform::test]
async fn a_keyed_topic_is_kept() {
    let (ann, bob) = clients().await;
    let board = Board { board: unique("kept") };
    for (name, text) in [("a", "1"), ("b", "2"), ("a", "3")] {
        soon("the answer", ann.publish(&board, &pin(name, text))).await.expect("it was appended");
    }
    let mut kept = bob.keyed(&board);
    assert!(matches!(change(&mut kept).await, Change::Whole));
    let texts = |kept: &Entries<Pin>| {
        kept.entries().iter().map(|(name, pin)| format!("{name} {}", pin.text)).collect::<Vec<_>>()
    };
    assert_eq!((texts(&kept), kept.size()), (vec!["a 3".to_owned(), "b 2".into()], 2));

    soon("the answer", ann.publish(&board, &pin("c", "4"))).await.expect("it was appended");
    match change(&mut kept).await {
        Change::Keys { set, removed } => assert_eq!((set, removed), (vec!["c".into()], vec![])),
        other => panic!("{other:?}"),
    }
    let taken = refusal(soon("the answer", ann.publish(&board, &pin("a", ""))).await);
    assert_eq!(taken.message.as_deref(), Some("Taken off."));
    match change(&mut kept).await {
        Change::Keys { set, removed } => assert_eq!((set, removed), (vec![], vec!["a".into()])),
        other => panic!("{other:?}"),
    }
    assert_eq!(texts(&kept), ["b 2", "c 4"]);

    // What changes while nobody is connected is there when somebody is again.
    let mut states = bob.connections();
    drop(bob.send("cut", &4100));
    crate::state(&mut states, |state| *state != tidewire_client::State::Connected).await;
    soon("the answer", ann.publish(&board, &pin("b", "5"))).await.expect("it was appended");
    until(&mut kept, |kept| texts(kept) == ["b 5", "c 4"]).await;
}

#[platform::test]
async fn who_is_in_a_room_is_kept() {
    let server = platform::server().await;
    let client = |name: &'static str| {
        let token = move || std::future::ready(Some(name.to_owned()));
        connect::<Talk>(&*server).token(token).build()
    };
    let (ann, bob, eve) = (client("ann"), client("bob"), client("eve"));
    let general = room("members");
    let moods = |here: &Entries<Member>| {
        let mut moods: Vec<_> =
            here.entries().values().map(|who| format!("{} {}", who.name, who.mood)).collect();
        moods.sort();
        moods
    };
    let first = ann.subscribe(&general);
    first.present(&"glad").expect("it is JSON");
    let mut here = eve.presence(&general);
    assert!(matches!(change(&mut here).await, Change::Whole));
    until(&mut here, |here| moods(here) == ["ann glad"]).await;
    let second = bob.subscribe(&general);
    second.present(&"sad").expect("it is JSON");
    until(&mut here, |here| moods(here) == ["ann glad", "bob sad"]).await;
    second.present(&"gladder").expect("it is JSON");
    until(&mut here, |here| moods(here) == ["ann glad", "bob gladder"]).await;
    drop(first);
    until(&mut here, |here| moods(here) == ["bob gladder"]).await;
    assert_eq!(here.size(), 1);
    // Whoever comes later gets the members first.
    let mut late = eve.presence(&general);
    assert!(matches!(change(&mut late).await, Change::Whole));
    assert_eq!(moods(&late), ["bob gladder"]);
}

#[platform::test]
async fn a_crowd_is_only_counted() {
    let (ann, bob) = clients().await;
    let hall = Hall { hall: unique("crowd") };
    let mut here = bob.presence(&hall);
    assert!(matches!(change(&mut here).await, Change::Whole));
    assert_eq!(here.size(), 0);
    let inside = ann.subscribe(&hall);
    inside.present(&true).expect("it is JSON");
    until(&mut here, |here| here.size() == 1).await;
    assert!(here.entries().is_empty());
    drop(inside);
    until(&mut here, |here| here.size() == 0).await;
}

#[platform::test]
async fn members_of_a_topic_without_rights_are_not_told() {
    let (ann, _) = clients().await;
    match change(&mut ann.presence(&Vault)).await {
        Change::Ended(refusal) => assert_eq!(refusal.code, ErrorCode::FORBIDDEN),
        other => panic!("{other:?}"),
    }
}
