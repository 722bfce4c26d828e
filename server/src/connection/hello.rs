//! The hello: who it is by its token, how the schemas fit, and the beginning of a session.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use tidewire_protocol::{
    MAX_INTEGER,
    code::CloseCode,
    frame::{
        VERSION,
        client::{ClientFrame, Hashes, Hello},
        server::{self, Limits, Match, Welcome},
    },
    schema::{SchemaHash, Versions},
    session,
};

use super::{Connection, Panic, requests::decode};
use crate::{
    clock::millis,
    close::CloseReason,
    error::Refusal,
    hooks::BoxFuture,
    identity::Identity,
    metrics::{Hook, Hooked},
    session::Session,
    ws::encode,
};

/// How often an id generator is asked for an id that no session has.
const ID_TRIES: usize = 4;

/// A hello whose token is being looked at.
pub(super) struct Greeting<V> {
    id: Option<u64>,
    hello: Hello,
    verdict: BoxFuture<Result<Result<Identity<V>, Refusal>, Panic>>,
}

impl<V: Send + Sync + 'static> Connection<V> {
    pub(super) fn handle_hello(&mut self, frame: &ClientFrame<'_>) {
        let fits = frame.data.get().len() <= Hello::MAX_BYTES;
        let hello = fits.then(|| decode::<Hello>(frame.data).ok()).flatten();
        let Some(mut hello) =
            hello.filter(|hello| hello.version == VERSION && hello.has_valid_client())
        else {
            self.outbox.close(CloseReason::Refused(CloseCode::BAD_HELLO));
            return;
        };
        if self.live.shared().hooks.on_token.is_none() {
            return self.welcome(frame.id, &hello);
        }
        let (live, token) = (self.live.clone(), hello.token.take());
        let verdict = async move {
            match &live.shared().hooks.on_token {
                Some(on_token) => on_token(token).timed(live.counters(), Hook::Token).await,
                None => Err(Refusal::unauthorized()),
            }
        };
        let verdict =
            AssertUnwindSafe(verdict).catch_unwind().map(|result| result.map_err(|_| Panic));
        let verdict = Box::pin(verdict);
        self.core.handle_hook_started(self.now());
        self.greeting = Some(Box::new(Greeting { id: frame.id, hello, verdict }));
    }

    /// Polls the token's hook. Whether anything changed.
    pub(super) fn poll_greeting(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(greeting) = &mut self.greeting else { return false };
        let Poll::Ready(verdict) = greeting.verdict.as_mut().poll(cx) else { return false };
        let Some(greeting) = self.greeting.take() else { return false };
        self.core.handle_hook_ended();
        let Greeting { id, hello, .. } = *greeting;
        match verdict {
            Ok(Ok(identity)) => {
                self.begin_session(identity);
                self.welcome(id, &hello);
            }
            Ok(Err(refusal)) => {
                self.refuse(id, "$hello", &refusal);
                self.outbox.close(CloseReason::token_refused(&refusal));
            }
            Err(Panic) => self.outbox.close(CloseReason::Panic),
        }
        true
    }

    /// An identity is good for so long from now on.
    pub(super) fn handle_expiry(&mut self, expires_in: Option<Duration>) {
        let expires = expires_in.map(|duration| self.now().saturating_add(millis(duration)));
        self.core.handle_identity(expires);
    }

    /// The session begins: it is known who it is.
    pub(super) fn begin_session(&mut self, identity: Identity<V>) {
        let Identity { value, expires_in } = identity;
        self.handle_expiry(expires_in);
        let shared = self.live.shared();
        let session =
            Session::new((shared.new_id)(), value, Arc::clone(&self.outbox), self.live.clone());
        let session = (0..ID_TRIES).try_fold(session, |session, _| {
            if shared.sessions.insert(&session) {
                Err(session)
            } else {
                Ok(session.with_id((shared.new_id)()))
            }
        });
        match session {
            // Who was let in before the server stopped comes too late now.
            Err(entered) if shared.stop.is_stopping() => {
                shared.sessions.remove(&entered);
                let is_full = self.core.mode() == session::Mode::Full;
                self.outbox.close(CloseReason::shutdown(is_full));
            }
            Err(entered) => {
                self.live.counters().session_began();
                tracing::debug!(session = entered.id(), "a session began");
                if self.live.shared().hooks.on_connect.is_some() {
                    let session = entered.clone();
                    self.run_hook(async move {
                        let live = session.live().clone();
                        if let Some(on_connect) = &live.shared().hooks.on_connect {
                            on_connect(session).timed(live.counters(), Hook::Connect).await;
                        }
                    });
                }
                self.session = Some(entered);
            }
            Ok(_) => {
                tracing::error!("the id generator gave only ids that open sessions have");
                self.outbox.close(CloseReason::Panic);
            }
        }
    }

    fn welcome(&mut self, id: Option<u64>, hello: &Hello) {
        let Some(session) = &self.session else { return };
        if self.live.is_stopping() {
            // It comes too late to be asked to move, and has nothing here to lose.
            self.outbox.close(CloseReason::shutdown(true));
            return;
        }
        let schema = self.live.match_schema(&hello.schema);
        // No more than there are here: those that are unknown, of which a client may name any number, need no memory.
        let refused = schema.iter().filter(|(_, fit)| **fit == Match::Incompatible);
        self.refused = refused.map(|(entry, _)| entry.clone()).collect();
        let options = self.live.options();
        let welcome = Welcome {
            version: VERSION,
            session: session.id().into(),
            ping_ms: millis(options.ping),
            pong_ms: millis(options.pong),
            token_ms: self.core.expires().map(|at| at.saturating_sub(self.now()).min(MAX_INTEGER)),
            limits: Limits {
                message_bytes: options.read_limit as u64,
                subscriptions: options.subscriptions as u64,
            },
            schema,
        };
        self.outbox.answer(encode::text(&server::write_hello(id, &welcome)));
        session.handle_client(hello.client_bits());
        session.go_full();
        self.core.handle_welcomed();
    }
}

impl<V: Send + Sync + 'static> crate::live::Live<V> {
    /// How each entry that a client names fits this server.
    fn match_schema<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a String, &'a Hashes)>,
    ) -> std::collections::BTreeMap<String, Match> {
        let mut entries = entries.into_iter().peekable();
        if entries.peek().is_none() {
            return std::collections::BTreeMap::new();
        }
        let shared = self.shared();
        let topics = shared.rules.iter().map(|rule| (rule.pattern.as_str(), &rule.versions));
        let calls = shared.calls.iter().map(|rule| (rule.name, &rule.versions));
        let known: HashMap<&str, &Versions> = topics.chain(calls).collect();
        let fit = |entry: &str, hashes: &Hashes| {
            let Some(known) = known.get(entry) else { return Match::Unknown };
            // A text that is no hash is no version that anybody knows.
            let mut named = hashes.iter().map(|hash| hash.parse::<SchemaHash>().ok());
            match named.next().flatten() {
                Some(own) if own == known.hash() => Match::Same,
                Some(own) if known.serves(own) => Match::Compatible,
                _ if named.any(|server| server == Some(known.hash())) => Match::Compatible,
                _ => Match::Incompatible,
            }
        };
        entries.map(|(entry, hashes)| (entry.clone(), fit(entry, hashes))).collect()
    }
}
