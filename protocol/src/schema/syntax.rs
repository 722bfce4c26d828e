//! TypeScript's syntax of types, as far as ts-rs and people who write `#[ts(type = "…")]` use it.
//!
//! ts-rs gives text. Read into [`Node`]s, it can be laid out well (`layout`) and compared by what it says (`shape`).

/// A type as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A type by its name: a keyword, one of TypeScript's own, or a declared one.
    Name(String, Vec<Self>),
    /// A literal as it stands in the source, strings in double quotes.
    Literal(String),
    /// `Array<T>` or `T[]`.
    Array(Box<Self>),
    /// `[A, B]`.
    Tuple(Vec<Self>),
    /// `{ name: T }`.
    Object(Vec<Member>),
    /// `{ [key in K]: V }` or `{ [key in K]?: V }`.
    Map { key: Box<Self>, optional: bool, value: Box<Self> },
    /// `A | B`.
    Union(Vec<Self>),
    /// `A & B`.
    Intersection(Vec<Self>),
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The lines of its doc comment.
    pub(super) docs: Vec<String>,
    pub(super) name: String,
    pub(super) optional: bool,
    pub(super) value: Node,
}

impl Node {
    /// Reads a type; `None` if the text is none, or one of a form that no data of a message has.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text };
        let node = parser.union()?;
        parser.space();
        parser.rest.is_empty().then_some(node)
    }
}

/// The lines of a doc comment, without its marks.
pub(super) fn doc_lines(comment: &str) -> Vec<String> {
    let text = comment.trim().trim_start_matches("/**");
    let text = text.strip_suffix("*/").unwrap_or(text);
    let lines = text.trim_matches('\n').lines().map(str::trim);
    let lines = lines.map(|line| line.strip_prefix('*').unwrap_or(line).trim().to_owned());
    let mut lines: Vec<String> = lines.skip_while(String::is_empty).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    /// Skips white space.
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes a mark if it is next.
    fn takes(&mut self, mark: char) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, mark: char) -> Option<()> {
        self.takes(mark).then_some(())
    }

    /// Takes the longest run of characters of an identifier or number.
    fn word(&mut self) -> Option<&'a str> {
        self.space();
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Takes a string literal and gives what stands between its quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.space();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let text = &self.rest[1..];
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        self.rest = &text[end + 1..];
        Some(&text[..end])
    }

    /// Takes the comments that are next and gives the lines of the last.
    fn docs(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            self.space();
            if !self.rest.starts_with("/*") {
                return Some(lines);
            }
            // A comment that ts-rs writes over several lines ends on a line of its own, whatever its text has.
            let end = if self.rest.starts_with("/**\n *") { "\n */\n" } else { "*/" };
            let end = self.rest.find(end)? + end.len();
            lines = doc_lines(&self.rest[..end]);
            self.rest = &self.rest[end..];
        }
    }

    fn union(&mut self) -> Option<Node> {
        self.takes('|');
        let mut members = vec![self.intersection()?];
        while self.takes('|') {
            members.push(self.intersection()?);
        }
        Some(if members.len() == 1 { members.remove(0) } else { Node::Union(members) })
    }

    fn intersection(&mut self) -> Option<Node> {
        let mut members = vec![self.postfix()?];
        while self.takes('&') {
            members.push(self.postfix()?);
        }
        Some(if members.len() == 1 { members.remove(0) } else { Node::Intersection(members) })
    }

    fn postfix(&mut self) -> Option<Node> {
        let mut node = self.primary()?;
        while self.takes('[') {
            self.expect(']')?;
            node = Node::Array(Box::new(node));
        }
        Some(node)
    }

    fn primary(&mut self) -> Option<Node> {
        if self.takes('(') {
            let node = self.union()?;
            self.expect(')')?;
            return Some(node);
        }
        if self.takes('[') {
            return Some(Node::Tuple(self.list(']')?));
        }
        if self.takes('{') {
            return self.object();
        }
        if let Some(text) = self.string() {
            return Some(Node::Literal(format!("\"{text}\"")));
        }
        let word = self.word()?;
        if matches!(word, "true" | "false")
            || word.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        {
            return Some(Node::Literal(word.to_owned()));
        }
        let mut arguments = if self.takes('<') { self.list('>')? } else { Vec::new() };
        if word == "Array" && arguments.len() == 1 {
            return Some(Node::Array(Box::new(arguments.remove(0))));
        }
        word.split('.').all(is_identifier).then(|| Node::Name(word.to_owned(), arguments))
    }

    /// The types up to a closing mark.
    fn list(&mut self, close: char) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while !self.takes(close) {
            nodes.push(self.union()?);
            if !self.takes(',') {
                self.expect(close)?;
                break;
            }
        }
        Some(nodes)
    }

    /// What follows `{`.
    fn object(&mut self) -> Option<Node> {
        let mut members = Vec::new();
        loop {
            let docs = self.docs()?;
            if self.takes('}') {
                return Some(Node::Object(members));
            }
            if self.takes('[') {
                // An index beside other fields would not be one kind of data.
                return if members.is_empty() { self.map() } else { None };
            }
            let name = self.string().or_else(|| self.word())?.to_owned();
            let optional = self.takes('?');
            self.expect(':')?;
            members.push(Member { docs, name, optional, value: self.union()? });
            if !self.takes(',') && !self.takes(';') && !self.rest.starts_with('}') {
                return None;
            }
        }
    }

    /// What follows `{ [`.
    fn map(&mut self) -> Option<Node> {
        self.word()?;
        if !self.takes(':') && self.word()? != "in" {
            return None;
        }
        let key = Box::new(self.union()?);
        self.expect(']')?;
        let optional = self.takes('?');
        self.expect(':')?;
        let value = Box::new(self.union()?);
        let _ = self.takes(',') || self.takes(';');
        self.expect('}')?;
        Some(Node::Map { key, optional, value })
    }
}

