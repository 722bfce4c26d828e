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
    client::{Client, Config, Frame, Kind, Numbers, Verdict},
    code::CloseCode,
};

/// A client.
#[derive(Debug)]
pub struct Core {
    client: Client,
}

/// An integer as JavaScript has it; more than 64 bits, and none, are the largest.
///
/// Not `as` alone: it saturates by an instruction of its own, and binaryen's words for that, where JavaScript is to be had
/// of the module, are right for numbers in range only.
#[inline(never)]
fn whole(number: f64) -> u64 {
    if number < u64::MAX as f64 { number as u64 } else { u64::MAX }
}

impl Core {
    fn flags(&self, verdict: Verdict) -> u32 {
        u32::from(verdict == Verdict::Deliver) | u32::from(self.client.has_output()) << 1
    }
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "a"))]
pub extern "C" fn create(seed: f64) -> Box<Core> {
    Box::new(Core { client: Client::new(Config::default(), whole(seed)) })
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "b"))]
pub extern "C" fn free(_: Box<Core>) {}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "c"))]
pub extern "C" fn connect(core: &mut Core, now: f64) {
    core.client.connect(whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "d"))]
pub extern "C" fn close(core: &mut Core, now: f64) {
    core.client.close(whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "e"))]
pub extern "C" fn opened(core: &mut Core, link: u32, now: f64) {
    core.client.handle_opened(link as u8, whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "f"))]
pub extern "C" fn closed(core: &mut Core, link: u32, code: u32, now: f64) {
    core.client.handle_closed(link as u8, CloseCode(code as u16), whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "g"))]
pub extern "C" fn wake(core: &mut Core, now: f64) {
    core.client.handle_wake(whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "h"))]
pub extern "C" fn elapsed(core: &mut Core, now: f64) {
    core.client.handle_timeout(whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "i"))]
pub extern "C" fn timeout(core: &Core) -> f64 {
    core.client.poll_timeout().map_or(f64::INFINITY, |at| at as f64)
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "j"))]
pub extern "C" fn subscribe(core: &mut Core, topic: u32, now: f64) {
    core.client.subscribe(topic, whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "k"))]
pub extern "C" fn unsubscribe(core: &mut Core, topic: u32, now: f64) {
    core.client.unsubscribe(topic, whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "l"))]
pub extern "C" fn publish(core: &mut Core, topic: u32, now: f64) -> u32 {
    core.client.publish(topic, whole(now))
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "m"))]
pub extern "C" fn request(core: &mut Core, call: u32, timeout_ms: f64, now: f64) -> u32 {
    let (timeout_ms, now) = (whole(timeout_ms), whole(now));
    match call {
        0 => core.client.read(timeout_ms, now),
        1 => core.client.call(timeout_ms, now),
        _ => core.client.stream(timeout_ms, now),
    }
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "n"))]
pub extern "C" fn cancel(core: &mut Core, id: u32, now: f64) {
    core.client.cancel(id, whole(now));
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "o"))]
pub extern "C" fn event(
    core: &mut Core,
    link: u32,
    topic: u32,
    offset: f64,
    prev: f64,
    now: f64,
) -> u32 {
    let verdict =
        core.client.handle_event(link as u8, topic, whole(offset), whole(prev), whole(now));
    core.flags(verdict)
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "p"))]
pub extern "C" fn frame(
    core: &mut Core,
    link: u32,
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
        re: whole(re),
        topic,
        epoch,
        offset: whole(offset),
        prev: whole(prev),
        to: whole(to),
        code: code as u16,
        ms: whole(ms),
        flags: flags as u8,
    };
    let verdict = core.client.handle_frame(link as u8, frame, whole(now));
    core.flags(verdict)
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "q"))]
pub extern "C" fn poll(core: &mut Core) -> u32 {
    core.client.poll_numbers().map_or(0, |output| output.op)
}

