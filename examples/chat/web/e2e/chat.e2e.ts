// Two visitors, one server: they talk, lose the server, and go on when it is back.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Browser } from "playwright-core";
import { launch, Visitor } from "./browser.js";
import { Cable } from "./cable.js";
import { ChatServer } from "./server.js";

/** A server that was heard within this is not asked whether it is there. */
const QUIET_MS = 1_000;
/** A page that wakes is live within this, half a second of which is the server's, to answer. */
const WAKES_WITHIN_MS = 2_000;

let browser: Browser;
let server: ChatServer;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  server = await ChatServer.start();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await server.stop();
});

/** Two visitors in a room of their own name. */
async function pair(): Promise<[Visitor, Visitor]> {
  const room = `${server.url}/#${encodeURIComponent("a room: é/1")}`;
  const ann = await Visitor.open(browser, room);
  const ben = await Visitor.open(browser, room);
  await ann.enter("Ann");
  await ben.enter("Ben");
  return [ann, ben];
}

/** Both see a message once, and nobody has one on its way. */
async function bothSee(visitors: readonly Visitor[], text: string): Promise<void> {
  for (const visitor of visitors) {
    await visitor.message(text).waitFor();
    assert.equal(await visitor.message(text).count(), 1, text);
    assert.equal(await visitor.drafts.count(), 0, text);
  }
}

