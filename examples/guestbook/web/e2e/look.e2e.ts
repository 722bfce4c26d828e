// The page on wide and narrow screens, light and dark: nothing sticks out. Pictures of it are left in a folder that the test names.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Chromium, watch } from "./chromium.js";
import { Nodes } from "./nodes.js";

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

let browser: Chromium;
let folder: string;
let pictures: string;

before(async () => {
  browser = await Chromium.start();
  folder = await mkdtemp(join(tmpdir(), "tidewire-guestbook-"));
  pictures = await mkdtemp(join(tmpdir(), "tidewire-guestbook-pictures-"));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [WIDE, NARROW]) {
    const name = `${colorScheme}-${viewport.width}`;
    test(`${colorScheme} at ${viewport.width}x${viewport.height}`, async (t) => {
      const nodes = await Nodes.start({ database: join(folder, `${name}.sqlite`), web: join(import.meta.dirname, "../dist") });
      t.after(() => nodes.kill());
      await nodes.fill(100);
      const page = await browser.window();
      t.after(() => page.close());
      const faults = watch(page);
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.goto(`http://127.0.0.1:${nodes.port}/`);
      const picture = async (what: string) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `${what} is as wide as the screen`);
        const path = join(pictures, `${name}-${what}.png`);
        await page.screenshot({ path, animations: "disabled" });
        t.diagnostic(path);
      };
      await page.getByLabel("Your name").fill("Ann Lee");
      await page.getByLabel("What you want to say").fill(`A long word: ${"tide".repeat(30)}\n\nand another line`);
      await picture("1-writing");
      await page.getByRole("button", { name: "Write it down" }).click();
      await page.locator("#entries li:not([data-pending])", { hasText: "A long word" }).waitFor();
      await picture("2-entries");
      const field = page.getByLabel("Look through the whole book");
      await field.fill("entry 9");
      await page.getByText("19 found. That is all.").waitFor();
      await picture("3-found");
      await field.fill("weather");
      const more = page.getByRole("button", { name: "Show more" });
      await more.scrollIntoViewIfNeeded();
      await picture("4-more");
      await nodes.kill();
      await page.getByRole("status").getByText("Out of reach").waitFor();
      await more.click();
      await page.getByText("40 found. There may be more.").waitFor();
      await more.click();
      await page.getByText("40 found. The connection was lost").scrollIntoViewIfNeeded();
      await picture("5-lost");
      assert.deepEqual(faults, []);
    });
  }
}
