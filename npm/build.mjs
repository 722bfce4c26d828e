// Makes dist/: one ESM file per entry, the WASM inlined as text, and the type declarations.
// Prints nothing when all is well: `npm pack` runs this, and what it prints is the tarball's name.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { inlineWasm } from "./inline-wasm.mjs";

const root = import.meta.dirname;
const fail = (text) => {
  console.error(`tidewire: ${text}`);
  process.exit(1);
};

if (!existsSync(join(root, "wasm/core.wasm"))) fail("npm/wasm is missing: run `cargo xtask wasm`");

rmSync(join(root, "dist"), { recursive: true, force: true });

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
execFileSync(process.execPath, [join(typescript, "bin/tsc"), "-p", join(root, "tsconfig.build.json")], {
  stdio: ["ignore", process.stderr, process.stderr],
});

await build({
  absWorkingDir: root,
  entryPoints: ["src/index.ts", "src/react.ts"],
  outdir: "dist",
  bundle: true,
  format: "esm",
  // The oldest of each that is supported.
  target: ["chrome96", "edge96", "firefox100", "safari15.4", "node20"],
  plugins: [inlineWasm],
  external: ["react"],
  sourcemap: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});

// What would need configuration in some bundler or runtime.
for (const file of ["index.js", "react.js"]) {
  const text = readFileSync(join(root, "dist", file), "utf8");
  for (const word of ["import.meta", "node:"]) {
    if (text.includes(word)) fail(`dist/${file} contains \`${word}\`, which not every bundler and runtime takes`);
  }
}
