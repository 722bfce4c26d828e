// The page on wide and narrow screens, light and dark: nothing sticks out, and the rooms are within reach.
// Pictures of it are left in a folder that the test names.

import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Locator } from "playwright-core";
import { launch, Visitor } from "./browser.js";
import { ChatServer } from "./server.js";

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

let browser: Browser;
let server: ChatServer;
let folder: string;

before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), "tidewire-chat-"));
});
after(() => browser.close());

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [WIDE, NARROW]) {
    test(`${colorScheme} at ${viewport.width}x${viewport.height}`, async (t) => {
      server = await ChatServer.start();
      t.after(() => server.stop());
      t.after(() => Promise.all(browser.contexts().map((context) => context.close())));
      const ann = await Visitor.open(browser, server.url, { colorScheme, viewport });
      const picture = async (name: string) => {
        const size = await ann.page.evaluate(() => {
          const { scrollWidth: width, scrollHeight: height } = document.documentElement;
          return { width, height };
        });
        assert.deepEqual(size, viewport, `${name} is as large as the screen`);
        const path = join(folder, `${colorScheme}-${viewport.width}-${name}.png`);
        await ann.page.screenshot({ path, animations: "disabled" });
        t.diagnostic(path);
      };
      await picture("1-name");
      await ann.enter("Ann Lee");
      await picture("2-quiet");
      await converse(ann);
      await picture("3-talk");
      await writeMuch(ann);
      await scrolledUp(ann);
      await picture("4-scrolled-up");
      if (viewport === NARROW) {
        await openDrawer(ann);
        await picture("5-rooms");
        await closeDrawer(ann);
      }
      await server.stop();
      await ann.pill("Reconnecting").waitFor();
      await ann.send("Is anybody there?");
      await ann.drafts.waitFor();
      await picture("6-cut-off");
      server = await ChatServer.start(server.port);
      await ann.page.getByText("You are back, but some messages may be missing.").waitFor();
      await picture("7-back");
      assert.deepEqual(ann.errors, []);
    });
  }
}

/** A talk with others, here and in other rooms. */
async function converse(ann: Visitor): Promise<void> {
  const ben = await Visitor.open(browser, server.url);
  await ben.enter("Benedikt");
  const talk = [
    [ann, "Morning! Is the new build out?"],
    [ben, "Yes, since eight."],
    [ben, "A page that was cut off gets what it missed, in order, and nothing twice. I pulled the cable to be sure."],
    [ann, "And a page that is older than the server?"],
    [ben, "Is told so.\n\nTry it:\ncargo xtask demo"],
    [ann, "Will do"],
    [ann, `Here is a long word: ${"tide".repeat(30)}`],
  ] as const;
  for (const [who, text] of talk) {
    await who.send(text);
    await ann.message(text).waitFor();
  }
  for (const room of ["engineering", "plans: spring/café", "a room with quite a long name, as some people like"]) {
    await ben.page.goto(`${server.url}/#${encodeURIComponent(room)}`);
    await ben.send(`Hello, ${room}`);
    await ben.message(`Hello, ${room}`).waitFor();
  }
  await ann.page.getByText("Also active").waitFor({ state: "attached" });
  await ben.page.context().close();
}

/** How far a list is from its end. */
const below = (list: Locator): Promise<number> =>
  list.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);

/** A long message is written and taken back: the end of the list stays in view. */
async function writeMuch(ann: Visitor): Promise<void> {
  const log = ann.page.getByRole("log");
  for (const text of ["line\n".repeat(12), ""]) {
    await ann.field.fill(text);
    // Two frames: one in which the list changes, one in which it has.
    await ann.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.ok((await below(log)) <= 1, "the end stays in view");
  }
}

/** Somebody reads older messages while a new one comes. */
async function scrolledUp(ann: Visitor): Promise<void> {
  const cy = await Visitor.open(browser, server.url);
  await cy.enter("Cy");
  for (let line = 1; line <= 8; line++) await cy.send(`Line ${line} of a report`);
  await ann.message("Line 8 of a report").waitFor();
  const log = ann.page.getByRole("log");
  await log.evaluate((element) => element.scrollTo({ top: 0 }));
  await log.evaluate((element) => new Promise((resolve) => requestAnimationFrame(() => resolve(element.scrollTop))));
  await cy.send("And its end");
  const button = ann.page.getByRole("button", { name: "New messages" });
  await button.waitFor();
  await button.click();
  await button.waitFor({ state: "detached" });
  assert.ok((await below(log)) <= 1, "the button leads to the end");
  await log.evaluate((element) => element.scrollTo({ top: 0 }));
  await cy.send("One more thing");
  await button.waitFor();
  await cy.page.context().close();
}

/** The drawer takes the focus, and what lies behind it is out of reach. */
async function openDrawer(ann: Visitor): Promise<void> {
  await ann.page.getByRole("button", { name: "Rooms" }).click();
  await ann.page.getByRole("complementary", { name: "Rooms" }).and(ann.page.locator(":focus")).waitFor();
  const isFocused = await ann.field.evaluate((element) => {
    element.focus();
    return document.activeElement === element;
  });
  assert.ok(!isFocused, "the field behind the drawer takes no focus");
}

/** Escape closes it, and the focus is where it was. */
async function closeDrawer(ann: Visitor): Promise<void> {
  await ann.page.keyboard.press("Escape");
  await ann.page.getByRole("button", { name: "Rooms" }).and(ann.page.locator(":focus")).waitFor();
}
