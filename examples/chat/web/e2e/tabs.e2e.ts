// Twenty tabs of one visitor share one session. The tab that holds it is killed and frozen in turn, while others speak all the time:
// no tab misses a message or gets one twice, and each is live again within two seconds.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launch } from "./browser.js";
import { ChatServer } from "./server.js";

const TABS = 20;
const TURNS = process.env.TIDEWIRE_LONG ? 20 : 3;
/** Of the criterion: tabs that are shown are live again within it. */
const LIVE_AGAIN_MS = 2_000;
/** How often the other visitor speaks. */
const PACE_MS = 25;
const ROOM = "chat:tabs";

/** What a tab has of a message. */
interface Heard {
  readonly offset: number;
  readonly text: string;
  /** When it came. */
  readonly at: number;
}

/** What the page below gives the test. */
interface Tab {
  readonly heard: Heard[];
  readonly gaps: unknown[];
  readonly errors: string[];
  /** Whether it has the socket. */
  leads(): boolean;
  state(): string;
  publish(text: string): Promise<number>;
}

declare global {
  interface Window {
    tab: Tab;
    publishing: Promise<{ sent: { offset: number; text: string }[] }>;
    isStopped: boolean;
  }
}

/** A page that loads the package's files as they are. */
const html = (script: string) => `<!doctype html><meta charset="utf-8"><title>tab</title><link rel="icon" href="data:,">
<script>
  window.sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); sockets.push(this); }
  };
</script>
<script type="module">${script}</script>`;

const SHARING = html(`
  import { connect } from "./tabs.js";
  const tab = { heard: [], gaps: [], errors: [] };
  const onError = (error) => tab.errors.push(String(error));
  const live = connect({ name: "Chat", entries: {} }, { url: "/ws", token: "Ann", shareAs: "Ann", onError });
  const hear = (message, { offset }) => tab.heard.push({ offset, text: message.text, at: Date.now() });
  const room = live.subscribe("${ROOM}", hear, { onGap: (gap) => tab.gaps.push(gap) });
  tab.leads = () => sockets.some((socket) => socket.readyState === 1);
  tab.state = () => live.connection.getSnapshot().state;
  tab.publish = async (text) => (await room.publish({ text })).offset;
  await room.ready;
  window.tab = tab;
`);

const SPEAKING = html(`
  import { connect } from "./index.js";
  const live = connect({ name: "Chat", entries: {} }, { url: "/ws", token: "Ben" });
  const sent = [];
  window.isStopped = false;
  window.publishing = (async () => {
    for (let n = 0; !isStopped; n++) {
      const text = n + " at " + Date.now();
      const { offset } = await live.publish("${ROOM}", { text });
      sent.push({ offset, text });
      await new Promise((resolve) => setTimeout(resolve, ${PACE_MS}));
    }
    return { sent };
  })();
`);

let browser: Browser;
let server: ChatServer;
/** What the server shows. */
let web: string;

before(async () => {
  browser = await launch("--disable-back-forward-cache");
  web = await mkdtemp(join(tmpdir(), "tidewire-tabs-"));
  const dist = join(import.meta.dirname, "../node_modules/tidewire/dist");
  for (const file of ["index.js", "tabs.js"]) await cp(join(dist, file), join(web, file));
  // Without a page the server has nothing to show.
  const pages = { index: "", sharing: SHARING, speaking: SPEAKING, elsewhere: "<!doctype html>elsewhere" };
  for (const [name, text] of Object.entries(pages)) await writeFile(join(web, `${name}.html`), text);
  process.env.WEB = web;
  server = await ChatServer.start();
});
after(async () => {
  await browser.close();
  await server.stop();
  await rm(web, { recursive: true });
});

async function open(context: BrowserContext, name: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(`${server.url}/${name}.html`);
  return page;
}

/** A tab that takes part. */
async function openTab(context: BrowserContext): Promise<Page> {
  const page = await open(context, "sharing");
  await page.waitForFunction(() => window.tab?.state() === "connected");
  return page;
}

async function sessions(): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^tidewire_sessions (\d+)/m.exec(text)?.[1]);
}

