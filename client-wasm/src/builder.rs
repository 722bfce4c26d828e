//! A client before it connects.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use tidewire_protocol::schema::{Entry, Schema};

use crate::{
    Live,
    driver::{self, Driver, Options, Spawnable, TokenSource},
    engine::Engine,
    shared::Shared,
};

/// A client of the server at `url`, with the types of a schema.
///
/// In a browser `url` may be relative to the page, as `"/ws"`; elsewhere it is whole. Of `http` and `https` the WebSocket scheme
/// is taken. An address to which there can be no connection stops the client for good: publishes, calls and subscriptions end with
/// [`NOT_SENT`](crate::ErrorCode::NOT_SENT) and the reason, which [`Connection::reason`](crate::Connection::reason) has too.
#[must_use]
pub fn connect<S: Schema>(url: impl Into<String>) -> Builder<S> {
    Builder { url: url.into(), token: None, options: Options::default(), schema: PhantomData }
}

/// A client before it connects.
pub struct Builder<S> {
    url: String,
    token: Option<TokenSource>,
    pub(crate) options: Options,
    schema: PhantomData<fn() -> S>,
}

impl<S: Schema> Builder<S> {
    /// Where the token of each connection comes from; asked anew for every one, because tokens end.
    ///
    /// `None` means that there is none now: connecting is tried again as after a lost connection. Default: no token.
    #[must_use]
    pub fn token<F>(mut self, source: impl Fn() -> F + Spawnable + 'static) -> Self
    where
        F: Future<Output = Option<String>> + Spawnable + 'static,
    {
        self.token = Some(Box::new(move || Box::pin(source())));
        self
    }

    /// Connects, and goes on connecting until the client is closed.
    ///
    /// # Panics
    /// If the platform has no random numbers, which no supported one lacks; outside a browser also if it is called outside a
    /// tokio runtime.
    #[must_use]
    pub fn build(self) -> Live {
        let mut random = [0; 24];
        getrandom::fill(&mut random).expect("every supported platform has random numbers");
        let [client @ .., s0, s1, s2, s3, s4, s5, s6, s7] = random;
        let client = client.iter().map(|byte| format!("{byte:02x}")).collect();
        let seed = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let entry = |entry: &Entry| {
            let versions = entry.versions();
            (entry.key().to_owned(), versions.named().map(|hash| hash.to_string()).collect())
        };
        let schema: BTreeMap<_, _> = S::ENTRIES.iter().map(entry).collect();
        let shared = Arc::new(Shared::new(Engine::new(seed, client, schema), driver::now));
        shared.turn(Engine::connect);
        driver::spawn(Driver::new(&shared, &self.url, self.options, self.token));
        Live::new(shared)
    }
}

impl<S> fmt::Debug for Builder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("url", &self.url).finish_non_exhaustive()
    }
}
