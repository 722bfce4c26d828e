//! The exchange: publishes what the market does, in real time, and once a second what that costs the server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidewire::{Live, PublishError};
use tidewire_prices_schema::{Prices, Quote, ServerStats, Stats, Trails};
use tokio::{
    sync::watch,
    time::{self, MissedTickBehavior},
};

use crate::{
    Visitor,
    market::{Change, Market, TRAIL},
};

/// Trades come in small bunches, this far apart.
const BUNCH: Duration = Duration::from_millis(25);
const BUNCHES_PER_SECOND: u32 = 40;

const SAMPLE: Duration = Duration::from_secs(2);
const STATS: Duration = Duration::from_secs(1);

/// Publishes until a publish fails. The market halts while `trading` is false.
pub(crate) async fn run(
    live: Live<Visitor>,
    mut trading: watch::Receiver<bool>,
    seed: u64,
    trades_per_second: u32,
) -> Result<(), PublishError> {
    let mut market = warm(seed, trades_per_second);
    for quote in market.quotes() {
        live.topic(Prices).publish(&Quote { at_ms: now_ms(), ..quote }).await?;
    }
    let (mut bunch, mut sample, mut stats) = (every(BUNCH), every(SAMPLE), every(STATS));
    let mut due = 0;
    loop {
        tokio::select! {
            _ = bunch.tick(), if *trading.borrow() => {
                due += trades_per_second;
                while due >= BUNCHES_PER_SECOND {
                    due -= BUNCHES_PER_SECOND;
                    publish(&live, market.step()).await?;
                }
            }
            _ = sample.tick(), if *trading.borrow() => {
                for trail in market.sample() {
                    live.topic(Trails).publish(&trail).await?;
                }
            }
            _ = stats.tick() => {
                let trading = *trading.borrow();
                live.topic(ServerStats).publish(&read(&live, trading)).await?;
            }
            // Pages need not wait for a second to see that it has halted.
            changed = trading.changed() => match changed {
                Ok(()) => stats.reset_immediately(),
                Err(_) => return Ok(()),
            },
        }
    }
}

/// A market that has been open for as long as a trail is.
fn warm(seed: u64, trades_per_second: u32) -> Market {
    let mut market = Market::new(seed);
    for _ in 0..TRAIL {
        for _ in 0..u64::from(trades_per_second) * SAMPLE.as_secs() {
            market.step();
        }
        market.sample();
    }
    market
}

async fn publish(live: &Live<Visitor>, change: Change) -> Result<(), PublishError> {
    match change {
        Change::Traded(quote) => {
            live.topic(Prices).publish(&Quote { at_ms: now_ms(), ..quote }).await?;
        }
        Change::Delisted(symbol) => {
            live.topic(Prices).remove(symbol).await?;
            live.topic(Trails).remove(symbol).await?;
        }
    }
    Ok(())
}

fn read(live: &Live<Visitor>, trading: bool) -> Stats {
    let metrics = live.metrics();
    let published = metrics.published_total.iter().find(|(entry, _)| entry == "prices");
    let conflated = metrics.gaps_total.iter().find(|(cause, _)| *cause == "conflated");
    Stats {
        at_ms: now_ms(),
        trading,
        sessions: metrics.sessions,
        quotes_total: published.map_or(0, |(_, total)| *total),
        sent_total: metrics.sent_messages_total,
        queued_bytes: metrics.queued_bytes,
        lags_total: metrics.lags_total,
        conflated_total: conflated.map_or(0, |(_, total)| *total),
    }
}

/// A machine that was busy or asleep does not make up for what it missed.
fn every(period: Duration) -> time::Interval {
    let mut interval = time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

/// Milliseconds since 1970; a clock before that stands at 0.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}
