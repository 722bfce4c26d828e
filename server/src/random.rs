//! Random bits from the operating system: session ids and epochs.

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    getrandom::u64().expect("the operating system gives random bits")
}

/// 128 random bits as 32 hex digits: too many to guess or to meet twice.
pub(crate) fn id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bits");
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
