//! 128 bits as text: ids of sessions and of client instances.

/// 32 hex digits in lower case. By hand, since the formatting of wide numbers takes a tenth of what a publish does.
pub(crate) fn write(bytes: [u8; 16], to: &mut String) {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    to.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_what_formatting_gives() {
        let mut text = "client:".to_owned();
        let bits = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128;
        super::write(bits.to_be_bytes(), &mut text);
        assert_eq!(text, format!("client:{bits:032x}"));
    }
}
