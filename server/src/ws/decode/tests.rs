//! The decoder, frame by frame, and the promise that a cut changes nothing.

use proptest::prelude::*;

use super::*;
use crate::ws::{CloseFrame, encode};

const LIMIT: usize = 1000;
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// An event with nothing borrowed.
fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Text(text) => Event::Text(text.into_owned().into()),
        Event::Binary(bytes) => Event::Binary(bytes.into_owned().into()),
        Event::Ping(bytes) => Event::Ping(bytes.into_owned().into()),
        Event::Pong(bytes) => Event::Pong(bytes.into_owned().into()),
        Event::Close(frame) => Event::Close(frame.map(|frame| CloseFrame {
            code: frame.code,
            reason: frame.reason.into_owned().into(),
        })),
    }
}

type Outcome = (Vec<Event<'static>>, Option<DecodeError>);

fn decode_pieces<'a>(
    mut decoder: Decoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Outcome, Decoder) {
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => events.push(owned(event)),
                Ok(None) => break,
                Err(error) => return ((events, Some(error)), decoder),
            }
        }
        assert!(input.is_empty(), "all input is taken before `None`");
    }
    ((events, None), decoder)
}

/// Decodes `bytes` whole, a byte at a time, and in two pieces cut everywhere.
fn check(bytes: &[u8], expected: &[Event<'static>], error: Option<DecodeError>) {
    let expected = (expected.to_vec(), error);
    let new = || Decoder::server(LIMIT).with_deflate(true);
    let (outcome, decoder) = decode_pieces(new(), [bytes]);
    assert_eq!(outcome, expected, "whole");
    assert!(error.is_none() || decoder.buffered() == 0, "nothing is held after an error");
    assert_eq!(decode_pieces(new(), bytes.chunks(1)).0, expected, "a byte at a time");
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(decode_pieces(new(), [head, tail]).0, expected, "cut at {cut}");
    }
}

/// A client's frame, its first byte as given.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode::masked(Opcode::Binary, payload, KEY).to_vec();
    frame[0] = first;
    frame
}

fn text(text: &'static str) -> Event<'static> {
    Event::Text(text.into())
}

fn binary(bytes: &'static [u8]) -> Event<'static> {
    Event::Binary(bytes.into())
}

#[test]
fn whole_messages_and_control_frames() {
    let bytes = [
        frame(0x81, b"hello"),
        frame(0x82, b"\x00\xFF"),
        frame(0x89, b"are you there"),
        frame(0x8A, b""),
        frame(0x81, b""),
    ]
    .concat();
    let expected = [
        text("hello"),
        binary(b"\x00\xFF"),
        Event::Ping(b"are you there".into()),
        Event::Pong(b"".into()),
        text(""),
    ];
    check(&bytes, &expected, None);
}

#[test]
fn lengths_in_their_three_forms() {
    for len in [125, 126, 127, 65_535, 65_536, 200_000] {
        let payload = vec![b'x'; len];
        let mut bytes = frame(0x82, &payload);
        let mut input = &mut bytes[..];
        let mut decoder = Decoder::server(1 << 20);
        assert_eq!(decoder.decode(&mut input), Ok(Some(Event::Binary(payload.into()))));
    }
}

#[test]
fn fragments_with_a_ping_between() {
    let bytes = [
        frame(0x01, b"caf\xC3"),
        frame(0x00, b""),
        frame(0x89, b"!"),
        frame(0x80, b"\xA9"),
        frame(0x02, b"\x01"),
        frame(0x80, b"\x02"),
    ]
    .concat();
    check(&bytes, &[Event::Ping(b"!".into()), text("café"), binary(b"\x01\x02")], None);
}

#[test]
fn closes() {
    let check_close =
        |payload: &[u8], expected: Result<Option<(u16, &'static str)>, DecodeError>| {
            // What follows a close is not looked at.
            let bytes = [frame(0x88, payload), frame(0x81, b"late"), vec![0xFF]].concat();
            match expected {
                Ok(frame) => {
                    let frame =
                        frame.map(|(code, reason)| CloseFrame { code, reason: reason.into() });
                    check(&bytes, &[Event::Close(frame)], None);
                }
                Err(error) => check(&bytes, &[], Some(error)),
            }
        };
    check_close(b"", Ok(None));
    check_close(b"\x03\xE8", Ok(Some((1000, ""))));
    check_close(b"\x0F\xA0bye \xC3\xA9", Ok(Some((4000, "bye é"))));
    check_close(b"\x03", Err(DecodeError::BadClose));
    check_close(b"\x03\xE8\xC3", Err(DecodeError::InvalidUtf8));
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
        check_close(&code.to_be_bytes(), Err(DecodeError::BadClose));
    }
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1014, 3000, 3999, 4999_u16] {
        check_close(&code.to_be_bytes(), Ok(Some((code, ""))));
    }
}

