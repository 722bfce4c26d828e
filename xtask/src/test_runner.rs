//! What cargo runs a WASM test file with: wasm-bindgen's runner, in the version of Cargo.lock.

use std::env;
use std::ffi::OsString;

use wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args;

use crate::failure::{OrMend, Result};

/// `arguments` are the WASM file and what follows it.
pub(crate) fn run(arguments: Vec<OsString>) -> Result {
    let runner = env::args_os().take(1);
    run_cli_with_args(runner.chain(arguments)).or_mend("WASM tests", "mend the test named above")
}
