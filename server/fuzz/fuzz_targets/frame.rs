//! Any text: reading a client's frame never panics, and what is read is what JSON says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tidewire_protocol::frame::client::ClientFrame;

fuzz_target!(|text: &str| {
    let parsed = ClientFrame::parse(text, 16);
    let value = serde_json::from_str::<Value>(text).ok();
    let Ok(frame) = parsed else { return };
    // What serde_json reads whole, to its own depth, agrees field by field.
    let Some(value) = value else { return };
    assert_eq!(value["topic"].as_str(), Some(&*frame.topic));
    assert_eq!(value["id"].as_u64(), frame.id);
    let data: Value = serde_json::from_str(frame.data.get()).expect("the data is JSON");
    assert_eq!(value["data"], data);
    assert!(text.contains(frame.data.get()) || frame.data.get() == "null", "passed on as it came");
});
