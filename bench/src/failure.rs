//! Why a load could not be brought to its end.

use std::io;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments do not say what to do.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused something.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        error: io::Error,
    },
    /// The server ended a connection.
    #[error("the server closed connection {connection}: {how}")]
    Closed {
        /// Which.
        connection: usize,
        /// What it said.
        how: String,
    },
    /// The server sent what it must not.
    #[error("connection {connection} got what was not expected: {what}")]
    Unexpected {
        /// Which.
        connection: usize,
        /// What it was, as text.
        what: String,
    },
    /// Nothing came any more, though something was missing.
    #[error("stalled for {seconds} s: {got} of {wanted} {what}")]
    Stalled {
        /// How long nothing came.
        seconds: u64,
        /// What was waited for.
        what: &'static str,
        /// How many came.
        got: u64,
        /// How many were to come.
        wanted: u64,
    },
}

/// Says what was tried when the system refuses.
pub(crate) trait Trying<T> {
    fn trying(self, what: &'static str) -> Result<T>;
}

impl<T> Trying<T> for io::Result<T> {
    fn trying(self, what: &'static str) -> Result<T> {
        self.map_err(|error| Failure::System { what, error })
    }
}
