//! Connections that are made and kept: what a handshake costs, and what a connection holds.
//!
//! A tenth of the connections goes through everything first. What those that follow add is theirs: the process has its code,
//! its threads and its first pages already.

use std::{ops::Range, thread, time::Duration};

use super::{Load, wait_for};
use crate::{
    dialect::{Dialect, Incoming},
    failure::Result,
    frame,
    ledger::Ledger,
    payload::Stamp,
    report::Memory,
    swarm::Swarm,
};

const TOPIC: &str = "feed:idle";

/// Connections that are active at once.
const CHUNK: usize = 64;

/// How long a server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(300);

const WAIT: Duration = Duration::from_secs(10);

/// The connection that publishes, and asks for garbage collections.
const PUBLISHER: usize = 0;

/// Whose payloads a connection gets: its own, and the publisher's.
const SENDERS: usize = 2;

pub(super) fn run(load: &mut Load, connections: usize) -> Result<()> {
    let warm = (connections / 10).max(1);
    load.swarm.connect(1 + warm)?;
    load.swarm.assign(PUBLISHER, TOPIC.to_owned());
    load.target(PUBLISHER..PUBLISHER + 1)?;
    let first = 1..1 + warm;
    subscribe(load, first.clone())?;
    activity(load, first.clone(), 0)?;
    let base = memory(load)?;

    let rest = first.end..first.end + connections;
    let mark = load.mark(None)?;
    load.swarm.connect(rest.len())?;
    load.measure("handshake", rest.len() as u64, &mark, None)?;
    note(load, "connected", base, rest.len())?;
    subscribe(load, rest.clone())?;
    note(load, "subscribed", base, rest.len())?;
    activity(load, first.start..rest.end, 1)?;
    note(load, "active", base, rest.len())
}

fn subscribe(load: &mut Load, connections: Range<usize>) -> Result<()> {
    for connection in connections.clone() {
        load.swarm.assign(connection, TOPIC.to_owned());
    }
    load.subscribe(connections)
}

/// Each connection sends a message and gets it back, then each gets an event.
fn activity(load: &mut Load, connections: Range<usize>, round: u64) -> Result<()> {
    let all = connections.len() as u64;
    let mut ledger = Ledger::new(connections.end, SENDERS);
    let mut waiting = connections;
    while !waiting.is_empty() {
        for connection in waiting.by_ref().take(CHUNK) {
            let stamp = Stamp { from: connection, seq: round, at_ns: 0 };
            send(load, connection, |dialect| dialect.echo(&stamp))?;
        }
        let sent = all - waiting.len() as u64;
        let came = ledger.deliveries;
        wait_for("messages that come back", sent, came, || turn(load, round, &mut ledger))?;
    }
    let stamp = Stamp { from: PUBLISHER, seq: round, at_ns: 0 };
    send(load, PUBLISHER, |dialect| dialect.publish(TOPIC, &stamp))?;
    wait_for("events", 2 * all, ledger.deliveries, || turn(load, round, &mut ledger))?;
    load.report.disordered += ledger.disordered;
    Ok(())
}

fn send(load: &mut Load, connection: usize, text: impl Fn(Dialect) -> String) -> Result<()> {
    let mut bytes = Vec::new();
    frame::write_text(&mut bytes, &text(load.swarm.dialect));
    load.swarm.send(connection, &bytes)
}

/// A connection gets one message of its own and one event in each round: with as many as there should be, in order, none is missing.
fn turn(load: &mut Load, round: u64, ledger: &mut Ledger) -> Result<u64> {
    load.swarm.turn(WAIT, |connection, incoming, _| {
        match incoming {
            Incoming::Payload { stamp, chain } => {
                let sender = usize::from(stamp.from == PUBLISHER);
                let stamp = Stamp { seq: stamp.seq.wrapping_sub(round), ..stamp };
                ledger.handle(connection, sender, &stamp, chain, 0);
            }
            Incoming::Acknowledged => {}
            other => return Err(Swarm::unexpected(connection, &other)),
        }
        Ok(())
    })?;
    Ok(ledger.deliveries)
}

/// The server's memory when it has put its things in order.
fn memory(load: &mut Load) -> Result<u64> {
    thread::sleep(SETTLE);
    load.swarm.request(PUBLISHER..PUBLISHER + 1, |dialect, _| vec![dialect.collect()])?;
    thread::sleep(SETTLE);
    load.server.memory()
}

fn note(load: &mut Load, name: &'static str, base: u64, connections: usize) -> Result<()> {
    let grown = memory(load)?.cast_signed() - base.cast_signed();
    let bytes_per_connection = grown / connections.cast_signed() as i64;
    load.report.memory.push(Memory { name, bytes_per_connection });
    Ok(())
}
