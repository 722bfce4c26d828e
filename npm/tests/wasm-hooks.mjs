// Lets Node import a `.wasm` file as the build does.

import { source } from "../inline-wasm.mjs";
import { fileURLToPath } from "node:url";

export async function load(url, context, next) {
  if (!url.endsWith(".wasm")) return next(url, context);
  return { format: "module", source: source(fileURLToPath(url)), shortCircuit: true };
}
