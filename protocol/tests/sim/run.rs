//! Many seeds on all processors; of a failing one the actions that it takes to fail, and the command that replays it.

use std::{
    collections::BTreeMap,
    env,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{actions::Step, setup::Setup, shrink::shrink, world::World};

const SEEDS: u64 = 10_000;
const LONG_SEEDS: u64 = 1_000_000;
/// In so many worlds each of these happens; where one does not, the simulation tries less than it seems to.
const MANY_SEEDS: u64 = 10_000;
const HAPPENINGS: [&str; 52] = [
    "a call waits",
    "a stream waits for its turn",
    "acknowledged",
    "an item within a move",
    "call not sent",
    "call timed out",
    "call unknown",
    "called",
    "cancelled",
    "conflated",
    "deployed",
    "drained",
    "dropped",
    "ended before it began",
    "ended while it began",
    "falls back",
    "fresh",
    "gap lost",
    "history",
    "included",
    "item",
    "joined",
    "lags",
    "left",
    "lost",
    "lost on the way",
    "new epoch",
    "not recovered",
    "one stream too many",
    "recovered",
    "refused",
    "refused for now",
    "rejected",
    "repeated",
    "repeated in flight",
    "sent after it was forgotten",
    "sent away by a server that drains",
    "sent in another epoch",
    "snapshot",
    "snapshot of a version",
    "snapshot of the members",
    "snapshot of the store",
    "state of what has ended",
    "state read",
    "stream cancelled",
    "stream not sent",
    "stream refused",
    "stream timed out",
    "stream unknown",
    "streamed",
    "subscribed by the server",
    "unknown",
];
/// Worlds that are run to shrink a failing one.
const SHRINK_TRIES: usize = 2_000;

/// What happened in how many worlds, and how often.
type Seen = BTreeMap<&'static str, u64>;

pub(crate) fn all() {
    if let Some(seed) = number("SIM_SEED") {
        replay(seed);
        return;
    }
    let usual = if env::var_os("TIDEWIRE_LONG").is_some() { LONG_SEEDS } else { SEEDS };
    let seeds = number("SIM_SEEDS").unwrap_or(usual);
    let begun = Instant::now();
    let (failed, seen) = search(seeds);
    if let Some(seed) = failed {
        replay(seed);
        panic!("seed {seed} failed, but not when it was run again");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let per_thousand = 1_000.0 * seconds / seeds as f64;
    report(&format!("{seeds} seeds in {seconds:.1} s, {per_thousand:.2} s per thousand: {seen:?}"));
    let missing: Vec<_> = HAPPENINGS.iter().filter(|&what| !seen.contains_key(what)).collect();
    assert!(seeds < MANY_SEEDS || missing.is_empty(), "never seen: {missing:?}");
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[expect(clippy::print_stdout, reason = "shown with a failure, or where asked for")]
pub(crate) fn report(text: &str) {
    println!("{text}");
}

/// The lowest seed that fails, if any does, and what was seen in all.
fn search(seeds: u64) -> (Option<u64>, Seen) {
    let (next, lowest) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let all = Mutex::new(Seen::new());
    let work = || {
        let mut mine = Seen::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || seed > lowest.load(Ordering::Relaxed) {
                break;
            }
            let setup = Setup::new(seed);
            match run(&setup, &Step::all(&setup)) {
                Ok(seen) => merge(&mut mine, seen),
                Err(_) => drop(lowest.fetch_min(seed, Ordering::Relaxed)),
            }
        }
        merge(&mut all.lock().expect("no panic while it is locked"), mine);
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    quietly(|| thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work)))));
    let lowest = lowest.into_inner();
    let seen = all.into_inner().expect("no panic while it is locked");
    ((lowest < u64::MAX).then_some(lowest), seen)
}

fn merge(all: &mut Seen, more: Seen) {
    for (what, times) in more {
        *all.entry(what).or_default() += times;
    }
}

/// Runs a world; a panic of a core is a fault too.
fn run(setup: &Setup, steps: &[Step]) -> Result<Seen, String> {
    let oracle = panic::catch_unwind(AssertUnwindSafe(|| World::new(setup).run(steps)))
        .map_err(|panic| format!("a panic: {}", text_of(&*panic)))?;
    match oracle.fault() {
        Some(fault) => Err(fault.to_owned()),
        None => Ok(oracle.seen),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}

/// Runs one seed and, if it fails, says so with as few actions as will do.
fn replay(seed: u64) {
    let setup = Setup::new(seed);
    let steps = Step::all(&setup);
    let (fault, steps) = match quietly(|| run(&setup, &steps)) {
        Ok(seen) => return report(&format!("seed {seed} holds: {seen:?}")),
        Err(fault) if env::var_os("SIM_WHOLE").is_some() => (fault, steps),
        Err(_) => {
            let least =
                quietly(|| shrink(steps, SHRINK_TRIES, |steps| run(&setup, steps).is_err()));
            (run(&setup, &least).expect_err("it fails"), least)
        }
    };
    let list: String = steps.iter().map(|step| format!("  {step:?}\n")).collect();
    panic!(
        "{fault}\n\nseed {seed}, {} actions:\n{list}in {setup:?}\n\n\
         replay: SIM_SEED={seed} cargo test -p tidewire-protocol --test sim\n",
        steps.len()
    );
}

/// Without the message of each panic that is caught.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = work();
    panic::set_hook(hook);
    result
}