test("two pages in a room see what either says", async () => {
  const [ann, ben] = await pair();
  await ann.send("hello from Ann");
  await bothSee([ann, ben], "hello from Ann");
  await ben.send("hello from Ben");
  await bothSee([ann, ben], "hello from Ben");
  // The same words again are another message.
  await ben.send("hello from Ben");
  for (const visitor of [ann, ben]) {
    await visitor.message("hello from Ben").nth(1).waitFor();
    assert.equal(await visitor.message("hello from Ben").count(), 2);
  }
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("who comes later sees what was said before", async () => {
  const [ann, ben] = await pair();
  await ann.send("first");
  await ben.send("second");
  await bothSee([ann, ben], "second");
  const eve = await Visitor.open(browser, ann.page.url());
  await eve.enter("Eve");
  await bothSee([eve], "first");
  await ann.send("third");
  await bothSee([ann, ben, eve], "third");
  await eve.page.reload();
  await eve.joined();
  for (const text of ["first", "second", "third"]) await bothSee([eve], text);
  assert.equal(await eve.page.getByText("some messages may be missing here").count(), 0);
  assert.deepEqual(eve.errors, []);
});

test("two windows of one browser are two people", async () => {
  const ann = await Visitor.open(browser, server.url);
  await ann.enter("Ann");
  const ben = await Visitor.openBeside(ann);
  await ben.enter("Ben");
  await ann.here.getByText("Here: Ben").waitFor();
  await ben.page.reload();
  await ben.joined();
  await ben.here.getByText("Here: Ann").waitFor();
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("everybody sees who is here, and who is writing", async () => {
  const [ann, ben] = await pair();
  await ann.here.getByText("Here: Ben").waitFor();
  await ben.here.getByText("Here: Ann").waitFor();
  await ben.field.pressSequentially("hm");
  await ann.page.getByText("Ben is writing…").waitFor();
  await ben.field.press("Enter");
  await bothSee([ann, ben], "hm");
  await ann.page.getByText("Ben is writing…").waitFor({ state: "detached" });
  const eve = await Visitor.open(browser, ann.page.url());
  await eve.enter("Eve");
  await ann.here.getByText(/Here: (Ben and Eve|Eve and Ben)/).waitFor();
  await eve.page.getByRole("button", { name: /^Leave, and change your name/ }).click();
  await ann.here.getByText("Here: Ben", { exact: true }).waitFor();
  assert.deepEqual([...ann.errors, ...ben.errors, ...eve.errors], []);
});

test("pages come back by themselves when the server does", async () => {
  const [ann, ben] = await pair();
  const both = [ann, ben];
  for (const visitor of both) await visitor.page.evaluate(() => Object.assign(window, { marker: "not reloaded" }));
  await ann.send("before");
  await bothSee(both, "before");

  const { port } = server;
  await server.stop();
  for (const visitor of both) await visitor.pill("Reconnecting").waitFor();
  await ann.send("while it was down");
  await ann.drafts.getByText("while it was down").waitFor();

  server = await ChatServer.start(port);
  for (const visitor of both) await visitor.joined();
  await bothSee([ann], "while it was down");
  await ben.send("after");
  await bothSee(both, "after");
  await ann.send("and after");
  await bothSee(both, "and after");
  for (const visitor of both) {
    // The new server knows nothing of the old one's messages, and the page says so.
    await visitor.page.getByText("some messages may be missing here").waitFor();
    assert.equal(await visitor.message("before").count(), 1, "what was there is there");
    assert.equal(await visitor.page.evaluate(() => (window as { marker?: string }).marker), "not reloaded");
    assert.deepEqual(visitor.errors, []);
  }
});

test("a page that was cut off misses nothing", async (t) => {
  const cable = await Cable.to(Number(server.port));
  t.after(() => cable.close());
  const ann = await Visitor.open(browser, server.url);
  const ben = await Visitor.open(browser, cable.url);
  await ann.enter("Ann");
  await ben.enter("Ben");
  await ann.send("one");
  await bothSee([ann, ben], "one");
  cable.pull();
  await ben.pill("Reconnecting").waitFor();
  for (const text of ["two", "three"]) {
    await ann.send(text);
    await bothSee([ann], text);
  }
  cable.plugIn();
  await ben.page.getByText("You are back, and nothing was missed.").waitFor();
  await ann.here.getByText("Here: Ben").waitFor();
  for (const text of ["two", "three"]) await bothSee([ben], text);
  assert.equal(await ben.page.getByText("some messages may be missing here").count(), 0);
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("a page whose connection died in silence is live soon after it wakes", async (t) => {
  const cable = await Cable.to(Number(server.port));
  t.after(() => cable.close());
  const ann = await Visitor.open(browser, server.url);
  const ben = await Visitor.open(browser, cable.url);
  await ann.enter("Ann");
  await ben.enter("Ben");
  await ann.send("before");
  await bothSee([ann, ben], "before");

  cable.strand();
  await ann.send("in silence");
  await bothSee([ann], "in silence");
  // A wake says nothing of a server that was heard within a second; later ones do, and in between they do no harm.
  await ben.page.evaluate(() => void setInterval(() => dispatchEvent(new Event("online")), 100));
  const began = performance.now();
  await ben.send("said by one who is cut off");
  await ben.message("in silence").waitFor({ timeout: QUIET_MS + WAKES_WITHIN_MS });
  t.diagnostic(`live again after ${Math.round(performance.now() - began)} ms`);
  await bothSee([ann, ben], "said by one who is cut off");
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("what was on its way when the connection was lost is said once", async (t) => {
  const cable = await Cable.to(Number(server.port));
  t.after(() => cable.close());
  const ann = await Visitor.open(browser, server.url);
  const ben = await Visitor.open(browser, cable.url);
  await ann.enter("Ann");
  await ben.enter("Ben");
  for (let round = 1; round <= 5; round++) {
    const text = `round ${round}`;
    await ben.send(text);
    cable.pull();
    await ben.pill("Reconnecting").waitFor();
    cable.plugIn();
    await ben.joined();
    await bothSee([ann, ben], text);
  }
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});

test("Enter sends, Shift+Enter begins a line", async () => {
  const [ann, ben] = await pair();
  await ann.field.pressSequentially("one");
  await ann.field.press("Shift+Enter");
  await ann.field.pressSequentially("two");
  await ann.field.press("Enter");
  for (const visitor of [ann, ben]) assert.equal(await visitor.message(/^one\s*two$/).innerText(), "one\ntwo");
  assert.equal(await ann.field.inputValue(), "");
});

test("what is said in another room is counted there", async () => {
  const ann = await Visitor.open(browser, server.url);
  const ben = await Visitor.open(browser, `${server.url}/#random`);
  await ann.enter("Ann");
  await ben.enter("Ben");
  await ben.send("one");
  await ben.send("two");
  const random = ann.page.getByRole("link", { name: /random/ });
  await random.getByText("2 unread").waitFor();
  await random.click();
  await ann.message("two").waitFor();
  assert.equal(await random.getByText("unread").count(), 0);
});

test("the server says why it refuses a name", async () => {
  const visitor = await Visitor.open(browser, server.url);
  await visitor.giveName("x".repeat(33));
  await visitor.page.getByRole("alert").filter({ hasText: "A name has 1 to 32 characters." }).waitFor();
  await visitor.enter("x".repeat(32));
  await visitor.page.reload();
  await visitor.joined();
  assert.deepEqual(visitor.errors, []);
});

test("the server says why it refuses a message, which can be mended", async () => {
  const [ann, ben] = await pair();
  await ann.send("x".repeat(2001));
  await ann.drafts.getByText("A message has 1 to 2,000 characters.").waitFor();
  await ann.drafts.getByRole("button", { name: "Edit" }).click();
  await ann.send("shorter");
  await bothSee([ann, ben], "shorter");
});

test("a page that was built against an older schema is told so", async () => {
  const visitor = await Visitor.open(browser, server.url, {}, async (context) => {
    await context.route("**/assets/*.js", async (route) => {
      const response = await route.fetch();
      const text = await response.text();
      const older = text.replace(/("chat:\{room\}":\s*["'`])[0-9a-f]{16}/, "$10123456789abcdef");
      assert.notEqual(older, text, "the page carries the hash of its schema");
      await route.fulfill({ response, body: older });
    });
  });
  await visitor.enter("Ann");
  await visitor.page.getByRole("alert").filter({ hasText: "This page is older than the server" }).waitFor();
  await visitor.page.getByText("This room is closed to this page").waitFor();
  assert.ok(await visitor.field.isDisabled());
});
