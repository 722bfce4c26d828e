// A WASM module as text within JavaScript, for the build and for the tests.
//
// Not base64: there one byte's bits are spread over characters in three ways, so that what repeats in the module no longer
// repeats in the text. Here one byte is always the same one or two characters (the rarer half takes two), and the text
// compresses like the module itself: 5.8 kB where base64 gives 7.3. src/bytes.ts reads it.

import { readFileSync } from "node:fs";

// The characters are the 92 from `#` on: all that is printable but the blank, `!` and `"`.
const FIRST = 35;
const RANGE = 92;
const SINGLE = 90;
/** So that the commonest bytes of WASM become common characters of JavaScript: gzip then spends fewer bits on either. */
const SHIFT = 64;

const character = (code) => String.fromCharCode(FIRST + ((code + SHIFT) % RANGE));

/** The text of bytes. */
export function encode(bytes) {
  let text = "";
  for (const byte of bytes) {
    const rest = byte - SINGLE;
    if (rest >= 0) text += character(SINGLE + Math.floor(rest / RANGE));
    text += character(rest < 0 ? byte : rest % RANGE);
  }
  return text;
}

/** The text of a JavaScript module whose default export is the text of a WASM file. */
export const source = (path) => `export default ${JSON.stringify(encode(readFileSync(path)))};`;

/** For esbuild: the default export of a `.wasm` file is its text. */
export const inlineWasm = {
  name: "inline-wasm",
  setup(build) {
    build.onLoad({ filter: /\.wasm$/ }, ({ path }) => ({ contents: source(path), loader: "js" }));
  },
};
