//! The cores that run in production (client, session, topic, delivery) over a network that delays, cuts, swallows and stalls, and a
//! server that restarts; on virtual time, judged by an oracle that knows only what was published and what clients were told.
//!
//! A second binary beside `it`, because `cargo xtask test mutants` builds it alone, against cores that are broken on purpose.
//!
//! `SIM_SEED=7 cargo test -p tidewire-protocol --test sim` replays one seed; `SIM_SEEDS` sets how many are tried.

mod actions;
mod client;
mod frames;
mod network;
#[path = "../shared/numbers.rs"]
mod numbers;
mod oracle;
#[path = "../shared/random.rs"]
mod random;
mod run;
mod schedule;
mod server;
mod setup;
mod shrink;
mod world;

/// 10,000 seeds; a million with `TIDEWIRE_LONG`.
#[test]
fn no_seed_breaks_a_guarantee() {
    run::all();
}
