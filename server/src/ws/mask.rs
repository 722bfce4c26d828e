//! The masking of client payloads (RFC 6455, section 5.3), a word at a time.
//!
//! Written over arrays so that the compiler makes vector instructions of it without `unsafe`.

/// The four bytes that a client mixes into a frame's payload.
pub(super) type MaskKey = [u8; 4];

/// Masks or unmasks `payload` in place, where `offset` bytes of the frame came before it.
pub(super) fn apply(payload: &mut [u8], key: MaskKey, offset: usize) {
    let mut key = key;
    key.rotate_left(offset % 4);
    let pattern = u32::from_ne_bytes(key);
    let wide = u64::from(pattern) << 32 | u64::from(pattern);

    let (blocks, rest) = payload.as_chunks_mut::<32>();
    for block in blocks {
        for word in block.as_chunks_mut::<8>().0 {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
    }
    let (words, tail) = rest.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ pattern).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_the_definition(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            key in any::<MaskKey>(),
            offset in 0_usize..9,
        ) {
            let mut masked = payload.clone();
            apply(&mut masked, key, offset);
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(i, b)| b ^ key[(i + offset) % 4]).collect();
            prop_assert_eq!(masked, expected);
        }
    }
}
