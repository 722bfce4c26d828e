// Prints how many bytes a page loads for `import { connect } from "tidewire"`: minified by esbuild, gzip -9.
// Run after `npm run build`.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const { outputFiles } = await build({
  stdin: { contents: 'import { connect } from "./dist/index.js"; console.log(connect);', resolveDir: `${import.meta.dirname}/..` },
  bundle: true,
  minify: true,
  format: "esm",
  write: false,
});
const [{ contents }] = outputFiles;
console.log(`${contents.length} bytes minified, ${gzipSync(contents, { level: 9 }).length} compressed`);
