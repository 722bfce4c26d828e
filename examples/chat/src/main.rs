//! Chat rooms: the schema of `tidewire-chat-schema`, served at `/ws` beside the page that uses it.
//!
//! `PORT` and `HOST` say where it listens, `WEB` where the built page is.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, routing::get};
use tidewire::{Context, Live, Refusal, Session, Wish};
use tidewire_chat_schema::{ChatMessage, Lobby, NewMessage, Room, RoomActivity, Visitor};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

/// The page as `npm run build` leaves it.
const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist");

/// What a page shows of a room when it enters, and gets of what it missed when it was away for a while.
const HISTORY_EVENTS: usize = 500;
const HISTORY_AGE: Duration = Duration::from_secs(3600);

/// Who a session is. Names are taken on trust: an application would check a token here.
struct User {
    name: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "3000")?.parse()?;
    let web = PathBuf::from(variable("WEB", WEB)?);
    if !web.join("index.html").exists() {
        writeln!(io::stderr(), "no page in {}: `cargo xtask demo` builds it", web.display())?;
    }
    let live = chat();
    // For all to see, as this is an example: yours are for your network only.
    let metrics = get({
        let live = live.clone();
        async move || live.metrics_text()
    });
    let app = Router::new()
        .route("/ws", live.handler())
        .route("/metrics", metrics)
        .fallback_service(ServeDir::new(web));
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    writeln!(io::stdout(), "chat at http://{}", listener.local_addr()?)?;
    let stopped = async { drop(stop().await) };
    tidewire::serve(listener, app).shutdown(live.shutdown(), stopped).await;
    Ok(())
}

/// The live server: who may come in, and what becomes of what they say.
fn chat() -> Live<User> {
    Live::<User>::builder()
        .on_token(async |_cx, token: Option<String>| sign_in(&token.unwrap_or_default()))
        .topic::<Lobby>(|topic| topic.public())
        .user_key(|user| user.name.clone())
        .topic::<Room>(|topic| {
            topic
                .public()
                .history(HISTORY_EVENTS, HISTORY_AGE)
                .on_publish(post)
                .presence(async |_cx, _session, _room, wish: Wish| wish.read::<Visitor>())
        })
        .build()
}

/// The visitor with this name.
fn sign_in(name: &str) -> Result<User, Refusal> {
    let name = name.trim();
    match name.chars().count() {
        1..=32 => Ok(User { name: name.into() }),
        _ => Err(Refusal::unauthorized().message("A name has 1 to 32 characters.")),
    }
}

/// What a visitor writes becomes the message that the room sees; the lobby hears who wrote where.
async fn post(
    _cx: Context<()>,
    session: Session<User>,
    Room { room }: Room,
    NewMessage { text }: NewMessage,
) -> Result<ChatMessage, Refusal> {
    let text = text.trim();
    if !(1..=2000).contains(&text.chars().count()) {
        return Err(Refusal::invalid_data().message("A message has 1 to 2,000 characters."));
    }
    let user = session.value().name.clone();
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?;
    let activity = RoomActivity { room, user: user.clone(), at_ms };
    session.live().topic(Lobby).publish(&activity).await?;
    Ok(ChatMessage { user, text: text.into(), at_ms })
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
