// Lets Node import Svelte components, and Svelte and Solid as a browser has them.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compile } from "svelte/compiler";

const inBrowser = /^(svelte|solid-js|esm-env)($|\/)|^#client/;

export function resolve(specifier, context, next) {
  if (!inBrowser.test(specifier)) return next(specifier, context);
  return next(specifier, { ...context, conditions: ["browser", ...context.conditions] });
}

export async function load(url, context, next) {
  if (!url.endsWith(".svelte")) return next(url, context);
  const filename = fileURLToPath(url);
  const { js } = compile(readFileSync(filename, "utf8"), { filename, generate: "client" });
  return { format: "module", source: js.code, shortCircuit: true };
}
