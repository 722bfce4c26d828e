//! Whether a Rust type reads and writes the JSON that its TypeScript speaks of: tried with samples.
//!
//! ts-rs sees the attributes of serde that it knows, and passes over the others in silence. What serde really does only
//! serde can say: so samples are made of the TypeScript, read as the Rust type, written again, and compared. Every choice
//! that a shape leaves (a variant, a field that may be absent, a list that may be empty) is taken in some sample.
//!
//! A text may have a format that TypeScript does not know. Some are tried; where none is taken nothing is claimed.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{
    conform::{Fault, conforms},
    entry::Round,
    fit::alternatives,
    shape::{Form, Shape},
};

/// How many samples of a shape are tried.
const SAMPLES: usize = 200;
/// How many texts are tried of one sample.
const TRIES: usize = 100;
/// How deep samples go where a type contains itself.
const DEPTH: usize = 4;
/// Deeper than any type that ends.
const GIVE_UP: usize = 64;

/// Formats that texts have, the plainest first.
const TEXTS: [&str; 14] = [
    "a",
    "1",
    "00000000-0000-4000-8000-000000000000",
    "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05",
    "2026-01-02",
    "03:04:05",
    "2026-01-02 3:04:05.0 +00:00:00",
    "127.0.0.1",
    "https://a.example/",
    "1.0.0",
    "Mon",
    "January",
    "YQ==",
];
/// What integers are; fractions are no numbers to them.
const NUMBERS: [&str; 3] = ["1", "0", "-1"];
/// Where TypeScript says nothing.
const ANYTHING: [&str; 6] = ["null", "1", "\"a\"", "true", "[]", "{}"];

/// Whether the type reads every sample of a shape, whatever else it writes.
pub(super) fn reads_all(shape: &Shape, round: Round) -> bool {
    each(shape, |sample| sample.attempt(round).is_ok_and(|value| value.is_some()))
}

/// Looks for a sample that the type does not read, or of which it writes something else.
///
/// What goes `to_pages` is written by Rust; of it only that matters.
pub(super) fn check(shape: &Shape, round: Round, to_pages: bool) -> Result<(), Fault> {
    let mut found = Ok(());
    each(shape, |sample| {
        let outcome = match sample.attempt(round) {
            // Rust writes every field: it need not read what lacks some.
            Err(_) if to_pages && sample.lacks_fields => Ok(()),
            Err(fault) => Err(fault),
            Ok(Some(Some(value))) if to_pages => conforms(shape, &shape.root, &value, ""),
            Ok(_) => Ok(()),
        };
        found = outcome;
        found.is_ok()
    });
    found
}

/// Calls for the samples of a shape, as long as it is told to go on; whether it was.
fn each(shape: &Shape, mut call: impl FnMut(&mut Sample) -> bool) -> bool {
    // In order of how many choices differ from the first ways, so that each way is taken early.
    let mut open = VecDeque::from([Vec::new()]);
    let mut made = 0;
    while let Some(prefix) = open.pop_front() {
        let fixed = prefix.len();
        let mut build = Build {
            shape,
            choices: prefix,
            at: 0,
            ways: Vec::new(),
            leaves: Vec::new(),
            lacks_fields: false,
        };
        let tree = build.tree(&shape.root, 0);
        made += 1;
        if made > SAMPLES {
            return true;
        }
        // Of the choices beyond those that were given each is taken once in its other ways.
        for at in fixed..build.ways.len() {
            for way in 1..build.ways[at] {
                let mut choices = build.choices[..at].to_vec();
                choices.push(way);
                open.push_back(choices);
            }
        }
        let Some(tree) = tree else { continue };
        let mut sample = Sample { tree, leaves: build.leaves, lacks_fields: build.lacks_fields };
        if !call(&mut sample) {
            return false;
        }
    }
    true
}

/// A value in the making.
struct Build<'a> {
    shape: &'a Shape,
    /// The way that was taken at each choice.
    choices: Vec<usize>,
    at: usize,
    /// How many ways there were at each.
    ways: Vec<usize>,
    leaves: Vec<Leaf>,
    lacks_fields: bool,
}

