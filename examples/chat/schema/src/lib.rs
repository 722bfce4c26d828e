//! The chat schema.
