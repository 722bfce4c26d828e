//! What the core tells its driver, and what the driver then does and checks.

use super::*;

impl World {
    /// Order, and no silent loss: whatever lies between two events was reported.
    pub(super) fn delivered(&mut self, topic: Name, offset: u64) {
        let seen = self.seen.get_mut(&topic).expect("a subscription that was reported");
        assert!(offset > seen.last, "topic {topic}: {offset} after {}", seen.last);
        assert!(seen.links.contains(&self.heard), "topic {topic}: another link has it");
        let known = |&o: &u64| seen.holes.iter().any(|&(after, to)| after < o && o <= to);
        let truth = &self.server.truth[&(topic, seen.epoch)];
        assert!(truth.contains(&offset), "an event of this epoch");
        let between = truth.iter().filter(|&&o| seen.last < o && o < offset);
        let silent: Vec<_> = between.filter(|o| !known(o)).collect();
        assert!(
            silent.is_empty(),
            "topic {topic}: {silent:?} are missing before {offset}: {seen:?}"
        );
        seen.last = offset;
        seen.holes.clear();
    }

    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.client.poll_output() {
            self.output(output);
        }
        assert!(!self.client.has_output());
    }

    /// The user's request is sent: on a link beside which there is no other that could take it.
    pub(super) fn owe(&mut self, id: u32) {
        let other = self.sockets[self.link ^ 1].as_ref();
        assert!(other.is_none_or(|socket| !socket.greeted), "{id} does not wait");
        if let Some(socket) = &mut self.sockets[self.link] {
            socket.owed.insert(id);
        }
    }

    pub(super) fn output(&mut self, output: Output) {
        if let Output::Acked { id, .. } | Output::Replied { id } | Output::Rejected { id, .. } =
            output
        {
            for socket in self.sockets.iter_mut().flatten() {
                socket.owed.remove(&id);
            }
        }
        match output {
            Output::State(state) => self.state = state,
            Output::Link { link } => {
                assert_ne!(usize::from(link), self.link, "said when it changes");
                self.link = link.into();
            }
            Output::Open => {
                let is_free = self.sockets[self.link].is_none();
                assert!(is_free && self.opens_at[self.link].is_none(), "one socket on a link");
                self.opens_at[self.link] = Some(self.now + self.random.below(200));
            }
            Output::Shut { .. } => {
                let socket = self.sockets[self.link].take();
                let other = self.sockets[self.link ^ 1].as_ref();
                if let (Some(old), Some(new)) = (&socket, other)
                    && new.greeted
                    && !old.stalled
                    && old.drained_at.is_some_and(|at| at > self.now)
                    && self.state == State::Connected
                {
                    assert!(old.owed.is_empty(), "{:?} are owed", old.owed);
                }
                assert!(socket.is_some() || self.opens_at[self.link].is_some());
                self.opens_at[self.link] = None;
            }
            Output::Hello { id } => self.upload(Up::Hello { id }),
            Output::Subscribe { id, topic, since } => {
                let topic = self.topics.name(topic);
                let since = since.map(|at| (self.epochs.name(at.epoch), at.offset));
                self.upload(Up::Subscribe { id, topic, since });
            }
            Output::Unsubscribe { id, topic } => {
                let topic = self.topics.name(topic);
                self.upload(Up::Unsubscribe { id, topic });
            }
            Output::Publish { id, again } => {
                let (topic, payload) = self.publishes[&id];
                let epoch = again.map(|at| self.epochs.name(at.epoch));
                self.owe(id);
                self.upload(Up::Publish { id, topic, payload, epoch });
            }
            Output::Request { id } => {
                self.owe(id);
                match self.calls.get(&id) {
                    Some(&payload) => self.upload(Up::Call { id, payload }),
                    None => {
                        assert!(self.reads.contains(&id));
                        self.upload(Up::Read { id });
                    }
                }
            }
            Output::Cancel { id } => self.upload(Up::Cancel { id }),
            Output::Replied { id } => match self.calls.remove(&id) {
                Some(payload) => {
                    self.acked.insert(payload);
                }
                None => assert!(self.reads.remove(&id)),
            },
            Output::Ping { id } => self.upload(Up::Ping { id }),
            Output::Pong => self.upload(Up::Pong),
            Output::Acked { id, at } => {
                let (topic, payload) = self.publishes.remove(&id).expect("a publish");
                let epoch = self.epochs.name(at.epoch);
                assert!(self.server.truth[&(topic, epoch)].contains(&at.offset));
                self.acked.insert(payload);
            }
            Output::Rejected { id, code } => {
                let publish = self.publishes.remove(&id).map(|publish| publish.1);
                let Some(payload) = publish.or_else(|| self.calls.remove(&id)) else {
                    assert!(self.reads.remove(&id));
                    return;
                };
                let set = match code {
                    ErrorCode::UNKNOWN | ErrorCode::TIMEOUT => &mut self.unknown,
                    ErrorCode::CANCELLED => &mut self.cancelled,
                    _ => &mut self.rejected,
                };
                set.insert(payload);
            }
            Output::Subscribed { topic, how, at } => self.subscribed(topic, how, at),
            Output::Refused { topic, retry_at, .. } => {
                let topic = self.topics.name(topic);
                assert!(retry_at.is_none_or(|at| at >= self.now));
                if retry_at.is_none() {
                    self.forget(topic);
                }
            }
            Output::Gap { topic, after, to, cause } => {
                let topic = self.topics.name(topic);
                let seen = self.seen.get_mut(&topic).expect("a gap of a subscription");
                if cause != Cause::NewEpoch {
                    seen.holes.push((after, to));
                }
            }
            Output::ReleaseTopic { topic } => {
                let name = self.topics.name(topic);
                self.topics.release(topic);
                assert!(!self.counts.contains_key(&name), "a topic in use is not released");
                self.seen.remove(&name);
            }
            Output::ReleaseEpoch { epoch } => drop(self.epochs.release(epoch)),
            other => panic!("unexpected: {other:?}"),
        }
    }

    pub(super) fn subscribed(&mut self, topic: u32, how: Continuity, at: Position) {
        let topic = self.topics.name(topic);
        let epoch = self.epochs.name(at.epoch);
        let link = self.heard;
        let begin =
            Seen { epoch, last: at.offset, holes: Vec::new(), included: 0, links: [link; 2] };
        if let Some(seen) = self.seen.get_mut(&topic)
            && seen.epoch == epoch
            && seen.included == at.offset
        {
            seen.last = at.offset.max(seen.last);
        }
        match (how, self.seen.get_mut(&topic)) {
            (Continuity::Fresh, None) => {
                self.seen.insert(topic, begin);
            }
            // The topic's events flow already, for an earlier subscription.
            (Continuity::Fresh, Some(seen)) => {
                assert_eq!((seen.epoch, seen.last), (epoch, at.offset));
            }
            (Continuity::Recovered, Some(seen)) => {
                assert_eq!((seen.epoch, seen.last), (epoch, at.offset));
                seen.links = [link; 2];
            }
            (Continuity::Lost, Some(seen)) => {
                let reported = seen.holes.iter().any(|&(after, to)| {
                    to == at.offset && (after == seen.last || after == seen.included)
                });
                assert!(reported || seen.epoch != epoch, "{seen:?}, now {at:?}");
                self.seen.insert(topic, begin);
            }
            other => panic!("{other:?}"),
        }
    }
}