/// A text or number that may be another.
#[derive(Clone, Copy)]
struct Leaf {
    kind: LeafKind,
    pick: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeafKind {
    Text,
    Number,
    Anything,
}

impl Leaf {
    fn values(self) -> &'static [&'static str] {
        match self.kind {
            LeafKind::Text => &TEXTS,
            LeafKind::Number => &NUMBERS,
            LeafKind::Anything => &ANYTHING,
        }
    }

    /// Takes the next value, if there is one.
    fn advance(&mut self) -> bool {
        let is_left = self.pick + 1 < self.values().len();
        self.pick += usize::from(is_left);
        is_left
    }
}

enum Tree {
    Leaf(usize),
    /// As it stands in JSON.
    Literal(String),
    List(Vec<Self>),
    Fields(Vec<(Key, Self)>),
}

enum Key {
    /// As it stands in JSON.
    Name(String),
    Leaf(usize),
}

impl Build<'_> {
    fn choose(&mut self, ways: usize) -> usize {
        let at = self.at;
        self.at += 1;
        if at == self.choices.len() {
            self.choices.push(0);
        }
        self.ways.push(ways);
        self.choices[at].min(ways - 1)
    }

    fn leaf(&mut self, kind: LeafKind) -> usize {
        self.leaves.push(Leaf { kind, pick: 0 });
        self.leaves.len() - 1
    }

    /// `None` where the type has no value that ends, or none that is known.
    fn tree(&mut self, form: &Form, depth: usize) -> Option<Tree> {
        if depth > GIVE_UP {
            return None;
        }
        let mut forms = alternatives(self.shape, form);
        let is_deep = depth > DEPTH;
        if is_deep {
            // What leads no deeper comes first.
            forms.sort_by_key(|form| !matches!(form, Form::Literal(_) | Form::Named(..)));
        } else {
            forms.sort_by_key(|form| matches!(form, Form::Named(name, _) if name == "null"));
        }
        let way = match forms.len() {
            0 => return None,
            1 => 0,
            _ if is_deep => 0,
            ways => self.choose(ways),
        };
        match &forms[way] {
            Form::Literal(text) => Some(Tree::Literal(text.clone())),
            Form::Named(name, _) => match name.as_str() {
                "string" => Some(Tree::Leaf(self.leaf(LeafKind::Text))),
                "number" => Some(Tree::Leaf(self.leaf(LeafKind::Number))),
                "unknown" | "any" => Some(Tree::Leaf(self.leaf(LeafKind::Anything))),
                "null" => Some(Tree::Literal("null".into())),
                _ => None,
            },
            Form::Array(_) | Form::Map { .. } if is_deep => Some(match &forms[way] {
                Form::Array(_) => Tree::List(Vec::new()),
                _ => Tree::Fields(Vec::new()),
            }),
            Form::Array(form) => Some(Tree::List(match self.choose(2) {
                0 => vec![self.tree(form, depth + 1)?],
                _ => Vec::new(),
            })),
            Form::Tuple(forms) => forms
                .iter()
                .map(|form| self.tree(form, depth + 1))
                .collect::<Option<_>>()
                .map(Tree::List),
            Form::Map { key, value, .. } => self.map(key, value, depth),
            Form::Object(fields) => self.fields(fields, depth, is_deep),
            Form::Union(_) | Form::Intersection(_) | Form::Recursive(_) => None,
        }
    }

    fn map(&mut self, key: &Form, value: &Form, depth: usize) -> Option<Tree> {
        if self.choose(2) == 1 {
            return Some(Tree::Fields(Vec::new()));
        }
        let key = match alternatives(self.shape, key).first()? {
            Form::Literal(text) if text.starts_with('"') => Key::Name(text.clone()),
            Form::Named(name, _) if name == "string" => Key::Leaf(self.leaf(LeafKind::Text)),
            Form::Named(name, _) if name == "number" => Key::Name("\"1\"".into()),
            _ => return None,
        };
        Some(Tree::Fields(vec![(key, self.tree(value, depth + 1)?)]))
    }

    fn fields(
        &mut self,
        fields: &BTreeMap<String, (bool, Form)>,
        depth: usize,
        is_deep: bool,
    ) -> Option<Tree> {
        let mut all = Vec::new();
        for (name, (optional, form)) in fields {
            if *optional && (is_deep || self.choose(2) == 1) {
                self.lacks_fields = true;
                continue;
            }
            all.push((Key::Name(format!("\"{name}\"")), self.tree(form, depth + 1)?));
        }
        Some(Tree::Fields(all))
    }
}

