//! The book on a real file: whoever comes has every entry once, and what is sent again is written once.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use tidewire::{Live, test::Client};
use tidewire_guestbook::{Book, Guest, live};
use tidewire_guestbook_schema::{Entries, NewEntry, Query, Search};
use tokio::task::JoinSet;

/// A folder with a book, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("tidewire-guestbook-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The book, as a process has it that was just started.
    async fn open(&self) -> (Book, Live<Guest>) {
        let book = Book::open(self.0.join("guestbook.sqlite")).await.unwrap();
        let live = live(&book).build();
        (book, live)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn guest(live: &Live<Guest>, name: &str) -> Client {
    Client::connect(live).token(name).await.unwrap()
}

/// Sends an entry under this name for it, and waits for the answer.
async fn send(client: &mut Client, mid: &str, text: &str) -> String {
    let frame = format!(r#"{{"topic":"entries","id":7,"mid":"{mid}","data":{{"text":"{text}"}}}}"#);
    client.send_text(&frame).await.unwrap();
    loop {
        let frame = client.next().await.unwrap();
        if frame.topic.starts_with('$') {
            return frame.topic;
        }
    }
}

#[tokio::test]
async fn an_entry_that_is_sent_again_is_in_the_book_once() {
    let folder = Folder::new();
    for run in 1..=2 {
        // The second time by a server that knows nothing of the first.
        let (book, live) = folder.open().await;
        let (mut ann, mut ben) = (guest(&live, "Ann").await, guest(&live, "Ben").await);
        for _ in 0..2 {
            assert_eq!(send(&mut ann, "1", "hello").await, "$reply");
        }
        assert_eq!(
            send(&mut ben, "1", "hello").await,
            "$reply",
            "another guest's name for another entry"
        );
        let (entries, version) = book.entries().await.unwrap();
        let guests: Vec<_> = entries.iter().map(|entry| &*entry.guest).collect();
        assert_eq!((guests, version), (vec!["Ann", "Ben"], entries[1].id), "run {run}");
    }
}

#[tokio::test]
async fn what_has_no_name_or_no_fitting_text_is_refused() {
    let folder = Folder::new();
    let (book, live) = folder.open().await;
    let mut ann = guest(&live, "Ann").await;
    assert_eq!(send(&mut ann, "1", "").await, "$error");
    assert_eq!(send(&mut ann, "2", &"x".repeat(501)).await, "$error");
    let unnamed = NewEntry { text: "hello".into() };
    ann.publish(&Entries, &unnamed).await.unwrap_err();
    assert_eq!(book.entries().await.unwrap(), (vec![], 0));
}

/// The ids of what is found of some words.
async fn found(client: &mut Client, words: &str, before: Option<u64>) -> Result<Vec<u64>, String> {
    let items = client.stream(Search, &Query { words: words.into(), before }).await.unwrap();
    let mut ids = Vec::new();
    while let Some(entry) = client.next_item(&items).await.map_err(|error| error.to_string())? {
        ids.push(entry.id);
    }
    Ok(ids)
}

#[tokio::test]
async fn the_whole_book_is_looked_through_from_its_end() {
    let folder = Folder::new();
    let (book, live) = folder.open().await;
    // More than are looked at in one go.
    for number in 1..=450 {
        let (guest, text) = match number {
            3 | 250 => ("Ann", "High TIDE, low tide"),
            4 | 449 => ("Ben", "Mind the tide"),
            _ => ("Ann", "The weather"),
        };
        book.write(guest.into(), number.to_string(), text.into()).await.unwrap();
    }
    let mut ann = guest(&live, "Ann").await;
    for (words, before, expected) in [
        ("tide", None, vec![449, 250, 4, 3]),
        ("Tide ANN", None, vec![250, 3]),
        ("tide", Some(250), vec![4, 3]),
        ("tide", Some(3), vec![]),
        ("tide", Some(u64::MAX), vec![449, 250, 4, 3]),
        ("tidings", None, vec![]),
    ] {
        assert_eq!(found(&mut ann, words, before).await, Ok(expected), "{words} {before:?}");
    }
    for words in ["", " ", &"x".repeat(101)] {
        let refused = found(&mut ann, words, None).await.unwrap_err();
        assert!(refused.contains("Say what to look for"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_while_others_write_has_every_entry_once() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 50;
    let folder = Folder::new();
    let (book, live) = folder.open().await;
    let mut tasks = JoinSet::new();
    for writer in 1..=WRITERS {
        let live = live.clone();
        tasks.spawn(async move {
            let mut client = guest(&live, &format!("writer {writer}")).await;
            for number in 1..=EACH {
                assert_eq!(send(&mut client, &number.to_string(), "hello").await, "$reply");
            }
        });
    }
    for reader in 1..=20 {
        let (live, book) = (live.clone(), book.clone());
        tasks.spawn(async move {
            // Each comes at another moment.
            while book.entries().await.unwrap().1 < reader * 9 {
                tokio::task::yield_now().await;
            }
            let mut client = guest(&live, &format!("reader {reader}")).await;
            let (_, state) = client.subscribe_with_snapshot(&Entries, None).await.unwrap();
            let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
            state.unwrap().iter().for_each(|entry| *seen.entry(entry.id).or_default() += 1);
            while seen.len() < usize::try_from(WRITERS * EACH).unwrap() {
                let event = client.next_event::<Entries>().await.unwrap();
                *seen.entry(event.data.id).or_default() += 1;
            }
            assert!(seen.values().all(|&times| times == 1), "{seen:?}");
        });
    }
    tasks.join_all().await;
}
