import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../inline-wasm.mjs";
import { decode } from "../src/bytes.js";

test("every byte survives being text", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert.deepEqual(decode(encode(all)), all);
  assert.deepEqual(decode(""), new Uint8Array());
});

test("the text is printable ASCII, which no bundler escapes", () => {
  assert.match(encode(Uint8Array.from({ length: 256 }, (_, byte) => byte)), /^[#-~]+$/);
});
