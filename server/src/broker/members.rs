//! Members of topics: what nodes tell a broker of them, and what subscribers see of it.

use std::{fmt::Write, sync::Arc};

use serde_json::value::RawValue;
use tidewire_protocol::{
    Millis,
    presence::{Aged, Change, Holders},
};

use super::{Event, Keep, Record};

/// Members that a topic may have and name.
const MOST_MEMBERS: usize = 10_000;

/// Members that a topic may have and count.
const MOST_COUNTED: usize = 100_000;

/// What a node tells of a topic's members.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hold {
    /// The node, by a number that no other has.
    pub node: u64,
    /// Who came, changed or left at this node; the data is JSON. Of several nodes' data the latest wish is shown, by the broker's clock:
    /// it was made so long ago as the node says.
    pub changes: Vec<Change<Aged<Arc<str>>>>,
    /// What subscribers see.
    pub shows: Shows,
    /// How the topic of the members is kept.
    pub keep: Keep,
}

/// What subscribers see of a topic's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shows {
    /// Each member's key and data; at most 10,000.
    #[default]
    Members,
    /// How many there are; at most 100,000.
    Count,
}

/// What came of a [`Hold`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Changes that were not made, as there are as many members as there may be.
    pub refused: usize,
}

/// The members of one topic, as all nodes hold them.
#[derive(Debug)]
pub(crate) struct Present {
    holders: Holders<u64, Arc<str>>,
    shows: Shows,
    bytes: usize,
}

impl Present {
    pub(crate) fn new(shows: Shows) -> Self {
        let most = match shows {
            Shows::Members => MOST_MEMBERS,
            Shows::Count => MOST_COUNTED,
        };
        Self { holders: Holders::new(most), shows, bytes: 0 }
    }

    /// Makes the changes of a node. Returns the data of the event that tells of them, unless nothing is seen of them.
    pub(crate) fn handle_hold(
        &mut self,
        node: u64,
        changes: Vec<Change<Aged<Arc<str>>>>,
        now: Millis,
    ) -> (Held, Option<Box<RawValue>>) {
        let (mut held, mut seen) = (Held::default(), Vec::new());
        let before = self.holders.len();
        for change in changes {
            let user = Arc::clone(&change.user);
            let weight = |data: Option<&Arc<str>>| data.map_or(0, |data| data.len() + user.len());
            let was = weight(self.holders.data(&user));
            match self.holders.handle_change(node, change, now) {
                Ok(change) => seen.extend(change),
                Err(_) => held.refused += 1,
            }
            self.bytes = self.bytes + weight(self.holders.data(&user)) - was;
        }
        let event = match self.shows {
            Shows::Members => (!seen.is_empty()).then(|| changes_of(&seen)),
            Shows::Count => (self.holders.len() != before).then(|| self.count()),
        };
        (held, event)
    }

    /// What a subscriber begins with: an event for each member by its key, or one that has their count.
    pub(crate) fn records(&self, head: u64) -> Vec<Record> {
        let record =
            |event| Record { offset: head, prev: head.saturating_sub(1), event: Arc::new(event) };
        match self.shows {
            Shows::Count => vec![record(Event::new(self.count()))],
            Shows::Members => {
                let event = |(user, data): (&Arc<str>, &Arc<str>)| {
                    let event = Event::new(raw(data.to_string()));
                    record(Event { key: Some((**user).into()), ..event })
                };
                self.holders.members().map(event).collect()
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.holders.len()
    }

    /// The bytes of all keys and data.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn count(&self) -> Box<RawValue> {
        raw(self.holders.len().to_string())
    }
}

/// What changed, as `{"joined": {…}, "left": […]}`; what is empty is left out.
fn changes_of(changes: &[Change<Arc<str>>]) -> Box<RawValue> {
    let (mut joined, mut left) = (String::new(), String::new());
    for Change { user, data } in changes {
        let user = serde_json::Value::from(&**user);
        let (list, data) = match data {
            Some(data) => (&mut joined, Some(data)),
            None => (&mut left, None),
        };
        let comma = if list.is_empty() { "" } else { "," };
        let _ = match data {
            Some(data) => write!(list, "{comma}{user}:{data}"),
            None => write!(list, "{comma}{user}"),
        };
    }
    raw(match (joined.as_str(), left.as_str()) {
        (joined, "") => format!(r#"{{"joined":{{{joined}}}}}"#),
        ("", left) => format!(r#"{{"left":[{left}]}}"#),
        (joined, left) => format!(r#"{{"joined":{{{joined}}},"left":[{left}]}}"#),
    })
}

/// A text that is JSON: it was written here, of texts that are.
fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(user: &str, data: Option<&str>) -> Change<Aged<Arc<str>>> {
        let data = data.map(|data| Aged { data: data.into(), age_ms: 0 });
        Change { user: user.into(), data }
    }

    fn told(present: &mut Present, node: u64, changes: &[(&str, Option<&str>)]) -> Option<String> {
        let changes = changes.iter().map(|(user, data)| change(user, *data)).collect();
        present.handle_hold(node, changes, 0).1.map(|data| data.get().into())
    }

    #[test]
    fn what_changed_is_one_event_and_what_is_not_seen_none() {
        let mut present = Present::new(Shows::Members);
        let come = [("ann", Some("1")), ("b\"ob", Some(r#"{"x":2}"#))];
        let told = |present: &mut _, node, changes: &[_]| told(present, node, changes);
        assert_eq!(
            told(&mut present, 1, &come).as_deref(),
            Some(r#"{"joined":{"ann":1,"b\"ob":{"x":2}}}"#)
        );
        assert_eq!(told(&mut present, 2, &[("ann", Some("1"))]), None);
        assert_eq!(told(&mut present, 1, &[("ann", None), ("cid", None)]), None);
        assert_eq!(
            told(&mut present, 2, &[("ann", None), ("cid", Some("3"))]).as_deref(),
            Some(r#"{"joined":{"cid":3},"left":["ann"]}"#)
        );
        assert_eq!(told(&mut present, 2, &[("cid", None)]).as_deref(), Some(r#"{"left":["cid"]}"#));
        assert_eq!((present.len(), present.bytes()), (1, 4 + 7));
        assert_eq!(present.records(9)[0].event.key.as_deref(), Some("b\"ob"));
    }

    #[test]
    fn a_topic_that_counts_tells_of_its_count_alone() {
        let mut present = Present::new(Shows::Count);
        let come = told(&mut present, 1, &[("ann", Some("null")), ("bob", Some("null"))]);
        assert_eq!(come.as_deref(), Some("2"));
        assert_eq!(told(&mut present, 1, &[("ann", None), ("cid", Some("null"))]), None);
        assert_eq!(present.records(0)[0].event.data.get(), "2");
    }
}
