//! What the connection's task has to do for its session, and of what the session makes its user a member: both end with it.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tidewire_protocol::name::Topic;
use tokio::sync::oneshot;

use super::Session;
use crate::{
    hooks::BoxFuture,
    presence::{Member, PresenceRule},
    rights,
};

/// What the connection's task has to do for its session.
#[derive(Default)]
pub(super) struct Work {
    /// Mostly nothing.
    tasks: Option<Box<Tasks>>,
    /// The topics that the session makes its user a member of.
    members: Option<Box<Memberships>>,
    /// The session has ended: nobody will do anything more.
    has_ended: bool,
    pace: Pace,
}

/// Whose time the hook that runs takes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Pace {
    #[default]
    Own,
    /// That of a snapshot's run, which others may wait for too.
    OfRun,
    /// Its own, from the end of that run on.
    AfterRun,
}

#[derive(Default)]
struct Memberships(Vec<(Topic, Member)>);

#[derive(Default)]
struct Tasks {
    /// What runs in a hook's turn, before the frames that wait.
    jobs: VecDeque<BoxFuture<()>>,
    /// A fresh token was taken; the identity is good for this long.
    renewed: Option<Option<Duration>>,
}

impl Work {
    fn take<T>(&mut self, take: impl FnOnce(&mut Tasks) -> Option<T>) -> Option<T> {
        let tasks = self.tasks.as_mut()?;
        let taken = take(tasks);
        if tasks.jobs.is_empty() && tasks.renewed.is_none() {
            self.tasks = None;
        }
        taken
    }
}

impl<V: Send + Sync + 'static> Session<V> {
    /// Makes the session's user a member of a topic, or changes what is shown of it, if the session is still subscribed.
    pub(crate) fn join(&self, topic: &Topic, rule: &PresenceRule<V>, data: Arc<str>) {
        let Ok(present) = topic.presence() else { return };
        // Whoever ends it now makes the user leave when this is done.
        let subscriptions = self.subscriptions();
        if subscriptions.handle(topic).is_none() {
            return;
        }
        let mut work = self.work();
        let mut members = work.members.iter().flat_map(|members| &members.0);
        if let Some((_, member)) = members.find(|(of, _)| of == topic) {
            return member.change(data);
        }
        if !work.has_ended {
            let presence = &self.inner.live.shared().presence;
            let member =
                presence.join(&present, (rule.timing, rule.shows()), &self.member_key(), data);
            work.members.get_or_insert_default().0.push((topic.clone(), member));
        }
    }

    /// Whether the session makes its user a member of a topic.
    pub(crate) fn is_member(&self, topic: &str) -> bool {
        let work = self.work();
        let mut members = work.members.iter().flat_map(|members| &members.0);
        members.any(|(of, _)| **of == *topic)
    }

    /// The session no longer makes its user a member of a topic.
    pub(crate) fn leave(&self, topic: &str) {
        let mut work = self.work();
        let Some(members) = &mut work.members else { return };
        if let Some(at) = members.0.iter().position(|(of, _)| **of == *topic) {
            let (_, member) = members.0.swap_remove(at);
            if members.0.is_empty() {
                work.members = None;
            }
            drop(work);
            member.leave();
        }
    }

    /// Asks again about one topic, or all, in a hook's turn: a subscription whose hook runs now is then looked at too. The
    /// receiver ends when that is done.
    pub(crate) fn request_recheck(&self, only: Option<Topic>) -> oneshot::Receiver<()> {
        let (done, is_done) = oneshot::channel();
        let session = self.clone();
        let job = Box::pin(async move {
            let mut topics = session.own_topics();
            topics.retain(|topic| only.as_ref().is_none_or(|only| only == topic));
            rights::recheck(&session, topics).await;
            drop(done);
        });
        self.give_work(|tasks| tasks.jobs.push_back(job));
        is_done
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.inner.work.lock().expect("no panic while a list is locked")
    }

    /// A fresh token was taken; the identity is good for so long.
    pub(crate) fn renew(&self, expires_in: Option<Duration>) {
        self.give_work(|tasks| tasks.renewed = Some(expires_in));
    }

    /// The hook has ended that ran: for how long a fresh token has made the identity good, if one did.
    pub(crate) fn end_hook(&self) -> Option<Option<Duration>> {
        let mut work = self.work();
        work.pace = Pace::Own;
        work.take(|tasks| tasks.renewed.take())
    }

    /// The hook that runs waits for a run that has a deadline of its own, and shares it.
    pub(crate) async fn wait_for<T>(&self, run: impl Future<Output = T>) -> T {
        self.work().pace = Pace::OfRun;
        let done = run.await;
        self.work().pace = Pace::AfterRun;
        done
    }

    /// Whether the hook whose time is over has more of it: a run that it waits for has its own, and what follows one begins anew.
    pub(crate) fn has_more_time(&self) -> bool {
        let mut work = self.work();
        let pace = work.pace;
        if pace == Pace::AfterRun {
            work.pace = Pace::Own;
        }
        pace != Pace::Own
    }

    /// The next thing that runs in a hook's turn.
    pub(crate) fn next_job(&self) -> Option<BoxFuture<()>> {
        self.work().take(|tasks| tasks.jobs.pop_front())
    }

    /// Gives the connection's task something to do, unless the session has ended.
    fn give_work(&self, add: impl FnOnce(&mut Tasks)) {
        let mut work = self.work();
        if !work.has_ended {
            add(work.tasks.get_or_insert_default());
            drop(work);
            self.inner.outbox.wake();
        }
    }

    /// Nothing will be done any more.
    pub(super) fn end_work(&self) {
        let end = Work { has_ended: true, ..Work::default() };
        let work = std::mem::replace(&mut *self.work(), end);
        drop(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{io::Io, live::Live, metrics::Counters, outbox::Outbox};

    #[tokio::test]
    async fn a_session_that_has_ended_takes_no_work() {
        let live = Live::<()>::builder().build();
        let (near, _far) = tokio::io::duplex(10);
        let (queue, counters) = (live.options().queue, Arc::<Counters>::default());
        let outbox = Arc::new(Outbox::new(Io::stream(near), None, queue, counters));
        let session = Session::new("id".into(), (), outbox, live);
        session.end_subscriptions();
        // As when the session ends between a look at it and this.
        let recheck = session.request_recheck(Some(Topic::parse("a").unwrap()));
        assert!(session.work().tasks.is_none(), "it would hold the session, and never be done");
        assert!(recheck.await.is_err());
    }
}
