import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";

const root = new URL("..", import.meta.url);
const { exports }: { exports: Record<string, string | { default: string }> } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));

// What `npm run build` made: the suite builds first.
for (const [entry, target] of Object.entries(exports)) {
  if (typeof target === "string") continue;
  test(`importing tidewire${entry.slice(1)} does nothing`, async () => {
    const { outputFiles } = await build({
      stdin: { contents: `export * from "${target.default}";`, resolveDir: root.pathname },
      bundle: true,
      format: "iife",
      // Side effects would be left out on the package's word that there are none.
      ignoreAnnotations: true,
      plugins: [{ name: "react", setup: (build) => {
        build.onResolve({ filter: /^react$/ }, ({ path }) => ({ path, namespace: "react" }));
        build.onLoad({ filter: /.*/, namespace: "react" }, () => ({ contents: "export const createContext = 0, createElement = 0, useCallback = 0, useContext = 0, useEffect = 0, useMemo = 0, useRef = 0, useState = 0, useSyncExternalStore = 0;" }));
      } }],
      write: false,
    });
    // A world with the language only: neither a page nor Node. And what of the language has effects is not to be touched.
    const touched: string[] = [];
    const world: Record<string, unknown> = {};
    for (const name of ["WebAssembly", "Date", "Math", "Promise", "eval", "Function", "Atomics", "SharedArrayBuffer", "TextDecoder", "crypto", "WebSocket", "document", "window", "self", "location", "navigator", "setTimeout", "queueMicrotask", "addEventListener", "BroadcastChannel", "fetch", "process", "console"]) {
      Object.defineProperty(world, name, { get: () => void touched.push(name) });
    }
    const names = Object.keys(world);
    runInContext(outputFiles[0]?.text ?? "", createContext(world));
    assert.deepEqual(touched, []);
    assert.deepEqual(Object.keys(world), names);
  });

  test(`tidewire${entry.slice(1)} has a map of its sources`, () => {
    const map = JSON.parse(readFileSync(new URL(`${target.default}.map`, root), "utf8"));
    assert(map.sources.length > 0 && map.sourcesContent.length === map.sources.length);
  });
}
