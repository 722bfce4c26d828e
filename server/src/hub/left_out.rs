//! What a subscriber is not given of a batch, because it has it already: it published it, or its snapshot has it.
//!
//! A run of such events becomes one `$gap` with the cause `included`, so that the client's check of `prev` holds; a plain client is sent
//! nothing. Whoever is given all costs a pass two comparisons.

use tidewire_protocol::frame::server::{self, Gap, GapCause};

use super::{
    batch::{self, Batch, Frames, Variant},
    subscribers::Subscriber,
};
use crate::broker::Record;

/// The events that a subscriber's snapshot has, by the application's version: those up to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Included {
    /// The least version that is not among them.
    below: u64,
}

impl Included {
    pub(super) const NOTHING: Self = Self { below: 0 };

    pub(super) fn up_to(version: Option<u64>) -> Self {
        version.map_or(Self::NOTHING, |version| Self { below: version.saturating_add(1) })
    }

    fn has(self, version: Option<u64>) -> bool {
        version.is_some_and(|version| version < self.below)
    }
}

impl Subscriber {
    /// The frames after an offset of what it is given of a batch; `None` if that is all.
    #[inline]
    pub(super) fn leave_out(&self, batch: &Batch, after: u64) -> Option<Frames> {
        let may_have = batch.has_exceptions() || self.included.has(batch.oldest_version());
        let has_some = may_have && batch.records().iter().any(|record| self.has(record));
        has_some.then(|| self.rest_of(batch, after))
    }

    /// Whether it has an event already.
    fn has(&self, record: &Record) -> bool {
        record.event.except.as_deref() == Some(&*self.session)
            || self.included.has(record.event.version)
    }

    #[cold]
    fn rest_of(&self, batch: &Batch, mut after: u64) -> Frames {
        let Variant { is_full, is_compressed } = self.variant();
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        let mut records = batch.records().iter().peekable();
        while let Some(record) = records.next() {
            begins.push(bytes.len());
            if record.offset <= after {
                continue;
            }
            if !self.has(record) {
                batch::append(&mut bytes, &batch.text(record, is_full), is_compressed);
                after = record.offset;
                continue;
            }
            let mut to = record.offset;
            while let Some(next) = records.next_if(|next| self.has(next)) {
                begins.push(bytes.len());
                to = next.offset;
            }
            if is_full {
                let gap = Gap { after, to, cause: GapCause::Included };
                let text = server::write_gap(batch.topic(), gap);
                batch::append(&mut bytes, &text, is_compressed);
            }
            after = to;
        }
        Frames::new(bytes, begins)
    }
}
