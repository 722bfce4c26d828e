// Every public name, and every member of a public type, has a comment that editors show.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const source = (name: string) => new URL(`../src/${name}.ts`, import.meta.url);
const manifest: { exports: Record<string, { types?: string }> } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const entries = Object.values(manifest.exports).flatMap(({ types }) => /(\w+)\.d\.ts$/.exec(types ?? "")?.[1] ?? []);

/** What an entry exports: the names by the file that declares them; all of a file by `*`. */
function* exportsOf(entry: string): Generator<[file: string, name: string]> {
  const text = readFileSync(source(entry), "utf8");
  for (const [, list = "", file = ""] of text.matchAll(/^export (?:type )?\{([^}]*)\} from "\.\/([\w-]+)\.js"/gms)) {
    for (const name of list.split(",").map((name) => name.replace("type ", "").trim())) if (name) yield [file, name];
  }
  for (const [, file = ""] of text.matchAll(/^export \* from "\.\/([\w-]+)\.js"/gm)) yield* exportsOf(file);
  for (const [, name = ""] of text.matchAll(/^export (?:declare )?(?:interface|type|function|const|class) (\w+)/gm)) yield [entry, name];
}

/** The public names of a file without a comment, and members as `Type.member`. */
function bare(text: string, isPublic: (name: string) => boolean): string[] {
  const found: string[] = [];
  const lines = text.split("\n");
  let owner: string | undefined;
  for (const [index, line] of lines.entries()) {
    const isCommented = lines[index - 1]?.trimEnd().endsWith("*/") ?? false;
    const [, kind, name = ""] = /^(?:export )?(?:declare )?(interface|type|function|const|class) (\w+)/.exec(line) ?? [];
    if (kind && line.startsWith("export ") && isPublic(name)) {
      // The implementation of overloads is not shown.
      const isImplementation = kind === "function" && lines.slice(0, index).some((other) => other.startsWith(`export function ${name}`)) && !/;\s*$/.test(signature(lines, index));
      if (!isCommented && !isImplementation) found.push(name);
      if (kind === "interface" || kind === "class" || (kind === "const" && line.endsWith("{"))) owner = name;
    }
    if (line.startsWith("}")) owner = undefined;
    const [, member] = /^  (?:readonly )?(\[?[\w.]+\]?)\??[(:<]/.exec(line) ?? [];
    if (owner && member && !isCommented && !line.trimStart().startsWith("super(")) found.push(`${owner}.${member}`);
  }
  return found;
}

/** The lines of a signature, to the one that ends it. */
function signature(lines: readonly string[], start: number): string {
  const end = lines.findIndex((line, index) => index >= start && /^\}|[;{]\s*$/.test(line));
  return lines.slice(start, end + 1).join("\n");
}

for (const entry of entries) {
  test(`all that ${entry} exports is documented`, () => {
    const names = [...exportsOf(entry)];
    assert(names.length > 0);
    const files = new Map<string, Set<string>>();
    for (const [file, name] of names) files.set(file, (files.get(file) ?? new Set()).add(name));
    const missing: string[] = [];
    for (const [file, wanted] of files) {
      assert(existsSync(source(file)), file);
      const text = readFileSync(source(file), "utf8");
      for (const name of wanted) assert.match(text, new RegExp(`^export (?:declare )?(?:interface|type|function|const|class) ${name}\\b`, "m"), `${file} declares ${name}`);
      missing.push(...bare(text, (name) => wanted.has(name)).map((name) => `${file}: ${name}`));
    }
    assert.deepEqual(missing, []);
  });
}

test("what has no comment is found", () => {
  const text = `/** A. */
export interface A {
  /** One. */
  readonly one: number;
  two?: string;
  three(
    four: number,
  ): void;
}
export type B = 1;
interface Hidden {
  five: 1;
}
/** C. */
export function c(): void;
export function c(x: 1): void;
export function c(x?: 1): void {
}
`;
  assert.deepEqual(bare(text, () => true), ["A.two", "A.three", "B", "c"]);
});