#[test]
fn what_a_frame_may_not_be() {
    let check_error = |bytes: &[u8], error| check(bytes, &[], Some(error));
    check_error(&frame(0xA1, b"x"), DecodeError::ReservedBits);
    check_error(&frame(0x91, b"x"), DecodeError::ReservedBits);
    check_error(&frame(0xC9, b"x"), DecodeError::ReservedBits);
    check_error(&frame(0xC0, b"x"), DecodeError::ReservedBits);
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check_error(&frame(0x80 | opcode, b""), DecodeError::ReservedOpcode);
    }
    check_error(b"\x81\x05hello", DecodeError::Unmasked);
    check_error(&frame(0x09, b""), DecodeError::FragmentedControl);
    check_error(&frame(0x89, &[0; 126]), DecodeError::LongControl);
    check_error(&frame(0x80, b""), DecodeError::NothingToContinue);
    check_error(&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), DecodeError::MessageInMessage);
    check_error(b"\x82\xFE\x00\x7D", DecodeError::BadLength);
    check_error(b"\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF", DecodeError::BadLength);
    check_error(b"\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x00", DecodeError::BadLength);
    check_error(&frame(0x81, b"\xCE\xBA\xED\xA0\x80"), DecodeError::InvalidUtf8);
    check_error(&frame(0x81, b"\xC3"), DecodeError::InvalidUtf8);
}

#[test]
fn without_deflate_rsv1_is_reserved() {
    let bytes = frame(0xC1, b"\x00");
    let (outcome, _) = decode_pieces(Decoder::server(LIMIT), [&bytes[..]]);
    assert_eq!(outcome, (vec![], Some(DecodeError::ReservedBits)));
}

#[test]
fn a_client_reads_plain_frames_only() {
    let new = || Decoder::client(LIMIT);
    let hello = encode::text("hello");
    assert_eq!(decode_pieces(new(), [&hello[..]]).0, (vec![text("hello")], None));
    let masked = frame(0x81, b"hello");
    assert_eq!(decode_pieces(new(), [&masked[..]]).0, (vec![], Some(DecodeError::Masked)));
}

#[test]
fn too_large_is_known_from_the_head() {
    // No byte of the payload is there yet.
    let check_head = |heads: &[&[u8]]| {
        let bytes = heads.concat();
        let (outcome, decoder) = decode_pieces(Decoder::server(4), [&bytes[..]]);
        assert_eq!(outcome, (vec![], Some(DecodeError::TooLarge)));
        assert_eq!(decoder.buffered(), 0);
    };
    check_head(&[b"\x82\x85", &KEY]);
    check_head(&[b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", &KEY]);
    check_head(&[&frame(0x02, b"abc"), b"\x80\x82", &KEY]);
    let bytes = [frame(0x02, b"abc"), frame(0x80, b"d"), frame(0x82, b"abcd")].concat();
    let (outcome, _) = decode_pieces(Decoder::server(4), [&bytes[..]]);
    assert_eq!(outcome, (vec![binary(b"abcd"), binary(b"abcd")], None));
}

#[test]
fn invalid_text_fails_at_the_byte_that_shows_it() {
    let bytes = frame(0x01, b"good \xF4\x90 more to come");
    let until_shown = &bytes[..6 + 7];
    let (outcome, _) = decode_pieces(Decoder::server(LIMIT), [until_shown]);
    assert_eq!(outcome, (vec![], Some(DecodeError::InvalidUtf8)));
}

#[test]
fn an_error_and_a_close_are_final() {
    let mut decoder = Decoder::server(LIMIT);
    let mut bad = *b"\x83\x80";
    assert_eq!(decoder.decode(&mut &mut bad[..]), Err(DecodeError::ReservedOpcode));
    let mut good = frame(0x81, b"hello");
    assert_eq!(decoder.decode(&mut &mut good[..]), Err(DecodeError::ReservedOpcode));

    let mut decoder = Decoder::server(LIMIT);
    let mut close = frame(0x88, b"");
    assert_eq!(decoder.decode(&mut &mut close[..]), Ok(Some(Event::Close(None))));
    let mut late = frame(0x81, b"late");
    assert_eq!(decoder.decode(&mut &mut late[..]), Ok(None));
}

#[test]
fn whole_messages_are_borrowed_and_nothing_is_held() {
    assert!(size_of::<Decoder>() <= 32, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::server(LIMIT);
    let mut bytes = [frame(0x81, b"hello"), frame(0x89, b"x")].concat();
    let mut input = &mut bytes[..];
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Event::Text(Cow::Borrowed("hello"))))));
    assert!(matches!(decoder.decode(&mut input), Ok(Some(Event::Ping(Cow::Borrowed(b"x"))))));
    assert!(decoder.partial.is_none());

    let mut cut = frame(0x81, b"hello");
    let (head, tail) = cut.split_at_mut(8);
    assert_eq!(decoder.decode(&mut &mut head[..]), Ok(None));
    assert_eq!(decoder.buffered(), 2);
    assert_eq!(decoder.decode(&mut &mut tail[..]), Ok(Some(text("hello"))));
    assert!(decoder.partial.is_none(), "freed as soon as nothing is partial");
}

