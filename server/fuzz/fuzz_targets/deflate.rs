//! What is compressed is decompressed to the same, for every window; and what a peer calls
//! compressed never decompresses to more than the read limit.
//!
//! The first byte of the input chooses the window.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use tidewire::ws::{DecodeError, Decoder, Event, Opcode, deflate::Deflate, encode};

fn decode(frame: &[u8], read_limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut frame = frame.to_vec();
    let mut decoder = Decoder::client(read_limit).with_deflate(true);
    match decoder.decode(&mut &mut frame[..])? {
        Some(Event::Binary(bytes)) => Ok(bytes.into_owned()),
        other => panic!("not a whole binary message: {other:?}"),
    }
}

fuzz_target!(|data: &[u8]| {
    let [window, payload @ ..] = data else { return };
    let offer = format!("permessage-deflate; server_max_window_bits={}", 9 + window % 7);
    let offer = HeaderValue::try_from(offer).unwrap();
    let deflate = Deflate::negotiate([&offer]).unwrap();
    let frame = deflate.frame(Opcode::Binary, payload);
    assert!(frame.len() <= encode::binary(payload).len());
    assert_eq!(decode(&frame, payload.len()).as_deref(), Ok(payload));

    let read_limit = payload.len() * 4;
    let mut frame = encode::binary(payload).to_vec();
    frame[0] |= 0x40;
    if let Ok(bytes) = decode(&frame, read_limit) {
        assert!(bytes.len() <= read_limit);
    }
});
