//! The functions that JavaScript calls. What each means is in the tables of the crate.
//!
//! A client crosses as its address. JavaScript can pass a wrong one and spoil its own module's memory, as with any WASM; on
//! this side of the boundary everything is safe.

#![cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "an export's name is an unsafe attribute")
)]
#![expect(missing_docs, reason = "the crate's tables say it once")]

extern crate alloc;

use alloc::boxed::Box;

use tidewire_protocol::{
    client::{Client, Config, Frame, Kind, Verdict},
    code::CloseCode,
};

use crate::output::{Arguments, encode};

/// A client and the arguments of the output that was polled last.
#[derive(Debug)]
pub struct Core {
    client: Client,
    arguments: Arguments,
}

impl Core {
    fn flags(&self, verdict: Verdict) -> u32 {
        u32::from(verdict == Verdict::Deliver) | u32::from(self.client.has_output()) << 1
    }
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn create(seed: f64) -> Box<Core> {
    let client = Client::new(Config::default(), seed as u64);
    Box::new(Core { client, arguments: Arguments::default() })
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn free(_: Box<Core>) {}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn connect(core: &mut Core, now: f64) {
    core.client.connect(now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn close(core: &mut Core, now: f64) {
    core.client.close(now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn opened(core: &mut Core, now: f64) {
    core.client.handle_opened(now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn closed(core: &mut Core, code: u32, now: f64) {
    core.client.handle_closed(CloseCode(code as u16), now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn wake(core: &mut Core, now: f64) {
    core.client.handle_wake(now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn elapsed(core: &mut Core, now: f64) {
    core.client.handle_timeout(now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn timeout(core: &Core) -> f64 {
    core.client.poll_timeout().map_or(f64::INFINITY, |at| at as f64)
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn subscribe(core: &mut Core, topic: u32, now: f64) {
    core.client.subscribe(topic, now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn unsubscribe(core: &mut Core, topic: u32, now: f64) {
    core.client.unsubscribe(topic, now as u64);
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn publish(core: &mut Core, now: f64) -> u32 {
    core.client.publish(now as u64)
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn event(core: &mut Core, topic: u32, offset: f64, prev: f64, now: f64) -> u32 {
    let verdict = core.client.handle_event(topic, offset as u64, prev as u64, now as u64);
    core.flags(verdict)
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn frame(
    core: &mut Core,
    kind: u32,
    re: f64,
    topic: u32,
    epoch: u32,
    offset: f64,
    prev: f64,
    to: f64,
    code: u32,
    ms: f64,
    flags: u32,
    now: f64,
) -> u32 {
    let frame = Frame {
        kind: Kind::from_number(kind as u8),
        re: re as u64,
        topic,
        epoch,
        offset: offset as u64,
        prev: prev as u64,
        to: to as u64,
        code: code as u16,
        ms: ms as u64,
        flags: flags as u8,
    };
    let verdict = core.client.handle_frame(frame, now as u64);
    core.flags(verdict)
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn poll(core: &mut Core) -> u32 {
    let Some(output) = core.client.poll_output() else { return 0 };
    let (op, arguments) = encode(output);
    core.arguments = arguments;
    op
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn arg(core: &Core, index: u32) -> f64 {
    core.arguments.get(index as usize).map_or(0.0, |&number| number as f64)
}
