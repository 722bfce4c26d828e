// Chromium with windows and tabs as a person has them: a tab behind another is hidden, and may be frozen, which a page that Playwright
// opens by itself never is.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "playwright-core";

/** What a browser itself says of a connection that fails. */
const NETWORK = /^WebSocket connection to .* failed|^Failed to load resource: net::ERR_/;

/** A browser with a fresh profile. */
export class Chromium {
  readonly #browser: Browser;
  readonly #devtools: CDPSession;
  readonly #end: () => Promise<void>;

  private constructor(browser: Browser, devtools: CDPSession, end: () => Promise<void>) {
    this.#browser = browser;
    this.#devtools = devtools;
    this.#end = end;
  }

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), "tidewire-chromium-"));
    const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const child = spawn(
      process.env.CHROMIUM ?? "/usr/bin/chromium",
      [
        ...asRoot,
        "--headless",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-backgrounding-occluded-windows",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        // A start page would load, and Playwright wait for it.
        "about:blank",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const gone = once(child, "exit");
    // A test that failed before it could close it is ended by force.
    process.once("exit", () => child.kill());
    const browser = await chromium.connectOverCDP(await address(child.stderr), { noDefaults: true, timeout: 60_000 });
    const devtools = await browser.newBrowserCDPSession();
    return new Chromium(browser, devtools, async () => {
      // The answer may come too late to be heard.
      await Promise.race([devtools.send("Browser.close").catch(() => {}), gone]);
      await gone;
      await rm(profile, { recursive: true, maxRetries: 5 });
    });
  }

  /** Opens a window. */
  window(): Promise<Page> {
    return this.#open(true);
  }

  /** Opens a tab in the window that was opened last. */
  tab(): Promise<Page> {
    return this.#open(false);
  }

  close(): Promise<void> {
    return this.#end();
  }

  async #open(newWindow: boolean): Promise<Page> {
    const context = this.#browser.contexts()[0] as BrowserContext;
    const [page] = await Promise.all([
      context.waitForEvent("page"),
      this.#devtools.send("Target.createTarget", { url: "about:blank", newWindow }),
    ]);
    page.setDefaultTimeout(15_000);
    return page;
  }
}

/** Notes what goes wrong on a page from now on, but for what is the network's doing. It is loaded once. */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  let loads = 0;
  page.on("pageerror", (error) => faults.push(`an error of the page: ${error}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !NETWORK.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("load", () => {
    loads += 1;
    if (loads > 1) faults.push("the page was loaded again");
  });
  page.on("crash", () => faults.push("the page crashed"));
  return faults;
}

/** Where the browser listens, as it says. */
async function address(said: Readable): Promise<string> {
  for await (const line of createInterface(said)) {
    const url = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (url) {
      said.resume();
      return url;
    }
  }
  throw new Error("Chromium has ended");
}
