//! [`Batch`]: events of one topic that go out together.
//!
//! Each variant of frames (plain or full, compressed or not) is encoded when it is first needed, all events of the batch in one buffer; a subscriber
//! gets a slice of it.

use std::sync::OnceLock;

use bytes::Bytes;
use tidewire_protocol::{frame::server, name::Topic};

use crate::{
    broker::Record,
    ws::{Opcode, deflate::Deflate, encode},
};

pub(crate) struct Batch {
    topic: Topic,
    records: Vec<Record>,
    offsets: Vec<u64>,
    /// Whether a session is left out of an event here.
    has_exceptions: bool,
    /// The least version of an event here.
    oldest_version: Option<u64>,
    variants: [OnceLock<Frames>; 4],
}

/// What of a connection its frames depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    /// With offset and `prev`.
    pub(crate) is_full: bool,
    /// Compressed where that is shorter.
    pub(crate) is_compressed: bool,
}

/// The frames of a batch in one variant.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    bytes: Bytes,
    /// Where each frame begins.
    begins: Vec<usize>,
}

impl Batch {
    pub(super) fn new(topic: Topic, records: Vec<Record>) -> Self {
        let offsets = records.iter().map(|record| record.offset).collect();
        let has_exceptions = records.iter().any(|record| record.event.except.is_some());
        let oldest_version = records.iter().filter_map(|record| record.event.version).min();
        let variants = Default::default();
        Self { topic, records, offsets, has_exceptions, oldest_version, variants }
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Whether a session is left out of an event here.
    pub(super) fn has_exceptions(&self) -> bool {
        self.has_exceptions
    }

    /// The least version of an event here.
    pub(super) fn oldest_version(&self) -> Option<u64> {
        self.oldest_version
    }

    /// The events' offsets, ascending.
    pub(crate) fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// The frames for a subscriber.
    pub(crate) fn frames(&self, variant: Variant) -> &Frames {
        let Variant { is_full, is_compressed } = variant;
        self.variants[usize::from(is_full) + 2 * usize::from(is_compressed)].get_or_init(|| {
            let texts = self.records.iter().map(|record| self.text(record, is_full));
            Frames::encode(texts, is_compressed)
        })
    }

    /// The text of an event's frame.
    pub(super) fn text(&self, record: &Record, is_full: bool) -> String {
        if is_full {
            server::write_event(&self.topic, &record.frame())
        } else {
            server::write_message(&self.topic, record.event.data.get())
        }
    }
}

impl Frames {
    fn encode(texts: impl Iterator<Item = String>, is_compressed: bool) -> Self {
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        for text in texts {
            begins.push(bytes.len());
            append(&mut bytes, &text, is_compressed);
        }
        Self { bytes: bytes.into(), begins }
    }

    pub(super) fn new(bytes: Vec<u8>, begins: Vec<usize>) -> Self {
        Self { bytes: bytes.into(), begins }
    }

    #[cfg(test)]
    pub(crate) fn one(bytes: Bytes) -> Self {
        Self { bytes, begins: vec![0] }
    }

    /// The bytes of the frames from an index on.
    pub(crate) fn from(&self, index: usize) -> &[u8] {
        self.begins.get(index).map_or(&[], |&begin| &self.bytes[begin..])
    }

    /// The same, sharing the buffer.
    pub(crate) fn share(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }
}

/// Writes a text frame.
pub(super) fn append(bytes: &mut Vec<u8>, text: &str, is_compressed: bool) {
    if is_compressed {
        bytes.extend_from_slice(&Deflate::SHARED.frame(Opcode::Text, text.as_bytes()));
        return;
    }
    let head = encode::head(Opcode::Text, text.len());
    bytes.reserve(head.len() + text.len());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::broker::Event;

    const FULL: Variant = Variant { is_full: true, is_compressed: false };
    const PLAIN: Variant = Variant { is_full: false, is_compressed: false };

    #[test]
    fn a_subscriber_gets_a_slice_of_one_buffer() {
        let topic = Topic::parse("t").unwrap();
        let record = |offset: u64| Record {
            offset,
            prev: offset - 1,
            event: Arc::new(Event::new(serde_json::value::to_raw_value(&offset).unwrap())),
        };
        let batch = Batch::new(topic, vec![record(1), record(2)]);
        assert_eq!(batch.offsets(), [1, 2]);
        let second = encode::text(r#"{"topic":"t","data":2,"offset":2,"prev":1}"#);
        let full = batch.frames(FULL);
        assert!(full.from(0).ends_with(&second) && full.from(0).len() == 2 * second.len());
        assert_eq!(full.from(1), &second[..]);
        assert_eq!(full.from(2), b"");
        assert_eq!(full.share(full.from(1)).as_ptr(), full.from(1).as_ptr(), "no copy");
        assert_eq!(batch.frames(PLAIN).from(1), &encode::text(r#"{"topic":"t","data":2}"#)[..]);
    }
}
