//! [`Turns`]: one at a time across awaits, with memory only while somebody is at it.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::OwnedMutexGuard;

/// Every session has one and hardly ever uses it: a Tokio mutex would be four times as large.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Option<Arc<tokio::sync::Mutex<()>>>>);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().expect("no panic while a turn is looked at")
    }

    /// Waits for those that came before.
    pub(super) async fn take(&self) -> Turn<'_> {
        let line = Arc::clone(self.lock().get_or_insert_default());
        Turn { turns: self, held: Some(line.lock_owned().await) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.turns.lock();
        self.held = None;
        // Whoever waits holds it too, and nobody can come while it is locked.
        drop(line.take_if(|line| Arc::strong_count(line) == 1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn turns_come_one_after_the_other_and_leave_nothing() {
        let turns = Turns::default();
        let first = turns.take().now_or_never().unwrap();
        let mut second = Box::pin(turns.take());
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert!(turns.lock().is_some(), "for the one that waits");
        let second = second.now_or_never().unwrap();
        assert!(turns.take().now_or_never().is_none());
        drop(second);
        assert!(turns.lock().is_none());
    }
}
