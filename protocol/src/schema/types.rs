//! What ts-rs says of a Rust type and of every type that it names.

use std::{
    any::{TypeId, type_name},
    collections::HashSet,
};

use ts_rs::{Config, TS, TypeVisitor};

use super::{layout, syntax::Node};

/// A type of a schema entry in TypeScript, with the declarations that it needs.
#[derive(Clone, Debug)]
pub(super) struct Types {
    /// The Rust type, for errors.
    pub(super) rust: &'static str,
    /// The type itself, such as `ChatMessage` or `Array<Page<User>>`.
    pub(super) name: String,
    /// Every declared type within it, each once, in the order of ts-rs.
    pub(super) declared: Vec<Declaration>,
}

/// A Rust type that has a name of its own in TypeScript.
#[derive(Clone, Debug)]
pub(super) struct Declaration {
    /// The Rust type, for errors.
    pub(super) rust: &'static str,
    /// The name without type parameters.
    pub(super) ident: String,
    /// The name with the type parameters of this use.
    pub(super) name: String,
    /// What the name of this use stands for.
    pub(super) inline: String,
    /// The name and what it stands for, type parameters open: `Page<T>` and `{ items: Array<T>, }`.
    pub(super) generic: (String, String),
    /// The doc comment.
    pub(super) docs: Option<String>,
}

impl Types {
    pub(super) fn of<T: TS + 'static>() -> Self {
        // A message is JSON, whose integers a browser reads as numbers.
        let config = Config::new().with_large_int("number");
        let mut visit = Visit { config: &config, seen: HashSet::new(), declared: Vec::new() };
        visit.visit::<T>();
        T::visit_generics(&mut visit);
        T::visit_dependencies(&mut visit);
        Self { rust: type_name::<T>(), name: T::name(&config), declared: visit.declared }
    }

    /// The Rust type that has the field at the end of a path such as `.notes[0].at`; the type itself where that is not found.
    pub(super) fn owner(&self, path: &str) -> &'static str {
        let mut found = self.rust;
        let mut open = vec![(self.rust, Node::parse(&self.name))];
        for step in path.split_inclusive(['.', '[']).skip(1) {
            let step = step.trim_end_matches(['.', '[']);
            let mut next = Vec::new();
            // A type stands behind its name once, so that one which contains itself ends.
            let mut seen = HashSet::new();
            while let Some((rust, node)) = open.pop() {
                match node {
                    Some(Node::Name(name, arguments)) => {
                        let used = layout::line(&Node::Name(name, arguments));
                        let is_it = |declared: &&Declaration| {
                            Node::parse(&declared.name)
                                .is_some_and(|node| layout::line(&node) == used)
                        };
                        if let Some(declared) = self.declared.iter().find(is_it)
                            && seen.insert(used)
                        {
                            open.push((declared.rust, Node::parse(&declared.inline)));
                        }
                    }
                    Some(Node::Union(nodes) | Node::Intersection(nodes)) => {
                        open.extend(nodes.into_iter().map(|node| (rust, Some(node))));
                    }
                    Some(Node::Object(members)) => {
                        let members = members.into_iter().filter(|member| member.name == step);
                        next.extend(members.map(|member| (rust, Some(member.value))));
                    }
                    Some(Node::Map { value: node, .. } | Node::Array(node)) => {
                        next.push((rust, Some(*node)));
                    }
                    Some(Node::Tuple(nodes)) => {
                        next.extend(nodes.into_iter().map(|node| (rust, Some(node))));
                    }
                    Some(Node::Literal(_)) | None => {}
                }
            }
            found = next.first().map_or(found, |(rust, _)| rust);
            open = next;
        }
        found
    }

    /// The type of one text.
    pub(super) fn literal(text: &str) -> Self {
        // JSON's strings are TypeScript's too.
        let name = serde_json::Value::from(text).to_string();
        Self { rust: type_name::<str>(), name, declared: Vec::new() }
    }
}

struct Visit<'a> {
    config: &'a Config,
    seen: HashSet<TypeId>,
    declared: Vec<Declaration>,
}

impl TypeVisitor for Visit<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // ts-rs gives a path to what is declared, and only to that.
        if T::output_path().is_none() || !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        let (ident, inline) = (T::ident(self.config), T::inline(self.config));
        let text = T::decl(self.config);
        let generic =
            text.strip_prefix("type ").and_then(|text| text.strip_suffix(';')).and_then(split);
        self.declared.push(Declaration {
            rust: type_name::<T>(),
            name: T::name(self.config),
            // Else it is an `enum`, which would be code in a module of types: its values serve as well.
            generic: generic.unwrap_or_else(|| (ident.clone(), inline.clone())),
            ident,
            inline,
            docs: T::docs(),
        });
        T::visit_dependencies(self);
    }
}

/// Divides `Page<T = string> = …` at the sign behind the type parameters.
fn split(text: &str) -> Option<(String, String)> {
    let mut depth = 0;
    let at = text.find(|c| {
        depth += i32::from(c == '<') - i32::from(c == '>');
        depth == 0 && c == '='
    })?;
    Some((text[..at].trim().to_owned(), text[at + 1..].trim().to_owned()))
}
