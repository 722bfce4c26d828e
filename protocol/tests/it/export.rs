//! The TypeScript module of a schema: `export.ts` as a whole, and each refusal.

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};
use tidewire_protocol::schema::ExportError;
use ts_rs::TS;

/// One line, with a */ in it.
#[derive(Serialize, Deserialize, TS)]
struct Author {
    name: String,
    /// Since when, in milliseconds.
    since_ms: u64,
}

/// Several lines,
/// with a list:
///
/// - one
#[derive(Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
struct Post {
    written_by: Author,
    /// A closed list
    /// of words.
    topic_tags: Vec<Tag>,
    edited_at: Option<f64>,
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<u32>,
    likes_by_user: HashMap<String, u32>,
    counts: BTreeMap<Tag, u32>,
    #[serde(rename = "content-type")]
    content_type: String,
    position: (i32, i32),
    extra: serde_json::Value,
    #[serde(flatten)]
    place: Place,
}

#[derive(Serialize, Deserialize, TS)]
struct Place {
    city: String,
}

#[derive(Serialize, Deserialize, TS, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    Rust,
    TypeScript,
}

#[derive(Serialize, Deserialize, TS)]
enum Change {
    Nothing,
    Renamed(String),
    Moved {
        /// Where it was.
        from: Place,
        to: Place,
    },
}

#[derive(Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Activity {
    SignedIn(Author),
    SignedOut,
    Typed { letters: u8, somewhere: Option<Place>, at: Vec<Option<Place>>, more: Vec<(Place, Tag)> },
}

#[derive(Serialize, Deserialize, TS)]
#[serde(tag = "kind", content = "data")]
enum Signal {
    Offer(String),
    Hangup,
}

#[derive(Serialize, Deserialize, TS)]
#[serde(untagged)]
enum Loose {
    Text(String),
    Numbers(Vec<f64>),
}

#[derive(Serialize, Deserialize, TS)]
struct Page<Item, Cursor = String> {
    items: Vec<Item>,
    next: Option<Cursor>,
}

#[derive(Serialize, Deserialize, TS)]
struct Comment {
    text: String,
    answers: Vec<Self>,
}

/// Who is where.
#[derive(Serialize, Deserialize, TS)]
struct Standing {
    place: Place,
    by: Author,
}

#[derive(Serialize, Deserialize, TS)]
struct Nothing {}

#[derive(Serialize, Deserialize, TS)]
struct Id(String);

tidewire_protocol::schema! {
    /// All that the export can write.
    schema SampleForum {
        /// Posts of a forum.
        topic Posts { forum: String } = "forum:{forum}" { event: Post, publish: Page<Page<Post, u8>> }
        /// What people do there,
        /// second by second.
        topic Live { forum: String } = "forum:{forum}:live" { event: Activity, publish: Option<Change> }
        topic Comments { post: u32, by: String } = "comments:{post}:by:{by}" { event: Vec<Comment> }
        topic Signals = "signals" { event: Signal, publish: Loose }
        topic Odd = "a \"quoted\" `name` $x" { event: (Nothing, Id), publish: () }
        topic ByType { forum: String } = "forum:{forum}:by-type" { event: Post, key: content_type = "content-type" }
        topic Hall = "hall" { event: Place, publish: (), key: city, presence: Option<Author>, }
        topic Door = "door" { event: Tag, presence: Tag }
        topic Board = "board" { event: Place, key: city, snapshot: Page<Standing> }
        /// Opens a forum.
        call OpenForum = "forums.open" (Place) -> Page<Author>;
        call Now = "a \"quoted\" call" () -> f64;
        /// What is written in a forum,
        /// from now on.
        stream Watch = "forums.watch" (Place) -> Change;
        stream Ticks = "ticks" () -> f64;
    }
}

#[test]
fn a_module_is_as_it_was() {
    SampleForum::check("tests/it/export.ts").unwrap();
}

/// A path in an empty folder for one test.
fn file(test: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export").join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

mod two_posts {
    tidewire_protocol::schema! {
        schema Other { topic Posts = "posts" { event: super::Place } }
    }

    pub(super) fn module() -> String {
        Other::typescript().unwrap()
    }
}

#[test]
fn a_file_is_written_once_and_checked() {
    let path = file("written", "new/folder/forum.ts");
    let error = SampleForum::check(&path).unwrap_err();
    assert!(
        matches!(&error, ExportError::Stale { difference, .. } if difference.starts_with("@@ line 1 @@\n+ //"))
    );
    SampleForum::export(&path).unwrap();
    SampleForum::check(&path).unwrap();

    let module = fs::read_to_string(&path).unwrap();
    let written = fs::metadata(&path).unwrap().modified().unwrap();
    SampleForum::export(&path).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().modified().unwrap(),
        written,
        "an equal file is left alone"
    );

    fs::write(&path, module.replace('\n', "\r\n")).unwrap();
    SampleForum::check(&path).unwrap();

    let changed = module.replace("  name: string;\n", "  name: number;\n  nick: string;\n");
    fs::write(&path, format!("{changed}// mine\n")).unwrap();
    let message = format!("{:?}", SampleForum::check(&path).unwrap_err());
    assert!(
        message.contains("write it again by `TIDEWIRE_WRITE=1 cargo test -p tidewire-protocol`"),
        "{message}"
    );
    let line = 1 + module.lines().position(|line| line == "  name: string;").unwrap();
    let last = 1 + changed.lines().count();
    let difference = format!(
        "\n@@ line {line} @@\n-   name: number;\n-   nick: string;\n+   name: string;\n@@ line {last} @@\n- // mine\n"
    );
    assert!(message.ends_with(&difference), "{message}");
}

