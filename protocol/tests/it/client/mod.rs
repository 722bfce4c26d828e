//! The client core against a model of the server on a bad network, and against a server that says anything.

mod hostile;
mod model;
mod world;

use hostile::Hostile;
use world::World;

/// Calls `check` with seeds; the output of a failing test ends with its seed, which `TIDEWIRE_SEED` replays.
#[expect(clippy::print_stdout, reason = "shown with a failure only")]
fn for_seeds(short: u64, check: impl Fn(u64)) {
    let long = std::env::var_os("TIDEWIRE_LONG").is_some();
    let one = std::env::var("TIDEWIRE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = if long { 0..short * 100 } else { 0..short };
    for seed in one.map_or(seeds, |seed| seed..seed + 1) {
        println!("seed {seed}");
        check(seed);
    }
}

#[test]
fn a_bad_network_costs_no_event_in_silence() {
    for_seeds(500, |seed| {
        let mut world = World::new(seed);
        world.disturb(300);
        world.settle();
    });
}

#[test]
fn whatever_a_server_sends_is_survived() {
    for_seeds(300, |seed| Hostile::new(seed).run(1_000));
}
