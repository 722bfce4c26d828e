//! `schema!`: what its types do.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tidewire_protocol::{
    name::{FillError, Pattern},
    schema::{Call, NoPresence, NoPublish, Schema, StreamingCall, TypedTopic},
};
use ts_rs::TS;

#[derive(Serialize, Deserialize, TS)]
struct Quote {
    price: f64,
}

#[derive(Serialize, Deserialize, TS)]
struct Seat {
    row: u16,
    r#type: Box<char>,
}

#[derive(Serialize, Deserialize, TS)]
struct Order {
    market: u16,
}

tidewire_protocol::schema! {
    /// Everything a market says.
    ///
    /// In one schema.
    #[derive(PartialEq)]
    schema Market {
        /// The best price.
        #[derive(Copy)]
        topic Price { /// The number of the market.
            market: u16, r#type: char } = "price:{type}:{market}" { event: Quote }
        topic News = "news:all" { event: String, publish: Vec<String>, }
        topic Rows = "rows" { event: Seat, key: row, presence: String }
        topic Types = "types" { event: Box<Seat>, publish: (), key: r#type }
        topic Named = "named" { event: Seat, key: r#type = "kind", }
        topic Board = "board" { event: Seat, publish: (), key: row, snapshot: Option<Order>, presence: String }
        topic Tape = "tape" { event: Quote, snapshot: String, }
        /// Buys at the best price.
        #[derive(Default)]
        call Buy = "orders.buy" (Order) -> Quote;
        call Open = "markets.open" () -> Vec<u16>;
        call Nap = "nap" (()) -> ();
        /// Each trade from now on.
        #[derive(Default)]
        stream Trades = "trades" (Order) -> Quote;
        stream Ticks = "ticks" () -> u16;
    }
}

#[test]
fn a_topic_and_its_name_determine_each_other() {
    let check = |market, r#type, name: &str| {
        let price = Price { market, r#type };
        let topic = price.topic().expect("a name");
        assert_eq!(topic.as_str(), name);
        assert_eq!(from_name(name), Some(price));
    };
    check(7, 'a', "price:a:7");
    check(0, ':', "price:%3A:0");
    check(65535, 'ß', "price:%C3%9F:65535");
    assert_eq!(News.topic().as_deref(), Ok("news:all"));
    assert_eq!(
        News::from_params(&News::pattern().matches("news:all").expect("a match")),
        Some(News)
    );
}

fn from_name(name: &str) -> Option<Price> {
    Price::from_params(&Price::pattern().matches(name)?)
}

#[test]
fn a_value_has_one_text() {
    for name in [
        "price:a:07",
        "price:a:+7",
        "price:a:65536",
        "price:a:x",
        "price:ab:7",
        "price:a",
        "price:a:",
    ] {
        assert_eq!(from_name(name), None, "{name}");
    }
    let other = Pattern::parse("price:{market}").expect("a pattern");
    assert_eq!(
        Price::from_params(&other.matches("price:7").expect("a match")),
        None,
        "a parameter is missing"
    );
}

mod long {
    tidewire_protocol::schema! {
        pub(super) schema Long { topic Note { text: String } = "{text}" { event: () } }
    }
}

#[test]
fn what_makes_no_name_says_so() {
    let name = |text: &str| long::Note { text: text.into() }.topic();
    assert_eq!(name(""), Err(FillError::Empty("text".into())));
    assert_eq!(name(&"x".repeat(256)), Err(FillError::TooLong));
    assert!(name(&"x".repeat(255)).is_ok());
    assert_eq!(long::Long::ENTRIES.len(), 1);
}

#[test]
fn a_schema_lists_its_entries() {
    assert_eq!((Market::NAME, Market::MODULE), ("Market", "it::schema"));
    assert_eq!(Market::DOCS, " Everything a market says.\n\n In one schema.\n");
    let entries: Vec<_> = Market::ENTRIES.iter().map(|entry| (entry.key(), entry.hash())).collect();
    assert_eq!(
        entries,
        [
            ("price:{type}:{market}", Price::hash()),
            ("news:all", News::hash()),
            ("rows", Rows::hash()),
            ("types", Types::hash()),
            ("named", Named::hash()),
            ("board", Board::hash()),
            ("tape", Tape::hash()),
            ("orders.buy", Buy::hash()),
            ("markets.open", Open::hash()),
            ("nap", Nap::hash()),
            ("trades", Trades::hash()),
            ("ticks", Ticks::hash()),
        ]
    );
    assert_eq!(
        HashSet::from([Price { market: 1, r#type: 'a' }, Price { market: 1, r#type: 'a' }]).len(),
        1
    );
}

#[test]
fn nothing_can_be_published_where_no_type_is_declared() {
    fn is_none<T: TypedTopic<Publish = NoPublish>>() {}
    is_none::<Price>();
    let error =
        serde_json::from_str::<<Price as TypedTopic>::Publish>("null").expect_err("no such value");
    assert!(error.to_string().contains("nothing can be published"), "{error}");
}

#[test]
fn a_key_is_the_text_of_a_field() {
    let seat = || Seat { row: 7, r#type: Box::new('ß') };
    assert_eq!((Rows::KEY, Rows::key_of(&seat()).as_deref()), (Some("row"), Some("7")));
    assert_eq!(
        (Types::KEY, Types::key_of(&Box::new(seat())).as_deref()),
        (Some("type"), Some("ß"))
    );
    assert_eq!((Named::KEY, Named::key_of(&seat()).as_deref()), (Some("kind"), Some("ß")));
    assert_eq!((Price::KEY, Price::key_of(&Quote { price: 1.0 })), (None, None));
    assert_eq!([Rows::KEYED, Types::KEYED, Named::KEYED, Price::KEYED], [true, true, true, false]);
}

#[test]
fn a_snapshot_is_what_is_declared_or_what_tidewire_makes() {
    fn is<T: TypedTopic<Snapshot = Snapshot>, Snapshot>() {}
    is::<Board, Option<Order>>();
    is::<Tape, String>();
    is::<News, Vec<String>>();
    is::<Rows, BTreeMap<String, Seat>>();
    is::<Types, BTreeMap<String, Box<Seat>>>();
}

#[test]
fn nobody_is_shown_where_no_presence_is_declared() {
    fn is<T: TypedTopic<Presence = Presence>, Presence>() {}
    is::<Rows, String>();
    is::<Types, NoPresence>();
    is::<News, NoPresence>();
    let error = serde_json::from_str::<NoPresence>("null").expect_err("no such value");
    assert!(error.to_string().contains("no presence"), "{error}");
}

#[test]
fn a_call_has_a_name_and_types() {
    fn name<C: Call<Args = Args, Reply = Reply>, Args, Reply>(_: C) -> &'static str {
        C::NAME
    }
    assert_eq!(name::<Buy, Order, Quote>(Default::default()), "orders.buy");
    assert_eq!(name::<_, (), Vec<u16>>(Open), "markets.open");
    assert_eq!(name::<_, (), ()>(Nap), "nap");
}

#[test]
fn a_stream_has_a_name_and_types() {
    fn name<C: StreamingCall<Args = Args, Item = Item>, Args, Item>(_: C) -> &'static str {
        C::NAME
    }
    assert_eq!(name::<Trades, Order, Quote>(Default::default()), "trades");
    assert_eq!(name::<_, (), u16>(Ticks), "ticks");
}
