// The board in a browser: it moves, symbols come and go, and a reader that was stopped is right again at once.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Browser } from "playwright-core";
import { launch, until, Visitor } from "./browser.js";
import { type PriceServer, startServer } from "./server.js";

/** More than the example's own, so that little time is much data. */
const RATE = 2_000;

/** What may stand between a reader that does not keep up and the latest. */
const OLD_BYTES = 256 * 1024;

/** The last quote of each symbol, twice over. */
const STATE_BYTES = 16 * 1024;

let browser: Browser;
let server: PriceServer;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  server = await startServer(RATE);
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await server.stop();
});

test("prices move, and symbols come and go", async () => {
  const ann = await Visitor.open(browser, server.url);
  const first = await ann.prices();
  await until("every fourth price is another", async () => {
    const now = Object.entries(await ann.prices());
    return now.filter(([symbol, price]) => first[symbol] !== price).length > 10;
  });
  const delisted = ann.page.locator(".tile[data-delisted]").first();
  const symbol = (await delisted.getAttribute("data-symbol")) ?? "";
  assert.equal((await ann.prices())[symbol], undefined);
  await until(`${symbol} is listed again`, async () => (await ann.prices())[symbol] !== undefined);
  const trail = ann.page.locator(`.tile polyline`).first();
  assert.ok(((await trail.getAttribute("points")) ?? "").split(" ").length > 50, "a fresh page has the whole trail");
  assert.deepEqual(ann.errors, []);
});

test("a reader that was stopped has the server's prices, by way of little that is old, while the board goes on", async (t) => {
  const ann = await Visitor.open(browser, server.url);
  await ann.setSpeed("Stopped");
  await until("most of its symbols are old", async () => (await ann.cells("old")) > 30);
  await until("the server finds it slow", async () => (await ann.figure("The server", "Fell behind")) > 0);
  const board = ann.frames.length;
  await until("much more is published", async () => ann.frames.length > board + 2 * RATE);
  assert.ok((await ann.figure("A slow reader", "Behind")) > 1);
  // Frames of both connections are told of in the order in which they came.
  const seen = ann.lineFrames.length;
  await ann.halt();
  await ann.setSpeed("Full speed");

  const fresh = await Visitor.open(browser, server.url);
  const expected = await fresh.prices();
  await until("the board has the last prices", async () => isDeepStrictEqual(await ann.prices(), expected));
  await until("so has the slow reader", async () => isDeepStrictEqual(await ann.linePrices(), expected));
  assert.equal(await ann.figure("A slow reader", "Behind"), 0);
  assert.ok((await ann.figure("A slow reader", "Left out")) > RATE);

  const late = ann.lineFrames.slice(seen);
  const causes = late.filter(({ topic }) => topic === "$gap").map(({ data }) => (data as { cause: string }).cause);
  assert.deepEqual([...new Set(causes)], ["conflated"], "it was told what it did not get");
  const bytes = late.reduce((sum, frame) => sum + frame.bytes, 0);
  t.diagnostic(`${bytes} bytes after the stop`);
  assert.ok(bytes <= OLD_BYTES + STATE_BYTES, `${bytes} bytes came after the stop`);
  assert.deepEqual([...ann.errors, ...fresh.errors], []);
});
