// Prints how many bytes a page loads for `import { connect } from "tidewire"`: minified by esbuild, `gzip -9`. With the names of more
// exports as arguments, for those too. Run after `npm run build`.

import { execFileSync } from "node:child_process";
import { build } from "esbuild";

const names = ["connect", ...process.argv.slice(2)].join(", ");
const { outputFiles } = await build({
  stdin: { contents: `import { ${names} } from "./dist/index.js"; console.log(${names});`, resolveDir: `${import.meta.dirname}/..` },
  bundle: true,
  minify: true,
  format: "esm",
  write: false,
});
const [{ contents }] = outputFiles;
// The program, not node:zlib: Node's compresses up to 2% less, differently in each version.
const compressed = execFileSync("gzip", ["-9c"], { input: contents });
console.log(`${contents.length} bytes minified, ${compressed.length} compressed`);
