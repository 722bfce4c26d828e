// Measures the rate at which messages reach a handler, in Chromium and in Node, beside a WebSocket and JSON.parse written by hand.
//
// `cargo xtask bench --client` runs it. Environment: CHROMIUM, or none of the browser; ROUNDS; RESULTS, the files that get the numbers, without `.json` and `.md`.
// Fails where the median of the ratios of a round is under the target, if there are enough rounds.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";

const TARGET = 0.9;
const rounds = Number(process.env.ROUNDS ?? 15);
/** Bytes of a frame, and how many of them are sent. */
const sizes = [[123, 40_000], [1_000, 30_000], [10_000, 5_000]];

const folder = mkdtempSync(join(tmpdir(), "tidewire-rate-"));
const script = join(folder, "client.js");
const bundle = (format, outfile) =>
  build({ entryPoints: [join(import.meta.dirname, "client.mjs")], absWorkingDir: join(import.meta.dirname, ".."), bundle: true, minify: true, format, outfile });
await bundle("iife", script);
await bundle("esm", join(folder, "client.mjs"));

const server = spawn(process.execPath, [join(import.meta.dirname, "server.mjs"), script], { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface(server.stdout);
const [port] = await once(lines, "line");

/** Within this process; Node 20 has a WebSocket by a flag. */
async function node() {
  if (!globalThis.WebSocket) throw new Error("start this with --experimental-websocket");
  const { all } = await import(join(folder, "client.mjs"));
  return all(`ws://127.0.0.1:${port}`, rounds, sizes);
}

/** In a page that nobody looks into: a debugger that follows the network would be told of every message. */
async function chromium() {
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
  const url = `http://127.0.0.1:${port}/?rounds=${rounds}&sizes=${encodeURIComponent(JSON.stringify(sizes))}`;
  // Without a port for a debugger it would write the page's text and end.
  const browser = spawn(process.env.CHROMIUM, ["--headless", "--remote-debugging-port=0", ...asRoot, ...quiet, `--user-data-dir=${join(folder, "profile")}`, url], { stdio: "ignore" });
  const ended = once(browser, "exit");
  try {
    const [line] = await Promise.race([once(lines, "line"), ended.then(() => Promise.reject(new Error("Chromium ended")))]);
    const result = JSON.parse(line);
    if (result.error) throw new Error(result.error);
    return result;
  } finally {
    browser.kill();
    await ended;
  }
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const spread = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values) });

const results = [];
try {
  const places = { [`Node ${process.versions.node}`]: node, ...(process.env.CHROMIUM && { Chromium: chromium }) };
  for (const [place, run] of Object.entries(places)) {
    for (const [index, rates] of (await run()).entries()) {
      const of = (name) => spread(rates.map((both) => both[name]));
      results.push({ place, bytes: sizes[index][0], rounds, ours: of("ours"), by_hand: of("byHand"), ratio: spread(rates.map(({ ours, byHand }) => ours / byHand)) });
    }
  }
} finally {
  server.kill();
  // Chromium's other processes may still write there.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

const head = `# Messages to a handler

Written by \`cargo xtask bench --client\`, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0]?.model}. A server sends what it has made beforehand as fast as it is read;
messages per second from the first that reaches the handler to the last, medians of ${rounds} rounds in which the two alternate. The target is a median ratio of ${TARGET}.`;
const number = (value) => Math.round(value).toLocaleString("en");
const table = ["| where | frame, bytes | tidewire, messages/s (min–max) | by hand, messages/s (min–max) | ratio (min–max) |", "|---|---:|---:|---:|---:|"];
for (const { place, bytes, ours, by_hand, ratio } of results) {
  const rate = ({ median, min, max }) => `${number(median)} (${number(min)}–${number(max)})`;
  table.push(`| ${place} | ${number(bytes)} | ${rate(ours)} | ${rate(by_hand)} | ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}) |`);
}
console.log(table.join("\n"));
if (process.env.RESULTS) {
  writeFileSync(`${process.env.RESULTS}.json`, `${JSON.stringify({ cpu: cpus()[0]?.model, target: TARGET, results }, undefined, 1)}\n`);
  writeFileSync(`${process.env.RESULTS}.md`, `${head}\n\n${table.join("\n")}\n`);
}
// Medians of fewer are chance.
const slow = rounds < 9 ? [] : results.filter(({ ratio }) => ratio.median < TARGET);
for (const { place, bytes, ratio } of slow) console.error(`${place}, ${bytes} bytes: ${ratio.median.toFixed(2)} of what is written by hand; the target is ${TARGET}`);
process.exitCode = slow.length > 0 ? 1 : 0;
