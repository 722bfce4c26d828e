//! The lines by which two texts differ.

use std::fmt::Write as _;

/// Of more pairs of lines that could be alike none is looked for: whoever has changed so much reads no list of it.
const MOST_PAIRS: usize = 16 << 20;

/// Each run of lines that differ, below the number of its first line in `old`: `-` stands in `old` alone, `+` in `new` alone.
pub(super) fn difference(old: &str, new: &str) -> String {
    // Not `lines`, for which a text is the same without its last line end.
    let (old, new): (Vec<_>, Vec<_>) = (old.split('\n').collect(), new.split('\n').collect());
    let (mut text, mut from, mut to) = (String::new(), 0, 0);
    for (at, other) in common(&old, &new).into_iter().chain([(old.len(), new.len())]) {
        if (from, to) != (at, other) {
            let _ = writeln!(text, "@@ line {} @@", from + 1);
        }
        let gone = old[from..at].iter().map(|line| ('-', line));
        for (mark, line) in gone.chain(new[to..other].iter().map(|line| ('+', line))) {
            let _ = writeln!(text, "{mark} {line}");
        }
        (from, to) = (at + 1, other + 1);
    }
    text
}

/// The places of a longest sequence of lines that both have.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(one, other)| one == other);
    let tail = tail.count();
    let (rows, columns) = (old.len() - tail, new.len() - tail);
    let mut places: Vec<_> = (0..head).map(|at| (at, at)).collect();
    places.extend(
        between(&old[..rows], &new[..columns]).iter().map(|(at, other)| (head + at, head + other)),
    );
    places.extend((0..tail).map(|at| (head + rows + at, head + columns + at)));
    places
}

fn between(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        return Vec::new();
    }
    // How many lines the texts from a pair of places on have in common.
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for (at, line) in old.iter().enumerate().rev() {
        for (other, candidate) in new.iter().enumerate().rev() {
            let here = at * width + other;
            lengths[here] = if line == candidate {
                lengths[here + width + 1] + 1
            } else {
                lengths[here + width].max(lengths[here + 1])
            };
        }
    }
    let (mut places, mut at, mut other) = (Vec::new(), 0, 0);
    while at < old.len() && other < new.len() {
        let here = at * width + other;
        if old[at] == new[other] {
            places.push((at, other));
            (at, other) = (at + 1, other + 1);
        } else if lengths[here + width] >= lengths[here + 1] {
            at += 1;
        } else {
            other += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(old: &str, new: &str, expected: &str) {
        assert_eq!(difference(old, new), expected, "{old:?} and {new:?}");
    }

    #[test]
    fn only_lines_that_differ_are_shown() {
        check(
            "a\nb\nc\nd\ne\n",
            "a\nB\nc\nd\nE\n",
            "@@ line 2 @@\n- b\n+ B\n@@ line 5 @@\n- e\n+ E\n",
        );
        check("a\n}\nb\n}\n", "a\n}\nc\n}\nb\n}\n", "@@ line 3 @@\n+ c\n+ }\n");
        check("x\na\nb\n", "a\nb\ny\n", "@@ line 1 @@\n- x\n@@ line 4 @@\n+ y\n");
        check("", "a\nb\n", "@@ line 1 @@\n+ a\n+ b\n");
        check("a\nb\n", "a\nb\n", "");
        check("a\nb", "a\nb\n", "@@ line 3 @@\n+ \n");
    }

    #[test]
    fn what_has_little_in_common_is_not_compared_for_long() {
        let text = |word: &str| (0..5_000).map(|at| format!("{word} {at}\n")).collect::<String>();
        let (old, new) = (format!("first\n{}", text("old")), format!("first\n{}", text("new")));
        let told = difference(&old, &new);
        assert_eq!(told.lines().count(), 1 + 2 * 5_000);
        assert!(told.starts_with("@@ line 2 @@\n- old 0\n"), "{}", &told[..40]);
    }

    /// What a difference makes of the old text.
    fn mended(old: &str, difference: &str) -> String {
        let mut left = old.split('\n').enumerate().peekable();
        let mut mended = Vec::new();
        for told in difference.lines() {
            if let Some(line) = told.strip_prefix("@@ line ") {
                let line: usize = line.trim_end_matches(" @@").parse().expect("a number");
                while let Some((_, kept)) = left.next_if(|(at, _)| at + 1 < line) {
                    mended.push(kept);
                }
            } else if let Some(gone) = told.strip_prefix("- ") {
                assert_eq!(left.next().map(|(_, line)| line), Some(gone));
            } else {
                mended.push(told.strip_prefix("+ ").expect("a mark"));
            }
        }
        mended.extend(left.map(|(_, line)| line));
        mended.join("\n")
    }

    proptest! {
        #[test]
        fn the_difference_makes_one_text_of_the_other(old in "[ab\n]{0,24}", new in "[ab\n]{0,24}") {
            prop_assert_eq!(mended(&old, &difference(&old, &new)), new);
        }
    }
}
