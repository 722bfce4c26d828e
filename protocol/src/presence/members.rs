//! [`Members`]: one node's members of one topic.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use super::{Aged, Change};
use crate::Millis;

/// How long presence waits before it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the first change to the event that tells of it and of all that followed. 200 ms: a person does not notice it.
    pub gather_ms: Millis,
    /// From the loss of a user's last connection to its leaving. 5 s: a page that reloads is back by then.
    pub grace_ms: Millis,
}

impl Default for Timing {
    fn default() -> Self {
        Self { gather_ms: 200, grace_ms: 5_000 }
    }
}

/// The users who are members of a topic by this node's sessions. `S` names a session, `D` is what is shown of a user.
#[derive(Debug)]
pub struct Members<S, D> {
    timing: Timing,
    members: BTreeMap<Arc<str>, Member<S, D>>,
    /// Who leaves, and when.
    leaving: BTreeSet<(Millis, Arc<str>)>,
    /// Who is to be told of.
    changed: BTreeSet<Arc<str>>,
    tell_at: Option<Millis>,
}

#[derive(Debug)]
struct Member<S, D> {
    sessions: Vec<S>,
    data: D,
    wished_at: Millis,
    leaves_at: Option<Millis>,
}

impl<S: PartialEq, D: Clone> Members<S, D> {
    /// Nobody.
    #[must_use]
    pub const fn new(timing: Timing) -> Self {
        Self {
            timing,
            members: BTreeMap::new(),
            leaving: BTreeSet::new(),
            changed: BTreeSet::new(),
            tell_at: None,
        }
    }

    /// A session makes its user a member, or changes what is shown of it; of several sessions of a user the last one's word counts.
    /// It is told even if nothing changes here: another node may show an earlier wish.
    pub fn handle_join(&mut self, user: &Arc<str>, session: S, data: D, now: Millis) {
        match self.members.get_mut(user) {
            Some(member) => {
                if !member.sessions.contains(&session) {
                    member.sessions.push(session);
                }
                (member.data, member.wished_at) = (data, now);
                if let Some(at) = member.leaves_at.take() {
                    self.leaving.remove(&(at, Arc::clone(user)));
                }
            }
            None => {
                let sessions = Vec::from([session]);
                let member = Member { sessions, data, wished_at: now, leaves_at: None };
                self.members.insert(Arc::clone(user), member);
            }
        }
        self.tell(Arc::clone(user), now);
    }

    /// A session no longer makes its user a member. The user leaves with its last session: at once if that left, after the grace
    /// period if its connection was `lost`.
    pub fn handle_leave(&mut self, user: &str, session: &S, lost: bool, now: Millis) {
        let Some((user, member)) = self.members.get_key_value(user) else { return };
        if !member.sessions.contains(session) {
            return;
        }
        let user = Arc::clone(user);
        let Some(member) = self.members.get_mut(&user) else { return };
        member.sessions.retain(|other| other != session);
        if !member.sessions.is_empty() {
            return;
        }
        let at = if lost { now.saturating_add(self.timing.grace_ms) } else { now };
        member.leaves_at = Some(at);
        self.leaving.insert((at, user));
        self.depart(now);
    }

    /// Whether a session makes this user a member.
    #[must_use]
    pub fn contains(&self, user: &str, session: &S) -> bool {
        self.members.get(user).is_some_and(|member| member.sessions.contains(session))
    }

    /// What is to be told now; nothing if it is not time yet. Of a user that came and left in the meantime it is said that it left.
    pub fn poll_changes(&mut self, now: Millis) -> Vec<Change<Aged<D>>> {
        self.depart(now);
        if self.tell_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.tell_at = None;
        let changed = core::mem::take(&mut self.changed).into_iter();
        changed
            .map(|user| {
                let data = self.members.get(&user).map(|member| Aged {
                    data: member.data.clone(),
                    age_ms: now.saturating_sub(member.wished_at),
                });
                Change { user, data }
            })
            .collect()
    }

    /// What was polled could not be told: it is to be told again.
    pub fn handle_untold(&mut self, users: impl IntoIterator<Item = Arc<str>>, now: Millis) {
        users.into_iter().for_each(|user| self.tell(user, now));
    }

