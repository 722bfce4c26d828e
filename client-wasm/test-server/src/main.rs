//! The server that the browser tests of `tidewire-client` talk to. It prints its address.

#[path = "../../tests/it/schema.rs"]
mod schema;
mod serving;

use std::{
    error::Error,
    io::{self, Write},
};

use axum::Router;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "client tests at http://{}", listener.local_addr()?)?;
    let live = serving::talk().build();
    axum::serve(listener, Router::new().route("/ws", live.handler())).await?;
    Ok(())
}
