//! [`Accepted`]: what `on_publish` makes of a client's publish.

/// The event that a client's publish has become, with the version of the application's state that has it.
///
/// A hook that writes the change to a database says here under which version it was committed; see
/// [`Publishing::version`](crate::Publishing::version). A plain event converts into one without a version.
///
/// ```
/// use tidewire::Accepted;
/// let stored = Accepted::new("hello").version(7);
/// let passed_on: Accepted<_> = "hello".into();
/// assert_eq!((stored.version, passed_on.version), (Some(7), None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted<T> {
    /// What all subscribers get.
    pub event: T,
    /// The version of the state that has it.
    pub version: Option<u64>,
}

impl<T> Accepted<T> {
    /// An event without a version.
    #[must_use]
    pub const fn new(event: T) -> Self {
        Self { event, version: None }
    }

    /// Says which version of the application's state has the event: a subscriber whose snapshot is of this version, or a later one,
    /// does not get it.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        Self { version: Some(version), ..self }
    }
}

impl<T> From<T> for Accepted<T> {
    fn from(event: T) -> Self {
        Self::new(event)
    }
}
