//! What a client asks for, one frame at a time: the application's hook runs, then the broker is asked, then the answer goes out.

use std::rc::Rc;

use tidewire_protocol::{Millis, code::ErrorCode, session::Owner, topic::Start};

use super::{
    Server,
    broker::Once,
    subscribing::{Asked, State, TRIES, Taking},
};
use crate::{
    frames::{At, Down, Event, Range, Reply, Shown, Up},
    world::Env,
};

/// What runs, until when.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) until: Millis,
    job: Job,
}

#[derive(Debug)]
pub(crate) enum Job {
    /// The application judges.
    Subscribe(Asked),
    /// The socket takes what waits before the topic's state is asked for.
    Drain(Asked),
    /// The topic's state was read.
    Taken {
        asked: Asked,
        taking: Taking,
        tries: u32,
    },
    /// The state is asked for beside a subscription.
    ReadState {
        id: u32,
        topic: usize,
        tries: u32,
    },
    /// It was read; the subscription's position was `least` when it was first asked for.
    StateTaken {
        id: u32,
        topic: usize,
        least: At,
        taking: Taking,
        tries: u32,
    },
    /// The broker has said where it begins.
    Begin {
        asked: Asked,
        start: Start,
        state: Option<State>,
        leaves_out: bool,
    },
    /// The application subscribes the session of itself.
    Adopt {
        topic: usize,
    },
    Unsubscribe {
        id: u32,
        topic: usize,
    },
    /// A member's.
    Wish {
        id: u32,
        wish: Shown,
    },
    /// The socket takes what waits before history is read.
    History {
        id: u32,
        topic: usize,
        range: Range,
    },
    /// A publish waits for the same one, if that is under way.
    Arrive {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        again: Option<At>,
    },
    /// The application judges.
    Publish {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        again: Option<At>,
    },
    /// It is appended; the broker's answer is on its way.
    Acknowledge {
        id: u32,
        topic: usize,
        at: At,
        event: Rc<Event>,
    },
}

impl Server {
    /// Ends the hooks whose time has come and gives the next frame its turn.
    pub(super) fn poll_hooks(&mut self, socket: usize, env: &mut Env) -> bool {
        let now = env.schedule.now;
        let mut moved = false;
        loop {
            let Some(connection) = self.connection(socket) else { return moved };
            if let Some(at) = connection.hooks.iter().position(|hook| hook.until <= now) {
                let job = connection.hooks.remove(at).job;
                match self.advance(socket, job, env) {
                    Some((wait, job)) => self.run(socket, now + wait, job),
                    None => {
                        let Some(connection) = self.connection(socket) else { return moved };
                        connection.core.handle_hook_ended();
                    }
                }
                moved = true;
                continue;
            }
            if !connection.hooks.is_empty() {
                return moved;
            }
            if connection.greeting.is_none()
                && let Some(job) = connection.jobs.pop_front()
            {
                self.start_hook(socket, now, 0, job);
                moved = true;
                continue;
            }
            if !connection.core.poll_backlog() {
                return moved;
            }
            let Some(frame) = connection.waiting.pop_front() else { return moved };
            connection.core.handle_taken(frame.bytes(), now);
            self.take(socket, frame, env);
            moved = true;
        }
    }

    /// A frame's turn has come.
    pub(super) fn take(&mut self, socket: usize, frame: Up, env: &mut Env) {
        let job = match frame {
            Up::Subscribe { id, topic, since, version, snapshot, presence } => {
                self.ask(socket, topic);
                Job::Subscribe(Asked { id, topic, since, version, snapshot, presence })
            }
            Up::ReadState { id, topic, presence } if self.place(socket, topic).is_some() => {
                if presence.is_some() {
                    self.settle_member(socket, topic, presence, env);
                }
                Job::ReadState { id, topic, tries: TRIES }
            }
            Up::ReadState { id, .. } => {
                env.oracle.saw("state of what has ended");
                self.refuse(socket, id, ErrorCode::UNAVAILABLE);
                return;
            }
            Up::Wish { id, wish } => Job::Wish { id, wish },
            Up::History { id, topic, range } => Job::History { id, topic, range },
            Up::Unsubscribe { id, topic } => Job::Unsubscribe { id, topic },
            Up::Publish { id, topic, event, again } => {
                let job = Job::Arrive { id, topic, event, again };
                return self.start_hook(socket, env.schedule.now, 0, job);
            }
            Up::Hello { .. }
            | Up::Call { .. }
            | Up::Stream { .. }
            | Up::More { .. }
            | Up::Cancel { .. }
            | Up::Ping { .. }
            | Up::Pong
            | Up::Closed { .. } => return,
        };
        let Some(connection) = self.connection(socket) else { return };
        let wait = connection.hook_ms();
        self.start_hook(socket, env.schedule.now, wait, job);
    }

    fn start_hook(&mut self, socket: usize, now: Millis, wait: Millis, job: Job) {
        let Some(connection) = self.connection(socket) else { return };
        connection.core.handle_hook_started(now);
        self.run(socket, now + wait, job);
    }

    fn run(&mut self, socket: usize, until: Millis, job: Job) {
        if let Some(connection) = self.connection(socket) {
            connection.hooks.push(Hook { until, job });
        }
    }

