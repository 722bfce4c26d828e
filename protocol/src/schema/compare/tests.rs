#[path = "../../../tests/shared/of.rs"]
mod of;

use std::collections::BTreeMap;

use of::{Data, Of};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::compare;
use crate::{
    self as protocol,
    schema::{Entry, NoPublish},
};

/// What becomes of a page of the first version at a server of the second, and of a page of the second at a server of the
/// first: `Both` go on, the older page only, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fits {
    Both,
    OlderPage,
    Neither,
}

fn check_entries(what: &str, before: Entry, after: Entry, expected: Fits) -> String {
    let parts = (after.parts)();
    let (earlier, now) = (before.canonical(&(before.parts)()), after.canonical(&parts));
    assert_ne!(earlier, now, "{what}: it is no change");
    let result = compare(after.kind, &earlier, &now, &parts);
    let found = match &result {
        Ok(true) => Fits::Both,
        Ok(false) => Fits::OlderPage,
        Err(_) => Fits::Neither,
    };
    assert_eq!(found, expected, "{what}: {result:?}");
    result.err().unwrap_or_default()
}

/// A change of what goes to pages, and the same change of what they send.
fn check<Before: Data, After: Data>(what: &str, to_pages: Fits, to_server: Fits) -> [String; 2] {
    let event = |what: &str| {
        check_entries(
            what,
            Entry::topic::<Of<Before, NoPublish>>(""),
            Entry::topic::<Of<After, NoPublish>>(""),
            to_pages,
        )
    };
    let why = event(&format!("event: {what}"));
    let (before, after) = (Entry::call::<Of<(), Before>>(""), Entry::call::<Of<(), After>>(""));
    check_entries(&format!("reply: {what}"), before, after, to_pages);
    let (before, after) = (Entry::call::<Of<Before, ()>>(""), Entry::call::<Of<After, ()>>(""));
    check_entries(&format!("args: {what}"), before, after, to_server);
    let (before, after) = (Entry::stream::<Of<(), Before>>(""), Entry::stream::<Of<(), After>>(""));
    check_entries(&format!("item: {what}"), before, after, to_pages);
    let (before, after) = (Entry::stream::<Of<Before, ()>>(""), Entry::stream::<Of<After, ()>>(""));
    check_entries(&format!("args of a stream: {what}"), before, after, to_server);
    let published = check_entries(
        &format!("publish: {what}"),
        Entry::topic::<Of<u8, Before>>(""),
        Entry::topic::<Of<u8, After>>(""),
        to_server,
    );
    [why, published]
}

