//! The schema of the price board: what the server and the page say to each other, written once.
//!
//! The page's side is `web/src/prices.schema.ts`, written from here.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What a symbol is worth now. Each stands for itself: whoever has the last one of a symbol needs none before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Quote {
    /// The key.
    pub symbol: String,
    /// Whose shares they are.
    pub name: String,
    /// The price of the last trade.
    pub price: f64,
    /// The price of the day's first.
    pub open: f64,
    /// The day's lowest price.
    pub low: f64,
    /// The day's highest price.
    pub high: f64,
    /// How many shares changed hands today.
    pub volume: u64,
    /// When the last did, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The way that a symbol's price has come. A topic of its own, so that the line is whole also where prices were left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Trail {
    /// The key.
    pub symbol: String,
    /// Its prices every two seconds, the last one last.
    pub prices: Vec<f64>,
}

/// The server's own numbers. Totals count since it was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Stats {
    /// When they were read, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether the market is open.
    pub trading: bool,
    /// Sessions that are open.
    pub sessions: u64,
    /// Quotes that were published.
    pub quotes_total: u64,
    /// Frames that were sent, to all sessions together.
    pub sent_total: u64,
    /// Bytes that wait for sockets now.
    pub queued_bytes: u64,
    /// Times that a subscription did not keep up.
    pub lags_total: u64,
    /// Gaps that were told of because later events of the same key had taken the place of those missing.
    pub conflated_total: u64,
}

/// How fast a slow line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LineSpeed {
    /// What it carries to the page; 0 for nothing, `None` for all there is.
    pub bytes_per_second: Option<u32>,
}

tidewire_protocol::schema! {
    /// A market that all see, and what it costs the server.
    pub schema Market lock "schema.lock" {
        /// The last quote of each symbol. A delisted symbol is removed.
        topic Prices = "prices" { event: Quote, key: symbol }

        /// The trail of each symbol.
        topic Trails = "trails" { event: Trail, key: symbol }

        /// The server's numbers, every second.
        topic ServerStats = "stats" { event: Stats }

        /// Opens the market for everybody, or halts it.
        call SetTrading = "market.trading" (bool) -> ();

        /// Sets the speed of the line that this connection came by.
        call SetSpeed = "line.speed" (LineSpeed) -> ();
    }
}

#[cfg(test)]
mod tests {
    use super::Market;

    #[test]
    fn the_page_has_this_schema() {
        Market::check("../web/src/prices.schema.ts").unwrap();
    }
}
