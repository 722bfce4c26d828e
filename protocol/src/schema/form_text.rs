//! Shapes from the text that they are hashed as: how `schema.lock` keeps them.

use std::collections::BTreeMap;

use super::shape::{Form, Shape};

impl Shape {
    /// Reads what [`Display`](std::fmt::Display) wrote; `None` for anything else.
    ///
    /// A type that the export itself could not read has a text of which nothing is known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text };
        let root = parser.form()?;
        let mut recursive = Vec::new();
        while !parser.rest.is_empty() {
            parser.expect(";#")?;
            (parser.number()? == recursive.len() as u64).then_some(())?;
            parser.expect("=")?;
            recursive.push(parser.form()?);
        }
        let shape = Self { root, recursive };
        // What a number stands for must be there, so that nobody has to ask.
        (shape.to_string() == text && shape.is_whole()).then_some(shape)
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn takes(&mut self, mark: &str) -> bool {
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, mark: &str) -> Option<()> {
        self.takes(mark).then_some(())
    }

    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    fn number(&mut self) -> Option<u64> {
        self.until(|c| !c.is_ascii_digit()).parse().ok()
    }

    /// What stands between two quotes, as it is written there.
    fn string(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix('"')?;
        let mut escaped = false;
        let end = text.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        self.rest = &text[end + 1..];
        Some(&text[..end])
    }

    fn form(&mut self) -> Option<Form> {
        if self.takes("#") {
            return Some(Form::Recursive(self.number()?));
        }
        if self.rest.starts_with('"') {
            return Some(Form::Literal(format!("\"{}\"", self.string()?)));
        }
        if self.takes("[") {
            return Some(Form::Tuple(self.list(",", "]")?));
        }
        if self.takes("{") {
            return self.object();
        }
        if self.takes("(") {
            return self.members();
        }
        let word = self.until(|c| matches!(c, '<' | '>' | ',' | '|' | '&' | ')' | ']' | '}' | ';'));
        let is_literal = matches!(word, "true" | "false")
            || word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        if is_literal {
            return Some(Form::Literal(word.to_owned()));
        }
        let mut arguments = if self.takes("<") { self.list(",", ">")? } else { Vec::new() };
        match (word, arguments.len()) {
            ("", _) => None,
            ("Array", 1) => Some(Form::Array(Box::new(arguments.remove(0)))),
            _ => Some(Form::Named(word.to_owned(), arguments)),
        }
    }

    fn list(&mut self, between: &str, close: &str) -> Option<Vec<Form>> {
        let mut forms = Vec::new();
        while !self.takes(close) {
            if !forms.is_empty() {
                self.expect(between)?;
            }
            forms.push(self.form()?);
        }
        Some(forms)
    }

    /// What follows `(`: a union or an intersection.
    fn members(&mut self) -> Option<Form> {
        let first = self.form()?;
        let is_union = self.takes("|");
        if !is_union {
            self.expect("&")?;
        }
        let mut forms = vec![first];
        forms.extend(self.list(if is_union { "|" } else { "&" }, ")")?);
        Some(if is_union { Form::Union(forms) } else { Form::Intersection(forms) })
    }

    /// What follows `{`: fields, or a map.
    fn object(&mut self) -> Option<Form> {
        if self.takes("[") {
            let key = Box::new(self.form()?);
            self.expect("]")?;
            let optional = self.takes("?");
            self.expect(":")?;
            let value = Box::new(self.form()?);
            self.expect("}")?;
            return Some(Form::Map { key, optional, value });
        }
        let mut fields = BTreeMap::new();
        while !self.takes("}") {
            if !fields.is_empty() {
                self.expect(",")?;
            }
            let name = self.string()?.to_owned();
            let optional = self.takes("?");
            self.expect(":")?;
            fields.insert(name, (optional, self.form()?));
        }
        Some(Form::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_back() {
        for text in [
            "string",
            "never",
            "{}",
            "\"a \\\" b\"",
            "-1",
            "(false|true)",
            "Array<(null|string)>",
            "[number,[],Array<#0>];#0={\"next\"?:#0,\"other\":#1};#1=(#0|null)",
            "{\"a \\\" b\"?:string,\"type\":\"x\"}",
            "{[(\"a\"|\"b\")]?:{[string]:number}}",
            "(({\"a\":string}|{\"b\":string})&{\"c\":string})",
            "Record<symbol,never>",
        ] {
            let shape = Shape::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(shape.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_shapes() {
        for text in [
            "", "(a)", "(a|b", "{\"a\"}", "{a:b}", "a b>", "#0", "#0;#1=a", "a;#0=#1", "[a b",
            "\"a",
        ] {
            assert_eq!(Shape::parse(text), None, "{text}");
        }
    }
}
