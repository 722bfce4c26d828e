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
fn key(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { format!("\"{name}\"") }
}

/// What stands behind the `=` of a declaration: fields always have a line each there.
pub(super) fn body(node: &Node, column: usize) -> String {
    match node {
        Node::Object(members) if !members.is_empty() => format!(" {}", fields(members, 0)),
        node => behind(node, 0, column),
    }
}

/// A type behind `=` or `:`, with the space between unless it begins on the next line.
fn behind(node: &Node, indent: usize, column: usize) -> String {
    let text = within(node, indent, column + 1);
    if text.starts_with('\n') { text } else { format!(" {text}") }
}

/// A type that begins at a column, in a block that is indented.
fn within(node: &Node, indent: usize, column: usize) -> String {
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
        Node::Tuple(nodes) => list("[", nodes, "]", indent),
        Node::Array(node) => list("Array<", std::slice::from_ref(node), ">", indent),
        Node::Name(name, nodes) if !nodes.is_empty() => {
            list(&format!("{name}<"), nodes, ">", indent)
        }
        Node::Map { key, optional, value } => {
            let head = format!("[key in {}]{}:", line(key), mark(*optional));
            let value = behind(value, inner, inner + head.len());
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

/// Types in brackets, each on a line.
fn list(open: &str, nodes: &[Node], close: &str, indent: usize) -> String {
    let inner = indent + STEP;
    let pad = " ".repeat(inner);
    let lines =
        nodes.iter().map(|node| format!("{pad}{}", within(node, inner, inner).trim_start()));
    let lines = lines.collect::<Vec<_>>().join(",\n");
    format!("{open}\n{lines}\n{}{close}", " ".repeat(indent))
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
            let fields =
                members.iter().map(|member| format!("{} {}", head(member), line(&member.value)));
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
    format!("{}{}:", key(&member.name), mark(member.optional))
}

fn fields(members: &[Member], indent: usize) -> String {
    let inner = indent + STEP;
    let lines = members.iter().map(|member| {
        let head = head(member);
        // The column counts the semicolon too.
        let value = behind(&member.value, inner, inner + head.len() + 1);
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn a_name() -> impl Strategy<Value = String> {
        "[a-zA-Z_$][a-zA-Z0-9_$]{0,8}"
            .prop_filter("a literal", |name| name != "true" && name != "false" && name != "Array")
    }

    fn a_member(value: impl Strategy<Value = Node>) -> impl Strategy<Value = Member> {
        let docs = vec("[a-z` -]{0,9}[a-z]", 0..3);
        let name = prop_oneof![a_name(), "[a-z .:-]{1,9}"];
        (docs, name, any::<bool>(), value).prop_map(|(docs, name, optional, value)| {
            let docs = docs.iter().map(|line| line.trim().to_owned()).collect();
            Member { docs, name, optional, value }
        })
    }

    /// Nodes as the parser gives them: a union within a union has no text of its own.
    fn a_node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            a_name().prop_map(|name| Node::Name(name, Vec::new())),
            "\"[a-z |{}:,-]{0,9}\"|-?[0-9]{1,4}|true".prop_map(Node::Literal),
        ];
        leaf.prop_recursive(4, 40, 4, |node| {
            let is_plain = |node: &Node| !matches!(node, Node::Union(_) | Node::Intersection(_));
            let plain = node.clone().prop_filter("an operand", is_plain);
            prop_oneof![
                (a_name(), vec(node.clone(), 1..3))
                    .prop_map(|(name, nodes)| Node::Name(name, nodes)),
                node.clone().prop_map(|node| Node::Array(Box::new(node))),
                vec(node.clone(), 0..4).prop_map(Node::Tuple),
                vec(a_member(node.clone()), 0..4).prop_map(Node::Object),
                (a_name(), any::<bool>(), node).prop_map(|(key, optional, value)| Node::Map {
                    key: Box::new(Node::Name(key, Vec::new())),
                    optional,
                    value: Box::new(value)
                }),
                vec(plain.clone(), 2..4).prop_map(Node::Union),
                vec(plain.clone(), 2..4).prop_map(Node::Intersection),
                (vec(plain.clone(), 2..4), plain.clone())
                    .prop_map(|(nodes, node)| Node::Intersection(vec![Node::Union(nodes), node])),
                (vec(plain.clone(), 2..4), plain)
                    .prop_map(|(nodes, node)| Node::Union(vec![Node::Intersection(nodes), node])),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_laid_out_reads_the_same(node in a_node(), column in 0..WIDTH) {
            let text = body(&node, column);
            prop_assert_eq!(Node::parse(&text), Some(node.clone()), "{}", text);
            prop_assert!(text.lines().all(|line| line.trim_end() == line), "{:?}", text);
            // A line has no comments, but the same form.
            let text = line(&node);
            prop_assert_eq!(Node::parse(&text).map(|node| line(&node)), Some(text.clone()));
        }
    }

    #[test]
    fn short_types_stand_on_one_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(body(&Node::parse(text).expect("a type"), 10), expected);
        };
        check("string | null", " string | null");
        check("Array<{ a: string, }>", " Array<{ a: string }>");
        check("{ a: string, b?: number[] }", " {\n  a: string;\n  b?: Array<number>;\n}");
        let long = "\"a rather long literal that fills the line\"";
        check(
            &format!("{long} | {long} | {long}"),
            &format!("\n  | {long}\n  | {long}\n  | {long}"),
        );
    }

    #[test]
    fn a_comment_cannot_be_ended_by_its_text() {
        assert_eq!(docs(&["a */ b"], 0), "/** a *\\/ b */\n");
        assert_eq!(docs(&["a", "", "*/"], 2), "  /**\n   * a\n   *\n   * *\\/\n   */\n");
        assert_eq!(docs::<&str>(&[], 2), "");
    }
}
