//! Numbers for names, as a driver gives them; of both simulations.

#[derive(Debug)]
pub(crate) struct Numbers<N> {
    names: Vec<Option<N>>,
}

impl<N> Default for Numbers<N> {
    fn default() -> Self {
        Self { names: Vec::new() }
    }
}

impl<N: Copy + PartialEq> Numbers<N> {
    /// The number of a name, 0 if it has none.
    pub(crate) fn find(&self, name: N) -> u32 {
        self.names.iter().position(|&n| n == Some(name)).map_or(0, |at| at as u32 + 1)
    }

    pub(crate) fn give(&mut self, name: N) -> u32 {
        if self.find(name) == 0 {
            match self.names.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => *slot = Some(name),
                None => self.names.push(Some(name)),
            }
        }
        self.find(name)
    }

    pub(crate) fn name(&self, number: u32) -> N {
        self.names[number as usize - 1].expect("a number in use")
    }

    pub(crate) fn release(&mut self, number: u32) -> N {
        self.names[number as usize - 1].take().expect("a number in use")
    }

    pub(crate) fn in_use(&self) -> usize {
        self.names.iter().flatten().count()
    }
}
