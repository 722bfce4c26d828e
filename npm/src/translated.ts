// The core as JavaScript, for where there is no WebAssembly.

import core from "../wasm/core.wasm2js";
import type { CoreLoader } from "./core.js";

/** Makes it. */
export const translated: CoreLoader = async () => ({ instance: { exports: core() } });
