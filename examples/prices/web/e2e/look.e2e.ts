// The page on wide and narrow screens, light and dark: nothing sticks out. Pictures of it are left in a folder that the test names.

import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launch, until, Visitor } from "./browser.js";
import { type PriceServer, startServer } from "./server.js";

let browser: Browser;
let server: PriceServer;
let folder: string;

before(async () => {
  browser = await launch();
  server = await startServer(400);
  folder = await mkdtemp(join(tmpdir(), "tidewire-prices-"));
});
after(async () => {
  await browser.close();
  await server.stop();
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }]) {
    test(`${colorScheme} at ${viewport.width}x${viewport.height}`, async (t) => {
      const ann = await Visitor.open(browser, server.url, { colorScheme, viewport });
      await ann.setSpeed("5 kB/s");
      await until("the slow reader is behind", async () => (await ann.cells("old")) > 20);
      const width = await ann.page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, viewport.width, "nothing sticks out");
      const path = join(folder, `${colorScheme}-${viewport.width}.png`);
      await ann.page.screenshot({ path, fullPage: viewport.width < 500 });
      t.diagnostic(path);
      assert.deepEqual(ann.errors, []);
      await ann.page.context().close();
    });
  }
}
