//! Entries of any types, for tests that look at nothing else. Whoever includes this names the crate `protocol`: the crate's own tests are
//! within it.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};
use ts_rs::TS;

use super::protocol::{
    name::{FillError, Params, Pattern, Topic},
    schema::{Call, NoPresence, SchemaHash, StreamingCall, TypedTopic, expansion},
};

/// A topic, a call or a stream of any two types.
pub(super) struct Of<Event, Publish>(PhantomData<fn() -> (Event, Publish)>);

impl<Event, Publish> Clone for Of<Event, Publish> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

pub(super) trait Data: Serialize + DeserializeOwned + TS + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + TS + Send + Sync + 'static> Data for T {}

impl<Event: Data, Publish: Data> TypedTopic for Of<Event, Publish> {
    type Event = Event;
    type Publish = Publish;
    type Snapshot = Vec<Event>;
    type Presence = NoPresence;
    const PATTERN: &'static str = "x";

    fn pattern() -> &'static Pattern {
        unreachable!("only its data counts")
    }

    fn topic(&self) -> Result<Topic, FillError> {
        unreachable!("only its data counts")
    }

    fn from_params(_: &Params<'_>) -> Option<Self> {
        None
    }

    fn hash() -> SchemaHash {
        expansion::topic_hash::<Self>()
    }
}

impl<Args: Data, Reply: Data> Call for Of<Args, Reply> {
    type Args = Args;
    type Reply = Reply;
    const NAME: &'static str = "x";

    fn hash() -> SchemaHash {
        expansion::call_hash::<Self>()
    }
}

impl<Args: Data, Item: Data> StreamingCall for Of<Args, Item> {
    type Args = Args;
    type Item = Item;
    const NAME: &'static str = "x";

    fn hash() -> SchemaHash {
        expansion::stream_hash::<Self>()
    }
}
