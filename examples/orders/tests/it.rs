//! The shop on a real file: what is committed is published, once, whatever dies in between.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tidewire::{
    Live,
    broker::MemoryBroker,
    relay::{Lease, OutboxRow, OutboxStore, Relay},
    test::Client,
};
use tidewire_orders::{NewOrder, Order, Orders, Shop, ShopError, app, live};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

/// A folder with a database, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidewire-orders-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A connection of its own, as another process has it.
    async fn shop(&self) -> Shop {
        Shop::open(self.0.join("orders.sqlite")).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn books(quantity: u32) -> NewOrder {
    NewOrder { item: "a book".into(), quantity }
}

async fn listener(live: &Live<()>) -> Client {
    let mut client = Client::connect(live).hello().await.unwrap();
    client.subscribe(&Orders).await.unwrap();
    client
}

/// Hears these orders, each once and in order, and nothing else.
async fn hears(client: &mut Client, ids: std::ops::RangeInclusive<u64>) {
    for id in ids {
        let event = client.next_event::<Orders>().await.unwrap();
        assert_eq!((event.data.id, event.offset), (id, Some(id)));
    }
    hears_no_more(client).await;
}

async fn hears_no_more(client: &mut Client) {
    client.ping().await.unwrap();
    assert!(client.try_next().is_none());
}

/// A relay whose lease is soon taken over.
fn relay(live: &Live<()>, store: impl OutboxStore) -> Relay {
    live.relay("orders", store).lease(Duration::from_secs(1)).start()
}

async fn is_relayed(shop: &Shop) {
    while !shop.read(1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_order_placed_over_http_is_published() {
    let folder = Folder::new();
    let shop = folder.shop().await;
    let (router, live) = app(&shop);
    let mut heard = listener(&live).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let served = tokio::spawn(async move { tidewire::serve(listener, router).await });
    let body = r#"{"item":"a book","quantity":2}"#;
    let request = format!(
        "POST /orders HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let order = Order { id: 1, item: "a book".into(), quantity: 2 };
    assert!(answer.ends_with(&serde_json::to_string(&order).unwrap()), "{answer}");
    assert_eq!(heard.next_event::<Orders>().await.unwrap().data, order);
    is_relayed(&shop).await;
    assert_eq!(shop.orders().await.unwrap(), (vec![order], 1));
    served.abort();
}

#[tokio::test]
async fn what_was_committed_is_published_by_whoever_comes_next() {
    let folder = Folder::new();
    let shop = folder.shop().await;
    for quantity in 1..=3 {
        shop.place(books(quantity)).await.unwrap();
    }
    drop(shop);
    let live = live();
    let mut heard = listener(&live).await;
    let relay = relay(&live, folder.shop().await);
    hears(&mut heard, 1..=3).await;
    relay.stop().await;
    let shop = folder.shop().await;
    assert!(shop.read(1).await.unwrap().is_empty());
    // An id that was used is not given again, though its row is gone.
    shop.place(books(4)).await.unwrap();
    assert_eq!(shop.read(9).await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>(), [4]);
}

/// Where a relay dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dies {
    WithTheLease,
    WithTheRows,
    BeforeItNotes,
    AfterItNoted,
}

struct Dying {
    shop: Shop,
    dies: Dies,
    dead: Arc<Notify>,
}

impl Dying {
    async fn pass(&self, here: Dies) {
        if self.dies == here {
            self.dead.notify_one();
            std::future::pending().await
        }
    }
}

impl OutboxStore for Dying {
    type Error = ShopError;

    async fn lease(&self, holder: &str, time: Duration) -> Result<Lease, ShopError> {
        let lease = self.shop.lease(holder, time).await;
        self.pass(Dies::WithTheLease).await;
        lease
    }

    async fn release(&self, holder: &str) -> Result<(), ShopError> {
        self.shop.release(holder).await
    }

    async fn read(&self, most: usize) -> Result<Vec<OutboxRow>, ShopError> {
        let rows = self.shop.read(most).await;
        self.pass(Dies::WithTheRows).await;
        rows
    }

    async fn done(&self, ids: &[u64]) -> Result<(), ShopError> {
        self.pass(Dies::BeforeItNotes).await;
        let done = self.shop.done(ids).await;
        self.pass(Dies::AfterItNoted).await;
        done
    }
}

#[tokio::test]
async fn a_relay_that_dies_between_commit_and_note_loses_and_doubles_nothing() {
    for dies in [Dies::WithTheLease, Dies::WithTheRows, Dies::BeforeItNotes, Dies::AfterItNoted] {
        let folder = Folder::new();
        let shop = folder.shop().await;
        let live = live();
        let mut heard = listener(&live).await;
        for quantity in 1..=5 {
            shop.place(books(quantity)).await.unwrap();
        }
        let dead = Arc::new(Notify::new());
        let dying = Dying { shop: folder.shop().await, dies, dead: Arc::clone(&dead) };
        let dying = relay(&live, dying);
        dead.notified().await;
        drop(dying);
        let next = relay(&live, folder.shop().await);
        for quantity in 6..=8 {
            shop.place(books(quantity)).await.unwrap();
        }
        hears(&mut heard, 1..=8).await;
        is_relayed(&shop).await;
        hears_no_more(&mut heard).await;
        next.stop().await;
    }
}

#[tokio::test]
async fn two_processes_relay_each_order_once() {
    let folder = Folder::new();
    let broker = MemoryBroker::default();
    let node = || {
        Live::<()>::builder().broker(broker.clone()).topic::<Orders>(|topic| topic.public()).build()
    };
    let (first, second) = (node(), node());
    let mut heard = listener(&first).await;
    let mut relays = Vec::new();
    for live in [&first, &second] {
        relays.push(relay(live, folder.shop().await));
    }
    let mut clerks = JoinSet::new();
    for _ in 0..4 {
        let shop = folder.shop().await;
        clerks.spawn(async move {
            for quantity in 0..10 {
                shop.place(books(quantity)).await.unwrap();
            }
        });
    }
    while let Some(done) = clerks.join_next().await {
        done.unwrap();
        relays.iter().for_each(Relay::wake);
    }
    hears(&mut heard, 1..=40).await;
    let shop = folder.shop().await;
    is_relayed(&shop).await;
    for relay in relays {
        relay.stop().await;
    }
    hears_no_more(&mut heard).await;
    assert_eq!(shop.orders().await.unwrap().1, 40);
}
