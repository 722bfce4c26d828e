// Makes dist/: one ESM file per entry, the WASM inlined as text, and the type declarations.
// Prints nothing when all is well: `npm pack` runs this, and what it prints is the tarball's name.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { inlineWasm } from "./inline-wasm.mjs";
import { jsCore } from "./js-core.mjs";

const root = import.meta.dirname;
const dist = join(root, "dist");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = ["index", "react", "tabs", "js"];

/**
 * Properties of the package's own objects, which get short names: no minifier of a page may rename them, and they are a fiftieth of
 * what it loads. None may be a name on the wire, of a runtime's objects, or in a declaration; `check` holds the last.
 */
const inner = `
  ask asked attach begin conflates deliver detach drained driver end ended enter everyone fail flags flush fold frame fulfil greeted
  hangUp heard intern isAsked isClosed isEager isGreeted isHeld isOther isOver isOwn isWelcome json kind leave
  membersOf miss names notify number numberOf open opened peers ports put read receive refuse reject release
  renew report run serverSubscribed serverUnsubscribed shut takers textOf topics untaken watched wish wished
`.trim().split(/\s+/);

const fail = (text) => {
  console.error(`tidewire: ${text}`);
  process.exit(1);
};

/** Writes the declarations of what an entry exports; those of the insides would only tempt. */
function declare() {
  const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  const options = { stdio: ["ignore", process.stderr, process.stderr] };
  execFileSync(process.execPath, [join(typescript, "bin/tsc"), "-p", join(root, "tsconfig.build.json")], options);
  const reached = new Set();
  const reach = (name) => {
    if (reached.has(name)) return;
    reached.add(name);
    const text = readFileSync(join(dist, `${name}.d.ts`), "utf8");
    for (const [, other] of text.matchAll(/"\.\/([\w-]+)\.js"/g)) reach(other);
  };
  for (const entry of entries) reach(entry);
  for (const file of readdirSync(dist)) {
    if (file.endsWith(".d.ts") && !reached.has(file.slice(0, -".d.ts".length))) rmSync(join(dist, file));
  }
}

/** Nothing that a page may name is renamed. */
function check() {
  const member = new RegExp(`(?:^|[{;])\\s*(?:readonly |get |set )?(${inner.join("|")})\\??\\s*[:(<]`, "m");
  for (const file of readdirSync(dist).filter((file) => file.endsWith(".d.ts"))) {
    const [, name] = member.exec(readFileSync(join(dist, file), "utf8")) ?? [];
    if (name) fail(`dist/${file} declares \`${name}\`, so build.mjs must not give it a short name`);
  }
}

/** One entry takes what it shares with another from there, so that a page which uses both has it once. */
const sharedEntry = {
  name: "shared-entry",
  setup(build) {
    build.onResolve({ filter: /^\.\/index\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

async function bundle() {
  await build({
    absWorkingDir: root,
    entryPoints: entries.map((entry) => `src/${entry}.ts`),
    outdir: "dist",
    bundle: true,
    format: "esm",
    // The oldest of each that is supported.
    target: ["chrome96", "edge96", "firefox100", "safari15.4", "node20"],
    plugins: [inlineWasm, jsCore, sharedEntry],
    external: ["react"],
    mangleProps: new RegExp(`^(${inner.join("|")})$`),
    define: { PACKAGE_VERSION: JSON.stringify(version) },
    sourcemap: true,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  // What would need configuration in some bundler or runtime.
  for (const entry of entries) {
    const text = readFileSync(join(dist, `${entry}.js`), "utf8");
    for (const word of ["import.meta", "node:"]) {
      if (text.includes(word)) fail(`dist/${entry}.js contains \`${word}\`, which not every bundler and runtime takes`);
    }
  }
}

if (!existsSync(join(root, "wasm/core.wasm"))) fail("npm/wasm is missing: run `cargo xtask wasm`");
rmSync(dist, { recursive: true, force: true });
declare();
check();
await bundle();
copyFileSync(join(root, "wasm/core.wasm"), join(dist, "core.wasm"));
for (const license of ["LICENSE-MIT", "LICENSE-APACHE"]) copyFileSync(join(root, "..", license), join(root, license));
