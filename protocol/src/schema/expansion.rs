//! What `schema!` needs of this crate; no part of its interface.

use std::{fmt::Display, str::FromStr};

pub use std::sync::OnceLock;

pub use tidewire_protocol_macros::lock_text;

use crate::name::{Params, Pattern, check_fields, check_name, equal};

pub use super::entry::{call_hash, stream_hash, topic_hash};
use super::{Schema, TypedTopic};

/// A pattern whose parameters are the fields; else the build fails.
pub const fn pattern(pattern: &'static str, fields: &[&str]) -> &'static str {
    match check_fields(pattern, fields) {
        Ok(()) => pattern,
        Err(fault) => panic!("{}", fault),
    }
}

/// The name of a call, by the rules of a topic's; else the build fails.
pub const fn call_name(name: &'static str) -> &'static str {
    match check_name(name) {
        Ok(()) => name,
        Err(error) => panic!("{}", error.message()),
    }
}

/// Fails the build if two entries of a schema have one name.
pub const fn distinct(keys: &[&str]) {
    let mut at = 0;
    while at < keys.len() {
        let mut before = 0;
        while before < at {
            let (one, other) = (keys[before].as_bytes(), keys[at].as_bytes());
            assert!(!equal(one, other), "two entries of the schema have one name");
            before += 1;
        }
        at += 1;
    }
}

/// The text of a schema's lock.
pub const fn lock<S: Schema>() -> &'static str {
    match S::LOCK {
        Some(lock) => lock.text,
        None => "",
    }
}

/// A topic's pattern.
pub fn parsed<T: TypedTopic>() -> Pattern {
    Pattern::parse(T::PATTERN).expect("the compiler has checked it")
}

/// The name of a field, without the mark that makes an identifier of a keyword.
pub const fn name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// The name of a key's field in JSON: what is declared, else the field's own.
pub const fn key_name(field: &'static str, declared: &[&'static str]) -> &'static str {
    match declared {
        [declared] => declared,
        _ => name(field),
    }
}

/// The value of a parameter that is the text of exactly one value.
pub fn value<T: FromStr + Display>(params: &Params<'_>, name: &str) -> Option<T> {
    let text = params.get(name)?;
    let value: T = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}
