//! A guest book in SQLite. Whoever opens the page gets all entries, and then each that is written, once; what a guest writes is in the book
//! once, however often the connection or the server is lost meanwhile.
//!
//! [`book`] has the table, [`search`](mod@search) how it is looked through; this file what the live server makes of it.

pub mod book;
pub mod search;

use std::{path::Path, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use tidewire::{Accepted, Context, Identity, Live, LiveBuilder, Refusal, Session, Snapshot};
use tidewire_guestbook_schema::{Entries, Entry, NewEntry, Search};
use tower_http::services::ServeDir;

pub use book::{Book, BookError};
pub use search::search;

/// How long a guest is taken for who they said they are, before their page is asked again.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// What a page that was away for a while is given without reading the table again.
const HISTORY_EVENTS: usize = 10_000;
const HISTORY_AGE: Duration = Duration::from_secs(600);

/// Who a session is. Names are taken on trust: an application would check a token here.
#[derive(Debug)]
pub struct Guest {
    name: String,
}

/// The live server of a book, to which more may be added.
#[must_use]
pub fn live(book: &Book) -> LiveBuilder<Guest, Book> {
    entries(book).stream(Search, search)
}

/// The same but for the search, for a server that has its own.
#[must_use]
pub fn entries(book: &Book) -> LiveBuilder<Guest, Book> {
    Live::<Guest>::builder()
        .state(book.clone())
        .on_token(async |_cx, token: Option<String>| {
            Ok::<_, Refusal>(Identity::new(guest(token)?).expires_in(KNOWN_FOR))
        })
        .user_key(|guest| guest.name.clone())
        .topic::<Entries>(|topic| {
            topic
                .public()
                .history(HISTORY_EVENTS, HISTORY_AGE)
                .snapshot(all_entries)
                .on_publish(write)
        })
}

// readme: hooks
/// The state: what is written, and the id of the last entry in it.
async fn all_entries(cx: Context<Book>, _topic: Entries) -> Result<Snapshot<Vec<Entry>>, Refusal> {
    let (entries, version) = cx.state.entries().await?;
    Ok(Snapshot::new(entries).version(version))
}

/// A change: committed first, under the client's name for it, and published then, with its id as the version.
async fn write(
    cx: Context<Book>,
    session: Session<Guest>,
    _topic: Entries,
    NewEntry { text }: NewEntry,
) -> Result<Accepted<Entry>, Refusal> {
    if !(1..=500).contains(&text.chars().count()) {
        return Err(Refusal::invalid_data().message("An entry has 1 to 500 characters."));
    }
    // Our clients give one to every publish. Without it an entry that is sent again would be written again.
    let mid = cx.mid().ok_or(Refusal::invalid_data().message("An entry needs a `mid`."))?;
    let guest = session.value().name.clone();
    let entry = cx.state.write(guest, mid.into(), text).await?;
    let version = entry.id;
    Ok(Accepted::new(entry).version(version))
}
// readme: end

/// The guest with this name.
///
/// # Errors
/// If it is none.
pub fn guest(name: Option<String>) -> Result<Guest, Refusal> {
    let name = name.unwrap_or_default();
    match name.chars().count() {
        1..=32 => Ok(Guest { name }),
        _ => Err(Refusal::unauthorized().message("A name has 1 to 32 characters.")),
    }
}

/// The book's routes: the live server, the table as JSON, and the page.
pub fn app(live: &Live<Guest>, book: &Book, web: impl AsRef<Path>) -> Router {
    Router::new()
        .route("/ws", live.handler())
        .route("/entries", get(table))
        .with_state(book.clone())
        .fallback_service(ServeDir::new(web))
}

async fn table(State(book): State<Book>) -> Result<Json<Vec<Entry>>, StatusCode> {
    match book.entries().await {
        Ok((entries, _)) => Ok(Json(entries)),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
