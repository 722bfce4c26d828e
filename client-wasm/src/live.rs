//! [`Live`]: what an application holds of a client.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::value::to_raw_value;
use tidewire_protocol::{
    code::ErrorCode,
    frame::client::{self, History},
    name::{FillError, Topic},
    schema::{Call, StreamingCall, TypedTopic},
};

use crate::{
    Connection, Connections, Entries, Items, Messages, Page, Publish, Range, Refusal, Request,
    RequestError, Subscription,
    engine::{Ask, Want},
    request::read,
    shared::Shared,
};

/// How long an answer may take where the caller says nothing: what a person will wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that mends itself. Cheap to clone; it is closed when the last clone and everything made from it is dropped.
#[derive(Clone, Debug)]
pub struct Live {
    shared: Arc<Shared>,
}

impl Live {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Subscribes to a topic: a stream of what it tells, from now on.
    ///
    /// A topic without a valid name gives a stream that has [`Event::Ended`](crate::Event::Ended) only.
    pub fn subscribe<T: TypedTopic>(&self, topic: &T) -> Subscription<T::Event> {
        Subscription::new(self.shared.clone(), self.read(topic, Want::Events))
    }

    /// Subscribes to a topic and asks for its state: the stream tells a [snapshot](crate::Event::Snapshot) before the events that
    /// follow it, and another one wherever events are missing.
    ///
    /// A topic without a valid name gives a stream that has [`Event::Ended`](crate::Event::Ended) only.
    pub fn follow<T: TypedTopic>(&self, topic: &T) -> Subscription<T::Event, T::Snapshot> {
        Subscription::new(self.shared.clone(), self.read(topic, Want::State))
    }

    /// The state of a keyed topic, kept: the last event of each key, by its key.
    ///
    /// A topic without a valid name gives a state that has [`Change::Ended`](crate::Change::Ended) only.
    pub fn keyed<T>(&self, topic: &T) -> Entries<T::Event>
    where
        T: TypedTopic<Snapshot = BTreeMap<String, <T as TypedTopic>::Event>>,
    {
        let reader = self.read(topic, Want::Keys);
        Entries::keyed(Subscription::new(self.shared.clone(), reader), T::key_of)
    }

    /// Who is in a topic, kept: what the server shows of each member, by the user's key. It needs the rights of a subscription.
    /// Who watches is no member by that: [`Subscription::present`] makes one.
    ///
    /// A topic without a valid name gives a state that has [`Change::Ended`](crate::Change::Ended) only.
    pub fn presence<T: TypedTopic>(&self, topic: &T) -> Entries<T::Presence> {
        let name = topic.topic().map(|name| format!("$presence:{name}"));
        let reader = self.read_name(name.as_deref(), Want::State);
        Entries::members(Subscription::new(self.shared.clone(), reader))
    }

    fn read<T: TypedTopic>(&self, topic: &T, want: Want) -> u64 {
        self.read_name(topic.topic().as_deref(), want)
    }

    fn read_name(&self, name: Result<&str, &FillError>, want: Want) -> u64 {
        let room = Subscription::<()>::ROOM;
        match name {
            Ok(name) => self.shared.turn(|engine, now| engine.subscribe(name, room, want, now)),
            Err(error) => {
                let (code, message) = (ErrorCode::INVALID_TOPIC, Some(error.to_string()));
                self.shared.turn(|engine, _| engine.refuse(Refusal { code, message }))
            }
        }
    }

    /// Publishes to a topic. Without a connection up to 1,000 publishes wait for the next.
    ///
    /// # Errors
    /// What [`PublishError`](crate::PublishError) lists, when it is awaited.
    pub fn publish<T: TypedTopic>(&self, topic: &T, data: &T::Publish) -> Publish {
        match topic.topic() {
            Ok(name) => self.request(&name, data),
            Err(error) => Publish::failed(error.into()),
        }
    }

    /// Sends a message of no typed topic to the server's `on_message`; resolves once the server has taken it. The position is
    /// that of no topic.
    ///
    /// # Errors
    /// What [`PublishError`](crate::PublishError) lists, when it is awaited.
    pub fn send(&self, name: &str, data: &impl Serialize) -> Publish {
        match Topic::parse(name) {
            Ok(name) => self.request(&name, data),
            Err(error) => Publish::failed(error.into()),
        }
    }

