// A guest: a page in Chromium that writes without pause, on a line of its own.

import type { CDPSession, Page } from "playwright-core";
import { type Chance, pass } from "./chance.js";
import { type Chromium, watch } from "./chromium.js";
import { Line } from "./line.js";
import type { Report } from "./page/main.js";

/** How often a guest writes. */
const WRITES_EVERY_MS = 40;

/** What may happen to a guest. */
export type Trouble = (guest: Guest, chance: Chance) => Promise<void>;

/** One page, in a window with another tab, and its line. */
export class Guest {
  readonly name: string;
  readonly line: Line;
  readonly #page: Page;
  readonly #otherTab: Page;
  readonly #devtools: CDPSession;
  readonly #faults: readonly string[];

  private constructor(name: string, line: Line, [page, otherTab]: readonly [Page, Page], devtools: CDPSession) {
    this.name = name;
    this.line = line;
    this.#page = page;
    this.#otherTab = otherTab;
    this.#devtools = devtools;
    this.#faults = watch(page);
  }

  /** Opens the page through a line of its own. */
  static async open(browser: Chromium, name: string, port: number): Promise<Guest> {
    const tabs = [await browser.window(), await browser.tab()] as const;
    const [page] = tabs;
    const line = await Line.to(port);
    const guest = new Guest(name, line, tabs, await page.context().newCDPSession(page));
    await page.bringToFront();
    await page.goto(`${line.url}/#${encodeURIComponent(name)}`);
    await page.waitForFunction(() => "guest" in window && document.visibilityState === "visible");
    return guest;
  }

  async start(): Promise<void> {
    await this.#page.evaluate((everyMs) => window.guest.start(everyMs), WRITES_EVERY_MS);
  }

  /** Writes no more, and tries to connect now if it has no connection, as a person would who sees the sky clear up. */
  async rest(): Promise<void> {
    await this.#page.evaluate(() => window.guest.rest());
  }

  async report(): Promise<Report> {
    const report = await this.#page.evaluate(() => window.guest.report());
    return { ...report, faults: [...this.#faults, ...report.faults] };
  }

  /** Leaves the page for another tab, and lets it sleep there. */
  async sleep(ms: number): Promise<void> {
    await this.#otherTab.bringToFront();
    await this.#page.waitForFunction(() => document.visibilityState === "hidden");
    await this.#devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await pass(ms);
    await this.#devtools.send("Page.setWebLifecycleState", { state: "active" });
    await this.#page.bringToFront();
  }

  async offline(ms: number): Promise<void> {
    await this.#setOffline(true);
    this.line.pull();
    await pass(ms);
    this.line.plugIn();
    await this.#setOffline(false);
  }

  /** Gives no token for so long. */
  async withhold(ms: number): Promise<void> {
    await this.#page.evaluate(() => window.guest.holdToken());
    await pass(ms);
    await this.#page.evaluate(() => window.guest.releaseToken());
  }

  async close(): Promise<void> {
    await this.#page.close();
    await this.#otherTab.close();
    this.line.close();
  }

  async #setOffline(offline: boolean): Promise<void> {
    const conditions = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.#devtools.send("Network.emulateNetworkConditions", conditions);
  }
}

/** All that may happen to a guest, by name. Each is over when it resolves. */
export const troubles: Readonly<Record<string, Trouble>> = {
  async cuts({ line }, chance) {
    for (let cuts = chance.between(1, 4); cuts > 0; cuts--) {
      await pass(chance.between(20, 700));
      line.cut();
    }
  },

  /** Shorter, or longer, than the server and the client take for life. */
  async stalls({ line }, chance) {
    for (const ms of [chance.between(50, 900), chance.between(1_500, 2_200)]) {
      line.stall();
      await pass(ms);
      line.flow();
      await pass(chance.between(50, 300));
    }
  },

  /** A stall that ends in a cut: what was on its way is lost. */
  async losses({ line }, chance) {
    for (let losses = chance.between(1, 3); losses > 0; losses--) {
      line.stall();
      await pass(chance.between(50, 600));
      line.cut();
      line.flow();
      await pass(chance.between(50, 600));
    }
  },

  async deafPage({ line }, chance) {
    line.halve("near");
    await pass(chance.between(400, 1_800));
  },

  async deafServer({ line }, chance) {
    line.halve("far");
    await pass(chance.between(400, 1_800));
  },

  /** Shorter or longer than the server waits. */
  sleep: (guest, chance) => guest.sleep(chance.between(300, 2_500)),

  offline: (guest, chance) => guest.offline(chance.between(300, 2_500)),

  /** Longer than the server knows a guest for. */
  tokens: (guest, chance) => guest.withhold(chance.between(2_100, 3_000)),
};
