// The search of the example's page: a call that is answered by a stream, read as the visitor asks for more.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Page } from "playwright-core";
import { Chromium, watch } from "./chromium.js";
import { Nodes } from "./nodes.js";

/** Entries in the book: more than the page shows, and than are looked at in one go. */
const ENTRIES = 500;

/** What the page shows, and asks the server for, at once. */
const AT_ONCE = 20;

let browser: Chromium;
let files: { database: string; web: string };
let nodes: Nodes;
let page: Page;
let faults: string[];

before(async () => {
  browser = await Chromium.start();
});
after(() => browser.close());

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidewire-guestbook-"));
  files = { database: join(folder, "guestbook.sqlite"), web: join(import.meta.dirname, "../dist") };
  nodes = await Nodes.start(files);
  await nodes.fill(ENTRIES);
  page = await browser.window();
  faults = watch(page);
  await page.goto(`http://127.0.0.1:${nodes.port}/`);
  await page.locator("#entries li").first().waitFor();
});
afterEach(async () => {
  assert.deepEqual(faults, []);
  await page.close();
  await nodes.kill();
  await rm(join(files.database, ".."), { recursive: true });
});

const field = () => page.getByLabel("Look through the whole book");
const told = () => page.getByRole("region", { name: "What was found" }).getByRole("status");
const button = (name: string) => page.getByRole("button", { name });
const texts = () => page.locator("#found li").evaluateAll((items) => items.map(({ textContent }) => textContent.slice("Filler".length)));

/** What the table has of a word, the newest first. */
async function expected(word: string): Promise<string[]> {
  const entries = await nodes.entries();
  return entries.flatMap(({ text }) => (text.includes(word) ? text : [])).reverse();
}

/** Waits until the page shows so many. */
const shows = (count: number) => page.locator("#found li").nth(count - 1).waitFor();

/** Waits until the server has found so many in all. */
async function hasFound(found: number): Promise<void> {
  while ((await nodes.searches()).found < found);
}

/** Waits until no search runs on the server. */
async function allLeft(): Promise<void> {
  while ((await nodes.searches()).running > 0);
}

/** An entry goes to the server and comes back: it has had time for whatever it might do. */
async function roundTrip(text: string): Promise<void> {
  await page.getByLabel("What you want to say").fill(text);
  await button("Write it down").click();
  await page.locator("#entries li:not([data-pending])", { hasText: text }).waitFor({ state: "attached" });
}

test("what is found comes in order, and all of it", async () => {
  const all = await expected("tide");
  assert.equal(all.length, ENTRIES / 5);
  await field().fill("Tide");
  for (let shown = AT_ONCE; shown < all.length; shown += AT_ONCE) {
    await told().getByText(`${shown} found. There may be more.`).waitFor();
    await button("Show more").click();
  }
  await shows(all.length);
  await button("Show more").click();
  await told().getByText(`${all.length} found. That is all.`).waitFor();
  assert.deepEqual(await texts(), all);
  assert.deepEqual(await page.locator("#found mark").allInnerTexts(), all.map(() => "tide"));
  await allLeft();

  await field().fill("storm");
  await told().getByText("Nothing was found.").waitFor();
  await field().fill("");
  await page.locator("#entries li").first().waitFor();
  assert.ok(!(await page.locator("#found").isVisible()));
});

test("a visitor who looks at some costs the server no more than those", async () => {
  await field().fill("entry");
  await shows(AT_ONCE);
  // Those which are shown, and as many for which the page has room.
  await hasFound(2 * AT_ONCE);
  for (const text of ["one", "two", "three"]) await roundTrip(text);
  assert.deepEqual(await nodes.searches(), { running: 1, found: 2 * AT_ONCE });
  await button("Show more").click();
  await shows(2 * AT_ONCE);
  await hasFound(3 * AT_ONCE);
  for (const text of ["four", "five", "six"]) await roundTrip(text);
  assert.deepEqual(await nodes.searches(), { running: 1, found: 3 * AT_ONCE });
});

test("a search that is left ends on the server", async () => {
  // By leaving the loop, which waits for the visitor.
  await field().fill("entry");
  await button("Show more").waitFor();
  assert.equal((await nodes.searches()).running, 1);
  await field().fill("");
  await allLeft();
  // By the next one, while it runs.
  for (const words of ["e", "en", "ent", "entr", "entry"]) await field().fill(words);
  await button("Show more").waitFor();
  while ((await nodes.searches()).running !== 1);
  assert.deepEqual(await page.locator("#found mark").allInnerTexts(), Array.from({ length: AT_ONCE }, () => "Entry"));
  // By a page that is closed.
  const other = await browser.window();
  await other.goto(page.url());
  await other.getByLabel("Look through the whole book").fill("entry");
  await other.getByRole("button", { name: "Show more" }).waitFor();
  assert.equal((await nodes.searches()).running, 2);
  await other.close();
  while ((await nodes.searches()).running !== 1);
});

test("a search whose server was killed says so, and goes on where it was", async () => {
  const all = await expected("Entry");
  await field().fill("entry");
  await shows(AT_ONCE);
  await hasFound(2 * AT_ONCE);
  await nodes.kill();
  await page.getByRole("status").getByText("Out of reach").waitFor();
  // What had come is still read.
  await button("Show more").click();
  await shows(2 * AT_ONCE);
  await button("Show more").click();
  await told().getByText(`${2 * AT_ONCE} found. The connection was lost before all of the book was looked through.`).waitFor();

  nodes = await Nodes.start(files, nodes.port);
  await page.getByRole("status").getByText("Open", { exact: true }).waitFor();
  await button("Look on").click();
  for (let shown = 3 * AT_ONCE; shown <= all.length; shown += AT_ONCE) {
    await shows(shown);
    await button("Show more").click();
  }
  await told().getByText(`${all.length} found. That is all.`).waitFor();
  assert.deepEqual(await texts(), all);
});
