//! All open sessions of a server, by id and by user.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard},
};

use super::Session;

pub(crate) struct Sessions<V> {
    table: Mutex<Table<V>>,
}

struct Table<V> {
    by_id: HashMap<String, Session<V>>,
    /// The ids of each user's sessions, where the application names its users.
    by_user: HashMap<String, Vec<String>>,
}

impl<V> Default for Sessions<V> {
    fn default() -> Self {
        Self { table: Mutex::new(Table { by_id: HashMap::new(), by_user: HashMap::new() }) }
    }
}

impl<V: Send + Sync + 'static> Sessions<V> {
    fn lock(&self) -> MutexGuard<'_, Table<V>> {
        self.table.lock().expect("no panic while the sessions are locked")
    }

    /// Enters a session; `false` if its id is taken.
    pub(crate) fn insert(&self, session: &Session<V>) -> bool {
        let mut table = self.lock();
        match table.by_id.entry(session.id().into()) {
            Entry::Occupied(_) => return false,
            Entry::Vacant(entry) => drop(entry.insert(session.clone())),
        }
        if let Some(user) = session.user() {
            table.by_user.entry(user.into()).or_default().push(session.id().into());
        }
        true
    }

    pub(crate) fn remove(&self, session: &Session<V>) {
        let mut table = self.lock();
        let removed = table.by_id.remove(session.id());
        if let Some(user) = session.user()
            && let Some(ids) = table.by_user.get_mut(user)
        {
            ids.retain(|id| id != session.id());
            if ids.is_empty() {
                table.by_user.remove(user);
            }
        }
        drop(table);
        // The last handle to a session may be this one, and its end takes other locks.
        drop(removed);
    }

    pub(crate) fn find(&self, id: &str) -> Option<Session<V>> {
        self.lock().by_id.get(id).cloned()
    }

    pub(crate) fn of_user(&self, user: &str) -> Vec<Session<V>> {
        let table = self.lock();
        let ids = table.by_user.get(user).into_iter().flatten();
        ids.filter_map(|id| table.by_id.get(id).cloned()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Session<V>> {
        self.lock().by_id.values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}