/// A value that TypeScript allows.
struct Sample {
    tree: Tree,
    leaves: Vec<Leaf>,
    /// Fields that may be absent are.
    lacks_fields: bool,
}

/// What stands on a line of a sample's text, so that the place of an error says what it is about.
struct Line {
    path: String,
    leaf: Option<usize>,
}

impl Sample {
    /// Reads the sample as the type.
    ///
    /// `None` where that does not show anything; within it what the type writes.
    fn attempt(&mut self, round: Round) -> Result<Option<Option<Value>>, Fault> {
        for _ in 0..TRIES {
            let mut out = Text::default();
            out.write(&self.tree, &self.leaves, "");
            let error = match round(&out.text) {
                Ok(value) => return Ok(Some(value)),
                Err(error) => error,
            };
            let line = error.line().checked_sub(1).and_then(|at| out.lines.get(at));
            let leaf = line.and_then(|line| line.leaf);
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let is_known = match leaf {
                Some(at) => self.leaves[at].kind != LeafKind::Anything,
                None => self.leaves.iter().all(|leaf| leaf.kind != LeafKind::Anything),
            };
            if is_known && is_of_structure(message, &out.text) {
                let path = line.map(|line| line.path.clone()).unwrap_or_default();
                return Err(Fault { path, what: format!("reading gives: {message}") });
            }
            if !self.try_another(leaf) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Takes the next value for a leaf; for all texts where it is not known which one is wrong.
    fn try_another(&mut self, leaf: Option<usize>) -> bool {
        match leaf {
            Some(at) => self.leaves[at].advance(),
            None => {
                let texts = self.leaves.iter_mut().filter(|leaf| leaf.kind == LeafKind::Text);
                texts.filter_map(|leaf| leaf.advance().then_some(())).count() > 0
            }
        }
    }
}

/// Whether an error is about what the JSON looks like, whatever its texts and numbers are.
fn is_of_structure(message: &str, text: &str) -> bool {
    let is_ours = |name: &str| text.contains(&format!("\"{name}\""));
    let named = || message.split('`').nth(1).is_some_and(is_ours);
    message.starts_with("invalid type: ")
        || message.starts_with("missing field `")
        || (message.starts_with("unknown field `") && named())
        || (message.starts_with("unknown variant `")
            && named()
            && !message.starts_with("unknown variant `a`"))
}

/// JSON with a value a line.
#[derive(Default)]
struct Text {
    text: String,
    lines: Vec<Line>,
}

impl Text {
    /// Ends a line that is about something.
    fn line(&mut self, text: &str, path: &str, leaf: Option<usize>) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push(Line { path: path.to_owned(), leaf });
    }

    fn leaf(&mut self, at: usize, leaves: &[Leaf], path: &str) {
        let leaf = leaves[at];
        let value = leaf.values()[leaf.pick];
        let text =
            if leaf.kind == LeafKind::Text { format!("\"{value}\"") } else { value.to_owned() };
        self.line(&text, path, Some(at));
    }

    fn write(&mut self, tree: &Tree, leaves: &[Leaf], path: &str) {
        match tree {
            Tree::Leaf(at) => self.leaf(*at, leaves, path),
            Tree::Literal(text) => self.line(text, path, None),
            Tree::List(trees) => {
                self.line("[", path, None);
                for (at, tree) in trees.iter().enumerate() {
                    if at > 0 {
                        self.text.push(',');
                    }
                    self.write(tree, leaves, &format!("{path}[{at}]"));
                }
                self.line("]", path, None);
            }
            Tree::Fields(fields) => {
                self.line("{", path, None);
                for (at, (key, tree)) in fields.iter().enumerate() {
                    if at > 0 {
                        self.text.push(',');
                    }
                    let path = match key {
                        Key::Name(name) => {
                            self.line(name, path, None);
                            format!("{path}.{}", name.trim_matches('"'))
                        }
                        Key::Leaf(at) => {
                            self.leaf(*at, leaves, path);
                            format!("{path}.{{key}}")
                        }
                    };
                    self.text.push(':');
                    self.write(tree, leaves, &path);
                }
                self.line("}", path, None);
            }
        }
    }
}
