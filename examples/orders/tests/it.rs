//! The shop on a real file: what is committed is published, once, whatever dies in between.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
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
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
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
        Shop::open(self.file()).await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.0.join("orders.sqlite")
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
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move { tidewire::serve(listener, router).await });
    let order = Order { id: 1, item: "a book".into(), quantity: 2 };
    assert_eq!(place_over_http(address).await.as_ref(), Some(&order));
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
    let live = live(&shop);
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
        let live = live(&shop);
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

#[tokio::test]
async fn whoever_comes_at_any_moment_has_every_order_once() {
    const ORDERS: u64 = 60;
    let folder = Folder::new();
    let shop = folder.shop().await;
    let live = live(&shop);
    let relay = relay(&live, folder.shop().await);
    let mut customers = JoinSet::new();
    for n in 1..=ORDERS {
        shop.place(books(1)).await.unwrap();
        if n % 3 == 0 {
            relay.wake();
        }
        if n % 5 == 0 {
            let live = live.clone();
            customers.spawn(async move {
                let mut client = Client::connect(&live).hello().await.unwrap();
                let (_, orders) = client.subscribe_with_snapshot(&Orders, None).await.unwrap();
                let mut ids: Vec<_> = orders.unwrap().iter().map(|order| order.id).collect();
                while ids.last() != Some(&ORDERS) {
                    ids.push(client.next_event::<Orders>().await.unwrap().data.id);
                }
                ids
            });
        }
    }
    while let Some(ids) = customers.join_next().await {
        assert_eq!(ids.unwrap(), (1..=ORDERS).collect::<Vec<_>>());
    }
    relay.stop().await;
}

/// The example as people run it; it is killed when this is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    async fn start(folder: &Folder) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidewire-orders"));
        command.env("PORT", "0").env_remove("HOST").env("DATABASE", folder.file());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = line.trim_end().strip_prefix("orders at http://").unwrap();
        let address: SocketAddr = address.strip_suffix("/orders").unwrap().parse().unwrap();
        assert!(address.ip().is_loopback());
        Self { child, address }
    }
}

#[tokio::test]
async fn a_process_that_is_killed_again_and_again_publishes_what_it_has_stored() {
    let folder = Folder::new();
    let shop = folder.shop().await;
    let mut answered = Vec::new();
    for round in 1..=6 {
        let mut process = Process::start(&folder).await;
        // The last orders of a round are on their way when it dies.
        let killed = async {
            eventually_has(&shop, round * 8).await;
            process.child.kill().await.unwrap();
        };
        let placed = async {
            while let Some(order) = place_over_http(process.address).await {
                answered.push(order.id);
            }
        };
        tokio::join!(killed, placed);
    }
    let (orders, version) = shop.orders().await.unwrap();
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    assert_eq!(ids, (1..=version).collect::<Vec<_>>(), "each has its event");
    assert!(answered.iter().all(|id| ids.contains(id)), "what was answered is stored");
    let _last = Process::start(&folder).await;
    is_relayed(&shop).await;
}

async fn eventually_has(shop: &Shop, orders: usize) {
    while shop.orders().await.unwrap().0.len() < orders {
        tokio::task::yield_now().await;
    }
}

/// Places an order; `None` if nobody answers.
async fn place_over_http(shop: SocketAddr) -> Option<Order> {
    let answer = post(shop).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    serde_json::from_str(body).ok()
}

async fn post(shop: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(shop).await?;
    let body = r#"{"item":"a book","quantity":2}"#;
    let request = format!(
        "POST /orders HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
