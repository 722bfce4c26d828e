//! Any bytes, cut anywhere: the decoder gives what it gives for the bytes whole, keeps to its read
//! limit, and holds nothing after it has failed.
//!
//! The first byte of the input chooses role, compression and read limit, the second where to cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidewire::ws::{DecodeError, Decoder, Event, Role};

/// All that a decoder said, with nothing borrowed.
type Outcome = (Vec<(u8, Vec<u8>)>, Option<DecodeError>);

fn decode<'a>(
    mut decoder: Decoder,
    pieces: impl Iterator<Item = &'a [u8]>,
    read_limit: usize,
) -> Outcome {
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut input = &mut piece[..];
        loop {
            let event = match decoder.decode(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.buffered(), 0);
                    return (events, Some(error));
                }
            };
            let (kind, payload, limit) = match event {
                Event::Text(text) => (1, text.into_owned().into_bytes(), read_limit),
                Event::Binary(bytes) => (2, bytes.into_owned(), read_limit),
                Event::Ping(bytes) => (9, bytes.into_owned(), 125),
                Event::Pong(bytes) => (10, bytes.into_owned(), 125),
                Event::Close(None) => (8, Vec::new(), 0),
                Event::Close(Some(frame)) => {
                    (8, [&frame.code.to_be_bytes(), frame.reason.as_bytes()].concat(), 125)
                }
            };
            assert!(payload.len() <= limit);
            events.push((kind, payload));
        }
        assert!(input.is_empty());
        // A message compressed, a control frame between its fragments, and half a head.
        assert!(decoder.buffered() <= read_limit + read_limit / 16 + 64 + 125 + 13);
    }
    (events, None)
}

fuzz_target!(|data: &[u8]| {
    let [choice, step, bytes @ ..] = data else { return };
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let deflate = choice & 2 != 0;
    let read_limit = usize::from(choice >> 2) * 16;
    let new = || Decoder::new(role, read_limit).with_deflate(deflate);

    let whole = decode(new(), std::iter::once(bytes), read_limit);
    let step = usize::from(*step).max(1);
    assert_eq!(decode(new(), bytes.chunks(step), read_limit), whole);
    let (head, tail) = bytes.split_at(step.min(bytes.len()));
    assert_eq!(decode(new(), [head, tail].into_iter(), read_limit), whole);
});
