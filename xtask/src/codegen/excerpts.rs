//! Code in documents that is copied from files which are compiled and tested.
//!
//! A block between `<!-- excerpt: FILE NAME -->` and `<!-- excerpt: end -->` holds the lines of FILE between `// readme: NAME` and
//! `// readme: end`.

use std::fs;

use crate::failure::{OrMend, Result};
use crate::project::Project;

const BEGIN: &str = "<!-- excerpt: ";
const END: &str = "<!-- excerpt: end -->";

/// The text of a document with every excerpt as its file has it now.
pub(super) fn fill(project: &Project, document: &str, text: &str) -> Result<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let mend = "mend the marks of its excerpts";
        let (head, after) = after.split_once(" -->\n").or_mend(document, mend)?;
        let (path, name) = head.split_once(' ').or_mend(document, mend)?;
        let (block, after) = after.split_once(END).or_mend(document, mend)?;
        let fence = block.lines().next().or_mend(document, mend)?;
        let source = fs::read_to_string(project.root.join(path)).or_mend(path, "restore it")?;
        let code = part(&source, name).or_mend(format!("{path} has no part `{name}`"), mend)?;
        filled += &format!("{before}{BEGIN}{head} -->\n{fence}\n{code}```\n{END}");
        rest = after;
    }
    Ok(filled + rest)
}

/// A marked part of a source.
fn part(source: &str, name: &str) -> Option<String> {
    let mark = format!("// readme: {name}");
    let lines = source.lines().skip_while(|line| *line != mark).skip(1);
    let code: String = lines
        .take_while(|line| *line != "// readme: end")
        .map(|line| format!("{line}\n"))
        .collect();
    (!code.is_empty()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_stands_between_its_marks() {
        let source = "a\n// readme: x\nb\n\nc\n// readme: end\n// readme: y\nd\n// readme: end\n";
        assert_eq!(part(source, "x").as_deref(), Some("b\n\nc\n"));
        assert_eq!(part(source, "y").as_deref(), Some("d\n"));
        assert_eq!(part(source, "z"), None);
    }
}
