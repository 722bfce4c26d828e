//! The client core against a model of the server on a bad network, and against a server that says anything.

mod hostile;
mod model;
mod numbers;
mod world;

use hostile::Hostile;
use world::World;

/// Calls `check` with seeds; the output of a failing test ends with its seed.
#[expect(clippy::print_stdout, reason = "shown with a failure only")]
fn for_seeds(short: u64, check: impl Fn(u64)) {
    let long = std::env::var_os("TIDEWIRE_LONG").is_some();
    for seed in 0..if long { short * 100 } else { short } {
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
