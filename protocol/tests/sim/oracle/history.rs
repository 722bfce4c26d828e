//! Whether a range of a topic's history is what the topic held.

use tidewire_protocol::Millis;

use super::{Truth, truth::Published};
use crate::{
    frames::{At, Range, Record, size},
    server::HISTORY_BYTES,
};

/// `head` is the position that the reply names; it was asked for at `asked_at` and came now.
pub(super) fn check(
    truth: &Truth,
    topic: usize,
    range: Range,
    (head, records): (At, &[Record]),
    asked_at: Millis,
    now: Millis,
) -> Result<(), String> {
    truth.exists(topic, head)?;
    for record in records {
        truth.is_event(topic, head.epoch, record)?;
    }
    let Range { after, before, limit } = range;
    let is_in = |event: &&Published| {
        after.is_none_or(|after| event.offset > after)
            && before.is_none_or(|before| event.offset < before)
            && event.offset <= head.offset
    };
    let all: Vec<&Published> = truth.events(topic, head.epoch).iter().filter(is_in).collect();
    let Some((first, last)) = records.first().zip(records.last()) else {
        return match all.last().filter(|event| truth.keeps(topic, event, head, now)) {
            Some(event) => Err(format!("{event:?} is held, but not in {range:?}")),
            None => Ok(()),
        };
    };
    let (from, to) = (
        all.iter().position(|event| event.offset == first.offset),
        all.iter().position(|event| event.offset == last.offset),
    );
    let Some((from, to)) = from.zip(to) else { return Err(format!("not all is in {range:?}")) };
    let is_whole =
        all[from..=to].iter().map(|event| event.offset).eq(records.iter().map(|one| one.offset));
    if !is_whole || records.len() > limit || (records.len() > 1 && size(records) > HISTORY_BYTES) {
        return Err(format!("that is no range, or more than {range:?}"));
    }
    if !truth.kept(topic, all[from], head, asked_at) {
        return Err(format!("{:?} was no longer held", all[from]));
    }
    // At the end where it begins nothing that is held is missing, at the other only what does not fit.
    let fits =
        |event: &Published| records.len() < limit && size(records) + event.bytes <= HISTORY_BYTES;
    let older = from.checked_sub(1).map(|at| all[at]);
    let older = older.filter(|event| truth.keeps(topic, event, head, now));
    let newer = all.get(to + 1).copied();
    let missing = match after {
        Some(_) => older.or(newer.filter(|event| fits(event))),
        None => newer.or(older.filter(|event| fits(event))),
    };
    missing.map_or(Ok(()), |missing| Err(format!("{missing:?} is missing in {range:?}")))
}
