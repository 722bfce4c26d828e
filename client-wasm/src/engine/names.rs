//! Small numbers for names: the core sees these instead of text.

use std::{collections::HashMap, sync::Arc};

/// Numbers from 1; freed ones are used again.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Option<Arc<str>>>,
    free: Vec<u32>,
}

impl Names {
    /// The number of a name, which gets one now if it has none.
    pub(super) fn intern(&mut self, name: &str) -> u32 {
        let known = self.find(name);
        if known != 0 {
            return known;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            self.names.len() as u32
        });
        let name: Arc<str> = name.into();
        self.names[number as usize - 1] = Some(name.clone());
        self.numbers.insert(name, number);
        number
    }

    /// The number of a name, 0 if it has none.
    pub(super) fn find(&self, name: &str) -> u32 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// The name of a number; empty for one that is free.
    pub(super) fn name(&self, number: u32) -> &str {
        let slot = (number as usize).checked_sub(1).and_then(|at| self.names.get(at));
        slot.and_then(Option::as_deref).unwrap_or_default()
    }

    pub(super) fn release(&mut self, number: u32) {
        let slot = (number as usize).checked_sub(1).and_then(|at| self.names.get_mut(at));
        if let Some(name) = slot.and_then(Option::take) {
            self.numbers.remove(&name);
            self.free.push(number);
        }
    }

    #[cfg(test)]
    pub(super) fn in_use(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_small_and_used_again() {
        let mut names = Names::default();
        assert_eq!((names.intern("a"), names.intern("b"), names.intern("a")), (1, 2, 1));
        assert_eq!(
            (names.find("b"), names.find("c"), names.name(2), names.name(3)),
            (2, 0, "b", "")
        );
        names.release(1);
        names.release(1);
        names.release(0);
        assert_eq!((names.find("a"), names.name(1)), (0, ""));
        assert_eq!((names.intern("c"), names.intern("d")), (1, 3));
    }
}
