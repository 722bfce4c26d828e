// The chat's page in Leptos (examples/leptos-chat), beside the one in React: one server, one schema, one room.

import assert from "node:assert/strict";
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { launch, Visitor } from "./browser.js";
import { ChatServer } from "./server.js";

const page = process.env.LEPTOS_PAGE ?? "";

let browser: Browser;
let server: ChatServer;
/** Where the pages are served from, and pictures are left for people to look at. */
let folder: string;

before(async () => {
  assert.ok(page, "LEPTOS_PAGE is not set: `cargo xtask test e2e` sets it to the built page");
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), "tidewire-leptos-"));
  // Both pages are of one origin, the one in Leptos below the other.
  const site = join(folder, "site");
  await cp(process.env.WEB ?? fileURLToPath(new URL("../dist", import.meta.url)), site, { recursive: true });
  await cp(page, join(site, "leptos"), { recursive: true });
  process.env.WEB = site;
});
after(() => browser?.close());

beforeEach(async () => {
  server = await ChatServer.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await server.stop();
});

const open = (room: string, options: BrowserContextOptions = {}): Promise<Visitor> =>
  Visitor.open(browser, `${server.url}/leptos/#${encodeURIComponent(room)}`, options);

async function everybodySees(visitors: readonly Visitor[], text: string): Promise<void> {
  for (const visitor of visitors) {
    await visitor.message(text).waitFor();
    await visitor.drafts.getByText(text, { exact: true }).waitFor({ state: "detached" });
    assert.equal(await visitor.message(text).count(), 1, text);
  }
}

test("a page in Leptos and one in React are in one room", async () => {
  const room = "a room: é/1";
  const ann = await open(room);
  const ben = await Visitor.open(browser, `${server.url}/#${encodeURIComponent(room)}`);
  const both = [ann, ben];
  await ann.enter("Ann");
  await ben.enter("Ben");
  await ann.send("hello from Leptos");
  await everybodySees(both, "hello from Leptos");
  await ben.send("hello from React");
  await everybodySees(both, "hello from React");
  await ann.here.getByText("Here: Ben").waitFor();
  await ben.here.getByText("Here: Ann").waitFor();
  await ann.field.pressSequentially("hm");
  await ben.page.getByText("Ann is writing…").waitFor();
  await ann.field.press("Enter");
  await everybodySees(both, "hm");
  await ben.page.getByText("Ann is writing…").waitFor({ state: "detached" });

  // Whoever comes again has what was said before.
  await ann.page.reload();
  await ann.joined();
  for (const text of ["hello from Leptos", "hello from React", "hm"]) await everybodySees([ann], text);
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("rooms are entered and left, and a refused name is asked for again", async () => {
  const ann = await open("general");
  await ann.giveName("x".repeat(40));
  await ann.page.getByText("A name has 1 to 32 characters.").waitFor();
  await ann.enter("Ann");
  await ann.send("in general");
  await everybodySees([ann], "in general");
  await ann.page.getByRole("link", { name: "random" }).click();
  await ann.page.getByText("It is quiet in random").waitFor();
  await ann.page.getByLabel("Name of a room to join").fill("mine");
  await ann.page.getByRole("button", { name: "Join", exact: true }).click();
  await ann.page.getByText("It is quiet in mine").waitFor();
  await ann.page.getByRole("link", { name: "general" }).click();
  await everybodySees([ann], "in general");
  await ann.send(" ".repeat(3) + "x".repeat(2001));
  await ann.page.getByText("A message has 1 to 2,000 characters.").waitFor();
  await ann.page.getByRole("button", { name: /^Leave/ }).click();
  await ann.page.getByLabel("Your name").waitFor();
  assert.deepEqual(ann.errors, []);
});

test("a page in Leptos comes back by itself when the server does", async () => {
  const ann = await open("general");
  await ann.enter("Ann");
  await ann.send("before");
  await everybodySees([ann], "before");
  const { port } = server;
  await server.stop();
  await ann.pill("Reconnecting").waitFor();
  await ann.send("while it was down");
  await ann.drafts.getByText("while it was down").waitFor();
  server = await ChatServer.start(port);
  await ann.joined();
  await everybodySees([ann], "while it was down");
  await ann.page.getByText("some messages may be missing here").waitFor();
  assert.equal(await ann.message("before").count(), 1, "what was there is there");
  assert.deepEqual(ann.errors, []);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    test(`in Leptos, ${colorScheme} at ${viewport.width}x${viewport.height}`, async (t) => {
      const ann = await open("general", { colorScheme, viewport });
      const ben = await open("general");
      const picture = async (name: string) => {
        const path = join(folder, `${colorScheme}-${viewport.width}-${name}.png`);
        await ann.page.screenshot({ path, animations: "disabled" });
        t.diagnostic(path);
      };
      await picture("name");
      await ann.enter("Ann");
      await ben.enter("Ben");
      await picture("empty");
      await ben.send("hello from Ben, in a sentence that is long enough to need a second line on a telephone");
      await ben.send("and another one");
      await ann.send("hello from Ann");
      await everybodySees([ann, ben], "hello from Ann");
      await ben.field.pressSequentially("hm");
      await ann.page.getByText("Ben is writing…").waitFor();
      await picture("talk");
      const isWide = await ann.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(isWide, false, "nothing is wider than the page");
      if (viewport.width < 760) {
        await ann.page.getByRole("button", { name: "Rooms" }).click();
        await ann.page.getByRole("link", { name: "random" }).waitFor();
        await picture("rooms");
      }
      assert.deepEqual([...ann.errors, ...ben.errors], []);
    });
  }
}