#[cfg_attr(target_arch = "wasm32", unsafe(export_name = "r"))]
pub extern "C" fn arg(core: &Core, index: u32) -> f64 {
    let Some(&Numbers { a, b, c, d, .. }) = core.client.polled() else { return 0.0 };
    let number = match index {
        0 => a.into(),
        1 => b.into(),
        2 => c,
        _ => d,
    };
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled(core: &mut Core) -> Option<(u32, [f64; 4])> {
        let op = poll(core);
        (op != 0).then(|| (op, [0, 1, 2, 3].map(|index| arg(core, index))))
    }

    #[test]
    fn a_client_connects_subscribes_and_delivers() {
        let now = 1e12;
        let mut core = create(1.0);
        assert_eq!((timeout(&core), polled(&mut core)), (f64::INFINITY, None));
        subscribe(&mut core, 1, now);
        connect(&mut core, now);
        assert_eq!(polled(&mut core), Some((1, [1.0, 0.0, 0.0, 0.0])));
        assert_eq!(polled(&mut core), Some((2, [0.0; 4])));
        assert_eq!((timeout(&core), polled(&mut core)), (now + 10_000.0, None));
        opened(&mut core, 0, now);
        assert_eq!(polled(&mut core), Some((4, [1.0, 0.0, 0.0, 0.0])));
        let hello = frame(&mut core, 0, 1, 1.0, 0, 0, 0.0, 0.0, 1e4, 0, 25e3, 0, now);
        assert_eq!((hello, timeout(&core)), (2, now + 35e3));
        assert_eq!(polled(&mut core), Some((1, [2.0, 0.0, 0.0, 0.0])));
        assert_eq!(polled(&mut core), Some((5, [2.0, 1.0, 0.0, 0.0])));
        let reply = frame(&mut core, 0, 2, 2.0, 0, 1, 41.0, 0.0, 57.0, 0, 0.0, 0, now);
        assert_eq!((reply, polled(&mut core)), (2, Some((11, [1.0, 0.0, 1.0, 41.0]))));
        assert_eq!(event(&mut core, 0, 1, 42.0, 41.0, now), 1);
        assert_eq!(event(&mut core, 0, 1, 42.0, 41.0, now), 0, "a repeat");
        assert_eq!(event(&mut core, 0, 1, 45.0, 44.0, now), 2, "a hole");
        assert_eq!(polled(&mut core), Some((5, [3.0, 1.0, 1.0, 42.0])));
        let id = request(&mut core, 1, 5e3, now);
        assert_eq!(polled(&mut core), Some((17, [f64::from(id), 0.0, 0.0, 0.0])));
        assert_eq!(timeout(&core), now + 5e3);
        cancel(&mut core, id, now);
        assert_eq!(polled(&mut core), Some((19, [f64::from(id), 0.0, 0.0, 0.0])));
        assert_eq!(polled(&mut core), Some((10, [f64::from(id), 404.0, 0.0, 0.0])));
        let id = request(&mut core, 0, 0.0, now);
        cancel(&mut core, id, now);
        assert_eq!(polled(&mut core), Some((17, [f64::from(id), 0.0, 0.0, 0.0])));
        assert_eq!(polled(&mut core), Some((10, [f64::from(id), 404.0, 0.0, 0.0])));
        free(core);
    }

    #[test]
    fn what_is_lost_is_tried_again() {
        let now = 1e12;
        let mut core = create(1.0);
        let id = publish(&mut core, 0, now);
        connect(&mut core, now);
        closed(&mut core, 0, 1006, now);
        let retry_at = timeout(&core);
        assert!(retry_at > now && retry_at <= now + 500.0);
        while polled(&mut core).is_some() {}
        elapsed(&mut core, retry_at);
        assert_eq!(polled(&mut core), Some((1, [1.0, 0.0, 0.0, 0.0])));
        closed(&mut core, 0, 1006, retry_at);
        while polled(&mut core).is_some() {}
        wake(&mut core, retry_at + 1_000.0);
        assert_eq!(polled(&mut core), Some((1, [1.0, 0.0, 0.0, 0.0])));
        while polled(&mut core).is_some() {}
        unsubscribe(&mut core, 1, now);
        close(&mut core, now);
        assert_eq!(polled(&mut core), Some((3, [1000.0, 0.0, 0.0, 0.0])));
        assert_eq!(polled(&mut core), Some((10, [f64::from(id), 402.0, 0.0, 0.0])));
    }
}
