//! What a client asks for, one frame at a time: the application's hook runs, then the broker is asked, then the answer goes out.

use std::rc::Rc;

use tidewire_protocol::{Millis, code::ErrorCode, session::Owner, topic::Start};

use super::{
    Server,
    subscribing::{Asked, State, TRIES},
};
use crate::{
    frames::{At, Down, Event, Reply, Up},
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
        state: State,
        tries: u32,
    },
    /// The same beside a subscription, whose position was `least`.
    ReadState {
        id: u32,
        topic: usize,
        least: Option<At>,
    },
    /// The broker has said where it begins.
    Begin {
        owner: Owner,
        asked: Asked,
        start: Start,
        state: Option<State>,
    },
    /// The application subscribes the session of itself.
    Adopt {
        topic: usize,
    },
    Unsubscribe {
        id: u32,
        topic: usize,
    },
    /// The application judges; `epoch` where the publish is sent again.
    Publish {
        id: u32,
        topic: usize,
        event: Rc<Event>,
        epoch: Option<u64>,
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
    pub(super) fn take(&mut self, socket: usize, frame: Up, env: &Env) {
        let job = match frame {
            Up::Subscribe { id, topic, since, snapshot } => {
                Job::Subscribe(Asked { id, topic, since, snapshot })
            }
            Up::ReadState { id, topic } if self.place(socket, topic).is_some() => {
                Job::ReadState { id, topic, least: None }
            }
            Up::ReadState { id, topic } => {
                Job::Subscribe(Asked { id, topic, since: None, snapshot: true })
            }
            Up::Unsubscribe { id, topic } => Job::Unsubscribe { id, topic },
            Up::Publish { id, topic, event, epoch } => Job::Publish { id, topic, event, epoch },
            Up::Hello { .. } | Up::Pong | Up::Closed { .. } => return,
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
        let fails = self.trouble_until > env.schedule.now;
        let refusal = |re| Down::Error { re, code: ErrorCode::UNAVAILABLE.0 };
        match job {
            Job::Subscribe(Asked { id, topic, .. }) | Job::Drain(Asked { id, topic, .. })
                if fails =>
            {
                self.unsubscribe(socket, topic, Owner::Client);
                self.answer(socket, refusal(id));
                None
            }
            Job::Subscribe(asked) if asked.snapshot => Some((0, Job::Drain(asked))),
            Job::Subscribe(asked) => self.begin(socket, Owner::Client, asked, None, env),
            Job::Drain(asked) if !self.connection(socket)?.outbox.is_empty() => {
                Some((1, Job::Drain(asked)))
            }
            Job::Drain(asked) => self.begin_with_state(socket, asked, TRIES, env),
            Job::Taken { asked, state, tries } => {
                self.begin_after_state(socket, asked, state, tries, env)
            }
            Job::ReadState { id, topic, least } => {
                self.read_state(socket, id, topic, least, env.schedule.now)
            }
            Job::Adopt { topic } => {
                let asked = Asked { id: 0, topic, since: None, snapshot: false };
                self.begin(socket, Owner::Server, asked, None, env)
            }
            Job::Begin { owner, asked, start, state } => {
                self.insert(socket, owner, asked, start, state);
                None
            }
            Job::Unsubscribe { id, topic } => {
                let frame = if self.unsubscribe(socket, topic, Owner::Client) {
                    Down::Reply { re: id, reply: None }
                } else {
                    Down::Error { re: id, code: ErrorCode::FORBIDDEN.0 }
                };
                self.answer(socket, frame);
                None
            }
            Job::Publish { id, event, .. } if fails => {
                env.oracle.turned_away(event.payload);
                self.answer(socket, refusal(id));
                None
            }
            Job::Publish { id, topic, event, epoch } => {
                self.publish_for(socket, id, topic, event, epoch, env)
            }
            Job::Acknowledge { id, topic, at, event } => {
                self.under_way.remove(&(topic, event.payload));
                let reply = Reply { at, head: at.offset, recovered: None, snapshot: None };
                self.answer(socket, Down::Reply { re: id, reply: Some(reply) });
                None
            }
        }
    }

    fn publish_for(
        &mut self,
        socket: usize,
        id: u32,
        topic: usize,
        event: Rc<Event>,
        epoch: Option<u64>,
        env: &mut Env,
    ) -> Option<(Millis, Job)> {
        if !self.under_way.insert((topic, event.payload)) {
            // A repeat waits for the first.
            return Some((1, Job::Publish { id, topic, event, epoch }));
        }
        let client = self.connection(socket).map(|connection| connection.client);
        let Some(at) = self.publish(topic, Rc::clone(&event), client, epoch, env) else {
            self.under_way.remove(&(topic, event.payload));
            self.answer(socket, Down::Error { re: id, code: ErrorCode::UNKNOWN.0 });
            return None;
        };
        let wait = self.connection(socket)?.broker_ms();
        Some((wait, Job::Acknowledge { id, topic, at, event }))
    }

    /// Hooks that run for nobody are dropped, and with them what they hold.
    pub(super) fn drop_hooks(&mut self, socket: usize) {
        let Some(connection) = self.connection(socket) else { return };
        for hook in std::mem::take(&mut connection.hooks) {
            match hook.job {
                Job::Begin { asked, .. } => self.topics[asked.topic].detach(),
                Job::Acknowledge { topic, event, .. } => {
                    self.under_way.remove(&(topic, event.payload));
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
}
