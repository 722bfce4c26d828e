//! One server: what its process has in memory beside its connections.

use std::collections::{BTreeMap, BTreeSet};

use tidewire_protocol::{Millis, presence::Members};

use super::{local::Local, store::Run};
use crate::{
    frames::Shown,
    setup::{MEMBERS, Setup},
};

pub(crate) struct Node {
    /// What the broker knows it by; a new process has a new number.
    pub(crate) number: u64,
    pub(crate) locals: Vec<Local>,
    /// Publishes of clients that are being made.
    pub(crate) under_way: BTreeSet<(usize, u64)>,
    /// Snapshots that are being taken, by topic: who asks meanwhile shares them.
    pub(crate) runs: BTreeMap<usize, Run>,
    /// By the number of a session's part.
    pub(crate) members: Members<u64, Shown>,
    /// When it is replaced.
    pub(crate) drains_until: Option<Millis>,
    /// Nothing listens until then.
    pub(crate) down_until: Millis,
}

impl Node {
    pub(crate) fn new(number: u64, setup: &Setup) -> Self {
        Self {
            number,
            locals: (0..=MEMBERS).map(Local::new).collect(),
            under_way: BTreeSet::new(),
            runs: BTreeMap::new(),
            members: Members::new(setup.presence),
            drains_until: None,
            down_until: 0,
        }
    }
}
