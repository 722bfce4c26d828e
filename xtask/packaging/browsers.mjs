// Holds what the package uses of JavaScript and the browser to the oldest versions that it supports, by MDN's table of what came when.
//
// Syntax is the build's to hold (esbuild's `target`), WASM is wasm-opt's. This looks at names: globals, their members (`Object.hasOwn`), and
// members of arrays and the like (`.findLast`), which fail where none that has one is old enough. Argument: the folder of the built files.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";

const data = JSON.parse(readFileSync(new URL("node_modules/@mdn/browser-compat-data/data.json", import.meta.url), "utf8"));
const oldest = { chrome: "96", edge: "96", firefox: "100", safari: "15.4" };
/** Used only where it is there; and a name that the package's own objects have. */
const excepted = ["Symbol.dispose", ".error"];

const parts = (version) => version.replace("≤", "").split(".").map(Number);
const isOver = (version, limit) => {
  const [a, b = 0] = parts(version);
  const [c, d = 0] = parts(limit);
  return a > c || (a === c && b > d);
};

/** The browsers that do not have a feature yet. */
function lacking({ __compat } = {}) {
  if (!__compat) return [];
  return Object.entries(oldest).flatMap(([browser, limit]) => {
    const support = [__compat.support[browser]].flat().filter((one) => one && !one.flags && !one.prefix && !one.alternative_name);
    const since = support.filter(({ version_added, version_removed }) => typeof version_added === "string" && version_added !== "preview" && !version_removed);
    return since.some(({ version_added }) => !isOver(version_added, limit)) ? [] : [`${browser} ${limit}`];
  });
}

const globals = { ...data.api, ...data.javascript.builtins, ...data.webassembly?.api, ...data.api.Window, ...data.javascript.builtins.globalThis };
/** Members of this name, of whatever the language has: those of the browser's objects have names that the package has too. */
const members = (name) => Object.values(data.javascript.builtins).flatMap((one) => (Object.hasOwn(one, name) && one[name].__compat ? [one[name]] : []));

/** What of a text is too new. */
export function tooNew(text) {
  const found = new Map();
  const report = (name, browsers) => browsers.length > 0 && !excepted.includes(name) && found.set(name, browsers);
  // Without comments and the words of strings.
  const code = transformSync(text, { minifyWhitespace: true, format: "esm" }).code.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
  for (const [, name, member] of code.matchAll(/(?<![.\w$#])([A-Za-z]\w+)(?:\.(\w+))?/g)) {
    if (!Object.hasOwn(globals, name)) continue;
    report(name, lacking(globals[name]));
    const one = member && (globals[name][`${member}_static`] ?? globals[name][member]);
    if (one) report(`${name}.${member}`, lacking(one));
  }
  for (const [, name] of code.matchAll(/(?<!\b[A-Z]\w*)\.(\w+)/g)) {
    const all = members(name).map(lacking);
    if (all.length > 0 && all.every((browsers) => browsers.length > 0)) report(`.${name}`, all[0]);
  }
  return found;
}

// A check that cannot fail is none.
for (const name of ["structuredClone", ".findLast", "AbortSignal.any", "Object.groupBy"]) {
  const text = { ".findLast": "[].findLast(f);", structuredClone: "structuredClone(1);" }[name] ?? `${name}([]);`;
  if (!tooNew(text).has(name)) throw new Error(`${name} is not noticed`);
}

const folder = process.argv[2];
const files = readdirSync(folder).filter((name) => name.endsWith(".js"));
if (files.length === 0) throw new Error(`no files in ${folder}`);
for (const file of files) {
  for (const [name, browsers] of tooNew(readFileSync(join(folder, file), "utf8"))) {
    console.error(`${file}: ${name} is too new for ${browsers.join(", ")}`);
    process.exitCode = 1;
  }
}
if (!process.exitCode) console.log(`${files.length} files use nothing newer than ${Object.entries(oldest).map((entry) => entry.join(" ")).join(", ")}`);
