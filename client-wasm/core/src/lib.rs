//! The client core as WASM.
