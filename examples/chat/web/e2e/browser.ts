// Chromium, and the chat page as a visitor uses it.

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";

/** Starts Chromium with a fresh profile, without some of the arguments that are usual for tests. */
export function launch(...without: string[]): Promise<Browser> {
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    ignoreDefaultArgs: without,
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

/** What a browser itself says of a connection that fails. */
const NETWORK = /^WebSocket connection to .* failed|^Failed to load resource: net::ERR_/;

/** One visitor: a page with a storage of its own. */
export class Visitor {
  readonly page: Page;
  /** What went wrong on the page, but for the network's own failures. */
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !NETWORK.test(message.text())) this.errors.push(message.text());
    });
  }

  /** Opens the page. `prepare` may route what it loads. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
    prepare: (context: BrowserContext) => Promise<void> = async () => {},
  ): Promise<Visitor> {
    const context = await browser.newContext(options);
    await prepare(context);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    return visitor;
  }

  /** Opens the page in another window of the same browser. */
  static async openBeside({ page }: Visitor): Promise<Visitor> {
    const visitor = new Visitor(await page.context().newPage());
    await visitor.page.goto(page.url());
    return visitor;
  }

  /** Gives a name, without waiting for what the server says to it. */
  async giveName(name: string): Promise<void> {
    await this.page.getByLabel("Your name").fill(name);
    await this.page.getByRole("button", { name: "Enter" }).click();
  }

  /** Comes in with a name. */
  async enter(name: string): Promise<void> {
    await this.giveName(name);
    await this.joined();
  }

  /** Waits until the open room's messages come. */
  async joined(): Promise<void> {
    await this.pill("Connected").waitFor();
    await this.page.locator('[aria-label^="Room "][aria-busy="false"]').waitFor();
  }

  /** Where messages are written. */
  get field(): Locator {
    return this.page.getByRole("textbox", { name: /^Message to/ });
  }

  async send(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
  }

  /** A message of the open room that everybody sees: no draft. */
  message(text: string | RegExp): Locator {
    return this.page.getByRole("log").getByRole("article").getByText(text, { exact: true });
  }

  /** The visitor's messages that are on their way, or failed. */
  get drafts(): Locator {
    return this.page.getByRole("log").getByRole("group", { name: "Not sent yet" });
  }

  /** The others in the open room. */
  get here(): Locator {
    return this.page.getByRole("group", { name: "Who is here" });
  }

  /** The connection's state, with this text. */
  pill(text: string | RegExp): Locator {
    return this.page.getByRole("status").filter({ hasText: text });
  }
}
