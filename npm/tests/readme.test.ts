import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

test("the code of both READMEs is code that compiles", () => {
  const compiled = read("readme.tsx").replaceAll("export function", "function");
  const readmes = read("../README.md") + read("../../README.md");
  const blocks = [...readmes.matchAll(/```tsx?\n(.*?)```/gs)].map(([, code = ""]) => code);
  assert(blocks.length > 5);
  for (const block of blocks) {
    const code = block.replace(/^import .*\n/gm, "").trim();
    assert(compiled.includes(code), `not in tests/readme.tsx:\n${code}`);
  }
});
