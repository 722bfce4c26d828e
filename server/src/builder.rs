//! [`LiveBuilder`]: what an application configures, once, before it serves.

use std::{any::Any, fmt, future::Future, net::IpAddr, sync::Arc, time::Duration};

use futures_util::Stream;
use tidewire_protocol::{
    message::Message,
    name::Topic,
    schema::{Call, StreamingCall, TypedTopic},
    session::Rate,
};

use crate::{
    admission::Places,
    alarms::Alarms,
    broker::{Broker, MemoryBroker},
    calls::{CallRule, IntoItem},
    clock::Clock,
    close::CloseReason,
    error::{Access, Refusal},
    hooks::{Context, Hooks},
    hub::Hub,
    identity::Identity,
    live::{Live, Shared},
    metrics::Counters,
    options::Options,
    presence::Presence,
    publishing::InFlight,
    request::Request,
    session::{Session, Sessions},
    topics::{Rule, TopicBuilder},
    ws::handshake::Origins,
};

/// Configures a [`Live`].
///
/// Hooks are async closures that take what they need as owned arguments; the application's state comes to them as
/// `cx.state`. Set [`state`](Self::state) before the hooks that use it.
pub struct LiveBuilder<V, S> {
    context: Context<S>,
    options: Options,
    hooks: Hooks<V>,
    rules: Vec<Rule<V>>,
    calls: Vec<CallRule<V>>,
    broker: Option<Arc<dyn Broker>>,
    new_id: Box<dyn Fn() -> String + Send + Sync>,
}

impl<V: Send + Sync + 'static> LiveBuilder<V, ()> {
    pub(crate) fn new() -> Self {
        Self {
            context: Context::new(()),
            options: Options::default(),
            hooks: Hooks::default(),
            rules: Vec::new(),
            calls: Vec::new(),
            broker: None,
            new_id: Box::new(crate::random::id),
        }
    }
}

