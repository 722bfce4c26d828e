//! [`History`]: what a topic's history holds, as the application reads it.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tidewire_protocol::{name::Topic, schema::TypedTopic};

use crate::{
    broker::{Event, Range, Record, Slice},
    error::HistoryError,
    live::Live,
    topics::TopicHandle,
};

/// A part of a topic's history, with data of type `E`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History<E> {
    /// One life of the topic's offsets.
    pub epoch: String,
    /// The newest offset when it was read.
    pub head: u64,
    /// The events, oldest first.
    pub events: Vec<Past<E>>,
}

/// An event of a topic's history.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Past<E> {
    /// What was published; `None` where the key was removed.
    pub data: Option<E>,
    /// Its offset.
    pub offset: u64,
    /// The offset of the event before it.
    pub prev: u64,
    /// Its key, in a keyed topic.
    pub key: Option<String>,
    /// The id of the client's publish that it came from.
    pub mid: Option<String>,
    /// The version of the application's state that has it.
    pub version: Option<u64>,
}

impl<V: Send + Sync + 'static> Live<V> {
    /// What a topic's history holds, by the topic's name and without a type. See [`TopicHandle::history`].
    ///
    /// # Errors
    /// If the name is not valid, or the broker fails.
    pub async fn history(
        &self,
        topic: &str,
        range: Range,
    ) -> Result<History<Box<RawValue>>, HistoryError> {
        let topic = Topic::parse(topic).map_err(|_| HistoryError::InvalidTopic)?;
        read(self, &topic, range, |_, data| Ok(data.to_owned())).await
    }
}

impl<V: Send + Sync + 'static, T: TypedTopic> TopicHandle<'_, V, T> {
    /// What the topic's history holds, within a range.
    ///
    /// ```
    /// use tidewire::{Live, broker::Range};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Site { topic News = "news" { event: String } }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().topic::<News>(|topic| topic.public()).build();
    /// for news in ["first", "second", "third"] {
    ///     live.topic(News).publish(&news.into()).await?;
    /// }
    /// let history = live.topic(News).history(Range::last(10).before(3)).await?;
    /// let data: Vec<_> = history.events.into_iter().flat_map(|event| event.data).collect();
    /// assert_eq!(data, ["first", "second"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If a parameter is empty or too long, an event is not of the topic's type, or the broker fails.
    pub async fn history(&self, range: Range) -> Result<History<T::Event>, HistoryError> {
        let topic = self.topic.topic().map_err(|_| HistoryError::InvalidTopic)?;
        read(self.live, &topic, range, typed).await
    }
}

fn typed<E: DeserializeOwned>(offset: u64, data: &RawValue) -> Result<E, HistoryError> {
    serde_json::from_str(data.get())
        .map_err(|error| HistoryError::InvalidData { offset, message: error.to_string() })
}

async fn read<V: Send + Sync + 'static, E>(
    live: &Live<V>,
    topic: &Topic,
    range: Range,
    decode: impl Fn(u64, &RawValue) -> Result<E, HistoryError> + Send,
) -> Result<History<E>, HistoryError> {
    let slice = live.hub().broker().history(topic, range).await;
    let Slice { place, records } =
        slice.map_err(|error| HistoryError::Unavailable(error.to_string()))?;
    let past = |Record { offset, prev, event }: Record| {
        let Event { data, key, removed, mid, version, .. } = &*event;
        let data = if *removed { None } else { Some(decode(offset, data)?) };
        let (key, mid) = (key.as_deref().map(Into::into), mid.as_deref().map(Into::into));
        Ok(Past { data, offset, prev, key, mid, version: *version })
    };
    let events = records.into_iter().map(past).collect::<Result<_, _>>()?;
    Ok(History { epoch: place.epoch.as_str().into(), head: place.offset, events })
}
