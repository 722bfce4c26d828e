// Loaded before the tests: TypeScript, WASM as text, and what the build puts in.

import { register } from "node:module";
import "tsx";

register("./wasm-hooks.mjs", import.meta.url);

globalThis.PACKAGE_VERSION = "test";