    /// When [`poll_changes`](Self::poll_changes) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        let leaves_at = self.leaving.first().map(|(at, _)| *at);
        self.tell_at.into_iter().chain(leaves_at).min()
    }

    /// Whether there is nobody, and nothing left to be told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.changed.is_empty()
    }

    fn depart(&mut self, now: Millis) {
        while self.leaving.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, user)) = self.leaving.pop_first() else { return };
            self.members.remove(&user);
            self.tell(user, now);
        }
    }

    fn tell(&mut self, user: Arc<str>, now: Millis) {
        self.changed.insert(user);
        self.tell_at.get_or_insert(now.saturating_add(self.timing.gather_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Table = Members<u32, char>;

    fn table() -> Table {
        Members::new(Timing::default())
    }

    fn join(table: &mut Table, user: &str, session: u32, data: char, now: Millis) {
        table.handle_join(&user.into(), session, data, now);
    }

    /// What is told at `now`: the user and its data, `-` if it left.
    fn told(table: &mut Table, now: Millis) -> Vec<(alloc::string::String, char)> {
        let changes = table.poll_changes(now).into_iter();
        changes
            .map(|change| ((&*change.user).into(), change.data.map_or('-', |aged| aged.data)))
            .collect()
    }

    #[test]
    fn what_happens_within_200_ms_is_told_at_once() {
        let mut table = table();
        join(&mut table, "ann", 1, 'a', 0);
        join(&mut table, "bob", 2, 'b', 100);
        join(&mut table, "ann", 1, 'A', 199);
        assert_eq!(table.poll_timeout(), Some(200));
        assert_eq!(told(&mut table, 199), []);
        assert_eq!(told(&mut table, 200), [("ann".into(), 'A'), ("bob".into(), 'b')]);
        join(&mut table, "ann", 1, 'A', 300);
        let data = Some(Aged { data: 'A', age_ms: 250 });
        let again = Change { user: "ann".into(), data };
        assert_eq!(table.poll_changes(550), [again], "another node may show an earlier wish");
        assert_eq!(table.poll_timeout(), None);
    }

    #[test]
    fn a_user_is_one_member_however_many_sessions_it_has() {
        let mut table = table();
        join(&mut table, "ann", 1, 'a', 0);
        join(&mut table, "ann", 2, 'a', 0);
        told(&mut table, 200);
        table.handle_leave("ann", &1, false, 300);
        table.handle_leave("ann", &9, false, 300);
        table.handle_leave("bob", &2, false, 300);
        assert_eq!((table.poll_timeout(), table.contains("ann", &2)), (None, true));
        table.handle_leave("ann", &2, false, 300);
        assert_eq!(told(&mut table, 500), [("ann".into(), '-')]);
        assert!(table.is_empty());
    }

    #[test]
    fn a_reload_is_not_seen_and_a_loss_is_after_its_grace() {
        let mut table = table();
        join(&mut table, "ann", 1, 'a', 0);
        told(&mut table, 200);
        table.handle_leave("ann", &1, true, 1_000);
        assert_eq!(table.poll_timeout(), Some(6_000));
        join(&mut table, "ann", 2, 'a', 5_999);
        assert_eq!(told(&mut table, 6_500), [("ann".into(), 'a')], "it never left");
        assert_eq!(table.poll_timeout(), None);
        table.handle_leave("ann", &2, true, 7_000);
        assert_eq!(told(&mut table, 12_000), [], "it has just left: told with what follows");
        assert_eq!(told(&mut table, 12_200), [("ann".into(), '-')]);
        table.handle_untold(["ann".into()], 12_300);
        assert_eq!(
            told(&mut table, 12_500),
            [("ann".into(), '-')],
            "as the first time nobody heard"
        );
    }

    #[test]
    fn who_came_and_went_meanwhile_is_said_to_have_left() {
        let mut table = table();
        join(&mut table, "ann", 1, 'a', 0);
        table.handle_leave("ann", &1, false, 10);
        assert!(!table.is_empty(), "it is still to be told");
        assert_eq!(told(&mut table, 200), [("ann".into(), '-')]);
        assert!(table.is_empty());
    }
}
