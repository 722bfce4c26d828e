//! Types as people read them: one line where that fits, else a field or a variant a line.

use super::syntax::{Member, Node, is_identifier};

/// How wide a line may be, by the habit of TypeScript's formatters.
const WIDTH: usize = 100;
const STEP: usize = 2;

/// A doc comment with the line break behind it; nothing for no lines.
pub(super) fn docs<S: AsRef<str>>(lines: &[S], indent: usize) -> String {
    let pad = " ".repeat(indent);
    // `*/` in the text would end the comment.
    let safe = |line: &S| line.as_ref().trim().replace("*/", "*\\/");
    match lines {
        [] => String::new(),
        [line] => format!("{pad}/** {} */\n", safe(line)),
        lines => {
            let lines = lines
                .iter()
                .map(|line| format!("{pad} * {}", safe(line)).trim_end().to_owned() + "\n");
            format!("{pad}/**\n{}{pad} */\n", lines.collect::<String>())
        }
    }
}

/// The name of a field or key, in quotes where it needs them.
pub(super) fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { format!("\"{name}\"") }
}

/// The body of `type X = …`: fields always have a line each there.
pub(super) fn body(node: &Node) -> String {
    match node {
        Node::Object(members) if !members.is_empty() => fields(members, 0),
        node => within(node, 0, 0),
    }
}

/// A type that begins at a column, in a block that is indented.
pub(super) fn within(node: &Node, indent: usize, column: usize) -> String {
    if !has_docs(node) {
        let line = line(node);
        if column + line.len() <= WIDTH {
            return line;
        }
    }
    let inner = indent + STEP;
    let pad = " ".repeat(inner);
    match node {
        Node::Object(members) => fields(members, indent),
        Node::Union(nodes) => {
            let lines =
                nodes.iter().map(|node| format!("\n{pad}| {}", within(node, inner, inner + 2)));
            lines.collect()
        }
        Node::Tuple(nodes) => {
            let lines = nodes.iter().map(|node| format!("{pad}{},\n", within(node, inner, inner)));
            format!("[\n{}{}]", lines.collect::<String>(), " ".repeat(indent))
        }
        Node::Array(node) => format!("Array<{}>", within(node, indent, column + 6)),
        Node::Map { key, optional, value } => {
            let head = format!("[key in {}]{}: ", line(key), mark(*optional));
            let value = within(value, inner, inner + head.len());
            format!("{{\n{pad}{head}{value};\n{}}}", " ".repeat(indent))
        }
        Node::Intersection(nodes) => {
            let parts = nodes.iter().map(|node| match node {
                Node::Union(_) => format!("({})", within(node, indent, column)),
                node => within(node, indent, column),
            });
            parts.collect::<Vec<_>>().join(" & ")
        }
        Node::Name(..) | Node::Literal(_) => line(node),
    }
}

/// A type on one line, its comments left out.
pub(super) fn line(node: &Node) -> String {
    let all =
        |nodes: &[Node], between: &str| nodes.iter().map(line).collect::<Vec<_>>().join(between);
    match node {
        Node::Name(name, arguments) if arguments.is_empty() => name.clone(),
        Node::Name(name, arguments) => format!("{name}<{}>", all(arguments, ", ")),
        Node::Literal(text) => text.clone(),
        Node::Array(node) => format!("Array<{}>", line(node)),
        Node::Tuple(nodes) => format!("[{}]", all(nodes, ", ")),
        Node::Object(members) if members.is_empty() => "{}".to_owned(),
        Node::Object(members) => {
            let fields = members.iter().map(|member| head(member) + &line(&member.value));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "))
        }
        Node::Map { key, optional, value } => {
            format!("{{ [key in {}]{}: {} }}", line(key), mark(*optional), line(value))
        }
        Node::Union(nodes) => all(nodes, " | "),
        Node::Intersection(nodes) => {
            let parts = nodes.iter().map(|node| match node {
                Node::Union(_) => format!("({})", line(node)),
                node => line(node),
            });
            parts.collect::<Vec<_>>().join(" & ")
        }
    }
}

fn mark(optional: bool) -> &'static str {
    if optional { "?" } else { "" }
}

fn head(member: &Member) -> String {
    format!("{}{}: ", key(&member.name), mark(member.optional))
}

fn fields(members: &[Member], indent: usize) -> String {
    let inner = indent + STEP;
    let lines = members.iter().map(|member| {
        let head = head(member);
        let value = within(&member.value, inner, inner + head.len() + 1);
        format!("{}{}{head}{value};\n", docs(&member.docs, inner), " ".repeat(inner))
    });
    format!("{{\n{}{}}}", lines.collect::<String>(), " ".repeat(indent))
}

fn has_docs(node: &Node) -> bool {
    match node {
        Node::Object(members) => {
            members.iter().any(|member| !member.docs.is_empty() || has_docs(&member.value))
        }
        Node::Name(_, nodes)
        | Node::Tuple(nodes)
        | Node::Union(nodes)
        | Node::Intersection(nodes) => nodes.iter().any(has_docs),
        Node::Array(node) => has_docs(node),
        Node::Map { value, .. } => has_docs(value),
        Node::Literal(_) => false,
    }
}
