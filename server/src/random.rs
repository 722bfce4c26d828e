//! Random bits from the operating system: session ids and epochs.

use crate::hex;

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    getrandom::u64().expect("the operating system gives random bits")
}

/// 128 random bits as 32 hex digits: too many to guess or to meet twice.
pub(crate) fn id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bits");
    let mut id = String::with_capacity(32);
    hex::write(bytes, &mut id);
    id
}
