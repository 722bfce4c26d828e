//! The presence core: who is a member of a topic.
//!
//! [`Members`] is one node's view: which of its sessions make a user a member, what is to be said of them, and when. [`Holders`] is
//! what all nodes together say, as a broker keeps it: a member is there as long as one node holds it, shown by its user's latest wish,
//! whichever node tells of it last. Nodes need no clock in common for that, as they say how old a wish is. What changes within
//! [`Timing::gather_ms`] is said at once, so that a thousand members who come together cost every subscriber one event.

mod holders;
mod members;

pub use holders::{Full, Holders};
pub use members::{Members, Timing};

use alloc::sync::Arc;

use crate::Millis;

/// A member that came or changed, with its data, or that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<D> {
    /// The user's key.
    pub user: Arc<str>,
    /// What is shown of it; `None` when it left.
    pub data: Option<D>,
}

/// What a node tells of a member, so that of several nodes' the latest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aged<D> {
    /// What is shown of it.
    pub data: D,
    /// How long ago it was wished.
    pub age_ms: Millis,
}
