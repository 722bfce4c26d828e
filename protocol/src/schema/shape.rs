//! What data looks like, without the names of its types: the ground of structural hashes.
//!
//! Two Rust types have equal shapes if the same JSON fits both as far as TypeScript can tell. The text of a shape is
//! what is hashed, so a change to it is a breaking change of the wire. Comparing two shapes for compatibility works on
//! the tree.
//!
//! A name stands for its body, so that a type moved into one of its own has the shape it had in place. Only types that
//! contain themselves keep an identity: a number, in the order of their first use.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Write as _},
};

use super::{hash::SchemaHash, layout, syntax::Node, types::Types};

/// The shape of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) root: Form,
    /// The types that contain themselves, by their number.
    pub(super) recursive: Vec<Form>,
}

/// A shape, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One of TypeScript's own types, such as `string` or `Record<symbol, never>`, or a type that could not be read.
    Named(String, Vec<Self>),
    /// One value.
    Literal(String),
    Array(Box<Self>),
    Tuple(Vec<Self>),
    /// Fields by name, with whether they may be absent.
    Object(BTreeMap<String, (bool, Self)>),
    Map {
        key: Box<Self>,
        optional: bool,
        value: Box<Self>,
    },
    /// Flat, sorted by text, none twice.
    Union(Vec<Self>),
    /// Flat, objects without a common field made one, sorted by text, none twice.
    Intersection(Vec<Self>),
    /// A type that contains itself: its number, and its key while numbers are not given.
    Recursive(u64),
}

impl Shape {
    pub(super) fn of(types: &Types) -> Self {
        let bodies =
            types.declared.iter().map(|declared| (name(&declared.name), read(&declared.inline)));
        let names = Names::new(bodies.collect());
        let keys = names.keys();
        let mut order = Vec::new();
        let root = names.form(&read(&types.name), &keys).numbered(&mut order);
        let mut recursive = Vec::new();
        while let Some(key) = order.get(recursive.len()) {
            // Types of one key have one shape: any of them will do.
            let (name, _) =
                keys.iter().find(|(_, found)| *found == key).expect("only keys are numbered");
            recursive.push(names.form(&names.bodies[name], &keys).numbered(&mut order));
        }
        Self { root, recursive }
    }

    /// Whether no value has it.
    pub(super) fn is_never(&self) -> bool {
        matches!(&self.root, Form::Named(name, _) if name == "never")
    }

    /// Whether every number in it is that of a type.
    pub(super) fn is_whole(&self) -> bool {
        let mut order: Vec<u64> = (0..self.recursive.len() as u64).collect();
        for mut form in self.recursive.iter().chain([&self.root]).cloned() {
            // A number that is none of these is put behind them.
            form.number(&mut order);
        }
        order.len() == self.recursive.len()
    }

    /// Whether it is an object with this field, whatever else it is.
    pub(super) fn has_field(&self, name: &str) -> bool {
        let form = match &self.root {
            Form::Recursive(number) => &self.recursive[*number as usize],
            form => form,
        };
        let has = |form: &Form| matches!(form, Form::Object(fields) if fields.contains_key(name));
        match form {
            Form::Intersection(forms) => forms.iter().any(has),
            form => has(form),
        }
    }
}

fn read(text: &str) -> Node {
    Node::parse(text).unwrap_or_else(|| {
        let words = text.split_whitespace().collect::<Vec<_>>();
        Node::Name(words.join(" "), Vec::new())
    })
}

/// A name in the one way of writing it.
fn name(text: &str) -> String {
    layout::line(&read(text))
}

/// The declared types by name.
struct Names {
    bodies: BTreeMap<String, Node>,
    /// Those that contain themselves.
    recursive: BTreeSet<String>,
}

impl Names {
    fn new(bodies: BTreeMap<String, Node>) -> Self {
        let mut names = Self { bodies, recursive: BTreeSet::new() };
        let all = names.bodies.keys();
        names.recursive = all.filter(|name| names.reach(name).contains(*name)).cloned().collect();
        names
    }

    /// The declared types that the body of one leads to.
    fn reach(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            self.bodies[&name].each_name(&mut |name| {
                if self.bodies.contains_key(name) && found.insert(name.to_owned()) {
                    open.push(name.to_owned());
                }
            });
        }
        found
    }

    /// A key for each type that contains itself, equal where nothing but names tells two apart.
    ///
    /// All start equal; in each round a type's key becomes the hash of its body with the keys in place of the names.
    /// What differs at all differs after as many rounds as there are such types.
    fn keys(&self) -> BTreeMap<String, u64> {
        let mut keys: BTreeMap<_, _> =
            self.recursive.iter().map(|name| (name.clone(), 0)).collect();
        for _ in 0..keys.len() {
            let next =
                |name: &String| SchemaHash::of(&self.form(&self.bodies[name], &keys).to_string()).0;
            keys = keys.keys().map(|name| (name.clone(), next(name))).collect();
        }
        keys
    }

    fn form(&self, node: &Node, keys: &BTreeMap<String, u64>) -> Form {
        let form = |node: &Node| self.form(node, keys);
        let all = |nodes: &[Node]| nodes.iter().map(form).collect::<Vec<_>>();
        match node {
            Node::Name(name, arguments) => {
                let used = layout::line(node);
                match (keys.get(&used), self.bodies.get(&used)) {
                    (Some(key), _) => Form::Recursive(*key),
                    (None, Some(body)) => form(body),
                    (None, None) => Form::Named(name.clone(), all(arguments)),
                }
            }
            Node::Literal(text) => Form::Literal(text.clone()),
            Node::Array(node) => Form::Array(Box::new(form(node))),
            Node::Tuple(nodes) => Form::Tuple(all(nodes)),
            Node::Object(members) => {
                let fields = members
                    .iter()
                    .map(|field| (field.name.clone(), (field.optional, form(&field.value))));
                Form::Object(fields.collect())
            }
            Node::Map { key, optional, value } => Form::Map {
                key: Box::new(form(key)),
                optional: *optional,
                value: Box::new(form(value)),
            },
            Node::Union(nodes) => Form::union(all(nodes)),
            Node::Intersection(nodes) => Form::intersection(all(nodes)),
        }
    }
}

