//! The client core as the WASM module of the npm package: plain functions of numbers.
//!
//! The module imports nothing and exports the functions of [`exports`], each by the letter before it (names are bytes of every page), and its `memory`. A client is the number that `create`
//! gives (its address), the first argument of every other call. `now` is milliseconds of a clock that counts while the machine
//! sleeps (`Date.now()`); integers are those of docs/wire.md, 0 for absent ones. No function calls back into JavaScript.
//!
//! | export | what it is told or gives |
//! |---|---|
//! | `a create(seed) → core` | a client; `seed` is a random integer below 2^53 |
//! | `b free(core)` | it is not used again |
//! | `c connect(core, now)`, `d close(core, now)` | what the user wants |
//! | `e opened(core, link, now)`, `f closed(core, link, code, now)` | the socket; nothing of one that was shut or replaced |
//! | `g wake(core, now)` | the page is visible again, the network is back |
//! | `h elapsed(core, now)` | the timer |
//! | `i timeout(core) → at` | when `elapsed` is to be called, on the clock of `now`; `Infinity` for never |
//! | `j subscribe(core, topic, now)`, `k unsubscribe(core, topic, now)` | one local subscription more, or fewer |
//! | `l publish(core, topic, now) → id` | the number under which the driver keeps the payload; `topic` is 0 if it has no number |
//! | `m request(core, call, timeout_ms, now) → id` | the number under which the driver keeps the frame; `call` is 1 for what is done at most once, 2 for the same with a stream for its answer, 0 for what may be asked again; `timeout_ms` is 0 for never |
//! | `n cancel(core, id, now)` | nobody wants the outcome of a publish or a request |
//! | `o event(core, link, topic, offset, prev, now) → flags` | a frame of kind 9; the hot path |
//! | `p frame(core, link, kind, re, topic, epoch, offset, prev, to, code, ms, flags, now) → flags` | any frame, as its tuple |
//! | `q poll(core) → op` | the next output, 0 for none |
//! | `r arg(core, index) → number` | of the output polled last |
//!
//! `flags`: 1 the frame's data goes to its handlers, once the outputs are carried out; 2 there are outputs to poll. After every other call that takes `now` the
//! driver polls until 0, and then sets its timer by `timeout`. Topics and epochs are small numbers from 1, each of its own set:
//! a topic gets one when it is subscribed or `$subscribed`, an epoch whenever it comes; a topic without one is 0. A number that
//! was passed in belongs to its name until its release (15, 16) is polled. A socket is that of a link, 0 or 1; both have one only
//! while the client moves: its server drains, or is silent when the page wakes.
//!
//! | op | output | arguments |
//! |---|---|---|
//! | 1 | the state, or another server has greeted | 0 idle, 1 connecting, 2 connected, 3 waiting, 4 stopped, 5 closed; close code; `retry_at` |
//! | 2 | open a socket | |
//! | 3 | shut the socket and forget it | close code |
//! | 4 | send `$hello` | id |
//! | 5 | send `$subscribe` | id; topic; `since`'s epoch (0: no `since`); its offset |
//! | 6 | send `$unsubscribe` | id; topic |
//! | 7 | send the publish | id; the epoch that it must have (0: none); its offset |
//! | 8 | send `$pong` | |
//! | 9 | a publish was appended | id; epoch; offset |
//! | 10 | a publish or request was rejected | id; error code |
//! | 11 | a topic's events flow | topic; 0 fresh, 1 recovered, 2 lost; epoch; offset |
//! | 12 | a topic was refused | topic; error code; `retry_at` (0: its subscriptions are over) |
//! | 13 | events are missing | topic; 1 dropped, 2 conflated, 3 lost, 4 new epoch; after; to |
//! | 14 | malformed frames have come | how many |
//! | 15 | a topic's number is free | topic |
//! | 16 | an epoch's number is free | epoch |
//! | 17 | send the request | id |
//! | 18 | a request was answered, by the data of the frame at hand | id |
//! | 19 | send `$cancel` | id of the request |
//! | 20 | fetch a token and send `$token`; if there is none, nothing | id |
//! | 21 | what follows is for the socket of this link; 0 at first | link |
//! | 22 | send `$ping` | id |
//!
//! An op that is not in the table is passed over.
//!
//! `cargo xtask wasm` writes the module to `npm/wasm/core.wasm`; `WebAssembly.instantiate(bytes, {})` is all it needs. There is
//! no wasm-bindgen in it: its glue and borrow checks cost 2.4 kB of the compressed package, and functions of numbers need
//! neither.

#![cfg_attr(target_arch = "wasm32", no_std)]

pub mod exports;
#[cfg(target_arch = "wasm32")]
mod runtime;
