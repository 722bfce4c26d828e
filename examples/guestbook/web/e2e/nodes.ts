// The guest book's nodes: one process, which a test kills and starts again on the same table.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Entry } from "../src/guestbook.schema.js";

/** Where the table and the page are. */
export interface Files {
  readonly database: string;
  readonly web: string;
}

/** Nodes that share a broker in memory and the table. */
export class Nodes {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** The node that takes new connections. */
  port = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#lines = createInterface(process.stdout as NonNullable<ChildProcess["stdout"]>)[Symbol.asyncIterator]();
  }

  /** Starts one node, and waits until it listens; port 0 chooses one. */
  static async start({ database, web }: Files, port = 0): Promise<Nodes> {
    const server = process.env.GUESTBOOK_SERVER;
    if (!server) throw new Error("GUESTBOOK_SERVER is not set: `cargo xtask test e2e` sets it to the built server");
    const env = { ...process.env, DATABASE: database, WEB: web, PORT: String(port) };
    const nodes = new Nodes(spawn(join(dirname(server), "guestbook-nodes"), { env, stdio: ["pipe", "pipe", "inherit"] }));
    nodes.port = await nodes.#address();
    return nodes;
  }

  /** Starts another node, lets `lead` send new connections there, and drains the older. */
  async replace(lead: (port: number) => void): Promise<void> {
    this.#tell("start");
    this.port = await this.#address();
    lead(this.port);
    this.#tell("drain");
    assert.equal(await this.#line(), "drained");
  }

  /** Writes so many entries into the table, of which every fifth has the word `tide`. */
  async fill(count: number): Promise<void> {
    this.#tell(`fill ${count}`);
    assert.equal(await this.#line(), "filled");
  }

  /** How many searches run now, and how much all that ever ran have found. */
  async searches(): Promise<{ running: number; found: number }> {
    const response = await fetch(`http://127.0.0.1:${this.port}/searches`);
    assert.equal(response.status, 200);
    const [running, found] = (await response.json()) as [number, number];
    return { running, found };
  }

  /** The table, as it is on the disk. */
  async entries(): Promise<Entry[]> {
    const response = await fetch(`http://127.0.0.1:${this.port}/entries`);
    assert.equal(response.status, 200);
    return (await response.json()) as Entry[];
  }

  /** Ends all nodes at once, whatever they are doing. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  #tell(command: string): void {
    this.#process.stdin?.write(`${command}\n`);
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the nodes ended with ${this.#process.exitCode}`);
    return value;
  }

  async #address(): Promise<number> {
    const line = await this.#line();
    const url = /http:\S+/.exec(line)?.[0];
    if (!url) throw new Error(`no address in ${JSON.stringify(line)}`);
    return Number(new URL(url).port);
  }
}