/// Checks are run by a copy of these tests, because the environment is theirs alone.
#[test]
fn a_check_writes_where_it_is_told_to() {
    const PATH: &str = "TIDEWIRE_TEST_PATH";
    if let Some(path) = env::var_os(PATH) {
        return SampleForum::check(path).unwrap();
    }
    let path = file("told", "forum.ts");
    let succeeds = |name: &str, value: &str| {
        let mut tests = Command::new(env::current_exe().unwrap());
        tests.args(["--exact", "export::a_check_writes_where_it_is_told_to"]);
        tests.env(PATH, &path).env(name, value).stdout(Stdio::null()).stderr(Stdio::null());
        tests.status().unwrap().success()
    };
    assert!(!succeeds("TIDEWIRE_WRITE", "0"));
    assert!(succeeds("TIDEWIRE_WRITE", "1"));
    assert_eq!(fs::read_to_string(&path).unwrap(), SampleForum::typescript().unwrap());
    assert!(succeeds("TIDEWIRE_WRITE", "0"));
}

#[test]
fn what_the_file_system_refuses_is_said() {
    let folder = file("refused", "a-folder");
    fs::create_dir_all(&folder).unwrap();
    for result in [SampleForum::check(&folder), SampleForum::export(&folder)] {
        let error = result.unwrap_err();
        assert!(matches!(&error, ExportError::Io { path, .. } if *path == folder), "{error}");
    }
}

/// Declares a schema in a module of its own and gives the error of its export.
macro_rules! refused {
    ([$($item:item)*] $($entries:tt)*) => {{
        mod declared {
            $(#[derive(serde::Serialize, serde::Deserialize, ts_rs::TS)] $item)*
            tidewire_protocol::schema! { pub(super) schema Bad { $($entries)* } }
        }
        let error = declared::Bad::typescript().expect_err("a refusal");
        (error.to_string(), error)
    }};
}

#[test]
fn a_name_that_could_match_two_patterns_is_refused() {
    let (text, error) = refused! {
        []
        topic Room { room: String } = "chat:{room}" { event: () }
        topic Log { room: String } = "chat:{room}:log" { event: () }
        topic Lobby = "chat:lobby" { event: () }
    };
    assert!(matches!(error, ExportError::Overlap("chat:{room}", "chat:lobby")), "{text}");
}

#[test]
fn a_key_that_json_does_not_have_is_refused() {
    let (text, error) = refused! {
        [
            #[serde(rename_all = "camelCase")] pub(super) struct Seen { user_id: u8 }
            pub(super) struct Linked { id: u8, next: Option<Box<Self>> }
            pub(super) enum Choice { One(u8), Other(u8) }
            pub(super) struct Mixed { id: u8, #[serde(flatten)] choice: Choice }
        ]
        topic List = "list" { event: Linked, key: id }
        topic Mix = "mix" { event: Mixed, key: id }
        topic Read = "read" { event: Seen, key: user_id = "userId" }
        topic Users = "users" { event: Seen, key: user_id }
    };
    assert!(matches!(error, ExportError::Key { topic: "users", key: "user_id", .. }), "{text}");
    assert!(text.contains("declared::Seen` has no such field in JSON"), "{text}");
}

#[test]
fn two_types_of_one_name_are_refused() {
    let (text, _) = refused! {
        [pub(super) struct Place { zip: u32 }]
        topic Here = "here" { event: Place }
        topic There = "there" { event: Vec<super::Place> }
    };
    assert!(
        text.contains("declared::Place` and `it::export::Place` both export as `Place`"),
        "{text}"
    );
    let (text, _) = refused! {
        [
            #[ts(concrete(T = String))] pub(super) struct Any<T: From<String>> { value: T, #[ts(as = "u8")] other: T }
            #[ts(rename = "Any")] pub(super) struct Second { value: String }
        ]
        topic Here = "here" { event: (Any<String>, Second) }
    };
    assert!(text.contains("both export as `Any`"), "{text}");
    assert!(
        two_posts::module().contains("export type Place"),
        "other schemas have names of their own"
    );
}

#[test]
fn names_that_the_module_uses_are_refused() {
    let (text, _) = refused! {
        [pub(super) struct Schema { zip: u32 }]
        topic Here = "here" { event: Schema }
    };
    assert!(text.contains("`the module itself` and `it::export"), "{text}");
    assert!(text.contains("both export as `Schema`"), "{text}");
    let (text, _) = refused! {
        [pub(super) struct BadCalls { zip: u32 }]
        topic Here = "here" { event: BadCalls }
        call There = "there" () -> ();
    };
    assert!(text.contains("both export as `BadCalls`"), "{text}");
}

#[test]
fn what_cannot_be_read_is_refused() {
    let (text, _) = refused! {
        [pub(super) struct Call { #[ts(type = "(a: string) => void")] back: String }]
        topic Here = "here" { event: Call }
    };
    assert!(text.contains("declared::Call` exports as `{ back: (a: string) => void, }`"), "{text}");
    let (text, _) = refused! {
        [pub(super) struct Quoted { #[serde(rename = "a \"b\"")] field: String }]
        topic Here = "here" { event: Quoted }
    };
    assert!(text.contains("declared::Quoted` exports as"), "{text}");
    let (text, _) = refused! {
        [#[ts(rename = "not a name")] pub(super) struct Spaced { field: String }]
        topic Here = "here" { event: Spaced }
    };
    assert!(text.contains("declared::Spaced` exports as"), "{text}");
}
