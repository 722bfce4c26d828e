//! [`InFlight`]: clients' publishes under way, so that one which is sent again meanwhile waits for the first.
//!
//! The broker's window knows only what was appended; between a publish's arrival and that its hook runs, and must not run twice at
//! once. Nobody holds a lock while it waits, and a first that is dropped, by a time-out or a panic, frees who waits for it.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    future::Future,
    sync::{Mutex, MutexGuard},
};

use tidewire_protocol::{frame::Position, name::Topic};
use tokio::sync::watch;

use crate::broker::Once;

type Key = (Topic, Once);
/// Where the first was appended; closed without it if that failed.
type Landed = watch::Sender<Option<Position>>;

#[derive(Default)]
pub(crate) struct InFlight {
    /// With what tells those that wait for it, where there are some.
    flights: Mutex<HashMap<Key, Option<Landed>>>,
}

/// The first of its name; it is over when this is dropped.
struct Flight<'a> {
    in_flight: &'a InFlight,
    key: Key,
    is_over: bool,
}

impl InFlight {
    /// Runs `publish`, unless one of the same name is under way: then it resolves with that one's position, or runs `publish` after
    /// all if that one fails.
    pub(crate) async fn run<E>(
        &self,
        topic: &Topic,
        once: &Once,
        publish: impl Future<Output = Result<Position, E>>,
    ) -> Result<Position, E> {
        let key = (topic.clone(), once.clone());
        let flight = loop {
            match self.begin(&key) {
                Ok(flight) => break flight,
                Err(mut first) => {
                    if let Ok(landed) = first.wait_for(Option::is_some).await
                        && let Some(position) = &*landed
                    {
                        return Ok(position.clone());
                    }
                }
            }
        };
        let position = publish.await?;
        flight.land(&position);
        Ok(position)
    }

    /// Begins a flight, or gives what tells of the one under way.
    fn begin(&self, key: &Key) -> Result<Flight<'_>, watch::Receiver<Option<Position>>> {
        match self.lock().entry(key.clone()) {
            Entry::Occupied(mut first) => {
                Err(first.get_mut().get_or_insert_with(|| watch::channel(None).0).subscribe())
            }
            Entry::Vacant(place) => {
                place.insert(None);
                Ok(Flight { in_flight: self, key: key.clone(), is_over: false })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Option<Landed>>> {
        self.flights.lock().expect("no panic while publishes are looked up")
    }
}

impl Flight<'_> {
    /// Tells who waits where the first was appended.
    fn land(mut self, position: &Position) {
        if let Some(landed) = self.end() {
            landed.send_replace(Some(position.clone()));
        }
    }

    /// Frees the name. Returns what tells of it, if somebody waits.
    fn end(&mut self) -> Option<Landed> {
        self.is_over = true;
        self.in_flight.lock().remove(&self.key).flatten()
    }
}

impl Drop for Flight<'_> {
    /// Who waits learns of a failure by the sender's end, and finds the name free.
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.end());
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("flights", &self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{panic::AssertUnwindSafe, pin::pin};

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    type Ran = Result<Position, &'static str>;

    fn names() -> (Topic, Once) {
        (Topic::parse("t").unwrap(), Once { scope: "s".into(), name: "1".into() })
    }

    fn at(offset: u64) -> Position {
        Position { epoch: "e".into(), offset }
    }

    /// Runs a first that waits for `how`, and a repeat of it that would come to offset 2.
    async fn check(how: impl FnOnce(oneshot::Sender<Ran>), first: Ran, repeat: Ran) {
        let (in_flight, (topic, once)) = (InFlight::default(), names());
        let (end, ended) = oneshot::channel();
        let publish = async { ended.await.unwrap_or(Err("dropped")) };
        let mut running = pin!(in_flight.run(&topic, &once, publish));
        assert!(running.as_mut().now_or_never().is_none());
        let mut waiting = pin!(in_flight.run(&topic, &once, async { Ran::Ok(at(2)) }));
        assert!(waiting.as_mut().now_or_never().is_none(), "it waits");
        let other = Once { name: "2".into(), ..once.clone() };
        assert_eq!(in_flight.run(&topic, &other, async { Ran::Ok(at(3)) }).await, Ok(at(3)));
        how(end);
        assert_eq!(running.await, first);
        assert_eq!(waiting.await, repeat);
        assert!(in_flight.lock().is_empty());
    }

    #[tokio::test]
    async fn a_repeat_waits_for_the_first_and_shares_its_success_only() {
        check(|end| end.send(Ok(at(1))).unwrap(), Ok(at(1)), Ok(at(1))).await;
        check(|end| end.send(Err("refused")).unwrap(), Err("refused"), Ok(at(2))).await;
    }

    #[tokio::test]
    async fn a_first_that_is_dropped_or_panics_frees_the_repeat() {
        let (in_flight, (topic, once)) = (InFlight::default(), names());
        let repeat = || in_flight.run(&topic, &once, async { Ran::Ok(at(2)) });
        let mut first = Box::pin(in_flight.run(&topic, &once, std::future::pending::<Ran>()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut waiting = pin!(repeat());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(waiting.await, Ok(at(2)));

        let panics = in_flight.run(&topic, &once, async { panic!("a hook panics") as Ran });
        assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
        assert_eq!(repeat().await, Ok(at(2)));
        assert!(in_flight.lock().is_empty());
    }
}
