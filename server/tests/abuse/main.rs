//! What peers do that mean harm, or know no better, each over a real socket and beside a bystander who must notice nothing.
//!
//! A binary of its own, since its allocator counts.

mod floods;
mod frames;
mod handshake;
mod original;
mod overflow;
mod scene;
mod slow;
mod snapshots;
mod streams;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "the other tests use more of it")]
mod support;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;
