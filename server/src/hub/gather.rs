//! Gathering: topics that are published to within one turn of a task are delivered once, at its end.
//!
//! One send that carries sixteen events costs a socket little more than one that carries one. Whoever may publish several times
//! before it lets go of its thread (a connection that handles what one read brought) does so within [`gather`].

use std::{cell::RefCell, sync::Arc};

use super::local::Local;

/// What a thread gathers.
struct Gathered {
    is_gathering: bool,
    /// The topics with undelivered events.
    topics: Vec<Arc<Local>>,
}

/// Places for topics that a thread keeps for its next turn.
const KEPT_PLACES: usize = 64;

thread_local! {
    static GATHERED: RefCell<Gathered> =
        const { RefCell::new(Gathered { is_gathering: false, topics: Vec::new() }) };
}

/// Does `work`, then delivers what was published by it. Within another `gather` that one delivers.
pub(crate) fn gather<T>(work: impl FnOnce() -> T) -> T {
    let Some(_delivers) = Delivers::begin() else { return work() };
    work()
}

/// Leaves a topic to the `gather` around the caller; `false` if there is none.
pub(super) fn leave(local: &Arc<Local>) -> bool {
    GATHERED.with_borrow_mut(|gathered| {
        if gathered.is_gathering {
            gathered.topics.push(Arc::clone(local));
        }
        gathered.is_gathering
    })
}

/// Delivers when it is dropped, so that a panic of the work loses no event.
struct Delivers;

impl Delivers {
    fn begin() -> Option<Self> {
        let was_gathering = GATHERED
            .with_borrow_mut(|gathered| std::mem::replace(&mut gathered.is_gathering, true));
        // Made only then: one that is dropped delivers.
        (!was_gathering).then(|| Self)
    }
}

impl Drop for Delivers {
    fn drop(&mut self) {
        let mut topics = GATHERED.with_borrow_mut(|gathered| {
            gathered.is_gathering = false;
            std::mem::take(&mut gathered.topics)
        });
        topics.drain(..).for_each(Local::deliver_now);
        if topics.capacity() <= KEPT_PLACES {
            GATHERED.with_borrow_mut(|gathered| gathered.topics = topics);
        }
    }
}
