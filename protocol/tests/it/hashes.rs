//! Structural hashes: what they are, what changes them and what does not.

#[path = "../shared/of.rs"]
mod of;

use std::collections::{BTreeMap, HashMap};

use of::{Data, Of};
use serde::{Deserialize, Serialize};
use tidewire_protocol::{
    self as protocol,
    schema::{Call, NoPresence, NoPublish, SchemaHash, StreamingCall, TypedTopic},
};
use ts_rs::TS;

fn call<Args: Data, Reply: Data>() -> SchemaHash {
    <Of<Args, Reply> as Call>::hash()
}

fn stream<Args: Data, Item: Data>() -> SchemaHash {
    <Of<Args, Item> as StreamingCall>::hash()
}

fn topic<Event: Data, Publish: Data>() -> SchemaHash {
    <Of<Event, Publish> as TypedTopic>::hash()
}

fn hash<Event: Data>() -> SchemaHash {
    topic::<Event, NoPublish>()
}

macro_rules! types {
    ($($module:ident { $($item:item)* })*) => {
        $(mod $module {
            use super::*;
            $(#[derive(Serialize, Deserialize, TS)] $item)*
        })*
    };
}

types! {
    first {
        /// A message.
        pub(super) struct Message {
            /// Who.
            user: User,
            pub(super) text: String,
            at_ms: Option<u64>,
        }
        pub(super) struct User { name: String, tags: Vec<String> }
        pub(super) enum Event { Joined(User), Said { message: Message }, Nothing }
        #[serde(tag = "type")]
        pub(super) enum Tagged { Joined(User), Nothing }
        #[serde(untagged)]
        pub(super) enum Untagged { Text(String), Number(u32), Both(String, u32) }
        pub(super) struct Page<T> { items: Vec<T>, next: Option<String> }
        pub(super) struct Tree { value: u8, children: Vec<Self> }
        pub(super) struct Even { next: Option<Box<Odd>> }
        pub(super) struct Odd { next: Option<Box<Even>> }
        pub(super) struct Counts { by_user: HashMap<String, u32> }
        pub(super) struct Flat { #[serde(flatten)] user: User, age: u8 }
    }
    renamed {
        pub(super) struct Note {
            #[serde(rename = "text")]
            pub(super) words: String,
            at_ms: Option<i32>,
            user: Person,
        }
        pub(super) struct Person { tags: Vec<String>, name: String }
        pub(super) enum Change { Nothing, Said { message: Note }, Joined(Person) }
        #[serde(tag = "type")]
        pub(super) enum Labelled { Nothing, Joined(Person) }
        #[serde(untagged)]
        pub(super) enum Loose { Both(String, u32), Number(f64), Text(char) }
        pub(super) struct Part<Item> {
            next: Option<String>,
            items: Vec<Item>,
        }
        pub(super) struct Node { children: Vec<Self>, value: u16 }
        pub(super) struct Chain { next: Option<Box<Self>> }
        pub(super) struct Tally { by_user: BTreeMap<String, i8> }
        pub(super) struct InPlace {
            name: String,
            tags: Vec<String>,
            age: u8,
        }
    }
    changed {
        pub(super) struct FieldRenamed {
            user: first::User,
            body: String,
            at_ms: Option<u64>,
        }
        pub(super) struct FieldRetyped {
            user: first::User,
            text: u8,
            at_ms: Option<u64>,
        }
        pub(super) struct FieldAdded {
            user: first::User,
            text: String,
            at_ms: Option<u64>,
            more: bool,
        }
        pub(super) struct FieldGone { user: first::User, text: String }
        pub(super) struct Required {
            user: first::User,
            text: String,
            at_ms: u64,
        }
        pub(super) struct MayBeAbsent {
            user: first::User,
            text: String,
            #[ts(optional)]
            at_ms: Option<u64>,
        }
        pub(super) struct Deeper {
            user: Member,
            text: String,
            at_ms: Option<u64>,
        }
        pub(super) struct Member { name: String, tags: Vec<u8> }
        pub(super) enum VariantAdded {
            Joined(first::User),
            Said { message: first::Message },
            Nothing,
            More,
        }
        pub(super) enum VariantRenamed {
            Joined(first::User),
            Said { message: first::Message },
            None,
        }
        pub(super) struct Forest { value: u8, children: Vec<Vec<Self>> }
    }
}

tidewire_protocol::schema! {
    /// Topics with more than data: each hash differs from that of the same topic without it.
    schema More {
        topic ByText = "a" { event: first::Message, key: text }
        topic ByWords = "b" { event: renamed::Note, key: words = "text" }
        topic ByName = "c" { event: first::Message, key: text = "user" }
        topic Watched = "d" { event: first::Message, presence: first::User }
        topic WatchedToo = "e" { event: renamed::Note, presence: renamed::Person }
        topic Both = "f" { event: first::Message, key: text, presence: first::User }
        topic Neither = "g" { event: first::Message, presence: NoPresence }
        topic Stated = "h" { event: first::Message, snapshot: first::User }
        topic StatedToo = "i" { event: renamed::Note, snapshot: renamed::Person }
        topic Listed = "j" { event: first::Message, snapshot: Vec<first::Message> }
        topic Mapped = "k" { event: first::Message, key: text, snapshot: BTreeMap<String, first::Message> }
        topic KeyedList = "l" { event: first::Message, key: text, snapshot: Vec<first::Message> }
        topic All = "m" { event: first::Message, key: text, snapshot: first::User, presence: first::User }
    }
}

#[test]
fn names_and_order_change_nothing() {
    use first as a;
    use renamed as b;
    assert_eq!(hash::<a::Message>(), hash::<b::Note>());
    assert_eq!(hash::<a::Event>(), hash::<b::Change>());
    assert_eq!(hash::<a::Tagged>(), hash::<b::Labelled>());
    assert_eq!(hash::<a::Untagged>(), hash::<b::Loose>());
    assert_eq!(hash::<a::Page<a::Message>>(), hash::<b::Part<b::Note>>());
    assert_eq!(hash::<a::Page<a::Page<a::User>>>(), hash::<b::Part<a::Page<b::Person>>>());
    assert_eq!(hash::<a::Tree>(), hash::<b::Node>());
    assert_eq!(hash::<a::Even>(), hash::<b::Chain>(), "two types that take turns are one in JSON");
    assert_eq!(hash::<a::Counts>(), hash::<b::Tally>());
    assert_eq!(hash::<a::Flat>(), hash::<b::InPlace>());
    assert_eq!(hash::<Option<a::Untagged>>(), hash::<Option<Option<b::Loose>>>());
    assert_eq!(ByText::hash(), ByWords::hash());
    assert_eq!(Watched::hash(), WatchedToo::hash());
    assert_eq!(Stated::hash(), StatedToo::hash());
    assert_eq!(hash::<a::Message>(), Listed::hash(), "what is so by itself may be said");
    assert_eq!(ByText::hash(), Mapped::hash(), "also with a key");
    assert_eq!(
        hash::<a::Message>(),
        Neither::hash(),
        "a topic is what it was before there was presence"
    );
}

#[test]
fn what_is_sent_changes_the_hash() {
    use changed as c;
    use first as a;
    let all = [
        ("message", hash::<a::Message>()),
        ("field renamed", hash::<c::FieldRenamed>()),
        ("field retyped", hash::<c::FieldRetyped>()),
        ("field added", hash::<c::FieldAdded>()),
        ("field gone", hash::<c::FieldGone>()),
        ("required", hash::<c::Required>()),
        ("may be absent", hash::<c::MayBeAbsent>()),
        ("deeper", hash::<c::Deeper>()),
        ("event", hash::<a::Event>()),
        ("variant added", hash::<c::VariantAdded>()),
        ("variant renamed", hash::<c::VariantRenamed>()),
        ("tagged", hash::<a::Tagged>()),
        ("untagged", hash::<a::Untagged>()),
        ("page of messages", hash::<a::Page<a::Message>>()),
        ("page of users", hash::<a::Page<a::User>>()),
        ("list", hash::<Vec<a::User>>()),
        ("pair", hash::<(a::User, a::User)>()),
        ("triple", hash::<(a::User, a::User, a::User)>()),
        ("map", hash::<HashMap<String, a::User>>()),
        ("map by number", hash::<HashMap<u8, a::User>>()),
        ("nullable", hash::<Option<a::User>>()),
        ("tree", hash::<a::Tree>()),
        ("forest", hash::<c::Forest>()),
        ("chain", hash::<a::Even>()),
        ("publish", topic::<a::Message, a::User>()),
        ("publish exchanged", topic::<a::User, a::Message>()),
        ("publish the event", topic::<a::Message, a::Message>()),
        ("key", ByText::hash()),
        ("another key", ByName::hash()),
        ("presence", Watched::hash()),
        ("key and presence", Both::hash()),
        ("snapshot", Stated::hash()),
        ("key and snapshot", KeyedList::hash()),
        ("key, snapshot and presence", All::hash()),
        ("call", call::<a::Message, a::User>()),
        ("call exchanged", call::<a::User, a::Message>()),
        ("call without argument", call::<(), a::Message>()),
        ("call without reply", call::<a::Message, ()>()),
        ("stream", stream::<a::Message, a::User>()),
        ("stream exchanged", stream::<a::User, a::Message>()),
    ];
    for (at, (name, hash)) in all.iter().enumerate() {
        for (other, found) in &all[..at] {
            assert_ne!(hash, found, "{name} and {other}");
        }
    }
}

/// The text that is hashed is a format: a change to it makes every client of an earlier build incompatible.
#[test]
fn the_hash_is_of_this_text() {
    let check_text = |found: SchemaHash, text: &str, expected: &str| {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        let hash = text.bytes().fold(14_695_981_039_346_656_037, fnv);
        assert_eq!(
            (format!("{hash:016x}"), found.to_string()),
            (expected.to_owned(), expected.to_owned()),
            "{text}"
        );
    };
    let check = |found: SchemaHash, event: &str, expected: &str| {
        check_text(found, &format!("topic\nevent {event}\npublish never"), expected);
    };
    check(hash::<String>(), "string", "ab42d78dc4c60370");
    check(hash::<Option<bool>>(), "(boolean|null)", "3d03d245ade8fdb5");
    check(
        hash::<first::Message>(),
        r#"{"at_ms":(null|number),"text":string,"user":{"name":string,"tags":Array<string>}}"#,
        "cccd3148d50a5efa",
    );
    check(
        hash::<first::Tagged>(),
        r#"({"name":string,"tags":Array<string>,"type":"Joined"}|{"type":"Nothing"})"#,
        "29e6bbadc7fdbc97",
    );
    check(
        hash::<HashMap<u8, changed::MayBeAbsent>>(),
        r#"{[number]:{"at_ms"?:number,"text":string,"user":{"name":string,"tags":Array<string>}}}"#,
        "f154209f6085dc8c",
    );
    check(
        hash::<Vec<(first::Tree, first::Even)>>(),
        r##"Array<[#0,#1]>;#0={"children":Array<#0>,"value":number};#1={"next":(#1|null)}"##,
        "d7a397ed718412be",
    );
    check(
        hash::<serde_json::Value>(),
        "#0;#0=(Array<#0>|boolean|null|number|string|{[string]:#0})",
        "c4115dd762214a65",
    );
    let message =
        r#"{"at_ms":(null|number),"text":string,"user":{"name":string,"tags":Array<string>}}"#;
    check_text(
        Both::hash(),
        &format!(
            "topic\nevent {message}\npublish never\nkey \"text\"\npresence {{\"name\":string,\"tags\":Array<string>}}"
        ),
        "d928db59684ce52a",
    );
    let user = r#"{"name":string,"tags":Array<string>}"#;
    check_text(
        All::hash(),
        &format!(
            "topic\nevent {message}\npublish never\nkey \"text\"\nsnapshot {user}\npresence {user}"
        ),
        "b07710d9c8e9ac7b",
    );
    check_text(
        call::<first::User, ()>(),
        "call\nargs {\"name\":string,\"tags\":Array<string>}\nreply null",
        "caaab31034c517a6",
    );
    check_text(
        stream::<first::User, ()>(),
        "call\nargs {\"name\":string,\"tags\":Array<string>}\nitem null",
        "e31b451f62c3b95d",
    );
}

/// Fifteen types that all lead to each other: what they can say is written once for each, not once for each way to it.
#[test]
fn types_that_lead_to_each_other_are_cheap() {
    macro_rules! web {
        ($($name:ident)*) => { web!(@ [$($name)*] $($name)*); };
        (@ $all:tt $($name:ident)*) => { $(web!(@@ $name $all);)* };
        (@@ $name:ident [$($all:ident)*]) => {
            #[derive(Serialize, Deserialize, TS)]
            #[expect(non_snake_case, reason = "a field for each type")]
            struct $name { own: [u8; stringify!($name).len()], $($all: Option<Box<$all>>),* }
        };
    }
    web!(A Bb Ccc Dddd E1 F22 G333 H4444 I5 J66 K777 L8888 M9 N10 O111);
    assert_ne!(hash::<A>(), hash::<Bb>());
    assert_eq!(hash::<E1>(), hash::<E1>());
}
