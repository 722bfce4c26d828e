//! [`Identity`]: who a session is, and until when.

use std::time::Duration;

/// What `on_auth` and `on_token` give: the session's value, and how long it is good for.
///
/// A plain value converts into one that does not end.
///
/// ```
/// use std::time::Duration;
/// use tidewire::Identity;
///
/// struct User { name: String }
/// let identity = Identity::new(User { name: "ann".into() }).expires_in(Duration::from_secs(900));
/// ```
#[derive(Clone, Debug)]
pub struct Identity<V> {
    pub(crate) value: V,
    pub(crate) expires_in: Option<Duration>,
}

impl<V> Identity<V> {
    /// An identity that does not end.
    #[must_use]
    pub const fn new(value: V) -> Self {
        Self { value, expires_in: None }
    }

    /// Ends it after `duration`: the session is closed with 4002 (`token_expired`) unless a fresh token came before.
    #[must_use]
    pub const fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }
}

impl<V> From<V> for Identity<V> {
    fn from(value: V) -> Self {
        Self::new(value)
    }
}
