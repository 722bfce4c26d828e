//! The engine behind its lock, as the handles and the driver share it.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tidewire_protocol::Millis;

use crate::engine::Engine;

/// What every handle of one client holds. The driver holds it weakly: when the last handle goes, it ends.
pub(crate) struct Shared {
    engine: Mutex<Engine>,
    clock: fn() -> Millis,
}

impl Shared {
    pub(crate) fn new(engine: Engine, clock: fn() -> Millis) -> Self {
        Self { engine: Mutex::new(engine), clock }
    }

    /// One call of the engine. Wakers run when the lock is free again, since they are others' code.
    pub(crate) fn turn<R>(&self, act: impl FnOnce(&mut Engine, Millis) -> R) -> R {
        let mut engine = self.lock();
        let result = act(&mut engine, (self.clock)());
        let wakers = engine.take_wakers();
        drop(engine);
        wakers.into_iter().for_each(std::task::Waker::wake);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Engine> {
        // A panic of a waker or a data type's serde code never happens within the lock; the engine is whole anyway.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let driver = self.lock().driver();
        driver.into_iter().for_each(std::task::Waker::wake);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
