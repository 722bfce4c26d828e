//! All open sessions of a server, by id and by user.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{Mutex, MutexGuard},
};

use super::Session;

pub(crate) struct Sessions<V> {
    table: Mutex<Table<V>>,
}

struct Table<V> {
    by_id: HashSet<ById<V>>,
    /// Each user's sessions, where the application names its users.
    by_user: HashMap<Box<str>, Vec<Session<V>>>,
}

/// A session that is found by its id, which it has itself.
struct ById<V>(Session<V>);

impl<V> Borrow<str> for ById<V> {
    fn borrow(&self) -> &str {
        &self.0.inner.id
    }
}

impl<V> Hash for ById<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.inner.id.hash(state);
    }
}

impl<V> PartialEq for ById<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.inner.id == other.0.inner.id
    }
}

impl<V> Eq for ById<V> {}

impl<V> Default for Sessions<V> {
    fn default() -> Self {
        Self { table: Mutex::new(Table { by_id: HashSet::new(), by_user: HashMap::new() }) }
    }
}

impl<V: Send + Sync + 'static> Sessions<V> {
    fn lock(&self) -> MutexGuard<'_, Table<V>> {
        self.table.lock().expect("no panic while the sessions are locked")
    }

    /// Enters a session; `false` if its id is taken.
    pub(crate) fn insert(&self, session: &Session<V>) -> bool {
        let mut table = self.lock();
        if !table.by_id.insert(ById(session.clone())) {
            return false;
        }
        if let Some(user) = session.user() {
            table.by_user.entry(user.into()).or_default().push(session.clone());
        }
        true
    }

    pub(crate) fn remove(&self, session: &Session<V>) {
        let mut table = self.lock();
        // Not the last handle, which the caller has: what its end does happens without the lock.
        table.by_id.remove(session.id());
        if let Some(user) = session.user()
            && let Some(sessions) = table.by_user.get_mut(user)
        {
            sessions.retain(|other| other.id() != session.id());
            if sessions.is_empty() {
                table.by_user.remove(user);
            }
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<Session<V>> {
        self.lock().by_id.get(id).map(|ById(session)| session.clone())
    }

    pub(crate) fn of_user(&self, user: &str) -> Vec<Session<V>> {
        self.lock().by_user.get(user).cloned().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Vec<Session<V>> {
        self.lock().by_id.iter().map(|ById(session)| session.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}
