//! How long a test waits for what may never come.
//!
//! Whether tokio's time is paused cannot be asked. So a wait ends by whichever clock runs out first: the wall's, or tokio's,
//! whose day passes at once while it is paused and everybody waits.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, timeout};

/// How long a wait may take by either clock.
#[derive(Clone, Copy)]
struct Patience {
    wall: Duration,
    tokio: Duration,
}

/// Longer than anything takes that comes at all; longer than any time-out that a test waits for.
const PATIENCE: Patience =
    Patience { wall: Duration::from_secs(10), tokio: Duration::from_secs(24 * 60 * 60) };

/// What was waited for did not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited for {what}, which did not come within {within:?}")]
pub struct NeverCame {
    what: String,
    within: Duration,
}

/// Waits for a future, but not for ever.
pub(super) async fn patiently<T>(
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, NeverCame> {
    PATIENCE.wait(what, future).await
}

impl Patience {
    async fn wait<T>(self, what: &str, future: impl Future<Output = T>) -> Result<T, NeverCame> {
        let (wall, tokio) = (std::time::Instant::now(), Instant::now());
        let mut future = pin!(future);
        loop {
            if let Ok(value) = timeout(self.wall, &mut future).await {
                return Ok(value);
            }
            let within = tokio.elapsed();
            if wall.elapsed() >= self.wall || within >= self.tokio {
                return Err(NeverCame { what: what.into(), within });
            }
        }
    }
}

/// Waits until `condition` holds: for what no frame announces.
///
/// # Errors
/// If it never does.
///
/// ```
/// use tidewire::{Live, test::{self, Client}};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let live = Live::<()>::builder().build();
/// let client = Client::connect(&live).await?;
/// assert_eq!(live.session_count(), 1);
/// drop(client);
/// test::eventually("the session is gone", || live.session_count() == 0).await?;
/// # Ok(())
/// # }
/// ```
pub async fn eventually(what: &str, condition: impl Fn() -> bool) -> Result<(), NeverCame> {
    const TURNS: usize = 1000;
    const PAUSE: Duration = Duration::from_millis(1);
    let holds = async {
        // What only needs others to get their turn takes no time, paused or not.
        for _ in 0..TURNS {
            if condition() {
                return;
            }
            tokio::task::yield_now().await;
        }
        while !condition() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    patiently(what, holds).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(patience: Patience, expected: Duration) {
        let never = std::future::pending::<()>();
        let error = patience.wait("a miracle", never).await.unwrap_err();
        assert!(error.within >= expected && error.within < 2 * expected, "{error}");
        assert!(error.to_string().starts_with("waited for a miracle, which did not come within "));
    }

    #[tokio::test]
    async fn real_time_is_measured_by_the_wall() {
        let wall = Duration::from_millis(200);
        check(Patience { wall, ..PATIENCE }, wall).await;
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_runs_out_at_once() {
        check(PATIENCE, PATIENCE.tokio).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_late_in_paused_time_comes() {
        let late = tokio::time::sleep(PATIENCE.tokio / 2);
        assert_eq!(patiently("a timer", late).await, Ok(()));
    }
}
