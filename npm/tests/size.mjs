// Prints how many bytes a page loads for what it imports, and fails where that is over its budget. Run after `npm run build`.
//
// A bundle by esbuild, minified, and `gzip -9` of it. `--peers FOLDER` measures the
// packages that are installed there too, and this one as it is installed there.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const index = process.argv.indexOf("--peers");
const peers = index > 0 ? process.argv[index + 1] : undefined;
// Imports of `tidewire` are those of the package itself, by its `exports`.
const root = peers ?? join(import.meta.dirname, "..");

/** What is imported, from where, and the most bytes that this may be. */
const ours = [
  ["connect", "tidewire", 13_000],
  ["connect, items", "tidewire", 14_150],
  ["connect, reduced", "tidewire", 14_100],
  ["connect, presence", "tidewire", 14_300],
  ["connect, stream", "tidewire", 13_500],
  ["connect, items, reduced, presence", "tidewire", 14_400],
  ["connectWith", "tidewire", 7_200],
  ["connect", "tidewire/js", 17_600],
  ["connect", "tidewire/tabs", 18_900],
  // Without React.
  ["useTopic", "tidewire/react", 4_200],
  ["useConnection, useTopic, usePresence, useCall, createLiveContext", "tidewire/react", 4_600],
];

const theirs = [
  ["default", "reconnecting-websocket"],
  ["WebSocket", "partysocket"],
  ["Socket", "phoenix"],
  ["createWSClient, wsLink, createTRPCClient", "@trpc/client"],
  ["io", "socket.io-client"],
  ["HubConnectionBuilder", "@microsoft/signalr"],
  ["RealtimeClient", "@supabase/realtime-js"],
  ["default", "pusher-js"],
  ["Centrifuge", "centrifuge"],
  ["Realtime", "ably"],
];

async function measure(names, from) {
  const imports = names === "default" ? "all" : `{ ${names} }`;
  const { outputFiles } = await build({
    stdin: { contents: `import ${imports} from "${from}"; console.log(${names === "default" ? "all" : names});`, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    external: ["react"],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    write: false,
    logLevel: "error",
  });
  const [{ contents }] = outputFiles;
  // The program, not node:zlib: Node's compresses up to 2% less, differently in each version.
  return [contents.length, execFileSync("gzip", ["-9c"], { input: contents }).length];
}

const rows = [];
for (const [names, from, budget] of ours) rows.push([from, names, budget, ...(await measure(names, from))]);
for (const [names, from] of peers ? theirs : []) {
  if (!existsSync(join(root, "node_modules", from))) throw new Error(`${from} is not installed in ${root}`);
  rows.push([from, names, undefined, ...(await measure(names, from))]);
}

const number = (value) => (value === undefined ? "" : value.toLocaleString("en"));
console.log("| package | imports | minified | compressed | budget |\n|---|---|---:|---:|---:|");
for (const [from, names, budget, minified, compressed] of rows) {
  console.log(`| ${from} | ${names} | ${number(minified)} | ${number(compressed)} | ${number(budget)} |`);
}
const over = rows.filter(([, , budget, , compressed]) => budget !== undefined && compressed > budget);
for (const [from, names, budget, , compressed] of over) {
  console.error(`{ ${names} } from ${from}: ${compressed} bytes compressed, ${compressed - budget} over its budget`);
}
process.exitCode = over.length > 0 ? 1 : 0;
