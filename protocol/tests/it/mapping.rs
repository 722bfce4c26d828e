//! How each kind of Rust type is written in TypeScript, and that serde writes the same.
//!
//! `npm/tests/mapping.schema.ts` is what the export gives, `npm/tests/mapping.values.ts` what serde_json writes of values of
//! every type here; the suite `types` compiles one against the other. docs/schema.md shows the table.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Duration,
};

use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use tidewire_protocol::schema::Schema;
use ts_rs::TS;
use uuid::Uuid;

macro_rules! types {
    ($($item:item)*) => { $(#[derive(Serialize, Deserialize, TS)] $item)* };
}

types! {
    /// Texts.
    struct Texts {
        string: String,
        letter: char,
        boxed: Box<str>,
        address: IpAddr,
    }

    /// Numbers. A JavaScript number is exact up to 2^53.
    struct Numbers {
        small: u8,
        signed: i32,
        large: u64,
        float: f64,
        /// Beyond 2^53: a text.
        #[serde(with = "as_text")]
        #[ts(type = "string")]
        exact: u128,
    }

    struct Options {
        /// `null`, or there.
        nullable: Option<String>,
        /// Absent, or there.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        absent: Option<u32>,
        /// Absent where it is empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// Always written; who sends it may leave it out.
        #[serde(default)]
        defaulted: u32,
    }

    struct Lists {
        list: Vec<u8>,
        set: BTreeSet<String>,
        array: [u16; 3],
        pair: (String, f64),
        unit: (),
    }

    struct Maps {
        by_text: BTreeMap<String, u32>,
        by_number: BTreeMap<u32, String>,
        by_variant: BTreeMap<Unit, u32>,
    }

    struct Times {
        /// `2026-01-02T03:04:05Z`.
        moment: chrono::DateTime<Utc>,
        day: NaiveDate,
        /// Seconds and nanoseconds.
        delta: TimeDelta,
        /// Milliseconds since 1970.
        #[serde(with = "chrono::serde::ts_milliseconds")]
        #[ts(type = "number")]
        at_ms: chrono::DateTime<Utc>,
        #[serde(with = "time::serde::rfc3339")]
        #[ts(type = "string")]
        time: time::OffsetDateTime,
        #[ts(type = "{ secs: number, nanos: number }")]
        duration: Duration,
    }

    struct Bytes {
        id: Uuid,
        /// A list of numbers.
        raw: Vec<u8>,
        /// Base64: a third of the size.
        #[serde(with = "as_base64")]
        #[ts(as = "String")]
        packed: Vec<u8>,
    }

    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    #[serde(rename_all = "snake_case")]
    enum Unit { FirstOne, #[serde(rename = "2nd")] Second }

    enum External { Nothing, One(u8), Two(u8, String), Named { text: String } }

    #[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
    enum Internal { Nothing, Holds(Inner), Named { some_text: String } }

    #[serde(tag = "kind", content = "data")]
    enum Adjacent { Nothing, One(u8), Two(u8, String), Named { text: String } }

    #[serde(untagged)]
    enum Untagged { Number(f64), Text(String), Named { text: String } }

    /// Words that this version does not know are read as `Other`.
    #[serde(rename_all = "lowercase")]
    enum Open { Known, #[serde(other)] Other }

    struct Inner { value: u8 }

    /// One value is as what it holds.
    struct Newtype(String);

    #[serde(transparent)]
    struct Transparent(Vec<u8>);

    struct TupleStruct(u8, String);

    struct Nothing;

    #[serde(rename_all = "camelCase")]
    struct Renamed {
        two_words: u8,
        #[serde(rename = "content-type")]
        other: u8,
        #[serde(skip)]
        _unseen: u8,
        #[serde(alias = "oldName")]
        aliased: u8,
        r#type: u8,
    }

    struct Flat {
        own: u8,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        variant: Internal,
    }

    struct Page<Item> { items: Vec<Item>, next: Option<Box<Item>> }

    struct Tree { value: u8, children: Vec<Self> }

    struct Others {
        json: serde_json::Value,
        outcome: Result<u8, String>,
    }
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Enough of Base64 for three bytes.
mod as_base64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    #[expect(clippy::ptr_arg, reason = "serde gives the field")]
    pub(super) fn serialize<S: Serializer>(value: &Vec<u8>, to: S) -> Result<S::Ok, S::Error> {
        let bits = value.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let letters = [18, 12, 6, 0].map(|at| char::from(LETTERS[(bits >> at & 63) as usize]));
        to.serialize_str(&letters.iter().collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let digits: Option<Vec<usize>> =
            text.bytes().map(|byte| LETTERS.iter().position(|letter| *letter == byte)).collect();
        let digits = digits
            .filter(|digits| digits.len() == 4)
            .ok_or_else(|| D::Error::custom("not Base64"))?;
        let bits = digits.into_iter().fold(0, |bits, digit| bits << 6 | digit as u32);
        Ok(bits.to_be_bytes()[1..].to_vec())
    }
}

/// The entries: a topic for each type, and values of it.
macro_rules! mapping {
    ($($topic:ident $name:literal $type:ty = [$($value:expr),* $(,)?];)*) => {
        tidewire_protocol::schema! {
            /// One topic for each kind of type.
            schema Mapping { $(topic $topic = $name { event: $type, publish: $type })* }
        }

        /// What serde_json writes, as TypeScript that has to compile.
        fn values() -> String {
            let mut text = "// Written by the test `mapping` of tidewire-protocol: what serde_json gives for the types of \
                            mapping.schema.ts.\nimport type { MappingTopics } from \"./mapping.schema.js\";\n\n\
                            type Values = { [Topic in keyof MappingTopics]: MappingTopics[Topic][\"event\"][] };\n\n\
                            export const values: Values = {\n".to_owned();
            $(
                let values: Vec<$type> = vec![$($value),*];
                text.push_str(&format!("  \"{}\": {},\n", $name, serde_json::to_string(&values).unwrap()));
                // What a page would send is read back.
                for value in &values {
                    let json = serde_json::to_string(value).unwrap();
                    let read: $type = serde_json::from_str(&json).unwrap();
                    assert_eq!(serde_json::to_string(&read).unwrap(), json);
                }
            )*
            text + "};\n"
        }
    };
}

mapping! {
    OfTexts "texts" Texts = [Texts {
        string: "a \"b\"\n".into(), letter: 'ß', boxed: "c".into(), address: Ipv4Addr::LOCALHOST.into(),
    }];
    OfNumbers "numbers" Numbers = [Numbers {
        small: 255, signed: -1, large: 1 << 53, float: 0.5, exact: u128::MAX,
    }];
    OfOptions "options" Options = [
        Options { nullable: None, absent: None, tags: Vec::new(), defaulted: 0 },
        Options { nullable: Some("a".into()), absent: Some(1), tags: vec!["b".into()], defaulted: 2 },
    ];
    OfLists "lists" Lists = [Lists {
        list: vec![1, 2], set: ["a".into()].into(), array: [1, 2, 3], pair: ("a".into(), 0.5), unit: (),
    }];
    OfMaps "maps" Maps = [
        Maps { by_text: [("a".into(), 1)].into(), by_number: [(7, "b".into())].into(), by_variant: [(Unit::Second, 1)].into() },
        Maps { by_text: BTreeMap::new(), by_number: BTreeMap::new(), by_variant: BTreeMap::new() },
    ];
    OfTimes "times" Times = [Times {
        moment: Utc.timestamp_opt(1_767_323_045, 0).unwrap(),
        day: NaiveDate::from_ymd_opt(2026, 1, 2).unwrap(),
        delta: TimeDelta::milliseconds(1_500),
        at_ms: Utc.timestamp_opt(1_767_323_045, 0).unwrap(),
        time: time::OffsetDateTime::from_unix_timestamp(1_767_323_045).unwrap(),
        duration: Duration::from_millis(1_500),
    }];
    OfBytes "bytes" Bytes = [Bytes { id: Uuid::from_u128(7), raw: vec![0, 255], packed: vec![1, 2, 255] }];
    OfUnit "enum:unit" Unit = [Unit::FirstOne, Unit::Second];
    OfExternal "enum:external" External = [
        External::Nothing, External::One(1), External::Two(1, "a".into()), External::Named { text: "b".into() },
    ];
    OfInternal "enum:internal" Internal = [
        Internal::Nothing, Internal::Holds(Inner { value: 1 }), Internal::Named { some_text: "a".into() },
    ];
    OfAdjacent "enum:adjacent" Adjacent = [
        Adjacent::Nothing, Adjacent::One(1), Adjacent::Two(1, "a".into()), Adjacent::Named { text: "b".into() },
    ];
    OfUntagged "enum:untagged" Untagged = [
        Untagged::Number(0.5), Untagged::Text("a".into()), Untagged::Named { text: "b".into() },
    ];
    OfOpen "enum:open" Open = [Open::Known, Open::Other];
    OfNewtype "newtype" Newtype = [Newtype("a".into())];
    OfTransparent "transparent" Transparent = [Transparent(vec![1])];
    OfTuple "tuple" TupleStruct = [TupleStruct(1, "a".into())];
    OfNothing "nothing" Nothing = [Nothing];
    OfRenamed "renamed" Renamed = [Renamed { two_words: 1, other: 2, _unseen: 3, aliased: 4, r#type: 5 }];
    OfFlat "flat" Flat = [
        Flat { own: 1, inner: Inner { value: 2 }, variant: Internal::Nothing },
        Flat { own: 1, inner: Inner { value: 2 }, variant: Internal::Named { some_text: "a".into() } },
    ];
    OfGeneric "generic" Page<Inner> = [
        Page { items: vec![Inner { value: 1 }], next: None },
        Page { items: Vec::new(), next: Some(Box::new(Inner { value: 2 })) },
    ];
    OfTree "tree" Tree = [Tree { value: 1, children: vec![Tree { value: 2, children: Vec::new() }] }];
    OfOthers "others" Others = [
        Others { json: serde_json::json!({ "a": [null, true, 0.5] }), outcome: Ok(1) },
        Others { json: serde_json::Value::Null, outcome: Err("a".into()) },
    ];
}

#[test]
fn the_mapping_is_as_it_was() {
    Mapping::check("../npm/tests/mapping.schema.ts").unwrap();
}

#[test]
fn serde_writes_what_typescript_says() {
    let path = Path::new(Mapping::FOLDER).join("../npm/tests/mapping.values.ts");
    if env::var_os("TIDEWIRE_WRITE").is_some() {
        fs::write(&path, values()).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert_eq!(
        found,
        values(),
        "TIDEWIRE_WRITE=1 cargo test -p tidewire-protocol --test it mapping"
    );
}
