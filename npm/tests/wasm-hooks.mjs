// Lets Node import a `.wasm` file as the build does, and with TIDEWIRE_CORE=js its translation instead.

import { source } from "../inline-wasm.mjs";
import { jsSource } from "../js-core.mjs";
import { fileURLToPath } from "node:url";

const translated = 'export { translated as inlined } from "./translated.ts";';

export async function load(url, context, next) {
  if (url.endsWith(".wasm")) return { format: "module", source: source(fileURLToPath(url)), shortCircuit: true };
  if (url.endsWith(".wasm2js")) return { format: "module", source: jsSource(fileURLToPath(url)), shortCircuit: true };
  if (process.env.TIDEWIRE_CORE === "js" && /\/src\/inlined\.ts(\?|$)/.test(url)) return { format: "module", source: translated, shortCircuit: true };
  return next(url, context);
}
