// The core as JavaScript (wasm2js's translation of the WASM), for the build and for the tests.

import { readFileSync } from "node:fs";

/**
 * The text of a JavaScript module whose default export is a function that makes the core's exports.
 *
 * wasm2js writes a module that does so when it is imported; the package does nothing then. Where its form changes, this fails.
 */
export function jsSource(path) {
  const text = readFileSync(path, "utf8");
  const end = /\nvar retasmFunc = asmFunc\(\{\s*\}\);\s*(?:export var \w+ = retasmFunc\.\w+;\s*)+$/;
  if (!end.test(text) || /^import /m.test(text)) throw new Error(`${path}: not of the form that wasm2js wrote when this was written`);
  return `export default () => {\n${text.replace(end, "\nreturn asmFunc({});\n")}};`;
}

/** For esbuild. */
export const jsCore = {
  name: "js-core",
  setup(build) {
    build.onLoad({ filter: /\.wasm2js$/ }, ({ path }) => ({ contents: jsSource(path), loader: "js" }));
  },
};
