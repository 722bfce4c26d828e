import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ErrorCode, topicName } from "../src/index.js";
import { isName, Names } from "../src/names.js";

interface Vectors {
  topics: { valid: string[]; invalid: { name: string }[] };
  names: { pattern: string; params: Record<string, string>; name: string }[];
  unfillable: { pattern: string; params: Record<string, string> }[];
}
const vectors: Vectors = JSON.parse(readFileSync(new URL("../../vectors/names.json", import.meta.url), "utf8"));

// The vectors' patterns are known at run time only, so their parameters have no types.
const fill = topicName as (pattern: string, params: Record<string, unknown>) => string;

test("names are taken and refused as the vectors say", () => {
  for (const name of vectors.topics.valid) assert(isName(name), name);
  for (const { name } of vectors.topics.invalid) assert(!isName(name), name);
  assert(!isName("a\ud800"), "a lone surrogate is no text");
});

test("patterns are filled as the vectors say", () => {
  for (const { pattern, params, name } of vectors.names) assert.equal(fill(pattern, params), name);
});

test("what cannot be filled is refused", () => {
  const refused = { code: ErrorCode.invalid_topic, name: "invalid_topic" };
  for (const { pattern, params } of vectors.unfillable) assert.throws(() => fill(pattern, params), refused, pattern);
  assert.throws(() => fill("chat:{room}", { room: "\udfff" }), refused, "a lone surrogate");
  assert.throws(() => fill("chat:{toString}", {}), refused, "an inherited property is no parameter");
});

test("a parameter may be a number", () => {
  assert.equal(topicName("user:{id}", { id: 7 }), "user:7");
  assert.equal(topicName("user:{id}", { id: 0 }), "user:0");
});

test("numbers of names are dense, kept while in use, and used again", () => {
  const names = new Names();
  assert.deepEqual([names.intern("a"), names.intern("b"), names.intern("a")], [1, 2, 1]);
  assert.equal(names.numberOf("c"), 0);
  assert.equal(names.textOf(2), "b");
  names.release(1);
  names.release(1);
  assert.equal(names.numberOf("a"), 0);
  assert.deepEqual([names.intern("c"), names.intern("d")], [1, 3]);
});
