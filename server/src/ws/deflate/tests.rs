//! Negotiation by the letter, round trips, and what a hostile peer may send compressed.

use proptest::prelude::*;

use super::*;
use crate::ws::{DecodeError, Decoder, Event};

fn negotiate(lines: &[&'static str]) -> Option<String> {
    let lines: Vec<_> = lines.iter().map(|line| HeaderValue::from_static(line)).collect();
    Deflate::negotiate(&lines).map(|deflate| deflate.header().to_str().unwrap().to_owned())
}

#[test]
fn offers_that_are_taken() {
    let check = |line: &'static str, window: &str| {
        let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(negotiate(&[line]), Some(format!("{answer}{window}")), "{line}");
    };
    check("permessage-deflate", "");
    check("permessage-deflate; client_max_window_bits", "");
    check("permessage-deflate;client_max_window_bits=10;server_no_context_takeover", "");
    check("permessage-deflate; server_max_window_bits=15", "");
    check("permessage-deflate; server_max_window_bits = \"10\"", "; server_max_window_bits=10");
    check("x-other; a=1, permessage-deflate", "");
    // The first that can be had, of several.
    check(
        "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9",
        "; server_max_window_bits=9",
    );
    assert!(negotiate(&["x-other", "permessage-deflate"]).is_some());
}

#[test]
fn offers_that_are_declined() {
    for line in [
        "",
        "permessage-deflat",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; ",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=09",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=+9",
    ] {
        assert_eq!(negotiate(&[line]), None, "{line}");
    }
}

fn decode(read_limit: usize, frame: &[u8]) -> Result<Event<'static>, DecodeError> {
    let mut decoder = Decoder::client(read_limit).with_deflate(true);
    let mut frame = frame.to_vec();
    let event = decoder.decode(&mut &mut frame[..])?.expect("the frame is whole");
    Ok(match event {
        Event::Text(text) => Event::Text(text.into_owned().into()),
        Event::Binary(bytes) => Event::Binary(bytes.into_owned().into()),
        other => panic!("not a message: {other:?}"),
    })
}

/// A compressed frame with this payload.
fn compressed(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode::binary(payload).to_vec();
    frame[0] = first;
    frame
}

#[test]
fn the_examples_of_the_rfc() {
    let check = |payload: &[u8]| {
        assert_eq!(decode(5, &compressed(0xC1, payload)), Ok(Event::Text("Hello".into())));
    };
    check(b"\xF2\x48\xCD\xC9\xC9\x07\x00");
    // Not compressed; with a final block; in two blocks.
    check(b"\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00");
    check(b"\xF3\x48\xCD\xC9\xC9\x07\x00\x00");
    check(b"\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00");
    assert_eq!(decode(5, &compressed(0xC1, b"\x00")), Ok(Event::Text("".into())));
    assert_eq!(decode(0, &compressed(0xC2, b"\x00")), Ok(Event::Binary(b"".into())));
}

#[test]
fn fragments_are_one_message() {
    let mut bytes = [
        compressed(0x41, b"\xF2\x48\xCD"),
        encode::ping(b"").to_vec(),
        compressed(0x80, b"\xC9\xC9\x07\x00"),
    ]
    .concat();
    let mut decoder = Decoder::client(5).with_deflate(true);
    let mut input = &mut bytes[..];
    assert_eq!(decoder.decode(&mut input), Ok(Some(Event::Ping(b"".into()))));
    assert_eq!(decoder.decode(&mut input), Ok(Some(Event::Text("Hello".into()))));
    // The bit belongs to the first fragment alone.
    let mut bytes = [compressed(0x41, b"\xF2"), compressed(0xC0, b"\x48")].concat();
    assert_eq!(decoder.decode(&mut &mut bytes[..]), Err(DecodeError::ReservedBits));
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    let frame = Deflate::SHARED.frame(Opcode::Binary, &zeros);
    assert!(frame.len() < zeros.len() / 100);
    assert_eq!(decode(zeros.len() - 1, &frame), Err(DecodeError::TooLarge));
    assert_eq!(decode(100_000, &frame), Err(DecodeError::TooLarge));
    assert_eq!(decode(zeros.len(), &frame), Ok(Event::Binary(zeros.into())));
}

#[test]
fn what_does_not_decompress() {
    let check = |payload: &[u8], expected| {
        assert_eq!(decode(100, &compressed(0xC1, payload)), Err(expected));
    };
    check(b"\xFF\xFF\xFF", DecodeError::BadDeflate);
    check(b"\x00\x05\x00\xFA\xFE\x48", DecodeError::BadDeflate);
    // A reference to before the beginning: the context of an earlier message.
    check(b"\xF2\x00\x11\x00\x00", DecodeError::BadDeflate);
    // Two bytes that are no text.
    check(b"\x00\x02\x00\xFD\xFF\xC3\x28\x00", DecodeError::InvalidUtf8);
    // Decompresses to little, but is longer than an honest message could be.
    check(&b"\x00\x00\x00\xFF\xFF".repeat(40), DecodeError::TooLarge);
}

#[test]
fn what_does_not_shrink_goes_plain() {
    let mut seed = 0x9E37_79B9_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as u8
    })
    .take(1000)
    .collect();
    assert_eq!(Deflate::SHARED.frame(Opcode::Binary, &noise), encode::binary(&noise));
    assert_eq!(Deflate::SHARED.frame(Opcode::Text, b"aaaaaaaa"), encode::text("aaaaaaaa"));
}

proptest! {
    #[test]
    fn what_is_compressed_is_decompressed(
        word in proptest::collection::vec(any::<u8>(), 0..200),
        repeat in 0_usize..200,
        window_bits in SMALLEST_WINDOW..=LARGEST_WINDOW,
    ) {
        let payload = word.repeat(repeat);
        let frame = Deflate { window_bits }.frame(Opcode::Binary, &payload);
        prop_assert!(frame.len() <= payload.len() + 10);
        prop_assert_eq!(decode(payload.len(), &frame), Ok(Event::Binary(payload.into())));
    }

    #[test]
    fn garbage_does_no_harm(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        match decode(1000, &compressed(0xC2, &payload)) {
            Ok(Event::Binary(bytes)) => prop_assert!(bytes.len() <= 1000),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {}
        }
    }
}