macro_rules! types {
    ($($item:item)*) => { $(#[derive(Serialize, Deserialize, TS)] $item)* };
}

types! {
    struct Note { text: String }
    struct Dated { text: String, at: u64 }
    struct MaybeNull { text: String, at: Option<u64> }
    struct MaybeAbsent { text: String, #[ts(optional)] #[serde(skip_serializing_if = "Option::is_none")] at: Option<u64> }
    struct Defaulted { text: String, #[serde(default)] at: u64 }
    struct Formatted { #[ts(type = "string")] id: Id, text: String }
    struct FormattedDated { #[ts(type = "string")] id: Id, text: String, #[serde(default)] at: u64 }
    struct Numbered { text: u64 }
    struct MaybeText { text: Option<String> }
    struct Words { text: Vec<String> }
    struct Letter { text: Letters }
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Letters { A, B }
    enum MoreLetters { A, B, C }
    enum Said { Text(String), Left }
    enum SaidMore { Text(String), Left, Pasted { html: String } }
    enum SaidLonger { Text(Note), Left }
    #[serde(tag = "type")]
    enum Tagged { Said { text: String }, Left }
    #[serde(tag = "type")]
    enum TaggedDated { Said { text: String, at: u64 }, Left { why: String } }
    #[serde(tag = "type")]
    enum TaggedMaybe { Said { text: String, at: Option<u64> }, Left }
    struct Tree { value: u8, children: Vec<Self> }
    struct NamedTree { value: u8, name: String, children: Vec<Self> }
    struct Inner { note: Note }
    struct InnerDated { note: Dated }
    struct InnerMaybe { note: MaybeNull }
    struct ByLetter { counts: BTreeMap<Letters, u8> }
    struct ByText { counts: BTreeMap<String, u8> }
    struct Empty {}
    #[serde(deny_unknown_fields)]
    struct Strict { text: String, #[serde(default)] at: Option<u64> }
    #[serde(untagged)]
    enum Loose { Text(String), Count(u32) }
    #[serde(untagged)]
    enum Looser { Text(String), Count(u32), Both { text: String, count: u32 } }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Id(String);

/// An id has a format, which TypeScript does not know.
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() != 36 {
            return Err(serde::de::Error::custom("an id has 36 letters"));
        }
        Ok(Self(text))
    }
}

/// Every kind of change of what is sent, each in both directions.
#[test]
fn a_change_is_safe_or_not_by_the_way_that_data_goes() {
    use Fits::{Both, Neither, OlderPage};
    check::<Note, Dated>("a field more", Both, Neither);
    check::<Dated, Note>("a field less", Neither, Neither);
    check::<Note, MaybeAbsent>("a field more that may be absent", Both, Both);
    check::<Note, MaybeNull>("a field more that may be null", Both, Both);
    check::<Note, Defaulted>("a field more with a default", Both, Both);
    check::<Formatted, FormattedDated>("the same beside a text of some format", Both, Both);
    check::<MaybeAbsent, Note>("a field less that may be absent", Both, Neither);
    check::<MaybeAbsent, Dated>("a field must be there now", Both, Neither);
    check::<Dated, MaybeAbsent>("a field may be absent now", Neither, OlderPage);
    check::<Dated, MaybeNull>("a field may be null now", Neither, OlderPage);
    check::<MaybeNull, Dated>("a field may not be null any more", OlderPage, Neither);
    check::<Note, Numbered>("another type", Neither, Neither);
    check::<Note, Words>("a list instead of one", Neither, Neither);
    check::<Note, MaybeText>("null too", Neither, OlderPage);
    check::<Letter, Note>("any text instead of some", Neither, OlderPage);
    check::<Note, Letter>("some texts instead of any", OlderPage, Neither);
    check::<Letters, MoreLetters>("a variant more", Neither, OlderPage);
    check::<MoreLetters, Letters>("a variant less", OlderPage, Neither);
    check::<Said, SaidMore>("a variant with data more", Neither, OlderPage);
    check::<Said, SaidLonger>("a variant holds something else", Neither, Neither);
    check::<Tagged, TaggedDated>("fields more in variants", Both, Neither);
    check::<Tagged, TaggedMaybe>("a field more in a variant that may be null", Both, Both);
    check::<Tree, NamedTree>("a field more in a type that contains itself", Both, Neither);
    check::<Inner, InnerDated>("a field more deeper", Both, Neither);
    check::<Inner, InnerMaybe>("a field more deeper that may be null", Both, Both);
    check::<Vec<Note>, Vec<Dated>>("a field more in a list", Both, Neither);
    check::<(u8, String), (u8, String, u8)>("a longer tuple", Neither, Neither);
    check::<(u8, u8), Vec<u8>>("a list instead of a tuple", Neither, OlderPage);
    check::<ByLetter, ByText>("any key instead of some", Neither, OlderPage);
    check::<Empty, Note>("the first field", Both, Neither);
    check::<(), Note>("something instead of nothing", Neither, Neither);
    check::<Note, serde_json::Value>("anything instead of something", Neither, OlderPage);
    check::<Loose, Looser>("a variant more without a tag", Neither, OlderPage);
    check::<Note, Strict>("a field more where others are refused", Both, Both);
}

#[test]
fn what_does_not_fit_is_named() {
    use Fits::{Both, Neither, OlderPage};
    let check_texts = |[to_pages, to_server]: [String; 2], event: &str, publish: &str| {
        assert_eq!((&*to_pages, &*to_server), (event, publish));
    };
    check_texts(
        check::<InnerDated, Inner>("less", Neither, Neither),
        "`event.note.at` may be absent now, and older pages need it",
        "older pages send `publish.note.at`, which would be ignored now",
    );
    check_texts(
        check::<Tagged, TaggedDated>("more", Both, Neither),
        "",
        "older pages do not send `publish.at`: make it an `Option`, or give it `#[serde(default)]`",
    );
    check_texts(
        check::<Letters, MoreLetters>("a variant", Neither, OlderPage),
        "`event` may be `\"C\"` now, and older pages know it as `\"A\"|\"B\"`",
        "",
    );
    check_texts(
        check::<Vec<Note>, Vec<Numbered>>("another type", Neither, Neither),
        "`event[].text` may be `number` now, and older pages know it as `string`",
        "older pages send `string` as `publish[].text`, which must be `number` now",
    );
}

crate::schema! {
    /// One topic with more and more parts.
    schema Parts {
        topic Plain = "a" { event: Dated }
        topic Published = "b" { event: Dated, publish: Note }
        topic Keyed = "c" { event: Dated, key: text }
        topic KeyedElse = "d" { event: Dated, key: at }
        topic Shown = "e" { event: Dated, presence: Note }
        topic ShownMore = "f" { event: Dated, presence: Dated }
        topic Stated = "g" { event: Dated, snapshot: Note }
        topic StatedMore = "h" { event: Dated, snapshot: Dated }
        topic Listed = "i" { event: Dated, snapshot: Vec<Note> }
        call Ask = "j" () -> Dated;
        stream Tail = "k" () -> Dated;
    }
}

#[test]
fn a_topic_may_gain_what_nobody_asks_for_yet() {
    let topic = |at: usize| <Parts as crate::schema::Schema>::ENTRIES[at];
    let (plain, published, keyed, keyed_else, shown, shown_more) =
        (topic(0), topic(1), topic(2), topic(3), topic(4), topic(5));
    let (stated, stated_more, listed) = (topic(6), topic(7), topic(8));
    let (ask, tail) = (topic(9), topic(10));
    for (what, before, after, expected) in [
        ("a publish", plain, published, Fits::Both),
        ("no publish", published, plain, Fits::Neither),
        ("a key", plain, keyed, Fits::Neither),
        ("no key", keyed, plain, Fits::Neither),
        ("another key", keyed, keyed_else, Fits::Neither),
        ("presence", plain, shown, Fits::Both),
        ("no presence", shown, plain, Fits::Neither),
        ("more of a member", shown, shown_more, Fits::Both),
        ("less of a member", shown_more, shown, Fits::Neither),
        ("a snapshot", plain, stated, Fits::Neither),
        ("a snapshot of the same kind", listed, plain, Fits::Both),
        ("a smaller snapshot of the same kind", plain, listed, Fits::Neither),
        ("more of a snapshot", stated, stated_more, Fits::Both),
        ("a call", plain, ask, Fits::Neither),
        ("a stream", ask, tail, Fits::Neither),
        ("no stream", tail, ask, Fits::Neither),
    ] {
        check_entries(what, before, after, expected);
    }
}
