//! A server with a bystander: a session that is told something a hundred times a second, and must lose nothing of it.

use std::{
    io::Write,
    net::SocketAddr,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::Router;
use serde_json::json;
use tidewire::{Live, LiveBuilder};
use tokio::{
    net::TcpListener,
    sync::{Mutex, MutexGuard},
    task::{JoinSet, yield_now},
};

use crate::{
    ALLOCATOR,
    support::{Client, PATIENCE, eventually},
};

tidewire_protocol::schema! {
    pub(crate) schema Stage {
        topic News = "news" { event: u64 }
        topic Flood = "flood" { event: String }
        topic Named = "named" { event: u8, publish: u8 }
        topic Room { room: String } = "room:{room}" { event: String }
        call Wait = "wait" () -> ();
    }
}

/// How often the bystander is told something.
const EVERY: Duration = Duration::from_millis(10);

/// Within this the bystander must get each message: what harms it takes far longer. A debug build on a busy machine has taken 1 s.
const IN_TIME: Duration = Duration::from_secs(3);

/// Live bytes are those of the process: one scene at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

pub(crate) struct Scene {
    pub(crate) live: Live<()>,
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    /// Serves, publishes and watches; ends with the scene.
    _tasks: JoinSet<()>,
    _alone: MutexGuard<'static, ()>,
}

/// What the bystander has seen.
#[derive(Default)]
struct Seen {
    offset: AtomicU64,
    slowest_us: AtomicU64,
}

/// A server with what every scene needs.
pub(crate) fn stage() -> LiveBuilder<(), ()> {
    // Little history, so that what the bystander is told soon takes no more memory.
    let (events, age) = (4, Duration::from_secs(60));
    Live::<()>::builder()
        .topic::<News>(|topic| topic.public().history(events, age))
        .topic::<Flood>(|topic| topic.public().history(0, age))
        .topic::<Room>(|topic| topic.public().history(events, age))
}

impl Scene {
    pub(crate) async fn start(live: Live<()>) -> Self {
        Self::start_with_head_timeout(live, Duration::from_secs(10)).await
    }

    pub(crate) async fn start_with_head_timeout(live: Live<()>, head_timeout: Duration) -> Self {
        print_panics_without_backtrace();
        let alone = ALONE.lock().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app: Router = Router::new().route("/ws", live.handler());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { tidewire::serve(listener, app).head_timeout(head_timeout).await });
        let seen = Arc::<Seen>::default();
        let mut bystander = Client::connect(address, "/ws", &[]).await.unwrap();
        bystander.hello(json!({})).await;
        bystander.subscribe("news").await;
        let start = Instant::now();
        tasks.spawn(publish(live.clone(), start));
        tasks.spawn(watch(bystander, start, Arc::clone(&seen)));
        let scene = Self { live, address, seen, _tasks: tasks, _alone: alone };
        scene.warm_up().await;
        scene
    }

    /// Lets the server take the memory that it keeps: buffers of its threads, tables that have grown once.
    async fn warm_up(&self) {
        for _ in 0..3 {
            let mut clients = Vec::new();
            for _ in 0..16 {
                let mut client = self.client().await;
                client.hello(json!({})).await;
                client.subscribe("room:warm").await;
                clients.push(client);
            }
            for mut client in clients {
                client.close(1000).await;
                assert_eq!(client.closed().await, Some(1000));
            }
            self.is_alone().await;
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, "/ws", &[]).await.expect("upgraded")
    }

    /// A client that has said hello.
    pub(crate) async fn full(&self) -> Client {
        let mut client = self.client().await;
        client.hello(json!({})).await;
        client
    }

    /// Lets somebody do harm, and checks that afterwards nothing is left of it and that the bystander has noticed nothing.
    pub(crate) async fn survives(&self, what: &str, harm: impl AsyncFnOnce()) {
        let before = self.least_bytes().await;
        harm().await;
        self.is_alone().await;
        let last = self.live.topic(News).publish(&u64::MAX).await.unwrap().offset;
        eventually("the bystander has all", || self.seen.offset() >= last).await;
        let slowest = Duration::from_micros(self.seen.slowest_us.load(Ordering::Relaxed));
        assert!(slowest < IN_TIME, "{what}: the bystander waited for {slowest:?}");
        let most = before + before / 50 + 64 * 1024;
        let start = Instant::now();
        while ALLOCATOR.current_usage() > most {
            let now = ALLOCATOR.current_usage();
            assert!(start.elapsed() < PATIENCE, "{what}: {before} live bytes before, {now} after");
            yield_now().await;
        }
    }

    /// The least memory that is in use while the bystander is told a few things.
    pub(crate) async fn least_bytes(&self) -> usize {
        let mut least = usize::MAX;
        let until = self.seen.offset() + 5;
        while self.seen.offset() < until {
            least = least.min(ALLOCATOR.current_usage());
            yield_now().await;
        }
        least
    }

    /// Waits until the bystander has heard so many times more: meanwhile the server does what it can.
    pub(crate) async fn hears(&self, times: u64) {
        let until = self.seen.offset() + times;
        eventually("the bystander hears", || self.seen.offset() >= until).await;
    }

    /// Waits until the bystander's is the only session.
    pub(crate) async fn is_alone(&self) {
        eventually("all others are gone", || self.live.session_count() == 1).await;
    }
}

impl Seen {
    fn offset(&self) -> u64 {
        self.offset.load(Ordering::Relaxed)
    }
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap()
}

async fn publish(live: Live<()>, start: Instant) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        live.topic(News).publish(&micros_since(start)).await.unwrap();
    }
}

/// Checks that every message comes, in order, and how late.
async fn watch(mut bystander: Client, start: Instant, seen: Arc<Seen>) {
    loop {
        let frame = bystander.frame().await;
        if frame["topic"] == "$ping" {
            bystander.send(json!({ "topic": "$pong" })).await;
            continue;
        }
        let (offset, prev) = (frame["offset"].as_u64().unwrap(), frame["prev"].as_u64().unwrap());
        assert_eq!((offset, prev), (seen.offset() + 1, seen.offset()), "nothing is lost");
        let late = micros_since(start).saturating_sub(frame["data"].as_u64().unwrap());
        seen.slowest_us.fetch_max(late, Ordering::Relaxed);
        seen.offset.store(offset, Ordering::Relaxed);
    }
}

/// What a backtrace reads of the program's symbols stays in memory, some 40 MB: it would count against whoever panics first.
fn print_panics_without_backtrace() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| drop(writeln!(std::io::stderr(), "{panic}"))))
    });
}
