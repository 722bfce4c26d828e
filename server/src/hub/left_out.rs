//! What a subscriber is not given of a batch, because it has it already: it published it, or its snapshot has it.
//!
//! Which ones, the delivery core says. A run of such events becomes one `$gap` with the cause `included`, so that the client's check of
//! `prev` holds; a plain client is sent nothing. Whoever is given all costs a pass two comparisons.

use tidewire_protocol::{
    delivery::{Piece, leave_out},
    frame::server::{self, Gap, GapCause},
};

use super::{
    batch::{self, Batch, Frames, Variant},
    subscribers::Subscriber,
};
use crate::broker::Record;

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
    fn rest_of(&self, batch: &Batch, after: u64) -> Frames {
        let Variant { is_full, is_compressed } = self.variant();
        let (mut bytes, mut begins) = (Vec::new(), Vec::new());
        let records = batch.records();
        let pieces = leave_out(
            records,
            after,
            |record| (record.prev, record.offset),
            |record| self.has(record),
        );
        for (record, piece) in records.iter().zip(pieces) {
            begins.push(bytes.len());
            let text = match piece {
                Piece::Event => batch.text(record, is_full),
                Piece::Gap { after, to } if is_full => {
                    server::write_gap(batch.topic(), Gap { after, to, cause: GapCause::Included })
                }
                _ => continue,
            };
            batch::append(&mut bytes, &text, is_compressed);
        }
        Frames::new(bytes, begins)
    }
}
