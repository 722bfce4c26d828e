//! A guest book in SQLite, with its page.
//!
//! `HOST` and `PORT` say where it listens, `DATABASE` where the book is, `WEB` where the built page is.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
};

use tidewire_guestbook::{Book, app, live};
use tokio::net::TcpListener;

/// The page as `npm run build` leaves it.
const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "3000")?.parse()?;
    let book = Book::open(variable("DATABASE", "guestbook.sqlite")?).await?;
    let live = live(&book).build();
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    writeln!(io::stdout(), "guest book at http://{}", listener.local_addr()?)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    let app = app(&live, &book, variable("WEB", WEB)?);
    tidewire::serve(listener, app).shutdown(live.shutdown(), interrupted).await;
    Ok(())
}

fn variable(name: &str, default: &str) -> Result<String, VarError> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        value => value,
    }
}
