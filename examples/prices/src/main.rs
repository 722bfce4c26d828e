//! A live price board: a simulated market of `tidewire-prices-schema`, served at `/ws` beside the page that shows it, and at `/line` to a
//! reader as slow as its page wants.
//!
//! `PORT` and `HOST` say where it listens, `WEB` where the built page is, `RATE` how many trades there are in a second, and `SEED` which.

mod exchange;
mod line;
mod market;

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use axum::{Router, extract::ConnectInfo, routing::get};
use line::{Lines, Speed};
use tidewire::{Live, Overflow, Refusal, Request};
use tidewire_prices_schema::{Prices, ServerStats, SetSpeed, SetTrading, Trails};
use tokio::{net::TcpListener, sync::watch};
use tower_http::services::ServeDir;

/// The page as `npm run build` leaves it.
const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist");

/// How many of the server's numbers a page gets that comes fresh: those of a minute.
const STATS: usize = 60;

/// Who a session is: anybody, by a line whose speed it may set, or by none.
#[derive(Debug)]
struct Visitor {
    line: Option<Speed>,
}

/// What the hooks have.
struct Floor {
    lines: Lines,
    trading: watch::Sender<bool>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "3000")?.parse()?;
    let web = PathBuf::from(variable("WEB", WEB)?);
    let (rate, seed) = (variable("RATE", "400")?.parse()?, variable("SEED", "2026")?.parse()?);
    if !web.join("index.html").exists() {
        writeln!(
            io::stderr(),
            "no page in {}: `cargo xtask demo prices` builds it",
            web.display()
        )?;
    }
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    let address = listener.local_addr()?;
    let lines = Lines::new(address);
    let (trading, halted) = watch::channel(true);
    let live = board(Floor { lines: lines.clone(), trading });
    let app = Router::new()
        .route("/ws", live.handler())
        .route("/line", get(line::handler).with_state(lines))
        .fallback_service(ServeDir::new(web));
    writeln!(io::stdout(), "prices at http://{address}")?;
    let stopped = {
        let exchange = exchange::run(live.clone(), halted, seed, rate);
        async move {
            tokio::select! {
                ended = exchange => drop(writeln!(io::stderr(), "the exchange has ended: {ended:?}")),
                _ = stop() => {}
            }
        }
    };
    tidewire::serve(listener, app).shutdown(live.shutdown(), stopped).await;
    Ok(())
}

/// The live server. Prices are state: whoever does not keep up needs the last of each symbol and nothing before it.
fn board(floor: Floor) -> Live<Visitor> {
    Live::<Visitor>::builder()
        .state(floor)
        .on_auth(async |cx, request: Request| {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            let line = peer.and_then(|ConnectInfo(peer)| cx.state.lines.speed_of(*peer));
            Ok::<_, Refusal>(Visitor { line })
        })
        // A line that was stopped on purpose is not to be closed at once.
        .write_timeout(Duration::from_secs(30))
        .topic::<Prices>(|topic| topic.public().overflow(Overflow::Conflate))
        .topic::<Trails>(|topic| topic.public().overflow(Overflow::Conflate))
        .topic::<ServerStats>(|topic| {
            topic
                .public()
                .overflow(Overflow::DropOldest)
                .history(STATS, Duration::from_secs(2 * STATS as u64))
        })
        .call(SetTrading, async |cx, _session, trading| {
            cx.state.trading.send_replace(trading);
            Ok(())
        })
        .call(SetSpeed, async |_cx, session, speed| {
            let visitor = session.value();
            let no_line = Refusal::forbidden().message("no slow line leads here");
            visitor.line.as_ref().ok_or(no_line)?.send_replace(speed);
            Ok(())
        })
        .build()
}

fn variable(name: &str, default: &str) -> Result<String, VarError> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        value => value,
    }
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
async fn stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
