// The example's own page: two guests write in one book, whatever becomes of its server.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { Chromium, watch } from "./chromium.js";
import { Nodes } from "./nodes.js";

let browser: Chromium;
let folder: string;

before(async () => {
  browser = await Chromium.start();
  folder = await mkdtemp(join(tmpdir(), "tidewire-guestbook-"));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

/** Opens the page, and gives a name. */
async function enter(name: string, port: number): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.window();
  const faults = watch(page);
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.getByLabel("Your name").fill(name);
  return { page, faults };
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel("What you want to say").fill(text);
  await page.getByRole("button", { name: "Write it down" }).click();
}

test("what a guest writes is in the book and on every page once, also after the server was killed", async () => {
  const files = { database: join(folder, "guestbook.sqlite"), web: join(import.meta.dirname, "../dist") };
  let nodes = await Nodes.start(files);
  const { port } = nodes;
  const guests = [await enter("Ann", port), await enter("Ben", port)] as const;
  const [ann, ben] = guests.map(({ page }) => page) as [Page, Page];
  const expected: string[] = [];
  const bothSee = async (entry: string) => {
    expected.unshift(entry);
    for (const page of [ann, ben]) {
      await page.locator("li:not([data-pending])", { hasText: entry.split("\n")[1] as string }).waitFor();
      assert.deepEqual(await page.locator("li").allInnerTexts(), expected);
    }
  };
  await write(ann, "I was here");
  await bothSee("Ann\nI was here");
  await write(ben, "So was I");
  await bothSee("Ben\nSo was I");

  await nodes.kill();
  await ann.getByRole("status").getByText("Out of reach").waitFor();
  await write(ann, "Is anybody there?");
  await ann.locator("li[data-pending]", { hasText: "Is anybody there?" }).waitFor();
  nodes = await Nodes.start(files, port);
  await bothSee("Ann\nIs anybody there?");
  assert.equal((await nodes.entries()).length, 3);
  for (const { faults } of guests) assert.deepEqual(faults, []);
  await nodes.kill();
});