/// Whether a text may stand as a name in TypeScript without quotes.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_numeric())
        && !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_type_of_data_is_not_read() {
        let texts = [
            "",
            "|",
            "string string",
            "{ a: string",
            "{ a string }",
            "{ a: string b: string }",
            "{ a: string, [key: string]: string }",
            "{ [key of K]: V }",
            "\"open",
            "Array<string",
            "[string",
            "(string",
            "(a: string) => void",
            "typeof x",
            "a-b",
            "x..y",
            "{ \"a \"b\"\": string }",
        ];
        for text in texts {
            assert_eq!(Node::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_means_the_same_reads_the_same() {
        let pairs = [
            ("string[][]", "Array<Array<string>>"),
            ("(a | b)[]", "Array<a | b>"),
            ("| a | b", "a | b"),
            ("{ a: b, }", "{ a: b; }"),
            ("{ 'a': b }", "{ \"a\": b }"),
            ("{ [k: string]: v }", "{ [key in string]: v, }"),
        ];
        for (text, same) in pairs {
            assert!(Node::parse(text).is_some(), "{text}");
            assert_eq!(Node::parse(text), Node::parse(same), "{text}");
        }
        assert_eq!(Node::parse("a | b & c"), Node::parse("a | (b & c)"));
        assert_ne!(Node::parse("a | b & c"), Node::parse("(a | b) & c"));
    }

    #[test]
    fn docs_end_where_ts_rs_ends_them() {
        let text = "{ \n/**\n * One */ line.\n *\n *  Another.\n */\na: b, \n/** short */ c: d, \
                    \n/**\n block\n   text \n*/\ne: f, }";
        let Some(Node::Object(members)) = Node::parse(text) else { panic!("an object") };
        let docs: Vec<_> = members.iter().map(|member| member.docs.join("|")).collect();
        assert_eq!(docs, ["One */ line.||Another.", "short", "block|text"]);
    }
}