/** Waits until something is so. */
async function until(what: string, is: () => Promise<boolean> | boolean, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await is())) {
    assert(Date.now() < end, `${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function leaderOf(pages: readonly Page[]): Promise<Page> {
  const leads = await Promise.all(pages.map((page) => page.evaluate(() => window.tab.leads())));
  assert.equal(leads.filter(Boolean).length, 1, "one tab has the socket");
  return pages[leads.indexOf(true)] as Page;
}

/** How long after a moment each tab had a message that was sent after it. */
async function liveAgain(pages: readonly Page[], since: number): Promise<number[]> {
  const wait = (page: Page) =>
    page.waitForFunction((since) => {
      const fresh = window.tab.heard.findLast(({ text }) => Number(text.split(" at ")[1]) > since);
      if (!fresh) return undefined;
      return window.tab.heard.find(({ text }) => Number(text.split(" at ")[1]) > since)?.at;
    }, since);
  const moments = await Promise.all(pages.map(async (page) => (await (await wait(page)).jsonValue()) as number));
  return moments.map((at) => at - since);
}

/** Ends a page's process. Gives the pages that shared it. */
async function crash(page: Page, pages: readonly Page[]): Promise<Page[]> {
  const gone: Page[] = [];
  for (const other of pages) other.once("crash", () => gone.push(other));
  const session = await page.context().newCDPSession(page);
  // The answer does not come.
  session.send("Page.crash").catch(() => {});
  await until("the page is gone", () => gone.includes(page));
  return gone;
}

test("twenty tabs hold one session, whatever becomes of the one that leads", { timeout: 600_000 }, async (t) => {
  const ann = await browser.newContext();
  let pages = await Promise.all(Array.from({ length: TABS }, () => openTab(ann)));
  const ben = await open(await browser.newContext(), "speaking");
  await until("one session for each visitor", async () => (await sessions()) === 2);
  const times: Record<string, number[]> = { killed: [], frozen: [] };
  const published: Promise<number>[] = [];

  for (let turn = 0; turn < TURNS; turn++) {
    const leader = await leaderOf(pages);
    const others = pages.filter((page) => page !== leader);
    const speaks = (page: Page, index: number) => page.evaluate((text) => window.tab.publish(text), `tab ${index} in turn ${turn}`);
    published.push(...others.slice(0, 3).map(speaks));
    const since = Date.now();
    if (turn % 2 === 0) {
      const gone = await crash(leader, pages);
      pages = pages.filter((page) => !gone.includes(page));
      times.killed?.push(...(await liveAgain(pages, since)));
      for (const page of gone) await page.close();
      pages.push(...(await Promise.all(gone.map(() => openTab(ann)))));
    } else {
      const session = await ann.newCDPSession(leader);
      await session.send("Page.setWebLifecycleState", { state: "frozen" });
      times.frozen?.push(...(await liveAgain(others, since)));
      const thawed = Date.now();
      await session.send("Page.setWebLifecycleState", { state: "active" });
      await liveAgain([leader], thawed);
    }
    await until("one session for each visitor", async () => (await sessions()) === 2);
  }

  // Also those that came last are heard to have come.
  await liveAgain(pages, Date.now());
  await ben.evaluate(() => void (window.isStopped = true));
  const { sent } = await ben.evaluate(() => window.publishing);
  const last = Math.max(sent.at(-1)?.offset ?? 0, ...(await Promise.all(published)));
  for (const page of pages) {
    await page.waitForFunction((last) => window.tab.heard.at(-1)?.offset === last, last);
    const { heard, gaps, errors } = await page.evaluate(() => ({ ...window.tab }));
    const offsets = heard.map(({ offset }) => offset);
    const first = offsets[0] ?? 0;
    assert.deepEqual(offsets, Array.from({ length: last - first + 1 }, (_, index) => first + index), "each once, in order");
    assert.equal(new Set(heard.map(({ text }) => text)).size, heard.length, "each was published once");
    assert.deepEqual(gaps, []);
    assert.deepEqual(errors, []);
  }
  for (const [how, all] of Object.entries(times)) {
    all.sort((a, b) => a - b);
    t.diagnostic(`live again after the leader was ${how}: median ${all[all.length >> 1]} ms, slowest ${all.at(-1)} ms of ${all.length}`);
    assert((all.at(-1) ?? 0) < LIVE_AGAIN_MS, `${how}: ${all.at(-1)} ms`);
  }
  for (const context of [ann, ben.context()]) await context.close();
});

test("a tab that leads and hangs is taken over by one that is shown", { timeout: 120_000 }, async (t) => {
  const ann = await browser.newContext();
  const pages = await Promise.all(Array.from({ length: 3 }, () => openTab(ann)));
  const leader = await leaderOf(pages);
  const others = pages.filter((page) => page !== leader);
  const ben = await open(await browser.newContext(), "speaking");
  await liveAgain(pages, Date.now());
  const since = Date.now();
  const hung = leader.evaluate((ms) => {
    for (const end = Date.now() + ms; Date.now() < end; );
  }, 3 * LIVE_AGAIN_MS);
  const times = await liveAgain(others, since);
  t.diagnostic(`live again after the leader hung: ${times.join(" and ")} ms`);
  assert(Math.max(...times) < LIVE_AGAIN_MS, `${times}`);
  await hung;
  await liveAgain([leader], Date.now());
  await until("one session for each visitor", async () => (await sessions()) === 2);
  assert.notEqual(await leaderOf(pages), leader);
  await ben.evaluate(() => void (window.isStopped = true));
  const { sent } = await ben.evaluate(() => window.publishing);
  const last = sent.at(-1)?.offset;
  for (const page of pages) {
    await page.waitForFunction((last) => window.tab.heard.at(-1)?.offset === last, last);
    const { heard, gaps } = await page.evaluate(() => ({ ...window.tab }));
    const first = heard[0]?.offset ?? 0;
    assert.deepEqual(heard.map(({ offset }) => offset), heard.map((_, index) => first + index));
    assert.deepEqual(gaps, []);
  }
  for (const context of [ann, ben.context()]) await context.close();
});

test("a tab that led comes back from the back-forward cache and goes on where it was", { timeout: 60_000 }, async () => {
  const ann = await browser.newContext();
  const first = await openTab(ann);
  const second = await openTab(ann);
  await first.evaluate(() => addEventListener("pageshow", ({ persisted }) => Object.assign(window, { persisted })));
  await first.goto(`${server.url}/elsewhere.html`);
  await second.waitForFunction(() => window.tab.leads());
  const offset = await second.evaluate(() => window.tab.publish("said meanwhile"));
  // The page is as it was, so that nothing loads.
  await first.goBack({ waitUntil: "commit" });
  await first.waitForFunction((offset) => window.tab.heard.at(-1)?.offset === offset, offset);
  assert.equal(await first.evaluate(() => (window as { persisted?: boolean }).persisted), true);
  assert.equal(await first.evaluate(() => window.tab.leads()), false);
  assert.deepEqual(await first.evaluate(() => window.tab.gaps), []);
  await ann.close();
});
