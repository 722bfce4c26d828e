//! How late a timer of the server wakes that has nothing to do with the load: while nothing happens, and while one connection
//! publishes to many without a pause. A server that has no such timer is left alone.

use std::thread;

use super::{Load, Mark, publisher::Publisher, wait_for};
use crate::{
    dialect::Incoming,
    failure::Result,
    frame,
    report::Latency,
    swarm::{STALLED, Swarm},
};

/// The connection that asks the timer, and has no other work.
const ASKER: usize = 0;

const BURSTS: [u64; 2] = [1, 16];

pub(super) fn run(load: &mut Load, subscribers: usize) -> Result<()> {
    load.swarm.connect(1)?;
    // The first answer tells that there is a timer, which runs from now on.
    if ask(load)?.is_none() {
        return Ok(());
    }
    let duration = load.duration;
    let mut publisher = Publisher::start(load, subscribers)?;
    let mark = publisher.load.mark(None)?;
    ask(publisher.load)?;
    thread::sleep(duration);
    note(publisher.load, "idle".to_owned(), &mark)?;
    for size in BURSTS {
        publisher.bursts(size, |bursts| bursts == 1)?;
        let mark = publisher.load.mark(None)?;
        ask(publisher.load)?;
        publisher.bursts_for(size, duration)?;
        note(publisher.load, format!("burst-{size}"), &mark)?;
    }
    Ok(())
}

/// Ends a measure with what the timer says.
fn note(load: &mut Load, name: String, mark: &Mark) -> Result<()> {
    let late = ask(load)?.unwrap_or_default();
    load.measure(name, late.len() as u64, mark, None)?;
    if let Some(measure) = load.report.measures.last_mut() {
        measure.latency = Latency::of(late);
    }
    Ok(())
}

/// By how much each wake since the last question was late; `None` if there is no timer.
fn ask(load: &mut Load) -> Result<Option<Vec<u64>>> {
    let Some(question) = load.swarm.dialect.late() else { return Ok(None) };
    let mut bytes = Vec::new();
    frame::write_text(&mut bytes, question);
    load.swarm.send(ASKER, &bytes)?;
    let mut answer = None;
    wait_for("answers of the timer", 1, 0, || {
        load.swarm.turn(STALLED, |connection, incoming, _| match incoming {
            Incoming::Late(late) => {
                answer = Some(late);
                Ok(())
            }
            other => Err(Swarm::unexpected(connection, &other)),
        })?;
        Ok(u64::from(answer.is_some()))
    })?;
    Ok(answer.flatten())
}
