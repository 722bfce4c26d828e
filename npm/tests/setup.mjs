// Loaded before the tests: TypeScript, and WASM as text.

import { register } from "node:module";
import "tsx";

register("./wasm-hooks.mjs", import.meta.url);
