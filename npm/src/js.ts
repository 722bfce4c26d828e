// The entry `tidewire/js`: all that `tidewire` has, without WebAssembly. For pages whose Content-Security-Policy has no
// `'wasm-unsafe-eval'`, and for runtimes that have none.

import { type Connect, connectWith } from "./index.js";
import { translated } from "./translated.js";

export * from "./index.js";

/** The `connect` of `tidewire` with its core in JavaScript: the same behaviour, a few kilobytes more. */
export const connect: Connect = /* @__PURE__ */ connectWith(translated);
