//! The files of the checkout as the suite `layering` reads them: which there are, and what of a
//! line is code.

use std::fs;
use std::process::Command;

use crate::failure::Result;
use crate::project::Project;
use crate::shell;

/// A text file that is committed or about to be.
pub(super) struct Source {
    /// Relative to the checkout, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Every file that git does not ignore, texts only.
    pub(super) fn all(project: &Project) -> Result<Vec<Self>> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let list = shell::read(git.current_dir(&project.root), "install git, and work in a clone")?;
        let read = |path: &str| {
            let text = fs::read_to_string(project.root.join(path)).ok()?;
            Some(Self { path: path.to_owned(), text })
        };
        Ok(list.split('\0').filter(|path| !path.is_empty()).filter_map(read).collect())
    }

    /// The lines that are compiled into what users get, with their numbers: no comments, no
    /// contents of strings, no tests.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, String)> {
        let tests = self.path.ends_with("/tests.rs") || self.path.contains("/tests/");
        self.text
            .lines()
            .take_while(move |line| !tests && line.trim() != "#[cfg(test)]")
            .map(strip)
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// Cuts a comment off and empties strings; good enough for lines that rustfmt has laid out.
fn strip(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => drop(chars.next()),
            '"' => {
                quoted = !quoted;
                code.push(c);
            }
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            _ if quoted => {}
            _ => code.push(c),
        }
    }
    code
}

/// Whether `line` has `name` as a word of its own.
pub(super) fn names(line: &str, name: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + name.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = "use axum::Router; // tokio\nlet a = \"hyper // \\\" std\"; b();\n\
                    #[cfg(test)]\nmod tests { use tokio::test; }\n";
        let code = |path: &str| {
            let source = Source { path: path.into(), text: text.into() };
            source.code().collect::<Vec<_>>()
        };
        let expected = [(1, "use axum::Router; ".to_owned()), (2, "let a = \"\"; b();".to_owned())];
        assert_eq!(code("server/src/x.rs"), expected);
        assert_eq!(code("server/src/x/tests.rs"), []);
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert!(names("use axum::Router;", "axum"));
        assert!(names("let app: axum::Router<()>", "axum"));
        assert!(!names("mod axum_edge;", "axum"));
        assert!(!names("let taxum = 1;", "axum"));
    }
}
