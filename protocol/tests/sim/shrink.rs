//! Fewer actions that still fail: delta debugging.

/// The shortest list that this finds by leaving out parts of `actions`, on which `fails` still holds; at most `tries` are tried.
pub(crate) fn shrink<T: Clone>(
    actions: Vec<T>,
    mut tries: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut best = actions;
    let mut part = best.len().div_ceil(2);
    while part > 0 && tries > 0 {
        let mut from = 0;
        let mut shorter = false;
        while from < best.len() && tries > 0 {
            let to = (from + part).min(best.len());
            let rest = [&best[..from], &best[to..]].concat();
            tries -= 1;
            if fails(&rest) {
                best = rest;
                shorter = true;
            } else {
                from = to;
            }
        }
        // Of single actions, each is tried again until none can go.
        part = if part > 1 { part.div_ceil(2) } else { usize::from(shorter) };
    }
    best
}

#[test]
fn a_failing_list_shrinks_to_what_fails() {
    let fails = |list: &[u32]| list.contains(&7) && list.contains(&61);
    assert_eq!(shrink((0..100).collect(), 1_000, fails), [7, 61]);
    assert_eq!(shrink((0..100).collect(), 0, fails).len(), 100);
}
