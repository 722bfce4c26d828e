// A page that is open for long needs no more memory than one that was just opened.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { CDPSession } from "playwright-core";
import { Chromium, watch } from "./chromium.js";
import { Nodes } from "./nodes.js";
import type {} from "./page/load.js";
import { makeSite, type Site } from "./site.js";

/** Messages, and pairs of a subscribe and an unsubscribe. */
type Work = readonly [messages: number, pairs: number];

const WORK: Work = process.env.TIDEWIRE_LONG ? [1_000_000, 10_000] : [50_000, 2_000];

/** After so much all is compiled, cached and allocated that is so once. */
const WARM_UP: Work = [10_000, 1_000];

let browser: Chromium;
let site: Site;
let nodes: Nodes;

before(async () => {
  [browser, site] = await Promise.all([Chromium.start(), makeSite()]);
});
after(async () => {
  await browser?.close();
  await site?.remove();
});
beforeEach(async () => {
  nodes = await Nodes.start(site);
});
afterEach(() => nodes.kill());

test(`${WORK[0]} messages and ${WORK[1]} subscriptions leave nothing behind`, async (t) => {
  const page = await browser.window();
  const devtools = await page.context().newCDPSession(page);
  page.setDefaultTimeout(0);
  const faults = watch(page);
  await page.goto(`http://127.0.0.1:${nodes.port}/load.html`);
  await page.waitForFunction(() => "load" in window);

  const run = (work: Work) =>
    page.evaluate(async ([messages, pairs]) => {
      await window.load.hear(messages);
      await window.load.pass(pairs);
      return window.load.report();
    }, work);
  const half: Work = [WORK[0] / 2, WORK[1] / 2];
  await run(WARM_UP);
  const before = await heapBytes(devtools);
  const middle = await run(half);
  const end = await run(half);
  const after = await heapBytes(devtools);

  t.diagnostic(`heap ${before} bytes before, ${after} after; WASM ${middle.wasmBytes} at half, ${end.wasmBytes} at the end`);
  assert.deepEqual([end.heard, end.subscriptions], [WORK[0] + WARM_UP[0], WORK[1] + WARM_UP[1]]);
  assert.deepEqual([...end.faults, ...faults], []);
  assert.ok(after <= before * 1.02 + 64 * 1024, `the heap has grown from ${before} to ${after} bytes`);
  assert.ok((end.wasmBytes ?? 0) > 0, "the core runs");
  assert.equal(end.wasmBytes, middle.wasmBytes, "the core's memory has grown in the second half");
});

/** What the page's heap has in use, once all that is garbage is collected. */
async function heapBytes(devtools: CDPSession): Promise<number> {
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  return usedSize;
}