    /// Takes a job one step on; what is left of it and how long that takes, if anything.
    fn advance(&mut self, socket: usize, job: Job, env: &mut Env) -> Option<(Millis, Job)> {
        let fails = self.broker.trouble_until > env.schedule.now;
        match job {
            Job::Subscribe(Asked { id, topic, .. }) | Job::Drain(Asked { id, topic, .. })
                if fails =>
            {
                self.refuse_subscribe(socket, id, topic, ErrorCode::UNAVAILABLE, env)
            }
            Job::Subscribe(asked) if asked.snapshot => Some((0, Job::Drain(asked))),
            Job::Subscribe(asked) => self.begin(socket, Owner::Client, asked, None, env),
            Job::Drain(asked) if !self.connection(socket)?.outbox.is_empty() => {
                Some((1, Job::Drain(asked)))
            }
            Job::Drain(asked) => self.begin_with_state(socket, asked, TRIES, env),
            Job::Taken { asked, taking, tries } => {
                self.begin_after_state(socket, asked, taking, tries, env)
            }
            Job::ReadState { id, topic, tries } => {
                self.read_state(socket, id, topic, tries, env.schedule.now)
            }
            Job::StateTaken { id, topic, least, taking, tries } => {
                self.answer_state(socket, id, topic, (least, taking), tries, env)
            }
            Job::Adopt { topic } => {
                self.begin(socket, Owner::Server, Asked::at_head(topic), None, env)
            }
            Job::Begin { asked, start, state, leaves_out } => {
                self.insert(socket, asked, start, (state, leaves_out), env);
                None
            }
            Job::Unsubscribe { id, topic } => {
                if !self.unsubscribe(socket, topic, Owner::Client, env) {
                    return self.refuse(socket, id, ErrorCode::FORBIDDEN);
                }
                self.answer(socket, Down::Reply { re: id, reply: None });
                None
            }
            Job::Wish { id, .. } if !self.is_member(socket) => {
                self.refuse(socket, id, ErrorCode::FORBIDDEN)
            }
            Job::Wish { id, wish } => {
                self.settle_member(socket, crate::setup::HALL, Some(wish), env);
                self.answer(socket, Down::Reply { re: id, reply: None });
                None
            }
            Job::History { id, .. } if fails => self.refuse(socket, id, ErrorCode::UNAVAILABLE),
            Job::History { id, topic, range } => self.history(socket, id, topic, range, env),
            Job::Arrive { id, topic, event, again } => {
                let connection = self.connection(socket)?;
                let (node, wait) = (connection.node, connection.hook_ms());
                if self.nodes[node].under_way.insert((topic, event.payload)) {
                    return Some((wait, Job::Publish { id, topic, event, again }));
                }
                env.oracle.saw("repeated in flight");
                Some((1, Job::Arrive { id, topic, event, again }))
            }
            Job::Publish { id, topic, event, .. } if fails => {
                self.land(socket, topic, &event);
                env.oracle.turned_away(event.payload);
                self.refuse(socket, id, ErrorCode::UNAVAILABLE)
            }
            Job::Publish { id, topic, event, again } => {
                self.publish_for(socket, id, topic, event, again, env)
            }
            Job::Acknowledge { id, topic, at, event } => {
                self.land(socket, topic, &event);
                let reply =
                    Reply { at, head: at.offset, recovered: None, snapshot: None, version: None };
                self.answer(socket, Down::Reply { re: id, reply: Some(reply) });
                None
            }
        }
    }

    fn history(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        range: Range,
        env: &Env,
    ) -> Option<(Millis, Job)> {
        let outbox = &mut self.connections.get_mut(socket)?.as_mut()?.outbox;
        if !outbox.is_empty() {
            return Some((1, Job::History { id, topic, range }));
        }
        let topic = &mut self.broker.topics[topic];
        let records = topic.history(range, env.schedule.now);
        outbox.send_uncounted(vec![Down::Events { re: id, head: topic.head(), records }]);
        None
    }

    fn publish_for(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        event: Rc<Event>,
        again: Option<At>,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        let users = self.setup.users;
        let connection = self.connection(socket)?;
        let scope = connection.client % users;
        if again.is_none() {
            env.oracle.publish_comes_first(event.payload);
        }
        let once = Once { scope, again };
        let Some(at) = self.publish(topic, Rc::clone(&event), Some(&once), env) else {
            self.land(socket, topic, &event);
            return self.refuse(socket, id, ErrorCode::UNKNOWN);
        };
        let wait = self.connection(socket)?.broker_ms();
        Some((wait, Job::Acknowledge { id, topic, at, event }))
    }

    /// A client's publish is no longer under way.
    fn land(&mut self, socket: usize, topic: usize, event: &Event) {
        if let Some(node) = self.connection(socket).map(|connection| connection.node) {
            self.nodes[node].under_way.remove(&(topic, event.payload));
        }
    }

    /// Hooks that run for nobody are dropped, and with them what they hold.
    pub(super) fn drop_hooks(&mut self, socket: usize) {
        let Some(connection) = self.connection(socket) else { return };
        for hook in std::mem::take(&mut connection.hooks) {
            match hook.job {
                Job::Begin { asked, .. } => self.detach(socket, asked.topic),
                Job::Publish { topic, event, .. } | Job::Acknowledge { topic, event, .. } => {
                    self.land(socket, topic, &event);
                }
                _ => {}
            }
        }
        if let Some(connection) = self.connection(socket) {
            connection.core.handle_hook_ended();
        }
    }

    pub(super) fn answer(&mut self, socket: usize, frame: Down) {
        if let Some(connection) = self.connection(socket) {
            connection.outbox.answer(frame);
        }
    }

    /// Answers with an error, with which the job is over.
    pub(super) fn refuse(
        &mut self,
        socket: usize,
        id: u32,
        ErrorCode(code): ErrorCode,
    ) -> Option<(Millis, Job)> {
        self.answer(socket, Down::Error { re: id, code });
        None
    }
}
