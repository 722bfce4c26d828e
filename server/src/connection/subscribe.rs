//! Subscribing, with or without a snapshot, and reading history.

use std::sync::Arc;

use serde_json::value::RawValue;
use tidewire_protocol::{
    MAX_INTEGER,
    code::ErrorCode,
    frame::{
        Position,
        client::{History, Subscribe},
        server::{self, Subscribed},
    },
    name::Topic,
    session::Owner,
};

use super::requests::{Request, decode, parse_topic};
use crate::{
    broker::{Range, Record},
    error::{Access, Refusal, SubscribeError},
    hub::{Began, Beginning},
    rights,
    snapshots::{self, Taken, unavailable},
};

/// How often a snapshot is taken whose position history no longer reaches when it is done.
const TRIES: usize = 3;

/// How many events a reply to `$history` has at most, and has unless the request says otherwise; and how many bytes of data.
const HISTORY_EVENTS: u64 = 1000;
const HISTORY_DEFAULT: u64 = 100;
const HISTORY_BYTES: usize = 256 * 1024;

impl<V: Send + Sync + 'static> Request<V> {
    pub(super) async fn subscribe(&self, data: &RawValue) -> Result<(), Refusal> {
        let Subscribe { topic, since, version, snapshot, beside, presence } = decode(data)?;
        let topic = self.topic(&topic)?;
        if since.as_ref().is_some_and(|since| since.offset > MAX_INTEGER) {
            return Err(no_offset());
        }
        let version = version.map(|version| version.parse()).transpose();
        let version =
            version.map_err(|_| Refusal::invalid_data().message("no snapshot has this version"))?;
        if beside {
            return self.read_beside(&topic, presence).await;
        }
        let since = since.as_ref().map(|position| (position, version));
        // Refusals wait for nothing else: a burst of them leaves other tasks, and whoever reads them, their turn.
        tokio::task::consume_budget().await;
        self.session.asked(&topic).map_err(not_begun)?;
        // Without an answer, as in plain mode, there is nowhere to put a snapshot.
        let begun = self.begin(&topic, since, snapshot && self.id.is_some(), presence).await;
        if begun.is_err() {
            // What it may not begin it may not keep.
            self.session.unsubscribe_own(&topic);
        }
        self.session.answered(&topic);
        begun
    }

    async fn begin(
        &self,
        topic: &Topic,
        since: Option<(&Position, Option<u64>)>,
        wants_snapshot: bool,
        wish: Option<Box<RawValue>>,
    ) -> Result<(), Refusal> {
        self.allow(topic).await?;
        let data = self.member_data(topic, wish).await?;
        if wants_snapshot {
            self.begin_with_snapshot(topic, since).await?;
        } else {
            let beginning = beginning_after(since);
            self.begin_at(topic, beginning, None).await?;
        }
        self.settle_member(topic, data);
        Ok(())
    }

    async fn begin_with_snapshot(
        &self,
        topic: &Topic,
        since: Option<(&Position, Option<u64>)>,
    ) -> Result<(), Refusal> {
        self.session.outbox().drained().await;
        if let Some((position, version)) = since
            && self.can_begin(topic, Beginning::Only(position, version)).await?
        {
            return self.begin_at(topic, Beginning::Only(position, version), None).await;
        }
        let recovered = since.map(|_| false);
        for _ in 0..TRIES {
            let Some(taken) = self.take(topic).await? else {
                let beginning = beginning_after(since);
                return self.begin_at(topic, beginning, None).await;
            };
            let beginning = Beginning::Snapshot(&taken);
            if self.can_begin(topic, beginning).await? {
                return self.begin_at(topic, beginning, recovered).await;
            }
        }
        let message = "the topic's history is shorter than it takes to make its snapshot";
        tracing::warn!(topic = topic.as_str(), "{message}");
        Err(Refusal::new(ErrorCode::UNAVAILABLE).message(message))
    }

    /// Whether the subscription can begin there. Until now nothing has changed, and the earlier one goes on.
    async fn can_begin(&self, topic: &Topic, beginning: Beginning<'_>) -> Result<bool, Refusal> {
        let overflow = self.live().overflow_of(topic);
        self.live().hub().can_begin(topic, beginning, overflow).await.map_err(unavailable)
    }

    /// Subscribes and answers. After a snapshot, `recovered` is what is said of the position that was asked for.
    async fn begin_at(
        &self,
        topic: &Topic,
        beginning: Beginning<'_>,
        recovered: Option<bool>,
    ) -> Result<(), Refusal> {
        let answer = |began: &Began| {
            let Began { position, head, .. } = began.clone();
            let subscribed =
                Subscribed { position, head, recovered, version: None, snapshot: None };
            match beginning {
                Beginning::Snapshot(taken) => {
                    let version = taken.version.filter(|_| began.leaves_out);
                    let version = version.map(|version| version.to_string());
                    self.reply_with(&Subscribed { version, ..subscribed }, taken);
                }
                _ => self.reply(&Subscribed { recovered: began.recovered, ..subscribed }),
            }
        };
        let subscribed =
            self.session.subscribe_with(topic.clone(), Owner::Client, beginning, answer).await;
        subscribed.map_err(not_begun)
    }

    /// A snapshot of a topic that the session is subscribed to. Its rights were asked about then, and its stream goes on as it is. Nothing begins:
    /// the client may have heard only now that its subscription has ended.
    async fn read_beside(&self, topic: &Topic, wish: Option<Box<RawValue>>) -> Result<(), Refusal> {
        let ended = || Refusal::new(ErrorCode::UNAVAILABLE).message("the subscription has ended");
        if wish.is_some() {
            self.session.place(topic).ok_or_else(ended)?;
            let data = self.member_data(topic, wish).await?;
            self.settle_member(topic, data);
        }
        if self.id.is_none() {
            return Ok(());
        }
        self.session.outbox().drained().await;
        // Whoever asks has seen all until here: a run that began before would leave it a hole.
        let (least, _) = self.session.place(topic).ok_or_else(ended)?;
        for _ in 0..TRIES {
            let taken = self.take(topic).await?;
            let (position, head) = self.session.place(topic).ok_or_else(ended)?;
            let subscribed =
                Subscribed { position, head, recovered: None, version: None, snapshot: None };
            let Some(taken) = taken else {
                self.reply(&subscribed);
                return Ok(());
            };
            let Position { epoch, .. } = &subscribed.position;
            if epoch != taken.place.epoch.as_str() || taken.place.offset < least.offset {
                continue;
            }
            let position =
                Position { epoch: epoch.clone(), offset: self.covered(topic, &taken).await? };
            let head = head.max(position.offset);
            self.reply_with(&Subscribed { position, head, ..subscribed }, &taken);
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::UNAVAILABLE).message("the topic has begun anew"))
    }

    /// Takes a snapshot and makes it ready to be sent.
    async fn take(&self, topic: &Topic) -> Result<Option<Arc<Taken>>, Refusal> {
        let taken = snapshots::take(&self.session, topic).await?;
        if let Some(taken) = &taken {
            taken.passage.prepare(self.session.outbox().deflate());
        }
        Ok(taken)
    }

    /// The offset up to which a snapshot has all events, by its version. A stream that goes on leaves out nothing.
    async fn covered(&self, topic: &Topic, taken: &Taken) -> Result<u64, Refusal> {
        let Some(version) = taken.version else { return Ok(taken.place.offset) };
        let after = taken.place.offset;
        let range = Range::after(after).limit(1000);
        let history =
            self.live().hub().broker().history(topic, range).await.map_err(unavailable)?;
        let is_next = |offset: u64, record: &Record| {
            let is_in = record.event.version.is_some_and(|of| of <= version);
            (record.prev == offset && is_in).then_some(record.offset)
        };
        let covered = history
            .records
            .iter()
            .try_fold(after, |offset, record| is_next(offset, record).ok_or(offset));
        Ok(covered.unwrap_or_else(|offset| offset))
    }

    /// Answers with a snapshot, unless no answer was asked for. The outbox was drained before the snapshot was taken, and counts no
    /// such answer.
    fn reply_with(&self, subscribed: &Subscribed, taken: &Taken) {
        let Some(id) = self.id else { return };
        let outbox = self.session.outbox();
        let (before, behind) = server::write_around_snapshot(id, subscribed);
        outbox.send_fragments(&taken.passage.message(outbox.deflate(), &before, behind));
    }

    pub(super) async fn history(&self, data: &RawValue) -> Result<(), Refusal> {
        let History { topic, after, before, limit } = decode(data)?;
        let topic = self.topic(&topic)?;
        if after.max(before).is_some_and(|offset| offset > MAX_INTEGER) {
            return Err(no_offset());
        }
        if self.session.place(&topic).is_none() {
            self.allow(&topic).await?;
        }
        let Some(id) = self.id else { return Ok(()) };
        self.session.outbox().drained().await;
        let limit = limit.unwrap_or(HISTORY_DEFAULT).min(HISTORY_EVENTS);
        let range = Range {
            after,
            before,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            bytes: HISTORY_BYTES,
        };
        let history =
            self.live().hub().broker().history(&topic, range).await.map_err(unavailable)?;
        // The broker gives one event whatever the limits.
        let events = history.records.iter().take(range.limit).map(Record::frame);
        let text =
            server::write_history(id, history.place.epoch.as_str(), history.place.offset, events);
        let outbox = self.session.outbox();
        outbox.send_fragments(&[outbox.text(&text)]);
        Ok(())
    }

    /// The topic of a request, if it has a valid name and a schema that fits.
    fn topic(&self, name: &str) -> Result<Topic, Refusal> {
        let topic = parse_topic(name)?;
        if let Some((rule, _)) = self.live().rule_of(topic.present_in().unwrap_or(&topic)) {
            self.check_schema(rule.pattern.as_str())?;
        }
        Ok(topic)
    }

    /// What is to be shown of the session's user, if it wishes to be a member.
    async fn member_data(
        &self,
        topic: &Topic,
        wish: Option<Box<RawValue>>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let Some(wish) = wish else { return Ok(None) };
        let live = self.live();
        let Some((rule, params)) = live.rule_of(topic) else { return Err(memberless()) };
        let Some(presence) = &rule.presence else { return Err(memberless()) };
        presence.data(&self.session, params, wish.into(), live.counters()).await.map(Some)
    }

    /// Makes the session's user a member, or no longer one.
    fn settle_member(&self, topic: &Topic, data: Option<Arc<str>>) {
        let rule = self.live().rule_of(topic).and_then(|(rule, _)| rule.presence.as_ref());
        match (rule, data) {
            (Some(rule), Some(data)) => self.session.join(topic, rule, data),
            _ => self.session.leave(topic),
        }
    }

    /// A member wishes to be shown otherwise: `topic` is that of the members.
    pub(super) async fn wish(&self, topic: &Topic, wish: Box<RawValue>) -> Result<(), Refusal> {
        let of = topic.present_in().filter(|of| self.session.is_member(of));
        let of = of.ok_or_else(|| Refusal::forbidden().message("only members have a wish"))?;
        let of = parse_topic(of)?;
        let data = self.member_data(&of, Some(wish)).await?;
        // It may have left meanwhile.
        if self.session.is_member(&of) {
            self.settle_member(&of, data);
        }
        self.reply(&());
        Ok(())
    }

    /// Asks whether the session may subscribe.
    async fn allow(&self, topic: &Topic) -> Result<(), Refusal> {
        match rights::access(&self.session, topic).await {
            Ok(Access::Allow) => Ok(()),
            Ok(Access::Deny(refusal)) | Err(refusal) => Err(refusal.about(topic)),
        }
    }
}

fn beginning_after(since: Option<(&Position, Option<u64>)>) -> Beginning<'_> {
    since.map_or(Beginning::Head, |(position, version)| Beginning::Since(position, version))
}

fn no_offset() -> Refusal {
    Refusal::invalid_data().message("an offset is at most 2^53 - 1")
}

fn not_begun(error: SubscribeError) -> Refusal {
    Refusal::new(error.code()).message(error.to_string())
}

fn memberless() -> Refusal {
    Refusal::forbidden().message("the topic has no members")
}