impl Node {
    /// Calls for every name that may be a declared one, its type parameters included.
    fn each_name(&self, call: &mut impl FnMut(&str)) {
        match self {
            Self::Name(_, nodes) => {
                call(&layout::line(self));
                nodes.iter().for_each(|node| node.each_name(call));
            }
            Self::Tuple(nodes) | Self::Union(nodes) | Self::Intersection(nodes) => {
                nodes.iter().for_each(|node| node.each_name(call));
            }
            Self::Object(members) => members.iter().for_each(|member| member.value.each_name(call)),
            Self::Map { key, value, .. } => {
                key.each_name(call);
                value.each_name(call);
            }
            Self::Array(node) => node.each_name(call),
            Self::Literal(_) => {}
        }
    }
}

impl Form {
    fn union(members: Vec<Self>) -> Self {
        let flat = members.into_iter().flat_map(|member| match member {
            Self::Union(members) => members,
            Self::Named(name, _) if name == "never" => Vec::new(),
            member => vec![member],
        });
        let mut members = sorted(flat.collect());
        match members.len() {
            0 => Self::Named("never".to_owned(), Vec::new()),
            1 => members.remove(0),
            _ => Self::Union(members),
        }
    }

    fn intersection(members: Vec<Self>) -> Self {
        let mut fields = BTreeMap::new();
        let mut rest = Vec::new();
        let flat = members.into_iter().flat_map(|member| match member {
            Self::Intersection(members) => members,
            member => vec![member],
        });
        for member in flat {
            match member {
                // Of two fields of one name both types hold: such objects stay apart.
                Self::Object(more) if !more.keys().any(|name| fields.contains_key(name)) => {
                    fields.extend(more)
                }
                member => rest.push(member),
            }
        }
        if !fields.is_empty() || rest.is_empty() {
            rest.push(Self::Object(fields));
        }
        let mut members = sorted(rest);
        if members.len() == 1 { members.remove(0) } else { Self::Intersection(members) }
    }

    /// Puts numbers in place of keys, each by the place of its first use in the order.
    fn numbered(mut self, order: &mut Vec<u64>) -> Self {
        self.number(order);
        self
    }

    fn number(&mut self, order: &mut Vec<u64>) {
        match self {
            Self::Recursive(key) => {
                let at = order.iter().position(|found| found == key).unwrap_or_else(|| {
                    order.push(*key);
                    order.len() - 1
                });
                *key = at as u64;
            }
            Self::Named(_, forms)
            | Self::Tuple(forms)
            | Self::Union(forms)
            | Self::Intersection(forms) => {
                forms.iter_mut().for_each(|form| form.number(order));
            }
            Self::Object(fields) => fields.values_mut().for_each(|(_, form)| form.number(order)),
            Self::Map { key, value, .. } => {
                key.number(order);
                value.number(order);
            }
            Self::Array(form) => form.number(order),
            Self::Literal(_) => {}
        }
    }
}

fn sorted(mut forms: Vec<Form>) -> Vec<Form> {
    forms.sort_by_cached_key(Form::to_string);
    forms.dedup();
    forms
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)?;
        self.recursive
            .iter()
            .enumerate()
            .try_for_each(|(number, form)| write!(f, ";#{number}={form}"))
    }
}

impl Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |optional: bool| if optional { "?" } else { "" };
        match self {
            Self::Named(name, arguments) if arguments.is_empty() => f.write_str(name),
            Self::Named(name, arguments) => {
                f.write_str(name)?;
                list(f, "<", arguments, ",", ">")
            }
            Self::Literal(text) => f.write_str(text),
            Self::Array(form) => write!(f, "Array<{form}>"),
            Self::Tuple(forms) => list(f, "[", forms, ",", "]"),
            Self::Object(fields) => {
                f.write_char('{')?;
                for (at, (name, (optional, form))) in fields.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}\"{name}\"{}:{form}", mark(*optional))?;
                }
                f.write_char('}')
            }
            Self::Map { key, optional, value } => {
                write!(f, "{{[{key}]{}:{value}}}", mark(*optional))
            }
            Self::Union(forms) => list(f, "(", forms, "|", ")"),
            Self::Intersection(forms) => list(f, "(", forms, "&", ")"),
            Self::Recursive(number) => write!(f, "#{number}"),
        }
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    forms: &[Form],
    between: &str,
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (at, form) in forms.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { between })?;
        form.fmt(f)?;
    }
    f.write_str(close)
}
