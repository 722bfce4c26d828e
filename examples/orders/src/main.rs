//! Orders in SQLite, published by an outbox: `POST /orders` places one, the topic `orders` at `/ws` has all of them.
//!
//! `HOST` and `PORT` say where it listens, `DATABASE` where the orders are. Of two processes on one database the second relays nothing
//! until the first is gone: they have no broker in common.

use std::{
    env::{self, VarError},
    error::Error,
    io::{self, Write},
};

use tidewire_orders::{Shop, app};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = variable("HOST", "127.0.0.1")?;
    let port: u16 = variable("PORT", "8080")?.parse()?;
    let shop = Shop::open(variable("DATABASE", "orders.sqlite")?).await?;
    let (router, live) = app(&shop);
    let listener = TcpListener::bind((host.as_str(), port))
        .await
        .map_err(|error| format!("{host}:{port}: {error}; HOST and PORT say where to listen"))?;
    writeln!(io::stdout(), "orders at http://{}/orders", listener.local_addr()?)?;
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    tidewire::serve(listener, router).shutdown(live.shutdown(), interrupted).await;
    Ok(())
}

fn variable(name: &str, default: &str) -> Result<String, VarError> {
    match env::var(name) {
        Err(VarError::NotPresent) => Ok(default.to_owned()),
        value => value,
    }
}
