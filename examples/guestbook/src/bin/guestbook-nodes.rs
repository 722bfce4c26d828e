//! The guest book on one node after another, for the tests of its page: they kill this process, start it again, and tell it by lines on
//! its standard input to `start` another node beside the present one, to `drain` the oldest, or to `fill` the book with so many entries.
//!
//! Each node's address is a line on standard output; so are `drained` and `filled`. What the example leaves as it is for a person's patience is short here:
//! the heartbeat, and how long a guest is known. A message `flood` publishes as many events as it says to the topic `flood`;
//! topics without a type are everybody's. `/searches` says how many searches run, and how much all of them have found.

use std::{
    collections::VecDeque,
    env,
    error::Error,
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, routing::get};
use futures_util::{Stream, StreamExt};
use tidewire::{Allow, Identity, Message, Refusal, Session, broker::MemoryBroker};
use tidewire_guestbook::{Book, Guest, app, entries, guest, search};
use tidewire_guestbook_schema::Search;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    sync::oneshot,
};

const KNOWN_FOR: Duration = Duration::from_secs(2);
const PING: Duration = Duration::from_millis(700);
const PONG: Duration = Duration::from_millis(700);
const DRAIN: Duration = Duration::from_secs(5);

/// What all nodes share.
struct Cluster {
    book: Book,
    broker: MemoryBroker,
    web: PathBuf,
    searches: Arc<Searches>,
}

/// What became of the searches of all nodes.
#[derive(Default)]
struct Searches {
    running: AtomicUsize,
    found: AtomicUsize,
}

/// A search as long as its stream is there.
struct Running(Arc<Searches>);

/// A node that runs until it is told to drain, and says when it has.
struct Node {
    drain: oneshot::Sender<()>,
    drained: oneshot::Receiver<()>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let web = PathBuf::from(env::var("WEB")?);
    let book = Book::open(env::var("DATABASE")?).await?;
    let cluster = Cluster { book, broker: MemoryBroker::default(), web, searches: Arc::default() };
    let port: u16 = env::var("PORT")?.parse()?;
    let mut nodes = VecDeque::from([cluster.start(port).await?]);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    // Its end is the test's.
    while let Some(line) = lines.next_line().await? {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("start", _) => nodes.push_back(cluster.start(0).await?),
            ("drain", _) => {
                let Node { drain, drained } = nodes.pop_front().ok_or("there is no node")?;
                drain.send(()).map_err(|()| "the node has ended")?;
                drained.await?;
                writeln!(io::stdout(), "drained")?;
            }
            ("fill", count) => {
                fill(&cluster.book, count.parse()?).await?;
                writeln!(io::stdout(), "filled")?;
            }
            _ => return Err(format!("{line:?} is no command").into()),
        }
    }
    Ok(())
}

impl Cluster {
    async fn start(&self, port: u16) -> Result<Node, Box<dyn Error>> {
        let searches = self.searches.clone();
        let live = entries(&self.book)
            .stream(Search, move |cx, session, query| {
                let searches = searches.clone();
                async move { Ok(searches.watch(search(cx, session, query).await?)) }
            })
            .broker(self.broker.clone())
            .heartbeat(PING, PONG)
            .message_rate(0, 0)
            .on_token(async |_cx, token: Option<String>| {
                Ok::<_, Refusal>(Identity::new(guest(token)?).expires_in(KNOWN_FOR))
            })
            .on_subscribe(async |_cx, _session, _topic| Allow)
            .on_message(async |_cx, session, message| flood(&session, &message).await)
            .build();
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        writeln!(io::stdout(), "node at http://{}", listener.local_addr()?)?;
        let searches = self.searches.clone();
        let report = get(async move || Json(searches.report()));
        let app = app(&live, &self.book, &self.web).route("/searches", report);
        let (drain, told) = oneshot::channel();
        let (done, drained) = oneshot::channel();
        tokio::spawn(async move {
            let told = async { drop(told.await) };
            tidewire::serve(listener, app).shutdown(live.drain(DRAIN), told).await;
            // A test that is over does not wait for it.
            let _ = done.send(());
        });
        Ok(Node { drain, drained })
    }
}

impl Searches {
    /// A stream of what is found, counted.
    fn watch<F: Stream>(self: Arc<Self>, found: F) -> impl Stream<Item = F::Item> + use<F> {
        self.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(self);
        found.inspect(move |_| {
            running.0.found.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// How many run, and how much all of them have found.
    fn report(&self) -> [usize; 2] {
        [self.running.load(Ordering::Relaxed), self.found.load(Ordering::Relaxed)]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Writes so many entries, of which every fifth has the word `tide`.
async fn fill(book: &Book, count: u32) -> Result<(), Box<dyn Error>> {
    for number in 1..=count {
        let about = if number % 5 == 0 { "the tide" } else { "the weather" };
        let text = format!("Entry {number}, about {about}");
        book.write("Filler".into(), number.to_string(), text).await?;
    }
    Ok(())
}

/// Publishes so many events as the message says, of a hundred bytes each.
async fn flood(session: &Session<Guest>, message: &Message) {
    let last: u64 = message.decode().unwrap_or_default();
    for number in 1..=last {
        // One that is not published the page will miss.
        let _ = session.live().publish("flood", &format!("{number:0>100}")).await;
    }
}
