//! Gathering: topics that are published to within one turn of a task are delivered once, at its end.
//!
//! One send that carries sixteen events costs a socket little more than one that carries one. Whoever may publish several times
//! before it lets go of its thread (a connection that handles what one read brought) does so within [`gather`].

use std::{cell::RefCell, sync::Arc};

use super::local::Local;

thread_local! {
    /// The topics with undelivered events, while this thread gathers.
    static GATHERED: RefCell<Option<Vec<Arc<Local>>>> = const { RefCell::new(None) };
}

/// Does `work`, then delivers what was published by it. Within another `gather` that one delivers.
pub(crate) fn gather<T>(work: impl FnOnce() -> T) -> T {
    let Some(_delivers) = Delivers::begin() else { return work() };
    work()
}

/// Leaves a topic to the `gather` around the caller; `false` if there is none.
pub(super) fn leave(local: &Arc<Local>) -> bool {
    GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(topics) => {
            topics.push(Arc::clone(local));
            true
        }
        None => false,
    })
}

/// Delivers when it is dropped, so that a panic of the work loses no event.
struct Delivers;

impl Delivers {
    fn begin() -> Option<Self> {
        GATHERED.with_borrow_mut(|gathered| match gathered {
            Some(_) => None,
            None => {
                *gathered = Some(Vec::new());
                Some(Self)
            }
        })
    }
}

impl Drop for Delivers {
    fn drop(&mut self) {
        let topics = GATHERED.with_borrow_mut(Option::take).unwrap_or_default();
        topics.into_iter().for_each(Local::deliver_now);
    }
}
