//! What stands for the types that an entry does not declare: no value has them, and TypeScript's `never` is their form.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ts_rs::TS;

/// What clients publish to a topic that takes no publishes: there is no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoPublish {}

impl Serialize for NoPublish {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for NoPublish {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("nothing can be published to this topic"))
    }
}

impl TS for NoPublish {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;

    fn name(_: &ts_rs::Config) -> String {
        "never".to_owned()
    }

    fn inline(config: &ts_rs::Config) -> String {
        Self::name(config)
    }
}