    /// Asks the server to do something, and waits 30 seconds for the answer.
    ///
    /// Without a connection up to 1,000 requests wait for the next. It is sent once: if the connection ends before the answer
    /// comes, the outcome is [`ErrorCode::UNKNOWN`].
    ///
    /// # Errors
    /// What [`RequestError`] lists, when it is awaited.
    pub fn call<C: Call>(&self, call: C, args: &C::Args) -> Request<C::Reply> {
        self.call_within(call, args, PATIENCE)
    }

    /// [`call`](Self::call) with another time-out, which counts from now; [`Duration::ZERO`] is the least, not none.
    ///
    /// # Errors
    /// What [`RequestError`] lists, when it is awaited.
    pub fn call_within<C: Call>(
        &self,
        _: C,
        args: &C::Args,
        timeout: Duration,
    ) -> Request<C::Reply> {
        #[derive(Serialize)]
        struct Data<'a, Args> {
            call: &'a str,
            args: &'a Args,
            timeout_ms: u64,
        }
        let timeout_ms = milliseconds(timeout);
        match to_raw_value(&Data { call: C::NAME, args, timeout_ms }) {
            Ok(data) => {
                let ask = Ask { topic: "$call".into(), data, mid: None };
                let id = self.shared.turn(|engine, now| engine.call(ask, timeout_ms, now));
                Request::new(self.shared.clone(), id, read)
            }
            Err(error) => Request::failed(RequestError::Data(error)),
        }
    }

    /// Makes a call that is answered by a stream, at once and once: after a lost connection it is not begun again, and has ended with
    /// [`ErrorCode::UNKNOWN`]. Without a connection it waits for one. It has no time-out.
    ///
    /// # Errors
    /// What [`RequestError`] lists, as the last item.
    pub fn stream<C: StreamingCall>(&self, _: C, args: &C::Args) -> Items<C::Item> {
        let room = Items::<C::Item>::ROOM;
        let data = to_raw_value(args).and_then(|args| {
            to_raw_value(&client::Call {
                items: Some(room as u64),
                ..client::Call::of(C::NAME, &args)
            })
        });
        match data {
            Ok(data) => {
                let ask = Ask { topic: "$call".into(), data, mid: None };
                let id = self.shared.turn(|engine, now| engine.stream(ask, room, now));
                Items::new(self.shared.clone(), id)
            }
            Err(error) => Items::failed(RequestError::Data(error)),
        }
    }

    /// Events that a topic's history holds, for whoever may subscribe to it.
    ///
    /// # Errors
    /// What [`RequestError`] lists, when it is awaited.
    pub fn history<T: TypedTopic>(&self, topic: &T, range: Range) -> Request<Page<T::Event>> {
        let name = match topic.topic() {
            Ok(name) => name,
            Err(error) => return Request::failed(error.into()),
        };
        let Range { after, before, limit } = range;
        match to_raw_value(&History { topic: name.to_string(), after, before, limit }) {
            Ok(data) => {
                let ask = Ask { topic: "$history".into(), data, mid: None };
                let patience = milliseconds(PATIENCE);
                let id = self.shared.turn(|engine, now| engine.read(ask, patience, now));
                Request::new(self.shared.clone(), id, Page::read)
            }
            Err(error) => Request::failed(RequestError::Data(error)),
        }
    }

    /// The messages that the server sends to this session by a name.
    pub fn messages(&self, name: &str) -> Messages {
        let reader = self.shared.turn(|engine, _| engine.listen(name, Messages::ROOM));
        Messages::new(self.shared.clone(), reader)
    }

    /// The connection's state now.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.shared.turn(|engine, _| engine.connection().clone())
    }

    /// The connection's states, from the present one on.
    pub fn connections(&self) -> Connections {
        Connections::new(self.shared.clone())
    }

    /// Connects again after the server said to stop, as with a fresh token. Does nothing while a connection stands or is being
    /// tried, after [`close`](Self::close), and where there can be no connection to the address.
    pub fn reconnect(&self) {
        self.shared.turn(|engine, now| engine.reconnect(now));
    }

    /// Ends everything for good: subscriptions end, and what waits for an answer is rejected.
    pub fn close(&self) {
        self.shared.turn(|engine, now| engine.close(now));
    }

    fn request(&self, name: &Topic, data: &impl Serialize) -> Publish {
        match to_raw_value(data) {
            Ok(data) => {
                let id = self.shared.turn(|engine, now| engine.publish(name, data, now));
                Publish::new(self.shared.clone(), id)
            }
            Err(error) => Publish::failed(error.into()),
        }
    }
}

/// At least one: none would be no time-out.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
