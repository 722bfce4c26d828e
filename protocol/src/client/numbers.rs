//! The driver's numbers for topics and epochs: what stands under each, and when it is free again.
//!
//! A number whose use has ended stays the name's own until the driver has polled its release: a user's code that runs in
//! between may use the name again.

use alloc::vec::Vec;

use super::subscription::{Phase, Subscription};

/// The subscriptions by the number of their topic.
#[derive(Debug)]
pub(super) struct Topics {
    slots: Vec<Option<Subscription>>,
}

impl Topics {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// Whatever stands there. For the hot path, which asks for the phase anyway.
    pub(super) fn slot(&mut self, topic: u32) -> Option<&mut Subscription> {
        self.slots.get_mut(topic as usize)?.as_mut()
    }

    // Called all over: inlined it would be a twentieth of the WASM module.
    #[inline(never)]
    pub(super) fn find(&mut self, topic: u32) -> Option<&mut Subscription> {
        self.slot(topic).filter(|s| s.phase != Phase::Gone)
    }

    /// The subscription, begun if there is none; `None` for 0, which is no topic.
    pub(super) fn entry(&mut self, topic: u32) -> Option<&mut Subscription> {
        while topic as usize >= self.slots.len() {
            self.slots.push(None);
        }
        let slot = self.slots.get_mut(topic as usize).filter(|_| topic != 0)?;
        if slot.as_ref().is_none_or(|s| s.phase == Phase::Gone) {
            *slot = Some(Subscription::new());
        }
        slot.as_mut()
    }

    /// Its release is being polled; says whether the number is still free.
    pub(super) fn release(&mut self, topic: u32) -> bool {
        match self.slots.get_mut(topic as usize) {
            Some(slot) if slot.as_ref().is_some_and(|s| s.phase == Phase::Gone) => {
                *slot = None;
                true
            }
            _ => false,
        }
    }

    /// Whether one waits for another link, while its own goes on.
    pub(super) fn any_moves(&self) -> bool {
        self.slots.iter().flatten().any(|s| s.phase != Phase::Gone && s.moving != 0)
    }

    /// The numbers that may have a subscription.
    pub(super) fn numbers(&self) -> core::ops::Range<u32> {
        1..self.slots.len() as u32
    }
}

/// Free, but its release has not been polled.
const RELEASING: u32 = u32::MAX;

/// How many topics stand in each epoch.
#[derive(Debug)]
pub(super) struct Epochs {
    topics: Vec<u32>,
}

impl Epochs {
    pub(super) const fn new() -> Self {
        Self { topics: Vec::new() }
    }

    /// One more topic stands in this epoch.
    pub(super) fn hold(&mut self, epoch: u32) {
        if let Some(held) = self.slot(epoch) {
            *held = if *held == RELEASING { 1 } else { *held + 1 };
        }
    }

    /// `None` for 0, which is no epoch.
    fn slot(&mut self, epoch: u32) -> Option<&mut u32> {
        while epoch as usize >= self.topics.len() {
            self.topics.push(0);
        }
        self.topics.get_mut(epoch as usize).filter(|_| epoch != 0)
    }

    /// One topic fewer; says whether the number's release is to be queued.
    pub(super) fn let_go(&mut self, epoch: u32) -> bool {
        match self.slot(epoch) {
            Some(held) if *held != RELEASING => {
                *held = held.saturating_sub(1);
                self.drop_unused(epoch)
            }
            _ => false,
        }
    }

    /// Says whether the number's release is to be queued, because nothing stands in the epoch.
    pub(super) fn drop_unused(&mut self, epoch: u32) -> bool {
        match self.slot(epoch) {
            Some(held) if *held == 0 => {
                *held = RELEASING;
                true
            }
            _ => false,
        }
    }

    /// The release is being polled; says whether the number is still free.
    pub(super) fn release(&mut self, epoch: u32) -> bool {
        match self.slot(epoch) {
            Some(held) if *held == RELEASING => {
                *held = 0;
                true
            }
            _ => false,
        }
    }
}
