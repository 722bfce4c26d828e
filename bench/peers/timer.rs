//! A task that has nothing to do with the load: it sleeps for a millisecond, again and again, and notes by how much each wake is
//! late. Compiled into the servers on tokio whose responsiveness is measured; it does not run before it is asked for.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tokio::time::{Instant, sleep};

const STEP: Duration = Duration::from_millis(1);

/// Times in nanoseconds.
type Late = Arc<Mutex<Vec<u64>>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Timer(Arc<OnceLock<Late>>);

impl Timer {
    /// By how many nanoseconds each wake since the last question was late. The first question starts the task.
    pub(crate) fn late(&self) -> Vec<u64> {
        let late = self.0.get_or_init(|| {
            let late = Late::default();
            tokio::spawn(run(Arc::clone(&late)));
            late
        });
        std::mem::take(&mut late.lock().expect("no panic while it is locked"))
    }
}

async fn run(late: Late) {
    loop {
        let due = Instant::now() + STEP;
        sleep(STEP).await;
        let by = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
        late.lock().expect("no panic while it is locked").push(by);
    }
}
