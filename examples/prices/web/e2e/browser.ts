// Chromium, and the board as a visitor sees it.

import assert from "node:assert/strict";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** Starts Chromium with a fresh profile. */
export function launch(): Promise<Browser> {
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      ...asRoot,
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}

/** A frame as a page got it. */
export interface Frame {
  readonly topic: string;
  readonly data: unknown;
  readonly bytes: number;
}

/** One visitor: a page with the board. */
export class Visitor {
  readonly page: Page;
  /** What went wrong on the page. */
  readonly errors: string[] = [];
  /** All that came by the page's own connection. */
  readonly frames: Frame[] = [];
  /** All that came by its slow line. */
  readonly lineFrames: Frame[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    page.on("websocket", (socket) => {
      const frames = socket.url().endsWith("/line") ? this.lineFrames : this.frames;
      socket.on("framereceived", ({ payload }) => {
        frames.push({ ...JSON.parse(String(payload)), bytes: Buffer.byteLength(payload) });
      });
    });
  }

  /** Opens the page, and waits until its board is there. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext(options);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    await visitor.page.locator('.board[aria-busy="false"] .tile').nth(30).waitFor();
    return visitor;
  }

  /** The prices that the board shows, by symbol; the delisted are none. */
  prices(): Promise<Record<string, string>> {
    return this.page.locator(".tile:not([data-delisted])").evaluateAll((tiles) =>
      Object.fromEntries(
        tiles.map((tile) => [(tile as HTMLElement).dataset.symbol, tile.querySelector(".price")?.textContent ?? ""]),
      ),
    );
  }

  /** The prices that the slow reader has, by symbol. */
  linePrices(): Promise<Record<string, string>> {
    return this.page.locator('.cell:not([data-age="none"])').evaluateAll((cells) =>
      Object.fromEntries(cells.map((cell) => (cell as HTMLElement).title.split(" "))),
    );
  }

  /** A number of one of the panels. */
  async figure(panel: string, name: string): Promise<number> {
    const figure = this.page.getByRole("region", { name: panel }).locator(".figure", { hasText: name });
    return Number.parseFloat((await figure.locator("dd").innerText()).replaceAll(",", ""));
  }

  /** Cells of the slow reader's panel that show something old, or the same as the board. */
  cells(age: "old" | "same"): Promise<number> {
    return this.page.locator(`.cell[data-age="${age}"]`).count();
  }

  async setSpeed(name: string): Promise<void> {
    await this.page.getByRole("radio", { name }).click();
  }

  /** Halts the market for everybody. */
  async halt(): Promise<void> {
    await this.page.getByRole("button", { name: "Halt trading" }).click();
    await this.page.getByRole("button", { name: "Resume trading" }).waitFor();
  }
}

/** Asks until it is so. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const patience = AbortSignal.timeout(20_000);
  while (!(await isSo())) {
    assert.ok(!patience.aborted, `it did not come to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
