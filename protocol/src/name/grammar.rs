//! The grammar of names and patterns, as constant functions: `schema!` has the compiler check what the program parses.

use super::{MAX_BYTES, PatternError, TopicError};

/// The rules of topics, which patterns share.
pub(crate) const fn check_name(name: &str) -> Result<(), TopicError> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Err(TopicError::Empty);
    }
    if bytes[0] == b'$' {
        return Err(TopicError::Reserved);
    }
    if bytes.len() > MAX_BYTES {
        return Err(TopicError::TooLong);
    }
    let mut at = 0;
    while at < bytes.len() {
        // Category Cc is U+0000..U+001F, U+007F and U+0080..U+009F; the last are C2 80 to C2 9F in UTF-8.
        if bytes[at] < 0x20 || bytes[at] == 0x7f || (bytes[at] == 0xc2 && bytes[at + 1] < 0xa0) {
            return Err(TopicError::ControlCharacter);
        }
        at += 1;
    }
    Ok(())
}

/// The grammar of patterns.
pub(super) const fn check(pattern: &str) -> Result<(), PatternError> {
    if let Err(error) = check_name(pattern) {
        return Err(PatternError::Name(error));
    }
    let mut rest = Some(pattern.as_bytes());
    while let Some(bytes) = rest {
        let (segment, behind) = first_segment(bytes);
        match parameter(segment) {
            Ok(Some(name)) if count(pattern, name) > 1 => {
                return Err(PatternError::RepeatedParameter);
            }
            Ok(_) => rest = behind,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a text is a pattern whose parameters are these fields; else why not.
#[cfg(feature = "schema")]
pub(crate) const fn check_fields(pattern: &str, fields: &[&str]) -> Result<(), &'static str> {
    if let Err(error) = check(pattern) {
        return Err(error.message());
    }
    let mut at = 0;
    while at < fields.len() {
        if count(pattern, fields[at].as_bytes()) == 0 {
            return Err("a field of the topic is no parameter of its pattern");
        }
        at += 1;
    }
    let (bytes, mut at, mut parameters) = (pattern.as_bytes(), 0, 0);
    while at < bytes.len() {
        parameters += (bytes[at] == b'{') as usize;
        at += 1;
    }
    // The compiler refuses two fields of one name.
    let all = parameters == fields.len();
    if all { Ok(()) } else { Err("a parameter of the pattern is no field of the topic") }
}

/// What stands before the first `:`, and what behind it.
const fn first_segment(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b':' {
            let (segment, rest) = bytes.split_at(at);
            return (segment, Some(rest.split_at(1).1));
        }
        at += 1;
    }
    (bytes, None)
}

/// The name of the parameter if the segment is one.
const fn parameter(segment: &[u8]) -> Result<Option<&[u8]>, PatternError> {
    let (text, braced) = match segment {
        [] => return Err(PatternError::EmptySegment),
        [b'{', b'}'] | [b'{', b'0'..=b'9', .., b'}'] => return Err(PatternError::ParameterName),
        [b'{', name @ .., b'}'] => (name, true),
        literal => (literal, false),
    };
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' | b'}' => return Err(PatternError::Brace),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
            _ if braced => return Err(PatternError::ParameterName),
            _ => {}
        }
        at += 1;
    }
    Ok(if braced { Some(text) } else { None })
}

/// How many parameters of the pattern have this name.
const fn count(pattern: &str, name: &[u8]) -> usize {
    let (mut rest, mut found) = (Some(pattern.as_bytes()), 0);
    while let Some(bytes) = rest {
        let (segment, behind) = first_segment(bytes);
        if let Ok(Some(text)) = parameter(segment)
            && equal(text, name)
        {
            found += 1;
        }
        rest = behind;
    }
    found
}

pub(crate) const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