impl<V: Send + Sync + 'static, S: Send + Sync + 'static> LiveBuilder<V, S> {
    /// Sets the application's state, which every hook set after this gets as `cx.state`.
    #[must_use]
    pub fn state<S2: Send + Sync + 'static>(self, state: S2) -> LiveBuilder<V, S2> {
        let Self { context: _, options, hooks, rules, calls, broker, new_id } = self;
        LiveBuilder { context: Context::new(state), options, hooks, rules, calls, broker, new_id }
    }

    /// Asks `hook` who a client is, by the HTTP request of its upgrade: cookie, query, header. It gives the session's value,
    /// or an [`Identity`] that ends. A refusal is answered with its HTTP status, 401 by default.
    #[must_use]
    pub fn on_auth<F, R, I>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Request) -> R + Send + Sync + 'static,
        R: Future<Output = Result<I, Refusal>> + Send + 'static,
        I: Into<Identity<V>>,
    {
        let context = self.context.clone();
        self.hooks.on_auth = Some(Box::new(move |request| {
            let identity = hook(context.clone(), request);
            Box::pin(async move { identity.await.map(Into::into) })
        }));
        self
    }

    /// Asks `hook` who a client is, by the token of its hello (`None` if it gave none), and again for each fresh token. It gives
    /// the session's value, or an [`Identity`] that ends. Until a hello has passed nothing else is taken, so that only clients in
    /// full mode can connect. A refusal closes the connection with 4200.
    #[must_use]
    pub fn on_token<F, R, I>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Option<String>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<I, Refusal>> + Send + 'static,
        I: Into<Identity<V>>,
    {
        let context = self.context.clone();
        self.hooks.on_token = Some(Box::new(move |token| {
            let identity = hook(context.clone(), token);
            Box::pin(async move { identity.await.map(Into::into) })
        }));
        self
    }

    /// Names the user behind a value, so that a user's sessions can be found, and a fresh token cannot make another user of
    /// a session.
    #[must_use]
    pub fn user_key<F, K>(mut self, key: F) -> Self
    where
        F: Fn(&V) -> K + Send + Sync + 'static,
        K: Into<String>,
    {
        self.hooks.user_key = Some(Box::new(move |value| key(value).into()));
        self
    }

    /// Calls `hook` once for each session, before anything that its client sent is handled.
    #[must_use]
    pub fn on_connect<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let context = self.context.clone();
        self.hooks.on_connect =
            Some(Box::new(move |session| Box::pin(hook(context.clone(), session))));
        self
    }

    /// Lets everybody in, each with the value that `value` gives. A server whose value is `()` does so without this.
    #[must_use]
    pub fn anonymous<F: Fn() -> V + Send + Sync + 'static>(mut self, value: F) -> Self {
        self.hooks.anonymous = Some(Box::new(value));
        self
    }

    /// Takes every message that is no request and matches no typed topic. The messages of a session come one at a time, in
    /// the order in which they were sent.
    #[must_use]
    pub fn on_message<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, Message) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let context = self.context.clone();
        self.hooks.on_message = Some(Box::new(move |session, message| {
            Box::pin(hook(context.clone(), session, message))
        }));
        self
    }

    /// Asks `hook` whether a client may subscribe to a topic that no typed topic matches.
    #[must_use]
    pub fn on_subscribe<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, Topic) -> R + Send + Sync + 'static,
        R: Future<Output = Access> + Send + 'static,
    {
        let context = self.context.clone();
        self.hooks.on_subscribe =
            Some(Box::new(move |session, topic| Box::pin(hook(context.clone(), session, topic))));
        self
    }

    /// Calls `hook` once for each session that has ended, after its subscriptions have.
    #[must_use]
    pub fn on_close<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Context<S>, Session<V>, CloseReason) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let context = self.context.clone();
        self.hooks.on_close =
            Some(Box::new(move |session, reason| Box::pin(hook(context.clone(), session, reason))));
        self
    }

    /// Adds a typed topic with the rules that `rules` gives it.
    ///
    /// # Panics
    /// If one name could match both its pattern and that of a topic added before.
    #[must_use]
    pub fn topic<T: TypedTopic>(
        mut self,
        rules: impl FnOnce(TopicBuilder<V, S, T>) -> TopicBuilder<V, S, T>,
    ) -> Self {
        let rule = rules(TopicBuilder::new(self.context.clone())).build();
        if let Some(other) = self.rules.iter().find(|other| other.pattern.overlaps(rule.pattern)) {
            panic!(
                "one name could match both `{}` and `{}`",
                other.pattern.as_str(),
                rule.pattern.as_str()
            );
        }
        self.rules.push(rule);
        self
    }

    /// Answers a call. Calls of a session run beside its other hooks, 8 at once; more wait. One that takes as long as a hook may
    /// ([`hook_timeout`](Self::hook_timeout)), or longer than its client waits, is dropped and answered with `timeout`; so is
    /// one that its client cancels.
    ///
    /// # Panics
    /// If the call has been added before.
    #[must_use]
    pub fn call<C, F, R>(mut self, _call: C, hook: F) -> Self
    where
        C: Call,
        F: Fn(Context<S>, Session<V>, C::Args) -> R + Send + Sync + 'static,
        R: Future<Output = Result<C::Reply, Refusal>> + Send + 'static,
    {
        self.add_call(CallRule::call::<C, S, F, R>(self.context.clone(), hook));
        self
    }

    /// Answers a call by a stream, of items or of `Result`s, whose first error ends it.
    ///
    /// The stream is asked for its next item only when the client's socket has taken what was sent to it before, and the client has
    /// room: one that reads slowly slows the stream, and nothing is left out. It is dropped when its client cancels the call or is
    /// gone, and then simply ends there. `hook` itself is a call like any other, and so is what limits it; the stream that it gives
    /// may go on for as long as its client wants it. A session has at most 32 of them; more are refused with `limit`.
    ///
    /// # Panics
    /// If the call has been added before.
    ///
    /// ```
    /// use futures_util::{Stream, stream};
    /// use tidewire::{Context, Live, Refusal, Session, test::Client};
    ///
    /// tidewire_protocol::schema! {
    ///     pub schema Sums { stream Count = "count" (u32) -> u32; }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let live = Live::<()>::builder()
    ///     .stream(Count, async |_cx, _session, to: u32| Ok(stream::iter(1..=to)))
    ///     .build();
    /// let mut client = Client::connect(&live).hello().await?;
    /// let count = client.stream(Count, &2).await?;
    /// assert_eq!(client.next_item(&count).await?, Some(1));
    /// assert_eq!(client.next_item(&count).await?, Some(2));
    /// assert_eq!(client.next_item(&count).await?, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stream<C, F, R, T>(mut self, _call: C, hook: F) -> Self
    where
        C: StreamingCall,
        F: Fn(Context<S>, Session<V>, C::Args) -> R + Send + Sync + 'static,
        R: Future<Output = Result<T, Refusal>> + Send + 'static,
        T: Stream<Item: IntoItem<C::Item>> + Send + 'static,
    {
        self.add_call(CallRule::stream::<C, S, F, R, T>(self.context.clone(), hook));
        self
    }

    fn add_call(&mut self, rule: CallRule<V>) {
        assert!(
            self.calls.iter().all(|other| other.name != rule.name),
            "`{}` is answered already",
            rule.name
        );
        self.calls.push(rule);
    }

    /// Sets the origins whose pages may connect, compared exactly (`https://app.example`); `*` allows all. By default the
    /// page's host and port must be those of the request.
    #[must_use]
    pub fn origins<I: IntoIterator<Item: Into<String>>>(mut self, origins: I) -> Self {
        self.options.origins = Origins::list(origins);
        self
    }

    /// Decides by `check` alone whether a request's origin is allowed; [`origins`](Self::origins) then says nothing.
    #[must_use]
    pub fn check_origin<F: Fn(&Request) -> bool + Send + Sync + 'static>(
        mut self,
        check: F,
    ) -> Self {
        self.hooks.check_origin = Some(Box::new(check));
        self
    }

    /// Refuses requests without an `Origin`, which come from no browser; by default they pass.
    #[must_use]
    pub fn require_origin(mut self) -> Self {
        self.options.origin_required = true;
        self
    }

    /// Sets the hosts that are served, as `Host` names them (`app.example`, `localhost:8080`); by default any. It keeps a page
    /// that points its own name at this server from being of the same origin.
    #[must_use]
    pub fn hosts<I: IntoIterator<Item: Into<String>>>(mut self, hosts: I) -> Self {
        self.options.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how many sessions there may be; 100,000 by default. More are answered with 503.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.options.sessions = sessions;
        self
    }

    /// Limits the sessions of one address to `sessions`; more are answered with 429. `address` says whose a request is: only the
    /// application knows which proxies it may believe. `None` is not limited.
    #[must_use]
    pub fn client_address<F>(mut self, sessions: usize, address: F) -> Self
    where
        F: Fn(&Request) -> Option<IpAddr> + Send + Sync + 'static,
    {
        self.options.sessions_per_address = sessions;
        self.hooks.client_address = Some(Box::new(address));
        self
    }

    /// Sets how many messages per second a session may send on average, and how many at once; 1,000 and 2,000 by default. The first
    /// that is too much is answered with an error, the next closes the session with 4101. 0 per second sets no limit.
    #[must_use]
    pub fn message_rate(mut self, per_second: u64, burst: u64) -> Self {
        self.options.messages = Rate { per_second, burst };
        self
    }

    /// The same for the bytes of messages; 4 MiB per second and 8 MiB at once by default.
    #[must_use]
    pub fn byte_rate(mut self, per_second: u64, burst: u64) -> Self {
        self.options.bytes = Rate { per_second, burst };
        self
    }

    /// Sets how deep the JSON of a message may nest; 128 by default, as deep as serde_json reads into types.
    #[must_use]
    pub fn json_depth(mut self, depth: usize) -> Self {
        self.options.json_depth = depth;
        self
    }

    /// Sets how many messages may wait for a session's socket; 256 by default. A session whose queue overflows is closed, unless the topic's
    /// [`overflow`](TopicBuilder::overflow) policy says otherwise.
    #[must_use]
    pub fn queue_size(mut self, messages: usize) -> Self {
        self.options.queue.messages = messages;
        self
    }

    /// Sets how many bytes may wait for a session's socket; 1 MiB by default.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.options.queue.bytes = bytes;
        self
    }

    /// Sets the largest message that is read, in bytes; 4 MiB by default. A larger one ends the connection with 1009.
    #[must_use]
    pub fn read_limit(mut self, bytes: usize) -> Self {
        self.options.read_limit = bytes;
        self
    }

    /// Compresses messages for clients that can take that (`permessage-deflate`); off by default, since it costs more processor
    /// time per message than everything else. An event is compressed once for all its subscribers, and no connection
    /// keeps a compressor or its window. The read limit holds for messages decompressed.
    #[must_use]
    pub fn compression(mut self, compression: bool) -> Self {
        self.options.compression = compression;
        self
    }

    /// Sets how many topics a session may be subscribed to; 128 by default.
    #[must_use]
    pub fn max_subscriptions(mut self, topics: usize) -> Self {
        self.options.subscriptions = topics;
        self
    }

    /// Sets after how long a silent client is pinged (25 s by default, below the 30 s after which many proxies drop a
    /// connection), and how long it then has to answer (10 s by default).
    #[must_use]
    pub fn heartbeat(mut self, ping: Duration, pong: Duration) -> Self {
        self.options.ping = ping;
        self.options.pong = pong;
        self
    }

    /// Sets how long a hook may run; 30 s by default. One that runs longer is dropped and its session closed.
    #[must_use]
    pub fn hook_timeout(mut self, timeout: Duration) -> Self {
        self.options.hook_timeout = timeout;
        self
    }

    /// Sets how long a socket may take no byte while some wait, before its session is closed; 10 s by default.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.options.write_timeout = timeout;
        self
    }

    /// Sets how long a client may take until its hello has come, where `on_token` needs one; 10 s by default. How long the token's hook
    /// may then run says [`hook_timeout`](Self::hook_timeout).
    #[must_use]
    pub fn hello_timeout(mut self, timeout: Duration) -> Self {
        self.options.hello_timeout = timeout;
        self
    }

    /// Sets how long a close frame, and what was queued before it, stays readable for a client; 5 s by default.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.close_timeout = timeout;
        self
    }

    /// Sets where sessions get their ids from; 128 random bits by default. An id that an open session has is not taken: the
    /// generator is asked again, and after four times the connection is closed.
    #[must_use]
    pub fn id_generator<F: Fn() -> String + Send + Sync + 'static>(mut self, generator: F) -> Self {
        self.new_id = Box::new(generator);
        self
    }

    /// Sets the broker; by default a [`MemoryBroker`] of its own.
    #[must_use]
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.broker = Some(Arc::new(broker));
        self
    }

    /// Makes the server.
    ///
    /// # Panics
    /// If nothing gives a session its value: neither `on_auth`, `on_token` nor `anonymous` is set, and `V` is not `()`.
    #[must_use]
    pub fn build(mut self) -> Live<V> {
        if self.hooks.on_auth.is_none()
            && self.hooks.on_token.is_none()
            && self.hooks.anonymous.is_none()
        {
            assert!(
                unit::<V>().is_some(),
                "a Live needs `on_auth`, `on_token` or `anonymous` to give its sessions a value"
            );
            self.hooks.anonymous = Some(Box::new(|| unit::<V>().expect("checked above: V is ()")));
        }
        let counters = Arc::<Counters>::default();
        let broker: Arc<dyn Broker> =
            self.broker.unwrap_or_else(|| Arc::new(MemoryBroker::default()));
        let (clock, stop) = (Clock::start(), Arc::default());
        let session = Arc::new(self.options.session(self.hooks.on_token.is_some()));
        Live::new(Shared {
            options: self.options,
            session,
            hooks: self.hooks,
            rules: self.rules,
            calls: self.calls,
            presence: Presence::new(Arc::clone(&broker), clock),
            hub: Hub::new(broker, Arc::clone(&counters)),
            counters,
            sessions: Sessions::default(),
            in_flight: InFlight::default(),
            places: Places::default(),
            clock,
            alarms: Alarms::new(clock, Arc::clone(&stop)),
            stop,
            new_id: self.new_id,
        })
    }
}

/// `()` as a `V`, if that is what `V` is.
fn unit<V: 'static>() -> Option<V> {
    let unit: Box<dyn Any> = Box::new(());
    unit.downcast::<V>().ok().map(|unit| *unit)
}

impl<V, S> fmt::Debug for LiveBuilder<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
