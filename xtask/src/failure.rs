//! What went wrong and the one line that mends it: no task may fail without saying both.

use std::fmt;

pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// An error for whoever ran the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) what: String,
    /// One line: a command to run, or what to change.
    pub(crate) mend: String,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  mend: {}", self.what, self.mend)
    }
}

/// Gives a foreign error what a [`Failure`] needs.
pub(crate) trait OrMend<T> {
    fn or_mend(self, what: impl fmt::Display, mend: impl Into<String>) -> Result<T>;
}

impl<T, E: fmt::Display> OrMend<T> for std::result::Result<T, E> {
    fn or_mend(self, what: impl fmt::Display, mend: impl Into<String>) -> Result<T> {
        // `#` makes errors that carry a chain of causes print all of it.
        self.map_err(|error| Failure::new(format!("{what}: {error:#}"), mend))
    }
}

impl<T> OrMend<T> for Option<T> {
    fn or_mend(self, what: impl fmt::Display, mend: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Failure::new(what.to_string(), mend))
    }
}
