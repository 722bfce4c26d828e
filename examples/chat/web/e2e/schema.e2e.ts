// A change of the Rust schema that the page does not follow is an error of its build.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

const web = join(import.meta.dirname, "..");
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

let copy: string;

before(async () => {
  // Within the page's folder, so that the copy finds the installed packages.
  copy = await mkdtemp(join(web, "node_modules/.schema-"));
  await cp(join(web, "src"), join(copy, "src"), { recursive: true });
  await cp(join(web, "tsconfig.json"), join(copy, "tsconfig.json"));
});
after(() => rm(copy, { recursive: true }));

/** What the compiler says to the page with its schema changed. */
async function check(from: string, to: string): Promise<string> {
  const schema = await readFile(join(web, "src/chat.schema.ts"), "utf8");
  const changed = schema.replaceAll(from, to);
  assert.ok(from === to || changed !== schema, `the schema has ${from}`);
  await writeFile(join(copy, "src/chat.schema.ts"), changed);
  try {
    await promisify(execFile)(process.execPath, [tsc, "--noEmit", "-p", copy]);
    return "";
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("the page fits the schema as it is", async () => {
  assert.equal(await check("", ""), "");
});

test("a field of an event that has another name breaks the build", async () => {
  assert.match(await check("  user: string;", "  author: string;"), /error TS2339: Property 'user' does not exist/);
});

test("a field of a publish that has another type breaks the build", async () => {
  const changed = await check("What to say. */\n  text: string;", "What to say. */\n  text: number;");
  assert.match(changed, /outbox\.ts.*error TS2322: Type 'string' is not assignable to type 'number'/);
});

test("a topic that has another name breaks the build", async () => {
  assert.match(await check('"lobby"', '"hall"'), /activity\.ts.*error TS2345/);
});
