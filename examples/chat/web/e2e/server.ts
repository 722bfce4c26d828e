// The chat server as a process of its own, which a test stops and starts again.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A running chat server. */
export class ChatServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** Starts the server that `CHAT_SERVER` names, and waits until it listens; port 0 chooses one. */
  static async start(port = "0"): Promise<ChatServer> {
    const binary = process.env.CHAT_SERVER;
    if (!binary) throw new Error("CHAT_SERVER is not set: `cargo xtask test e2e` sets it to the built server");
    const child = spawn(binary, { env: { ...process.env, HOST: "127.0.0.1", PORT: port }, stdio: ["ignore", "pipe", "inherit"] });
    const failed = once(child, "exit").then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)));
    failed.catch(() => {});
    const [line] = await Promise.race([once(createInterface(child.stdout), "line"), failed]);
    const url = /http:\S+/.exec(String(line))?.[0];
    if (!url) throw new Error(`no address in the server's first line: ${line}`);
    return new ChatServer(child, url);
  }

  get port(): string {
    return new URL(this.url).port;
  }

  /** Stops the server and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await gone;
  }
}
