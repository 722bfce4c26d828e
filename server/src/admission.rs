//! Who is let in: by origin, by what `on_auth` says, and by how much room there is.

use std::{
    collections::HashMap,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::FutureExt;
use http::{StatusCode, request::Parts};
use tidewire_protocol::code::{CloseCode, ErrorCode};

use crate::{
    error::Refusal,
    identity::Identity,
    live::Live,
    metrics::{Hook, Hooked},
    request::Request,
    ws::{deflate::Deflate, handshake},
};

/// A client that is let in.
pub(crate) struct Admitted<V> {
    /// Who it is, where `on_auth` or `anonymous` says.
    pub(crate) identity: Option<Identity<V>>,
    /// Its place among the sessions that there may be.
    pub(crate) place: Place,
    /// The compression that was agreed with it.
    pub(crate) deflate: Option<Deflate>,
}

/// Why a client is not let in.
pub(crate) enum Denied {
    /// Its page is of a forbidden origin.
    Origin(handshake::Refusal),
    /// `on_auth` refused it.
    Auth(Refusal),
    /// The server stops; if another takes over, clients are to come back at once.
    Stopping { drains: bool },
    /// There is no room, or it took too long to decide: answered by HTTP, whoever asks.
    Http(StatusCode, &'static str),
    /// What was to judge it panicked.
    Panic,
}

impl Denied {
    /// The cause, as a label.
    const fn cause(&self) -> &'static str {
        match self {
            Self::Origin(_) => "origin",
            Self::Auth(_) => "auth",
            Self::Stopping { .. } => "stopping",
            Self::Http(..) => "room",
            Self::Panic => "panic",
        }
    }

    /// The code with which a client is told that would not see a status.
    pub(crate) fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Origin(_) => Some(CloseCode::FORBIDDEN_ORIGIN),
            Self::Auth(refusal) => Some(refusal.close_code()),
            Self::Stopping { drains: true } => Some(CloseCode::DRAIN),
            Self::Stopping { .. } | Self::Http(..) | Self::Panic => None,
        }
    }

    /// The status and text that tell everyone else.
    pub(crate) fn status(&self) -> (StatusCode, String) {
        match self {
            Self::Origin(refusal) => (refusal.status(), refusal.to_string()),
            Self::Auth(refusal) => {
                let status = match refusal.code() {
                    ErrorCode::INTERNAL => StatusCode::INTERNAL_SERVER_ERROR,
                    _ => refusal.http_status(),
                };
                (status, refusal.text().unwrap_or("not authorized").into())
            }
            Self::Stopping { .. } => (StatusCode::SERVICE_UNAVAILABLE, "the server stops".into()),
            Self::Http(status, text) => (*status, (*text).into()),
            Self::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "the server failed".into()),
        }
    }
}

/// Judges a request whose handshake is in order.
pub(crate) async fn admit<V: Send + Sync + 'static>(
    live: &Live<V>,
    request: Parts,
) -> Result<Admitted<V>, Denied> {
    let result = AssertUnwindSafe(judge(live, request.into())).catch_unwind().await;
    // The panic hook has printed what there is to say.
    let result = result.unwrap_or(Err(Denied::Panic));
    if let Err(denied) = &result {
        live.counters().refused(denied.cause());
        tracing::debug!(cause = denied.cause(), "an upgrade was refused");
    }
    result
}

async fn judge<V: Send + Sync + 'static>(
    live: &Live<V>,
    request: Request,
) -> Result<Admitted<V>, Denied> {
    let shared = live.shared();
    let options = &shared.options;
    if shared.stop.is_stopping() {
        return Err(Denied::Stopping { drains: shared.stop.is_draining() });
    }
    check_host(&options.hosts, &request)?;
    if options.origin_required && !request.headers().contains_key(http::header::ORIGIN) {
        return Err(Denied::Origin(handshake::Refusal::Origin));
    }
    match &shared.hooks.check_origin {
        Some(check) if check(&request) => {}
        Some(_) => return Err(Denied::Origin(handshake::Refusal::Origin)),
        None => options.origins.check(request.headers()).map_err(Denied::Origin)?,
    }
    let address = shared.hooks.client_address.as_ref().and_then(|address| address(&request));
    let place = shared.places.take(address, options.sessions, options.sessions_per_address)?;
    let identity = match &shared.hooks.on_auth {
        None => shared.hooks.anonymous.as_ref().map(|value| Identity::new(value())),
        Some(on_auth) => match tokio::time::timeout(
            options.hook_timeout,
            on_auth(request).timed(&shared.counters, Hook::Auth),
        )
        .await
        {
            Ok(Ok(identity)) => Some(identity),
            Ok(Err(refusal)) => return Err(Denied::Auth(refusal)),
            Err(_) => {
                return Err(Denied::Http(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "authentication took too long",
                ));
            }
        },
    };
    Ok(Admitted { identity, place, deflate: None })
}

fn check_host(hosts: &[String], request: &Request) -> Result<(), Denied> {
    let host = request.header("host").unwrap_or("");
    if hosts.is_empty() || hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Denied::Http(StatusCode::MISDIRECTED_REQUEST, "this host is not served here"))
}

/// How many sessions there are, those that are being let in included.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One session's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    /// In a box, as most servers know none and every connection has a place.
    address: Option<Box<IpAddr>>,
}

impl Places {
    fn take(
        &self,
        address: Option<IpAddr>,
        most: usize,
        most_per_address: usize,
    ) -> Result<Place, Denied> {
        let mut taken = lock(&self.taken);
        if taken.total >= most {
            return Err(Denied::Http(
                StatusCode::SERVICE_UNAVAILABLE,
                "there are as many sessions as there may be",
            ));
        }
        if let Some(address) = address {
            let count = taken.by_address.entry(address).or_default();
            if *count >= most_per_address {
                let text = "there are as many sessions from this address as there may be";
                return Err(Denied::Http(StatusCode::TOO_MANY_REQUESTS, text));
            }
            *count += 1;
        }
        taken.total += 1;
        Ok(Place { taken: Arc::clone(&self.taken), address: address.map(Box::new) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.total -= 1;
        if let Some(address) = self.address.as_deref()
            && let Some(count) = taken.by_address.get_mut(address)
        {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(address);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().expect("no panic while places are counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_total_and_by_address() {
        let places = Places::default();
        let address = |n| Some(IpAddr::from([127, 0, 0, n]));
        let status =
            |result: Result<Place, Denied>| result.err().map(|denied| denied.status().0.as_u16());
        let first = places.take(address(1), 3, 1).ok().unwrap();
        assert_eq!(status(places.take(address(1), 3, 1)), Some(429));
        let _second = places.take(address(2), 3, 1).ok().unwrap();
        let _third = places.take(None, 3, 1).ok().unwrap();
        assert_eq!(status(places.take(None, 3, 1)), Some(503));
        drop(first);
        assert_eq!(status(places.take(address(1), 3, 1)), None, "the place was given back");
        assert_eq!(lock(&places.taken).by_address.len(), 1);
    }
}
