import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ErrorCode } from "../src/index.js";

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

/** Some of it stands in a block of its own, so that one name may be used twice. */
const flat = (code: string) => code.replace(/^ +/gm, "");

/** Where the code stands that is compiled, or run by frameworks.test.ts. */
const sources = ["readme.tsx", ...["vue.ts", "solid.ts", "svelte.ts", "Room.svelte"].map((name) => `frameworks/${name}`)];
const imports = /^ *import .*\n/gm;

for (const page of ["../README.md", "../../README.md", "../../docs/client.md"]) {
  test(`the code of ${page} is code that compiles`, () => {
    const compiled = sources.map((source) => flat(read(source).replace(imports, "").replaceAll("export function", "function"))).join("\n");
    const blocks = [...read(page).matchAll(/```(?:tsx?|svelte)\n(.*?)```/gs)].map(([, code = ""]) => code);
    assert(blocks.length > 0);
    for (const block of blocks) {
      const code = flat(block.replace(imports, "").trim().replaceAll("export function", "function"));
      assert(compiled.includes(code), `not in ${sources}:\n${code}`);
    }
  });
}

test("docs/client.md has every name that the package exports, and every error", () => {
  const page = read("../../docs/client.md");
  const names = (file: string) =>
    [...read(file).matchAll(/export (?:type )?\{([^}]*)\}|export (?:type|interface|function|const) (\w+)/gs)]
      .flatMap(([, list = "", name = ""]) => `${list},${name}`.split(","))
      .map((name) => name.replace("type ", "").trim())
      .filter((name) => name !== "");
  const missing = [...names("../src/index.ts"), ...names("../src/react.ts"), ...names("../src/tabs.ts")].filter((name) => !page.includes(`\`${name}`));
  assert.deepEqual(missing, []);
  assert.deepEqual(Object.keys(ErrorCode).filter((name) => !page.includes(`\`${name}\``)), []);
});
