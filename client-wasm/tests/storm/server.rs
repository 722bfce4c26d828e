//! Two nodes on one broker, the second of which takes the first one's place.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use serde::{Deserialize, Serialize};
use tidewire::{Context, Refusal, Session, broker::MemoryBroker};
use tokio::{net::TcpListener, sync::Notify};
use ts_rs::TS;

use crate::{oracle::Id, proxy::Proxy};

/// A message by its publisher and its number there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, TS)]
pub(crate) struct Item {
    pub(crate) by: u64,
    pub(crate) number: u64,
}

impl Item {
    pub(crate) fn id(self) -> Id {
        (self.by, self.number)
    }
}

tidewire_protocol::schema! {
    pub(crate) schema Feeds {
        topic Feed { number: u64 } = "feed:{number}" { event: Item, publish: Item }
    }
}

impl Feed {
    pub(crate) fn at(topic: usize) -> Self {
        Self { number: topic as u64 }
    }
}

/// Everything of a run, and for longer than it lasts: what is not there any more would be lost by right.
const HISTORY: (usize, Duration) = (1_000_000, Duration::from_secs(3_600));
/// So fast that a connection which went silent is noticed in the run.
const HEARTBEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// The publishes that have reached the application, by their names.
#[derive(Default)]
struct Publishes {
    seen: Mutex<HashSet<String>>,
    repeats: AtomicU64,
}

type Node = tidewire::Live<()>;

pub(crate) struct Nodes {
    lives: [Node; 2],
    addresses: [SocketAddr; 2],
    replaced: Arc<Notify>,
    publishes: Arc<Publishes>,
}

impl Nodes {
    pub(crate) async fn start() -> Self {
        let broker = MemoryBroker::default();
        let publishes = Arc::new(Publishes::default());
        let lives = [(); 2].map(|()| node(broker.clone(), publishes.clone()));
        let replaced = Arc::new(Notify::new());
        let mut addresses = Vec::new();
        for live in &lives {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
            addresses.push(listener.local_addr().expect("it has an address"));
            let app = Router::new().route("/ws", live.handler());
            let (live, replaced) = (live.clone(), replaced.clone());
            let is_first = addresses.len() == 1;
            let replaced = async move {
                if is_first {
                    replaced.notified().await;
                } else {
                    std::future::pending().await
                }
            };
            let drain = live.drain(crate::DRAIN);
            tokio::spawn(
                async move { tidewire::serve(listener, app).shutdown(drain, replaced).await },
            );
        }
        let addresses = addresses.try_into().expect("there are two");
        Self { lives, addresses, replaced, publishes }
    }

    pub(crate) fn first(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn second(&self) -> Node {
        self.lives[1].clone()
    }

    /// The second node takes what comes, and the first one's clients are asked to move.
    pub(crate) fn replace(&self, proxy: &Proxy) {
        proxy.lead_to(self.addresses[1]);
        self.replaced.notify_one();
    }

    /// Publishes that came more than once.
    pub(crate) fn repeats(&self) -> u64 {
        self.publishes.repeats.load(Ordering::Relaxed)
    }
}

fn node(broker: MemoryBroker, publishes: Arc<Publishes>) -> Node {
    let (events, age) = HISTORY;
    let (ping, pong) = HEARTBEAT;
    Node::builder()
        .state(publishes)
        .broker(broker)
        .heartbeat(ping, pong)
        .topic::<Feed>(|topic| topic.public().history(events, age).on_publish(take))
        .build()
}

async fn take(
    cx: Context<Arc<Publishes>>,
    _session: Session<()>,
    _feed: Feed,
    item: Item,
) -> Result<Item, Refusal> {
    let mid = cx.mid().unwrap_or_default().to_owned();
    let is_new = cx.state.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(mid);
    if !is_new {
        cx.state.repeats.fetch_add(1, Ordering::Relaxed);
    }
    Ok(item)
}
