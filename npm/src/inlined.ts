// The core as the package carries it.

import wasm from "../wasm/core.wasm";
import { decode } from "./bytes.js";
import type { CoreLoader } from "./core.js";

/** Loads it. */
export const inlined: CoreLoader = () => WebAssembly.instantiate(decode(wasm));