#[test]
fn memory_follows_what_has_come() {
    let mut decoder = Decoder::server(1 << 20);
    let mut bytes = frame(0x82, &[7; 1 << 20]);
    let mut input = &mut bytes[..5000];
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert_eq!(decoder.buffered(), 5000 - 14);
}

#[derive(Debug, Clone)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

fn any_sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        "\\PC{0,60}".prop_map(Sent::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Sent::Binary),
        proptest::collection::vec(any::<u8>(), 0..125).prop_map(Sent::Ping),
        proptest::collection::vec(any::<u8>(), 0..125).prop_map(Sent::Pong),
    ]
}

/// Cuts `bytes` into pieces of the given sizes, over and over.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        sent in proptest::collection::vec(any_sent(), 0..8),
        sizes in proptest::collection::vec(1_usize..100, 1..6),
        key in any::<[u8; 4]>(),
    ) {
        let mut from_client = Vec::new();
        let mut from_server = Vec::new();
        let mut expected = Vec::new();
        for item in sent {
            let (opcode, payload, event) = match item {
                Sent::Text(text) =>
                    (Opcode::Text, text.clone().into_bytes(), Event::Text(text.into())),
                Sent::Binary(bytes) => (Opcode::Binary, bytes.clone(), Event::Binary(bytes.into())),
                Sent::Ping(bytes) => (Opcode::Ping, bytes.clone(), Event::Ping(bytes.into())),
                Sent::Pong(bytes) => (Opcode::Pong, bytes.clone(), Event::Pong(bytes.into())),
            };
            from_client.extend_from_slice(&encode::masked(opcode, &payload, key));
            from_server.extend_from_slice(&encode::frame(opcode, &payload));
            expected.push(event);
        }
        let expected = (expected, None);
        let server = decode_pieces(Decoder::server(LIMIT), cut(&from_client, &sizes)).0;
        prop_assert_eq!(&server, &expected);
        let client = decode_pieces(Decoder::client(LIMIT), cut(&from_server, &sizes)).0;
        prop_assert_eq!(&client, &expected);
    }

    #[test]
    fn cuts_do_not_change_the_outcome(
        bytes in proptest::collection::vec(prop_oneof![
            any::<u8>(), Just(0x81), Just(0x01), Just(0x80), Just(0x82), Just(0xC1), Just(0x00)
        ], 0..120),
        sizes in proptest::collection::vec(1_usize..20, 1..6),
    ) {
        let new = || Decoder::server(LIMIT).with_deflate(true);
        let (whole, _) = decode_pieces(new(), [&bytes[..]]);
        let (pieces, _) = decode_pieces(new(), cut(&bytes, &sizes));
        prop_assert_eq!(whole, pieces);
    }
}
