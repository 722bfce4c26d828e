//! [`OutboxStore`]: what a relay needs of an application's database.

use std::{error::Error, future::Future, time::Duration};

use serde_json::value::RawValue;
use tidewire_protocol::{name::Topic, schema::TypedTopic};

use crate::{broker::Event, error::PublishError, topics::event_of};

/// An outbox in a database, with its lease.
///
/// **The rows of a topic must become visible in the order of their ids**: once a reader has seen one, none with a smaller id may appear. A
/// database with one writer gives that; where transactions that run side by side take ids from a sequence, it has to be made.
/// `docs/outbox.md` shows how, with tables for SQLite and Postgres.
///
/// Implementations write the methods as `async fn`.
pub trait OutboxStore: Send + Sync + 'static {
    /// Why the database did not do it. The relay logs it and tries again, at growing distances up to 10 s.
    type Error: Error + Send + Sync + 'static;

    /// Takes the lease for `holder`, or prolongs it, until `time` from now, unless another's has not run out. In one step, and by the clock
    /// of the database.
    fn lease(
        &self,
        holder: &str,
        time: Duration,
    ) -> impl Future<Output = Result<Lease, Self::Error>> + Send;

    /// Gives the lease back, if it is `holder`'s.
    fn release(&self, holder: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The first rows that are not done, at most `most`, by ascending ids.
    fn read(&self, most: usize)
    -> impl Future<Output = Result<Vec<OutboxRow>, Self::Error>> + Send;

    /// These rows are published: deletes them, or marks them as done. They may be so already.
    fn done(&self, ids: &[u64]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Who has a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Who asked.
    Held,
    /// Another, whose time has not run out.
    Taken,
}

/// A row of an outbox.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Its id, the event's version. Never used again: of an SQLite table it is `AUTOINCREMENT`.
    pub id: u64,
    /// What is published.
    pub event: OutboxEvent,
}

/// An event as an outbox keeps it: three columns of text, of which `key` and `data` may be NULL.
///
/// ```
/// # tidewire_protocol::schema! { pub schema Shop { topic Orders = "orders" { event: String } } }
/// use tidewire::relay::OutboxEvent;
///
/// # fn main() -> Result<(), tidewire::PublishError> {
/// let event = OutboxEvent::new(&Orders, &"a book".to_owned())?;
/// let columns = (event.topic(), event.key(), event.data());
/// assert_eq!(columns, ("orders", None, Some(r#""a book""#)));
/// let read = OutboxEvent::from_columns(columns.0, columns.1, columns.2)?;
/// assert_eq!(read.data(), event.data());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OutboxEvent {
    topic: Topic,
    key: Option<Box<str>>,
    /// `None` where the key is removed.
    data: Option<Box<RawValue>>,
}

impl OutboxEvent {
    /// An event to be written, checked by its type.
    ///
    /// # Errors
    /// If a parameter of the topic is empty or too long, or the event cannot be JSON.
    pub fn new<T: TypedTopic>(topic: &T, event: &T::Event) -> Result<Self, PublishError> {
        let topic = topic.topic().map_err(|_| PublishError::InvalidTopic)?;
        let Event { key, data, .. } =
            event_of::<T>(event).map_err(|_| PublishError::InvalidData)?;
        Ok(Self { topic, key, data: Some(data) })
    }

    /// The removal of a key, to be written.
    ///
    /// # Errors
    /// If a parameter of the topic is empty or too long.
    pub fn removal<T: TypedTopic>(topic: &T, key: &str) -> Result<Self, PublishError> {
        let topic = topic.topic().map_err(|_| PublishError::InvalidTopic)?;
        Ok(Self { topic, key: Some(key.into()), data: None })
    }

    /// An event that was read.
    ///
    /// # Errors
    /// If the topic's name is not valid, or the data is not JSON.
    pub fn from_columns(
        topic: &str,
        key: Option<&str>,
        data: Option<&str>,
    ) -> Result<Self, PublishError> {
        let topic = Topic::parse(topic).map_err(|_| PublishError::InvalidTopic)?;
        let parse = |data: &str| RawValue::from_string(data.into());
        let data = data.map(parse).transpose().map_err(|_| PublishError::InvalidData)?;
        Ok(Self { topic, key: key.map(Into::into), data })
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// The event's key, in a keyed topic.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The data as JSON; `None` where the key is removed.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_ref().map(|data| data.get())
    }

    pub(super) fn into_event(self) -> (Topic, Event) {
        let Self { topic, key, data } = self;
        let removed = data.is_none();
        let data = data.unwrap_or_else(|| RawValue::NULL.to_owned());
        (topic, Event { key, removed, ..Event::new(data) })
    }
}
