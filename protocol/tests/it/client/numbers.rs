//! Numbers for names, as a driver gives them.

use super::model::Name;

#[derive(Debug, Default)]
pub(super) struct Numbers {
    names: Vec<Option<Name>>,
}

impl Numbers {
    pub(super) fn find(&self, name: Name) -> u32 {
        self.names.iter().position(|&n| n == Some(name)).map_or(0, |at| at as u32 + 1)
    }

    pub(super) fn give(&mut self, name: Name) -> u32 {
        if self.find(name) == 0 {
            match self.names.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => *slot = Some(name),
                None => self.names.push(Some(name)),
            }
        }
        self.find(name)
    }

    pub(super) fn name(&self, number: u32) -> Name {
        self.names[number as usize - 1].expect("a number in use")
    }

    pub(super) fn release(&mut self, number: u32) {
        assert!(self.names[number as usize - 1].take().is_some(), "{number} is free already");
    }

    pub(super) fn in_use(&self) -> usize {
        self.names.iter().flatten().count()
    }
}
