//! Idempotency.

use std::sync::Arc;

use super::{Fresh, KEEP, event, offsets};
use crate::broker::{Broker, BrokerError, Once, Place, Publish};

async fn publish(
    fresh: &Fresh<'_>,
    scope: &str,
    name: &str,
    epoch: Option<&str>,
) -> Result<Place, BrokerError> {
    let once = Some(Once { scope: scope.into(), name: name.into() });
    let publish = Publish::new(event(10).into(), KEEP);
    fresh.publish(Publish { once, epoch: epoch.map(Into::into), ..publish }).await
}

/// "A publish whose scope and name were appended to the topic … is not appended again and resolves with the first one's place."
pub(super) async fn a_repeat_resolves_with_the_first_place(broker: &Arc<dyn Broker>) {
    let (fresh, other) = (Fresh::new(broker), Fresh::new(broker));
    let (seen, start) = fresh.attach().await;
    let first = publish(&fresh, "ann", "1", None).await;
    assert_eq!(publish(&fresh, "ann", "1", None).await, first);
    let second = publish(&fresh, "bob", "1", None).await;
    assert_ne!(second, first, "another scope");
    let third = publish(&fresh, "ann", "2", None).await;
    assert_ne!(third, second, "another name");
    assert_ne!(publish(&other, "ann", "1", None).await, first, "another topic");
    let both = futures_util::future::join(
        publish(&fresh, "ann", "3", None),
        publish(&fresh, "ann", "3", None),
    );
    let (one, same) = both.await;
    assert_eq!(one, same, "at once");
    let expected: Vec<u64> =
        [first, second, third, one].map(|place| place.expect("appended").offset).to_vec();
    assert_eq!(offsets(&seen.after(start.offset, 4).await), expected, "a repeat reaches nobody");
}

/// "… With `after` one that is no longer remembered is not appended either."
pub(super) async fn what_may_be_forgotten_is_not_appended_again(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let again = async |name: &str, after| {
        let once = Some(Once { scope: "ann".into(), name: name.into() });
        let publish = Publish::new(event(10).into(), KEEP);
        fresh.publish(Publish { once, after: Some(after), ..publish }).await
    };
    let first = publish(&fresh, "ann", "first", None).await.expect("appended");
    assert_eq!(again("first", 0).await, Ok(first.clone()));
    let late = again("late", first.offset).await.expect("nothing was forgotten");
    for name in 1..=1_000 {
        publish(&fresh, "ann", &name.to_string(), None).await.expect("appended");
    }
    let head = fresh.head().await;
    let refused = Err(BrokerError::Forgotten);
    assert_eq!(again("first", first.offset - 1).await, refused);
    assert_eq!(again("late", first.offset).await, refused);
    assert_eq!(again("another", late.offset - 1).await, refused, "it might have been the second");
    assert_eq!(fresh.head().await, head, "nothing was appended");
    assert_ne!(again("another", head.offset).await, refused, "it was not there before");
}

/// "Appends it in this epoch only; in another it is refused."
pub(super) async fn another_epoch_is_refused(broker: &Arc<dyn Broker>) {
    let fresh = Fresh::new(broker);
    let first = publish(&fresh, "ann", "1", None).await.expect("appended");
    let epoch = first.epoch.as_str();
    assert_eq!(publish(&fresh, "ann", "1", Some(epoch)).await, Ok(first.clone()));
    let refused = Err(BrokerError::OtherEpoch);
    assert_eq!(publish(&fresh, "ann", "1", Some("another")).await, refused, "though it is known");
    assert_eq!(publish(&fresh, "ann", "2", Some("another")).await, refused);
    assert_eq!(fresh.head().await, first, "nothing was appended");
}
