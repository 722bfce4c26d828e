//! Storm: hundreds of native clients at a real server, through a proxy that cuts, tears and stalls their connections, while publishers go
//! on. Within history nothing may be lost, doubled or out of order. An oracle says so that knows only what was published and what
//! readers were told.
//!
//! `cargo xtask test storm` runs it for ten seconds, `--long` for sixty. `STORM_SEED` repeats a run's plan, though not the
//! machine's timing.

#![cfg(not(target_arch = "wasm32"))]

mod oracle;
mod proxy;
mod publishers;
#[path = "../../../protocol/tests/shared/random.rs"]
mod random;
mod readers;
mod server;

use std::{
    env,
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Resource, getrlimit, setrlimit};
use tidewire_client::{Live, connect};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use oracle::{Oracle, Shared};
use proxy::Proxy;
use publishers::{Pace, Publisher};
use random::Random;
use server::{Feeds, Nodes};

const CLIENTS: usize = 200;
const TOPICS: usize = 80;
/// Of each client.
const READS: usize = 2;
/// Publishes in a second: half of them by the server's API, half by clients.
const RATE: u64 = 2_000;
/// Publishers of each kind, in clients and beside the server.
const BY_CLIENTS: u64 = 50;
const BY_SERVER: u64 = 20;
/// What a node that is replaced gives its clients to move.
const DRAIN: Duration = Duration::from_secs(3);
/// Open files, if the system allows so many: a client has one, its proxy two and its server one, and what was cut lingers.
const FILES: u64 = 20_000;
/// How long it may take until everybody has everything once it is calm: the longest delay between two tries is 20 s.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_out_of_order() {
    raise_file_limit();
    let seed = seed();
    let seconds: u64 = if env::var_os("TIDEWIRE_LONG").is_some() { 60 } else { 10 };
    say(&format!("storm: STORM_SEED={seed}, {seconds} s"));
    let storm = Storm::begin(seed).await;
    let began = Instant::now();
    let (told, calm) = watch::channel(None);
    let readers = storm.read(&calm);
    let publishers = storm.publish(seconds);
    let half = Duration::from_secs(seconds) / 2;
    sleep(half).await;
    storm.nodes.replace(&storm.proxy);
    sleep(half).await;
    storm.proxy.calm_down();
    let published = timeout(PATIENCE, publishers.join_all()).await;
    storm.oracle.check(|oracle| published.map(drop).map_err(|_| oracle.unanswered()));
    let took = began.elapsed();
    let heads = storm.oracle.with(|oracle| oracle.heads());
    told.send_replace(Some(heads));
    let finished = timeout(PATIENCE, readers.join_all()).await;
    storm.oracle.check(|oracle| finished.map(drop).map_err(|_| oracle.unfinished()));
    let report = storm.oracle.with(|oracle| oracle.report());
    say(&format!(
        "  published in {:.1} s, whole {:.1} s later",
        took.as_secs_f64(),
        (began.elapsed() - took).as_secs_f64()
    ));
    say(&format!("  {}", storm.proxy.report()));
    say(&format!("  {report}, {} publishes sent again", storm.nodes.repeats()));
    storm.oracle.check(Oracle::verify);
    storm.oracle.check(|oracle| match oracle.recovered {
        0 => Err("nothing was recovered: this was no storm".into()),
        _ => Ok(()),
    });
    if let Some(fault) = storm.oracle.with(|oracle| oracle.fault.clone()) {
        panic!("{fault}\nSTORM_SEED={seed} cargo xtask test storm");
    }
}

struct Storm {
    seed: u64,
    nodes: Nodes,
    proxy: Arc<Proxy>,
    /// With the topics that each reads.
    clients: Vec<(Live, [usize; READS])>,
    oracle: Shared,
}

impl Storm {
    async fn begin(seed: u64) -> Self {
        let nodes = Nodes::start().await;
        let proxy = Proxy::start(nodes.first(), Random::new(seed, 1)).await;
        let mut random = Random::new(seed, 2);
        let client = |_| {
            let first = random.index(TOPICS);
            let live = connect::<Feeds>(format!("ws://{}/ws", proxy.address)).build();
            (live, std::array::from_fn(|read| (first + read * 7) % TOPICS))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { seed, nodes, proxy, clients, oracle: Shared::new(TOPICS) }
    }

    /// Every client reads some topics, each in a task of its own, until it has all of them.
    fn read(&self, calm: &watch::Receiver<Option<Vec<u64>>>) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for (live, topics) in &self.clients {
            for &topic in topics {
                let random = Random::new(self.seed, 1_000 + readers.len() as u64);
                let reader = readers::Reader::new(live.clone(), topic, &self.oracle);
                readers.spawn(reader.run(random, calm.clone()));
            }
        }
        readers
    }

    /// So many publishers, of each kind, that each has the pace of a busy user.
    fn publish(&self, seconds: u64) -> JoinSet<()> {
        let mut publishers = JoinSet::new();
        let publisher = |number, of| {
            let pace = Pace::new(RATE / 2 / of, seconds);
            Publisher::new(number, Random::new(self.seed, 1_000_000 + number), pace, &self.oracle)
        };
        for (number, (live, topics)) in (0..BY_CLIENTS).zip(&self.clients) {
            publishers.spawn(publisher(number, BY_CLIENTS).by_client(live.clone(), *topics));
        }
        for number in BY_CLIENTS..BY_CLIENTS + BY_SERVER {
            publishers.spawn(publisher(number, BY_SERVER).by_server(self.nodes.second()));
        }
        publishers
    }
}

fn seed() -> u64 {
    let wish = env::var("STORM_SEED").ok().and_then(|seed| seed.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    wish.unwrap_or(since.as_nanos() as u64)
}

fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |most| most.min(FILES));
    limit.current = limit.current.map(|current| current.max(wanted));
    setrlimit(Resource::Nofile, limit).expect("up to its maximum it is free");
}

/// Said whether the test passes or not, so not by what the harness captures.
fn say(line: &str) {
    // Without somebody to read it there is nobody to miss it.
    let _ = writeln!(io::stdout(), "{line}");
}
