//! What a client in full mode asks for, and the answers.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use tidewire_protocol::{
    MAX_INTEGER,
    code::ErrorCode,
    frame::{
        Position, client,
        server::{self, ErrorData, Subscribed, TokenTaken},
    },
    schema::{Call, StreamingCall, TypedTopic},
};

use super::{client::Client, error::RequestError, frame::Frame};
use crate::broker::Range;

/// A call that streams, under way; dropping it ends nothing.
#[derive(Debug)]
pub struct Items<C> {
    id: u64,
    of: PhantomData<fn() -> C>,
}

impl Client {
    /// Sends a message and waits for its reply, which a message has when its hook has ended.
    ///
    /// # Errors
    /// If the client is plain, the server refuses, or no answer comes.
    pub async fn request(
        &mut self,
        topic: &str,
        data: &impl Serialize,
    ) -> Result<Box<RawValue>, RequestError> {
        let data = to_raw_value(data)?;
        self.ask(topic, |id| client::write_data(topic, Some(id), &data)).await
    }

    /// Subscribes to a topic, at its head.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn subscribe<T: TypedTopic>(
        &mut self,
        topic: &T,
    ) -> Result<Subscribed, RequestError> {
        self.subscribe_as(topic, |to| to).await
    }

    /// Subscribes to a topic and asks for what came after a position, as a client does that was away.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// ```
    /// use tidewire::{Live, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Site { topic News = "news" { event: String } }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().topic::<News>(|topic| topic.public()).build();
    /// let mut client = Client::connect(&live).hello().await?;
    /// let position = client.subscribe(&News).await?.position;
    /// drop(client);
    ///
    /// live.topic(News).publish(&"missed".into()).await?;
    /// let mut client = Client::connect(&live).hello().await?;
    /// let subscribed = client.subscribe_since(&News, &position).await?;
    /// assert_eq!(subscribed.recovered, Some(true));
    /// assert_eq!(client.next_event::<News>().await?.data, "missed");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe_since<T: TypedTopic>(
        &mut self,
        topic: &T,
        since: &Position,
    ) -> Result<Subscribed, RequestError> {
        self.subscribe_as(topic, |to| client::Subscribe { since: Some(since.clone()), ..to }).await
    }

    /// Subscribes to a topic and asks for its state, which is `None` where the topic has none. With a position nothing but what came
    /// after it is asked for, if that is still known: `recovered` is `true` then, and there is no state.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// ```
    /// use tidewire::{Live, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Site { topic News = "news" { event: String } }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder().topic::<News>(|topic| topic.public()).build();
    /// live.topic(News).publish(&"before".into()).await?;
    /// let mut client = Client::connect(&live).hello().await?;
    /// let (subscribed, state) = client.subscribe_with_snapshot(&News, None).await?;
    /// assert_eq!((subscribed.position.offset, state), (1, Some(vec!["before".into()])));
    /// live.topic(News).publish(&"after".into()).await?;
    /// assert_eq!(client.next_event::<News>().await?.data, "after");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe_with_snapshot<T: TypedTopic>(
        &mut self,
        topic: &T,
        since: Option<&Position>,
    ) -> Result<(Subscribed, Option<T::Snapshot>), RequestError> {
        self.ask_state(topic, |to| client::Subscribe { since: since.cloned(), ..to }).await
    }

    /// Asks for the state of a topic beside the subscription that the client has, which goes on as it is.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn snapshot_beside<T: TypedTopic>(
        &mut self,
        topic: &T,
    ) -> Result<(Subscribed, Option<T::Snapshot>), RequestError> {
        self.ask_state(topic, |to| client::Subscribe { beside: true, ..to }).await
    }

    async fn ask_state<T: TypedTopic>(
        &mut self,
        topic: &T,
        how: impl FnOnce(client::Subscribe) -> client::Subscribe,
    ) -> Result<(Subscribed, Option<T::Snapshot>), RequestError> {
        let subscribed =
            self.subscribe_as(topic, |to| how(client::Subscribe { snapshot: true, ..to })).await?;
        let state = subscribed.snapshot.as_ref().map(|state| serde_json::from_str(state.get()));
        Ok((subscribed.clone(), state.transpose()?))
    }

    async fn subscribe_as<T: TypedTopic>(
        &mut self,
        topic: &T,
        how: impl FnOnce(client::Subscribe) -> client::Subscribe,
    ) -> Result<Subscribed, RequestError> {
        let subscribe = how(client::Subscribe::to(topic.topic()?.as_str()));
        self.ask_for("$subscribe", |id| client::write_subscribe(id, &subscribe)).await
    }

    /// Reads a topic's history.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn history<T: TypedTopic>(
        &mut self,
        topic: &T,
        range: Range,
    ) -> Result<server::History, RequestError> {
        let limit = u64::try_from(range.limit).ok().filter(|&limit| limit <= MAX_INTEGER);
        let history = client::History {
            topic: topic.topic()?.as_str().into(),
            after: range.after,
            before: range.before,
            limit,
        };
        self.ask_for("$history", |id| client::write_history(id, &history)).await
    }

    /// Ends a subscription; also where there is none.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn unsubscribe<T: TypedTopic>(&mut self, topic: &T) -> Result<(), RequestError> {
        let name = topic.topic()?;
        self.ask("$unsubscribe", |id| client::write_unsubscribe(id, &name)).await.map(drop)
    }

    /// Publishes, and waits for the event's position.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn publish<T: TypedTopic>(
        &mut self,
        topic: &T,
        data: &T::Publish,
    ) -> Result<Position, RequestError> {
        let (name, data) = (topic.topic()?, to_raw_value(data)?);
        self.ask_for(&name, |id| client::write_data(&name, Some(id), &data)).await
    }

    /// Calls the server, and waits for its reply.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// ```
    /// use tidewire::{ErrorCode, Live, Refusal, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Sums { call Half = "half" (u32) -> u32; }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder()
    ///     .call(Half, async |_cx, _session, n: u32| {
    ///         if n % 2 == 0 { Ok(n / 2) } else { Err(Refusal::invalid_data().message("odd")) }
    ///     })
    ///     .build();
    /// let mut client = Client::connect(&live).hello().await?;
    /// assert_eq!(client.call(Half, &8).await?, 4);
    /// assert_eq!(client.call(Half, &7).await.unwrap_err().code(), Some(ErrorCode::INVALID_DATA));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call<C: Call>(
        &mut self,
        _call: C,
        args: &C::Args,
    ) -> Result<C::Reply, RequestError> {
        let args = to_raw_value(args)?;
        self.ask_for(C::NAME, |id| client::write_call(id, &client::Call::of(C::NAME, &args))).await
    }

    /// Makes a call that streams. Its items are there for [`next_item`](Self::next_item) as they come: this client has room for all.
    ///
    /// # Errors
    /// If the client is plain or its connection is closed, or the arguments cannot be JSON. What the server refuses `next_item` says.
    pub async fn stream<C: StreamingCall>(
        &mut self,
        _call: C,
        args: &C::Args,
    ) -> Result<Items<C>, RequestError> {
        let args = to_raw_value(args)?;
        let call = client::Call::of(C::NAME, &args);
        let id = self.send_request(|id| client::write_call(id, &call)).await?;
        Ok(Items { id, of: PhantomData })
    }

    /// The next item of a call that streams; `None` at its end.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub async fn next_item<C: StreamingCall>(
        &mut self,
        items: &Items<C>,
    ) -> Result<Option<C::Item>, RequestError> {
        let answer = self.answer(C::NAME, items.id).await?;
        Ok(if answer.topic == "$item" { Some(answer.decode()?) } else { None })
    }

    /// Ends a call that streams: items that were on their way still come, and then the refusal `cancelled`.
    ///
    /// # Errors
    /// If the connection is closed, or the server takes nothing.
    pub async fn cancel<C: StreamingCall>(&mut self, items: &Items<C>) -> Result<(), RequestError> {
        Ok(self.send_text(&client::write_cancel(items.id)).await?)
    }

    /// Gives a fresh token, and waits until it is taken.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidewire::{Identity, Live, Refusal, test::Client};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<String>::builder()
    ///     .on_token(async |_cx, token: Option<String>| {
    ///         let name = token.ok_or(Refusal::unauthorized())?;
    ///         Ok::<_, Refusal>(Identity::new(name).expires_in(Duration::from_secs(60)))
    ///     })
    ///     .build();
    /// let mut client = Client::connect(&live).token("ann").await?;
    /// tokio::time::sleep(Duration::from_secs(50)).await;
    /// assert_eq!(client.renew("ann").await?.token_ms, Some(60_000));
    /// tokio::time::sleep(Duration::from_secs(50)).await;
    /// client.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn renew(&mut self, token: &str) -> Result<TokenTaken, RequestError> {
        self.ask_for("$token", |id| client::write_token(id, token)).await
    }

    pub(super) async fn say_hello(&mut self, hello: &client::Hello) -> Result<(), RequestError> {
        let id = self.begin(|id| client::write_hello(id, hello)).await?;
        self.welcome = Some(self.answer("$hello", id).await?.decode()?);
        Ok(())
    }

    async fn ask_for<A: DeserializeOwned>(
        &mut self,
        topic: &str,
        write: impl FnOnce(u64) -> String,
    ) -> Result<A, RequestError> {
        let data = self.ask(topic, write).await?;
        Ok(serde_json::from_str(data.get())?)
    }

    async fn ask(
        &mut self,
        topic: &str,
        write: impl FnOnce(u64) -> String,
    ) -> Result<Box<RawValue>, RequestError> {
        let id = self.send_request(write).await?;
        Ok(self.answer(topic, id).await?.data)
    }

    async fn send_request(
        &mut self,
        write: impl FnOnce(u64) -> String,
    ) -> Result<u64, RequestError> {
        if self.welcome.is_none() {
            return Err(RequestError::Plain);
        }
        self.begin(write).await
    }

    /// Sends a request under a number of its own.
    async fn begin(&mut self, write: impl FnOnce(u64) -> String) -> Result<u64, RequestError> {
        self.last_id += 1;
        let id = self.last_id;
        self.send_text(&write(id)).await?;
        Ok(id)
    }

    /// Waits for the next frame that answers a request.
    async fn answer(&mut self, topic: &str, id: u64) -> Result<Frame, RequestError> {
        let is_answer = |frame: &Frame| frame.re == Some(id);
        let answer = self
            .find(&format!("the answer to {topic:?}"), |client| {
                let at = client.received.iter().position(is_answer)?;
                client.received.remove(at)
            })
            .await?;
        if answer.topic != "$error" {
            return Ok(answer);
        }
        let ErrorData { code, message, .. } = answer.decode()?;
        Err(RequestError::Refused { code: ErrorCode(code), message })
    }
}
