//! The crate as its users see it: one binary, one module per topic.

mod names;
