//! Members: there as long as one node holds them, told of in one event.

use std::sync::Arc;

use tidewire_protocol::presence::{Aged, Change};

use super::{Fresh, KEEP};
use crate::broker::{Broker, Hold, Shows};

impl Fresh<'_> {
    /// What a node says of members: each one's key, and its data unless it left.
    async fn hold(&self, shows: Shows, node: u64, changes: &[(&str, Option<&str>)]) -> usize {
        self.hold_aged(shows, node, changes, 0).await
    }

    /// The same of wishes that were made so long ago.
    async fn hold_aged(
        &self,
        shows: Shows,
        node: u64,
        changes: &[(&str, Option<&str>)],
        age_ms: u64,
    ) -> usize {
        let changes = changes.iter().map(|(user, data)| {
            let data = data.map(|data| Aged { data: data.into(), age_ms });
            Change { user: (*user).into(), data }
        });
        let hold = Hold { node, changes: changes.collect(), shows, keep: KEEP };
        self.broker.hold(&self.topic, hold).await.expect("held").refused
    }

    /// The key and the data of each record of the topic's state.
    async fn members(&self) -> Vec<(Option<String>, String)> {
        let state = self.broker.state(&self.topic).await.expect("read");
        let of = state.records.iter().map(|record| {
            (record.event.key.as_deref().map(Into::into), record.event.data.get().to_owned())
        });
        of.collect()
    }
}

/// "A member of a topic is there as long as one node holds it", and what is seen is one event for each call.
pub(super) async fn a_member_is_there_as_long_as_a_node_holds_it(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let (seen, start) = fresh.attach().await;
    let shows = Shows::Members;
    fresh.hold(shows, 1, &[("ann", Some("1")), ("bob", Some("2"))]).await;
    fresh.hold(shows, 2, &[("ann", Some("1"))]).await;
    fresh.hold(shows, 1, &[("ann", None)]).await;
    let one = |key: &str, data: &str| (Some(key.to_owned()), data.to_owned());
    assert_eq!(fresh.members().await, [one("ann", "1"), one("bob", "2")]);
    fresh.hold(shows, 2, &[("ann", Some("3")), ("cid", None)]).await;
    assert_eq!(fresh.members().await, [one("ann", "3"), one("bob", "2")], "the last data counts");
    fresh.hold(shows, 2, &[("ann", None)]).await;
    assert_eq!(fresh.members().await, [one("bob", "2")]);
    let told = seen.after(start.offset, 3).await;
    let expected =
        [r#"{"joined":{"ann":1,"bob":2}}"#, r#"{"joined":{"ann":3}}"#, r#"{"left":["ann"]}"#];
    let told: Vec<_> = told.iter().map(|record| record.event.data.get()).collect();
    assert_eq!(told, expected, "what nobody can see is no event");
}

/// "Of several nodes' data the latest wish is shown", whichever node tells of it last.
pub(super) async fn a_member_is_shown_by_its_latest_wish(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let shows = Shows::Members;
    fresh.hold(shows, 2, &[("ann", Some("2"))]).await;
    let before = fresh.head().await;
    fresh.hold_aged(shows, 1, &[("ann", Some("1"))], 3_600_000).await;
    assert_eq!(fresh.head().await, before, "nothing is seen of an earlier wish");
    let one = |data: &str| [(Some("ann".to_owned()), data.to_owned())];
    assert_eq!(fresh.members().await, one("2"));
    fresh.hold(shows, 2, &[("ann", None)]).await;
    assert_eq!(fresh.members().await, one("1"), "it is what is left");
    fresh.hold(shows, 1, &[("ann", None)]).await;
}

/// "what [`Shows`] says": a count is one record, and an event where it changes.
pub(super) async fn members_are_counted_where_they_are_not_shown(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let shows = Shows::Count;
    fresh.hold(shows, 1, &[("ann", Some("null")), ("bob", Some("null"))]).await;
    let before = fresh.head().await;
    fresh.hold(shows, 2, &[("bob", Some("null"))]).await;
    assert_eq!(fresh.head().await, before, "still two");
    assert_eq!(fresh.members().await, [(None, "2".to_owned())]);
}
